#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# poll, select and epoll on keys: whoever changes one, and whatever is above it, those who wait for it wake up.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 xenstore-write xenstore-rm "$BUILD/tests/watchers"

# Changes in all rounds of one server and transport (100000 for a full run), keys and streams of test_many.
: "${XSFS_POLL_CHANGES:=6000}" "${XSFS_POLL_KEYS:=1000}" "${XSFS_POLL_STREAMS:=100}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_POLL_CHANGES=2000

test_semantics() {
	local cache other
	mount_xsfs socket:"$SERVER_SOCKET"
	other=$MNT
	for cache in off meta full; do
		mount_xsfs "$STORE" -o "cache=$cache"
		PREFIX="$PREFIX$cache: "
		checked python3 "$TEST_DIR/programs/poll.py" "$MNT" "$other"
		is "$(stat_of watches)" 1 'one server watch does it all'
		comes_true 5 'no file is left open' stat_is open_files 1
		is "$(grep -c -i -e error -e warn "$MOUNT_LOG" || true)" 0 'nothing to complain about'
		umount_xsfs
		PREFIX=${PREFIX%"$cache: "}
		xs rm /p
	done
}

# add_domain DOMID GFN: a guest as a toolstack makes it.
add_domain() {
	"$XSLOOP" domain "$SERVER_DIR" "$1" "$2" >/dev/null
	xs write "/local/domain/$1/domid" "$1" "/local/domain/$1/mine" 0
	xs chmod -r "/local/domain/$1" "n$1" >/dev/null
}

# A domain that is not privileged.
test_guest() {
	local dom0 log i
	has_config HAVE_XEN || skip 'built without the ring transport'
	add_domain 7 4711
	mount_xsfs "$STORE"
	dom0=$MNT
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound
	log=$MOUNT_LOG
	checked python3 "$TEST_DIR/programs/poll_domain.py" "$dom0/local/domain/7/mine" "$MNT/local/domain/7/mine"

	# 200 keys of its own: one watch. Each key elsewhere: one of its own, until the quota ends that.
	for ((i = 0; i < 200; i++)); do
		printf '%s\n' "/local/domain/7/k$i" 0 "/shared/k$i" 0
	done | XENSTORED_PATH=$SERVER_SOCKET xargs xenstore-write
	xs chmod -r /shared b0 >/dev/null
	checked python3 "$TEST_DIR/programs/poll_many.py" "$MNT"
	like "$(cat "$log")" '*/shared/k*quota*' 'the log says which quota'
	umount_xsfs
}

# rounds NAME MODE WRITERS [ANCESTOR]
rounds() {
	local output
	output=$(XENSTORED_PATH=$SERVER_SOCKET timeout --kill-after=2 $((XSFS_TEST_PATIENCE + SHARE / 20)) "$BUILD/tests/watchers" \
		rounds "$2" "$MNT/r/x/y/z" /r/x/y/z $((SHARE / $3)) "$3" ${4:+"$4"} 2>&1) || true
	like "$output" 'ok *' "no wake-up is lost: $1"
	note "$output changes, reads"
}

test_lost() {
	local mode threads cache name
	for threads in $XSFS_TEST_THREADS; do
		for cache in meta full; do
			name="threads=$threads, $cache"
			mount_xsfs "$STORE" -o "threads=$threads,cache=$cache"
			SHARE=$((XSFS_POLL_CHANGES / 12 / $(wc -w <<<"$XSFS_TEST_THREADS")))
			xs write /r/x/y/z 0
			for mode in poll select level edge; do
				rounds "$name, $mode, one writer" $mode 1
			done
			rounds "$name, edge, four writers" edge 4
			xs write /r/x/y/z 0
			rounds "$name, level, four writers and an ancestor that goes" level 4 /r/x
			umount_xsfs
		done
	done
}

# A value grows while its file is polled and read for the first time: the kernel has the old size then, and must not
# cut the new value to it.
test_first() {
	local threads i output bad=''
	for threads in $XSFS_TEST_THREADS; do
		mount_xsfs "$STORE" -o "threads=$threads,cache=full"
		for ((i = 0; i < XSFS_POLL_CHANGES / 100; i++)); do
			xs write "/first/$i" 0
			output=$(XENSTORED_PATH=$SERVER_SOCKET timeout --kill-after=2 "$XSFS_TEST_PATIENCE" "$BUILD/tests/watchers" \
				rounds poll "$MNT/first/$i" "/first/$i" 1 1 2>&1) || true
			[[ $output == ok* ]] || bad+="$i: $output "
		done
		is "$bad" '' "threads=$threads, full: what changes at the first look is read"
		umount_xsfs
		xs rm /first
	done
}

# Many who wait: one server watch, and a wake-up that takes as long as with few (which is said, not asserted).
test_many() {
	local few many
	mount_xsfs "$STORE" -o cache=meta
	export XENSTORED_PATH=$SERVER_SOCKET XSFS_MOUNT=$MNT
	few=$(timeout "$XSFS_TEST_PATIENCE" "$BUILD/tests/watchers" many "$MNT/few" /few 10 1 300) || true
	like "$few" 'ok *' 'few: each change wakes the one'
	many=$(timeout 300 "$BUILD/tests/watchers" many "$MNT/many" /many "$XSFS_POLL_KEYS" \
		"$XSFS_POLL_STREAMS" 300) || true
	like "$many" 'ok *' "$XSFS_POLL_KEYS keys and $XSFS_POLL_STREAMS streams: each change wakes the one"
	is "$(stat_of watches)" 1 'on one server watch'
	note "change to wake-up: ${few#ok } us with 10 keys, ${many#ok } us with $XSFS_POLL_KEYS," \
		"$((100 * ${many#ok } / ${few#ok })) %"
	unset XENSTORED_PATH XSFS_MOUNT
	umount_xsfs
}

for_each_store test_semantics
for_each_store test_guest
for_each_store test_lost
for_each_store test_first
for_each_store test_many
