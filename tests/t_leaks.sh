#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Many operations of all kinds leave no memory and no descriptor behind, and valgrind finds nothing.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires "$BUILD/tests/stress" "$BUILD/tests/hold"

# Operations of stress.c, each one or several file operations, in all.
: "${XSFS_LEAK_OPS:=40000}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_LEAK_OPS=20000

# What it may grow by after it was warm: six bytes of each operation in the shortest run, much less than
# anything that could be forgotten.
SLACK_KIB=160

rss_kib() {
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"
}

fd_count() {
	find "/proc/$1/fd" -mindepth 1 | wc -l
}

# operate NUMBER NAME
operate() {
	local output
	if output=$(XENSTORED_PATH=$SERVER_SOCKET timeout --kill-after=2 $((XSFS_TEST_PATIENCE + $1 / 200)) \
		"$BUILD/tests/stress" -n "$1" -w 8 "$MNT/stress" /stress 2>&1); then
		ok "$2"
	else
		not_ok "$2" "$output"
	fi
}

# nothing_remembered: nothing is under way, and the table of inodes has only what nobody can forget. The kernel, and
# what it says of that, may come late on a busy machine.
nothing_remembered() {
	kernel_forgets
	at_rest && (($(stat_of inodes) < 50))
}

# The share of each combination of server and transport.
SHARE=$((XSFS_LEAK_OPS / ($(wc -w <<<"$XSFS_TEST_SERVER") * $(wc -w <<<"$XSFS_TEST_TRANSPORT"))))

test_growth() {
	local rss fds inodes
	# What each thread's cache of freed memory keeps fills up slowly, and would look like a leak.
	GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1 \
		mount_xsfs "$STORE" -o threads=4
	operate $((SHARE / 5 + 2000)) 'warm-up'
	hold_start 5 5 20
	hold_say kill 9
	comes_true 10 'warm-up: at rest, with nothing remembered' nothing_remembered
	rss=$(rss_kib "$MOUNT_PID") fds=$(fd_count "$MOUNT_PID") inodes=$(stat_of inodes)
	operate "$SHARE" "$SHARE operations"
	hold_start 5 5 20
	hold_say kill 9
	comes_true 10 'at rest again, with nothing remembered' nothing_remembered
	note "descriptors $fds, then $(fd_count "$MOUNT_PID"); KiB $rss, then $(rss_kib "$MOUNT_PID")"
	note "inodes $inodes, then $(stat_of inodes); $(stat_of fuse_operations) file operations"
	# The loopback library opens one to each process that it signals, when it first does.
	at_most "$(fd_count "$MOUNT_PID")" $((fds + 2)) 'no descriptor for each operation'
	# A sanitizer keeps what was freed.
	if ! has_sanitizer; then
		at_most $(($(rss_kib "$MOUNT_PID") - rss)) "$SLACK_KIB" 'no memory more'
	fi
	umount_xsfs
}

# Everything that a mount does in its life, its end with requests in flight included.
test_valgrind() {
	local status=0 log=$SCRATCH/valgrind.log
	if ! command -v valgrind >/dev/null; then
		skip_one 'valgrind' 'it is not installed'
		return 0
	fi
	# The filter is for the system calls of xsfs, and valgrind has its own.
	XSFS_TEST_WRAPPER="valgrind --quiet --error-exitcode=99 --leak-check=full --track-fds=no
		--show-leak-kinds=definite,possible --errors-for-leak-kinds=definite,possible
		--child-silent-after-fork=yes --log-file=$log" \
		mount_xsfs "$STORE" -o threads=4,seccomp=off,timeout=600
	operate 600 'valgrind: the work is done'
	hold_start 5 5 20
	kill -s STOP "$SERVER_PID"
	hold_say read
	comes_true 20 'valgrind: operations wait' stat_is fuse_operations_now 31
	hold_say kill 9
	is "$(of_answer wrong)" 0 'valgrind: and are killed'
	kill -s TERM "$MOUNT_PID"
	wait "$MOUNT_PID" || status=$?
	kill -s CONT "$SERVER_PID"
	is "$status" 0 'valgrind: status 0'
	# It does not know all system calls, and says so in five lines.
	is "$(sed '/WARNING: unhandled .* syscall/,+4d' "$log")" '' 'valgrind: nothing is wrong, nothing is lost'
}

for_each_store test_growth
# A sanitizer looks already.
has_sanitizer || for_each_store test_valgrind
