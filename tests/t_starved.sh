#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# When an allocation fails, or a new descriptor cannot be had, whichever it is and whoever asks for it, the operation
# concerned gets an error, or succeeds all the same; xsfs goes on, and everything works afterwards. A library that is
# preloaded lets the n-th fail (failing.c).
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 "$BUILD/tests/.libs/libfailing.so"

# Of so many allocations one is tried; 1 is the full size. A start makes few: all are, as all descriptors.
: "${XSFS_STARVED_STRIDE:=13}"
: "${XSFS_STARVED_START_STRIDE:=1}"

# starving CMD...: runs xsfs with failing.c, which has to come before the libraries of the sanitizers, too.
cat >"$SCRATCH/starving" <<-END
	#!/bin/bash
	export XSFS_FAILING=$SCRATCH/failing
	export ASAN_OPTIONS="\${ASAN_OPTIONS:+\$ASAN_OPTIONS:}verify_asan_link_order=0:allocator_may_return_null=1"
	LD_PRELOAD="\${LD_PRELOAD:+\$LD_PRELOAD:}$BUILD/tests/.libs/libfailing.so" exec "\$@"
END
chmod +x "$SCRATCH/starving"
truncate --size=4096 "$SCRATCH/failing"

# starve WHAT KIND STRIDE COMMAND...
starve() {
	checked python3 "$TEST_DIR/programs/starved.py" "$1" "$MNT" "$SCRATCH/failing" "$2" "$3" "${@:4}"
}

# memory_fails: whether failing.c gets to see allocations; a sanitizer's own allocator comes before it.
memory_fails() {
	if has_sanitizer; then
		skip_one 'no memory' 'a sanitizer allocates by itself'
		return 1
	fi
}

test_running() {
	local cache PREFIX=$PREFIX
	memory_fails || return 0
	for cache in meta full; do
		PREFIX="${PREFIX%cache=*}cache=$cache: "
		XSFS_TEST_CACHE=$cache XSFS_TEST_WRAPPER="$SCRATCH/starving $XSFS_TEST_WRAPPER" mount_xsfs "$STORE"
		starve run memory "$XSFS_STARVED_STRIDE"
		comes_true 5 'nothing is left of it' at_rest
		is "$(stat_of transactions)" 0 'no transaction is open'
		umount_xsfs
	done
}

# fd_count: how many descriptors the mount has.
fd_count() {
	find "/proc/$MOUNT_PID/fd" -mindepth 1 | wc -l
}

# fd_count_is NUMBER
fd_count_is() {
	[[ $(fd_count) == "$1" ]]
}

# once: each operation once; prints the errnos, 0 for success.
once() {
	PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 bounded python3 "$TEST_DIR/programs/starved.py" once "$MNT" 2>&1
}

works_again() {
	[[ $(once) == 0 ]]
}

# recv_calls_idle: how often the mount looks for replies while it is asked for nothing.
recv_calls_idle() {
	local before
	before=$(stat_of transport_recv_calls)
	sleep 0.3
	echo $(($(stat_of transport_recv_calls) - before))
}

# server_returns_under_limit: to a mount that can open nothing, not even what it needs to notice.
server_returns_under_limit() {
	local number said status hard count
	count=$(fd_count)
	hard=$(prlimit --pid "$MOUNT_PID" --nofile --noheadings --output=HARD)
	for number in 0 $((count - 1)); do
		kill_server
		prlimit --pid "$MOUNT_PID" "--nofile=$number:"
		start_server "$SERVER_KIND"
		status=0
		said=$(bounded cat "$MNT/starved/gone" 2>&1) || status=$?
		note "limit $number: $said"
		is "$status" 1 "a server returns to a mount that may have $number descriptors: an error, in time"
		prlimit --pid "$MOUNT_PID" "--nofile=$hard:"
		comes_true 10 'which is connected to it when it may have more' state_is connected
		comes_true 10 'and works' works_again
		comes_true 5 'with as many descriptors as it had' fd_count_is "$count"
	done
}

# The limit is lowered while it runs. Events of inotify take descriptors when they are raised.
test_limit() {
	mount_xsfs "$STORE" -o cache=meta,inotify=on,timeout=2
	checked python3 "$TEST_DIR/programs/starved.py" limit "$MNT" "$MOUNT_PID"
	comes_true 5 'nothing is left of it' at_rest
	prlimit --pid "$MOUNT_PID" --nofile=2:
	at_most "$(recv_calls_idle)" 1000 'with fewer descriptors than it waits for it does not spin'
	prlimit --pid "$MOUNT_PID" --nofile=1024:
	[[ $STORE != socket ]] || server_returns_under_limit
	umount_xsfs
}

# The filter is not made: libseccomp 2.5.4 writes beyond its memory when it gets no more.
test_start() {
	local kind
	MNT=$(mktemp -d "$SCRATCH/start.XXXXXX")
	! memory_fails || starve start memory "$XSFS_STARVED_START_STRIDE" "$SCRATCH/starving" "$XSFS" "socket:$SERVER_SOCKET" "$MNT" -f -o seccomp=off
	for kind in EMFILE ENFILE; do
		starve start "$kind" 1 "$SCRATCH/starving" "$XSFS" "socket:$SERVER_SOCKET" "$MNT" -f -o seccomp=off
	done
}

for_each_store test_running
for_each_store test_limit
XSFS_TEST_SERVER=${XSFS_TEST_SERVER%% *} XSFS_TEST_TRANSPORT=socket XSFS_TEST_HALF='' for_each_store test_start
