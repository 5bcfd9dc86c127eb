#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Nodes that were removed: a name that is used again leads to something new, whoever still holds the old; nothing
# comes back by being written to; nothing is made below what is gone.
. "${0%/*}/functions.sh"
requires python3 xenstore-write xenstore-rm tar

# Rounds of mkdir, create, unlink, rmdir with one name, in each cache mode (10000 for a full run).
: "${XSFS_REMOVED_ROUNDS:=300}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_REMOVED_ROUNDS=50

# A domain that may not read everything that it may write to.
guest() {
	local fd
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7/data '' /tool/mine/k 1 /tool/mine/d/k 1 /tool/drop ''
	xs chmod -r /local/domain/7 n7
	xs chmod -r /tool/mine n7
	xs chmod /tool n0 r7
	xs chmod /tool/drop n0 w7
	XSFS_TEST_CACHE=meta XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	succeeds 'a guest: mkdir in its own directory' mkdir "$MNT/local/domain/7/new"
	succeeds 'a guest: a new key' bash -c 'echo 1 >"$1"' - "$MNT/local/domain/7/new/k"
	succeeds 'a guest: a new key elsewhere' bash -c 'echo 1 >"$1"' - "$MNT/tool/mine/new"
	is "$(value /local/domain/7/new/k)$(value /tool/mine/new)" 11 'a guest: both are there'
	exec {fd}<>"$MNT/tool/mine/d/k"
	xs rm /tool/mine/d
	fails ENOENT bash -c 'echo 2 >&"$1"' - "$fd"
	exec {fd}<&-
	absent /tool/mine/d 'a guest: what was removed does not come back, though no event tells a guest of it'
	# xenstored does not say whether there is something below what may not be read.
	if [[ $SERVER_KIND == o ]]; then
		succeeds 'a guest: a new key where it may not read' bash -c 'echo 3 >"$1"' - "$MNT/tool/drop/k"
		is "$(value /tool/drop/k)" 3 'a guest: it is there'
	fi
	umount_xsfs
}

test_removed() {
	local cache
	export SCRATCH
	# Without a watch it has to ask each time.
	mount_xsfs "$STORE" -o cache=off
	checked python3 "$TEST_DIR/programs/removed_others.py" "$MNT" 'cache=off, unwatched'
	checked python3 "$TEST_DIR/programs/removed_costs.py" "$MNT" 'cache=off, unwatched'
	umount_xsfs
	for cache in off meta full; do
		mount_xsfs "$STORE" -o "cache=$cache"
		checked python3 "$TEST_DIR/programs/removed_others.py" "$MNT" "cache=$cache"
		checked python3 "$TEST_DIR/programs/removed_names.py" "$MNT" "cache=$cache"
		checked python3 "$TEST_DIR/programs/removed_rounds.py" "$MNT" "cache=$cache" "$XSFS_REMOVED_ROUNDS"
		umount_xsfs
		mount_xsfs "$STORE" -o "cache=$cache,inotify=off"
		checked python3 "$TEST_DIR/programs/removed_costs.py" "$MNT" "cache=$cache"
		umount_xsfs
		stop_server
		start_server "$SERVER_KIND"
	done
	! has_config HAVE_XEN || guest
}
for_each_store test_removed
