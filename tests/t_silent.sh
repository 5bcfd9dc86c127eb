#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The store is there and says nothing: whoever waits for it can be killed at once, the mount says what is
# going on and ends when it is told to, and when the store speaks again nothing was lost or left behind.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires "$BUILD/tests/hold" "$BUILD/tests/stress"

# The number of waiting processes: of twelve, one renames, two unlink, nine read.
: "${XSFS_SILENT_CLIENTS:=120}"
RENAMERS=$((XSFS_SILENT_CLIENTS / 12)) UNLINKERS=$((XSFS_SILENT_CLIENTS / 6))
READERS=$((XSFS_SILENT_CLIENTS - RENAMERS - UNLINKERS))
WAITING=$((RENAMERS + UNLINKERS + READERS))

# Microseconds, on a machine that is busy with other things: much less than the 600 seconds that the store has.
AT_ONCE=$((XSFS_TEST_PATIENCE * 1000000))

# caught_unlinking: stops the server. A quarter of the unlinkers, which make their files too, waits for it inside of
# unlink; else it goes on.
caught_unlinking() {
	kill -s STOP "$SERVER_PID"
	wait_for 20 stat_is fuse_operations_now $((RENAMERS + UNLINKERS + 1)) || true
	hold_say blocked
	(($(cut -d ' ' -f 2 <<<"$ANSWER") >= UNLINKERS / 4)) || { kill -s CONT "$SERVER_PID"; return 1; }
}

# silence NAME: the server stops, with all the clients of hold.c waiting for it.
silence() {
	comes_true 60 "$1: a quarter of the unlinkers is caught" caught_unlinking
	hold_say read
	# The one more is the read that asks.
	comes_true 20 "$1: $WAITING operations have reached the daemon" \
		stat_is fuse_operations_now $((WAITING + 1))
	hold_say blocked
	note "inside of rename, unlink, pread: $ANSWER"
	comes_true 5 "$1: renames and reads" hold_inside $((RENAMERS / 2)) "$READERS"
}

# all_freed NAME: the answer to `kill`.
all_freed() {
	note "$ANSWER"
	is "$(of_answer freed)" "$WAITING" "$1: frees every client"
	# On an idle machine all are fast; what no load excuses is one that waits for the store.
	note "$(of_answer fast) of $WAITING within 50 ms, the slowest after $(of_answer slowest) us"
	at_least "$(of_answer fast)" $((WAITING / 20)) "$1: within 50 ms, as far as the machine can"
	at_most "$(of_answer slowest)" "$AT_ONCE" "$1: long before the store would have answered"
	is "$(of_answer wrong)" 0 "$1: all as they should"
}

# silent_again: checks what abandoned operations leave behind while the store is silent.
looks_silent() {
	local requests
	comes_true 5 "$1: no operation is left" stat_is fuse_operations_now 1
	requests=$(bounded cat "$MNT/.xsfs/requests")
	is "$(grep -c . <<<"$requests")" "$(($(stat_of in_flight) + $(stat_of queued)))" \
		"$1: .xsfs/requests has a line for each request"
	at_least "$(grep -c ' abandoned ' <<<"$requests")" 1 "$1: .xsfs/requests shows the abandoned"
}

# speaks_again NAME: after a SIGCONT all is as it was.
speaks_again() {
	comes_true 20 "$1: nothing stays in flight" at_rest
	is "$(stat_of late_replies)" "$(stat_of abandoned)" "$1: a late reply for each abandoned request"
	at_least "$(stat_of abandoned)" 1 "$1: there were such"
	comes_true 5 "$1: no transaction is left open" no_transaction_open
	at_least "$(transactions_seen)" $((RENAMERS + UNLINKERS)) "$1: of many"
	comes_true 5 "$1: no file is left open" stat_is open_files "$OPEN_AT_REST"
	is "$(stat_of reconnects)$(stat_of unknown_replies)$(stat_of timeouts)" 000 \
		"$1: the connection was never lost or confused"
}

test_killed() {
	local threads output ms name
	for threads in $XSFS_TEST_THREADS; do
		start_traced
		mount_xsfs "$STORE" -o "threads=$threads,timeout=600"
		OPEN_AT_REST=$(stat_of open_files)
		name="threads=$threads, SIGKILL"

		hold_start $RENAMERS $UNLINKERS $READERS
		silence "$name"
		output=$(bounded cat "$MNT/.xsfs/requests")
		at_least "$(grep -c '^[1-9][0-9]* [0-9]*ms sent tx=[0-9]* [A-Z]' <<<"$output")" 8 \
			"$name: .xsfs/requests shows those that were sent, with their age"
		at_least "$(stat_of in_flight)" 8 "$name: .xsfs/stats shows them too"
		ms=$(cpu_ms "$MOUNT_PID")
		sleep 3
		ms=$(($(cpu_ms "$MOUNT_PID") - ms))
		at_most "$ms" 20 "$name: waiting takes no processor time"
		hold_say kill 9
		all_freed "$name"
		looks_silent "$name"
		kill -s CONT "$SERVER_PID"
		speaks_again "$name"

		name="threads=$threads, SIGINT"
		hold_start $RENAMERS $UNLINKERS $READERS
		silence "$name"
		hold_say kill 2
		all_freed "$name"
		looks_silent "$name"
		kill -s CONT "$SERVER_PID"
		speaks_again "$name"

		name="threads=$threads, afterwards"
		hold_start $RENAMERS $UNLINKERS $READERS
		silence "$name"
		kill -s CONT "$SERVER_PID"
		hold_say finish
		is "$ANSWER" "finished $WAITING wrong 0" "$name: who kept waiting goes on, with right values"
		output=$(XENSTORED_PATH=$SERVER_SOCKET timeout $((2 * XSFS_TEST_PATIENCE)) "$BUILD/tests/stress" -n 2000 -w 8 \
			"$MNT/stress" /stress 2>&1) && output=
		is "$output" '' "$name: everything works"
		ms=$(cpu_ms "$MOUNT_PID")
		sleep 3
		ms=$(($(cpu_ms "$MOUNT_PID") - ms))
		at_most "$ms" 9 "$name: an idle mount takes no processor time"
		umount_xsfs
		is "$(grep -c -i -e error -e warn "$MOUNT_LOG" || true)" 0 "$name: nothing to complain about"
	done
}

# In good order and at once, whoever waits.
test_ended() {
	local threads begin status
	for threads in $XSFS_TEST_THREADS; do
		# With allow_other the kernel checks the root's permissions on each walk.
		mount_xsfs "$STORE" -o "allow_other,threads=$threads,timeout=600"
		hold_start 10 10 50
		kill -s STOP "$SERVER_PID"
		hold_say read
		comes_true 20 "threads=$threads, SIGTERM: operations wait" stat_is fuse_operations_now 71
		begin=${EPOCHREALTIME/[.,]/}
		kill -s TERM "$MOUNT_PID"
		status=0
		wait "$MOUNT_PID" || status=$?
		at_most $((${EPOCHREALTIME/[.,]/} - begin)) "$AT_ONCE" "threads=$threads, SIGTERM: ends at once"
		is "$status" 0 "threads=$threads, SIGTERM: status 0"
		hold_say reap
		note "$ANSWER"
		is "$(($(of_answer eio) + $(of_answer notconn)))" 70 \
			"threads=$threads, SIGTERM: who waited gets an error"
		is "$(mounted "$MNT" && echo mounted)" '' "threads=$threads, SIGTERM: it is unmounted"
		kill -s CONT "$SERVER_PID"

		# Nobody holds the mount any more, but their requests are still on the wire.
		mount_xsfs "$STORE" -o "threads=$threads,timeout=600"
		hold_start 10 10 50
		kill -s STOP "$SERVER_PID"
		hold_say read
		comes_true 20 "threads=$threads, umount: operations wait" stat_is fuse_operations_now 71
		begin=${EPOCHREALTIME/[.,]/}
		is "$(umount "$MNT" 2>&1 | grep -c busy || true)" 1 "threads=$threads, umount: busy while they do"
		at_most $((${EPOCHREALTIME/[.,]/} - begin)) "$AT_ONCE" "threads=$threads, umount: says so at once"
		hold_say killall 9
		is "$(of_answer wrong)" 0 "threads=$threads, umount: all die"
		begin=${EPOCHREALTIME/[.,]/}
		status=0
		umount_xsfs || status=$?
		at_most $((${EPOCHREALTIME/[.,]/} - begin)) "$AT_ONCE" "threads=$threads, umount: at once"
		is "$status" 0 "threads=$threads, umount: status 0"
		kill -s CONT "$SERVER_PID"

		# umount -f takes it from under them.
		mount_xsfs "$STORE" -o "threads=$threads,timeout=600"
		hold_start 10 10 50
		kill -s STOP "$SERVER_PID"
		hold_say read
		comes_true 20 "threads=$threads, umount -f: operations wait" stat_is fuse_operations_now 71
		umount -f "$MNT" 2>/dev/null || true
		hold_say reap
		note "$ANSWER"
		is "$(of_answer notconn)" 70 "threads=$threads, umount -f: who waited gets an error"
		comes_true 5 "threads=$threads, umount -f: the daemon ends" dead "$MOUNT_PID"
		status=0
		wait "$MOUNT_PID" || status=$?
		is "$status" 0 "threads=$threads, umount -f: status 0"
		kill -s CONT "$SERVER_PID"
	done
}

for_each_store test_killed
for_each_store test_ended
