#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What only newer servers can do, events of one domain and permissions for all domains: refused with a reason
# where a server cannot, for none of those that can be had here can, and sent as Xen's documents say where it can.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires xenstore-write xenstore-chmod getfattr setfattr

WAIT=$BUILD/src/xsfs-wait

# subscribe LINE...: writes them to a stream, in one write.
subscribe() {
	bash -c 'exec 3<>"$1"; printf "%s\n" "${@:2}" >&3' - "$MNT/.xsfs/watch" "$@"
}

# waits_for ARGS...: xsfs-wait, started, its stream subscribed to one watch more than there are.
waits_for() {
	local before
	before=$(stat_of watches)
	"$WAIT" -m "$MNT" "$@" >"$SCRATCH/waiter.out" 2>&1 </dev/null &
	WAITER=$!
	PIDS+=("$WAITER")
	comes_true 5 "xsfs-wait $*: its watch is set" stat_is watches $((before + 1))
}

ended() {
	local status=0
	comes_true 5 "$1" dead "$WAITER"
	wait "$WAITER" || status=$?
	is "$status $(<"$SCRATCH/waiter.out")" '0 ' "$1, with status 0"
}

perms_of() {
	cat "$MNT/.xsfs/nodes/$1/.perms"
}

test_refused() {
	local before output status=0
	mount_xsfs "$STORE"
	mkdir -p "$MNT/f/dir"
	echo v >"$MNT/f/leaf"
	# With it comes the watch that covers the store.
	succeeds 'a key' subscribe /f
	comes_true 5 'its stream ends' stat_is streams 0
	before=$(stat_of watches)
	output=$(bounded "$WAIT" -m "$MNT" @releaseDomain/7 2>&1) || status=$?
	is "$status $output" '2 xsfs-wait: @releaseDomain/7: this server tells of all domains together only (one of Xen 4.22 or newer can do more)' \
		'xsfs-wait says why'
	fails EOPNOTSUPP subscribe @introduceDomain/7
	fails EOPNOTSUPP subscribe @releaseDomain /f @releaseDomain/7
	succeeds 'all domains' subscribe @releaseDomain @introduceDomain
	for path in @releaseDomain/ @releaseDomain/x @releaseDomain/7/8 @releaseDomain/65536 @other/7; do
		fails EINVAL subscribe "$path"
	done
	comes_true 5 'no watch is left' stat_is watches "$before"
	before=$(perms_of f/leaf)
	fails EOPNOTSUPP bash -c 'echo n0,r32757 >"$1"' - "$MNT/f/dir/.perms"
	fails EOPNOTSUPP setfattr -n user.xenstore.perms -v n0,r32757 "$MNT/f/leaf"
	is "$(perms_of f/leaf)" "$before" 'the permissions are as before'
	# Digits alike are other domains.
	succeeds 'a domain of a number like it' bash -c 'echo n0,r3275 >"$1"' - "$MNT/f/dir/.perms"
	fails EINVAL bash -c 'echo n0,r327570 >"$1"' - "$MNT/f/dir/.perms"
	umount_xsfs
}

test_newer() {
	fake_start -o timeout=60,cache=meta
	mkdir "$MNT/dir"
	fake 'features 3'
	fails EOPNOTSUPP subscribe @releaseDomain/7
	fails EOPNOTSUPP bash -c 'echo n0,r32757 >"$1"' - "$MNT/dir/.perms"
	# neither feature stands for the other
	fake 'features 4'
	fails EOPNOTSUPP bash -c 'echo n0,r32757 >"$1"' - "$MNT/dir/.perms"
	fake 'features 8'
	fails EOPNOTSUPP subscribe @releaseDomain/7
	fake 'features nonsense'
	fails EIO subscribe @releaseDomain/7
	fake 'features 15'
	waits_for @releaseDomain/7
	fake 'event @releaseDomain/8'
	fake 'event @releaseDomain'
	cat "$MNT/.xsfs/requests" "$MNT/none" >/dev/null 2>&1 || true
	succeeds 'the end of others is nothing to it' kill -s 0 "$WAITER"
	fake 'event @releaseDomain/7'
	ended "the domain's end"
	waits_for @introduceDomain/7
	fake 'event @introduceDomain/7'
	ended "the domain's beginning"
	for list in n0,r32757 b32757 n7,b32757,r3; do
		echo "$list" >"$MNT/dir/.perms"
		is "$(<"$MNT/dir/.perms")" "$list" "permissions $list"
		setfattr -n user.xenstore.perms -v n0 "$MNT/dir"
		setfattr -n user.xenstore.perms -v "$list" "$MNT/dir"
		is "$(perms_of dir)" "$list" '... as an attribute'
	done
	fake_end
}

requires_fuse
for_each_store test_refused
test_newer
