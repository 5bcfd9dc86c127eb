#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Streams of events, .watch and .xsfs/watch: which events a reader gets, and that no reader holds up another.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires python3 xenstore-write xenstore-rm "$BUILD/tests/watchers" "$BUILD/tests/fakestore"

# Events past a reader that stands still (1000000 for a full run).
: "${XSFS_STREAM_EVENTS:=40000}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_STREAM_EVENTS=20000

test_events() {
	local threads domid=20
	for threads in $XSFS_TEST_THREADS; do
		mount_xsfs "$STORE" -o "threads=$threads,cache=meta"
		PREFIX="${PREFIX%threads*}threads=$threads: "
		domid=$((domid + 1))
		checked python3 "$TEST_DIR/programs/stream_events.py" "$MNT" $domid $((domid + 4700)) "$XSLOOP" \
			"$BUILD/tests/loop/ringcat" "$SERVER_DIR"
		checked python3 "$TEST_DIR/programs/stream_readers.py" "$MNT" "$threads" "$SERVER_PID"
		comes_true 5 'no stream and no file is left open' stat_is open_files 1
		comes_true 5 'nothing is in flight' at_rest
		is "$(grep -c -i -e error -e warn "$MOUNT_LOG" || true)" 0 'nothing to complain about'
		umount_xsfs
		xs rm /w /s /other
	done
	PREFIX=${PREFIX%threads*}
}

test_guest() {
	local i
	has_config HAVE_XEN || skip 'built without the ring transport'
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7/domid 7 /local/domain/7/mine 0
	for ((i = 0; i < 200; i++)); do
		xs write "/shared/k$i/below" 0
	done
	xs chmod -r /shared b0 >/dev/null
	xs chmod -r /local/domain/7 n7 >/dev/null
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound -o cache=meta
	checked python3 "$TEST_DIR/programs/stream_guest.py" "$MNT"
	like "$(cat "$MOUNT_LOG")" '*cannot watch /shared/k*quota*' 'the log says which quota'
	umount_xsfs
}

rss_kib() {
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"
}

# More events than a reader that stands still can be kept: it hears of that once, and then all is well.
test_flood() {
	local before line events deadline
	mount_xsfs "$STORE" -o cache=meta
	mkdir "$MNT/flood"
	exec 5<"$MNT/flood/.watch" 6<>"$MNT/.xsfs/watch"
	echo /flood/7 >&6
	flood /flood 10000 5000
	before=$(rss_kib "$MOUNT_PID")
	events=$(stat_of events)
	flood /flood "$XSFS_STREAM_EVENTS" 5000
	comes_true 10 'all events are taken' at_rest
	note "$(($(stat_of events) - events)) events, $(($(rss_kib "$MOUNT_PID") - before)) KiB"
	at_least $(($(stat_of events) - events)) $((XSFS_STREAM_EVENTS / 20)) 'there were many events'
	if ! grep -q -e '-fsanitize=' "$BUILD/config.log"; then
		at_most $(($(rss_kib "$MOUNT_PID") - before)) 2048 'its memory is bounded'
	fi
	at_least "$(stat_of stream_overflows)" 1 'the overflow is counted'
	read -r -t "$XSFS_TEST_PATIENCE" line <&5
	is "$line" overflow 'the reader hears of it'
	xs write /flood/9 now
	# The last events of the flood may come only now.
	while read -r -t "$XSFS_TEST_PATIENCE" line <&5 && [[ $line == changed* && $line != 'changed /flood/9' ]]; do
		:
	done
	is "$line" 'changed /flood/9' 'once, and then of what comes after'
	read -r -t "$XSFS_TEST_PATIENCE" line <&6
	is "$line" 'changed /flood/7' 'who waits for less has not lost anything'
	exec 5<&- 6>&-
	umount_xsfs
}

# Gaps.
test_resync() {
	local line
	mount_xsfs "$STORE" -o "timeout=5,cache=meta"
	xs write /g/a 1
	exec 5<"$MNT/g/.watch" 6<>"$MNT/.xsfs/watch" 7<"$MNT/g/a"
	printf '@introduceDomain\n/g/b\n' >&6
	kill -s STOP "$MOUNT_PID"
	kill -s CONT "$MOUNT_PID"
	read -r -t "$XSFS_TEST_PATIENCE" line <&5
	is "$line" resync 'after a stop: resync'
	read -r -t "$XSFS_TEST_PATIENCE" line <&6
	is "$line" resync 'of every stream'
	xs write /g/b 1
	read -r -t "$XSFS_TEST_PATIENCE" line <&6
	is "$line" 'changed /g/b' 'and on it goes'
	read -r -t "$XSFS_TEST_PATIENCE" line <&5
	if [[ $STORE == socket ]]; then
		cat <&7 >/dev/null
		kill_server
		xs read /g/a 2>/dev/null && not_ok 'the server is gone'
		start_server "$SERVER_KIND" 5<&- 6>&- 7<&-
		comes_true 10 'the server is back' state_is connected
		read -r -t "$XSFS_TEST_PATIENCE" line <&5
		is "$line" resync 'after a restart: resync'
		xs write /g/b 2
		until [[ $line == changed* ]]; do
			read -r -t "$XSFS_TEST_PATIENCE" line <&6 || break
		done
		is "$line" 'changed /g/b' 'after a restart: watches are set again'
		python3 "$TEST_DIR/programs/stream_woken.py" 7 && ok 'after a restart: polls wake up'
		wait_for 10 test -e "$MNT/g/b" && ok 'after a restart: lookups are right'
		is "$(ls "$MNT/g")" "$(xs list /g)" 'after a restart: listings too'
	fi
	exec 5<&- 6>&- 7<&-
	umount_xsfs
}

# refused_again NUMBER: the connection is made anew, and so many times the store refuses a watch then.
refused_again() {
	fake 'refuse on'
	fake close
	fake "error $1 E2BIG"
	fake 'refuse off'
	comes_true "$XSFS_TEST_PATIENCE" "refused $1 times: the store is back" state_is connected
}

# next_line FD: prints the next line of a stream that is not `resync`, or nothing if none comes.
next_line() {
	# The shell's own limit of time does not hold for these files.
	timeout "$XSFS_TEST_PATIENCE" bash -c 'while read -r line && [[ $line == resync ]]; do :; done; echo "$line"' <&"$1" 2>&1
}

# The store does not set a watch again: it is asked once more, and if that is in vain too, who reads hears of
# it instead of waiting for what will never come.
test_lost_watch() {
	local pid fd
	PREFIX='lost watch: '
	fake_start -o cache=meta
	fake 'set /l/key 1'
	exec 5<"$MNT/l/.watch" 6<>"$MNT/.xsfs/watch"
	printf '/l/key\n/l/other\n' >&6
	refused_again 1
	comes_true "$XSFS_TEST_PATIENCE" 'it is set all the same' covered
	fake 'set /l/key 2'
	for fd in 5 6; do
		is "$(next_line $fd)" 'changed /l/key' 'and tells'
	done
	comes_true 5 'names are remembered again' asks_nothing find "$MNT/l"

	timeout "$XSFS_TEST_PATIENCE" cat <&5 >"$SCRATCH/lines" 2>&1 &
	pid=$!
	PIDS+=("$pid")
	comes_true 10 'a reader waits' stat_is fuse_operations_now 2
	refused_again 2
	comes_true "$XSFS_TEST_PATIENCE" 'in vain: a reader ends' dead "$pid"
	is "$(sort -u "$SCRATCH/lines")" "$(printf 'cat: -: Input/output error\nresync')" 'with an error'
	like "$(next_line 6)" '*Input/output error*' 'so do those who read later'
	is "$(timeout "$XSFS_TEST_PATIENCE" python3 -c 'import select; p = select.poll(); p.register(6); print(p.poll(0)[0][1] & 9)')" 9 \
		'a poll says that there is an error to be read'
	like "$(<"$MOUNT_LOG")" '*watch on / is lost*' 'the log says so'
	echo /l/key >&6
	fake 'set /l/key 3'
	is "$(next_line 6)" 'changed /l/key' 'a path can be subscribed to again'
	exec 5<&-
	exec 5<"$MNT/l/.watch"
	fake 'set /l/other 3'
	is "$(next_line 5)" 'changed /l/other' 'and a stream be opened'
	is "$(stat -c %s "$MNT/l/key")" 2 'nothing is cached, and all is right'
	exec 5<&- 6>&-
	comes_true "$XSFS_TEST_PATIENCE" 'no watch is left' stat_is watches 0
	refused_again 0
	ls "$MNT/l" >/dev/null
	comes_true "$XSFS_TEST_PATIENCE" 'on the next connection it is tried for again' covered
	comes_true 5 'and names are remembered' asks_nothing find "$MNT/l"
	fake 'set /l/third 3'
	comes_true 5 'for as long as they are right' test -e "$MNT/l/third"
	fake_end
	PREFIX=
}

# A program that opens a stream while the first watch cannot be set, and gives up, leaves nothing behind.
test_given_up() {
	local pid
	mount_xsfs "$STORE" -o cache=off
	stat "$MNT" >/dev/null
	kill -s STOP "$SERVER_PID"
	cat "$MNT/.watch" >/dev/null 2>&1 &
	pid=$!
	PIDS+=("$pid")
	comes_true 10 'an open waits for its watch' stat_is fuse_operations_now 2
	disown "$pid"
	kill -s KILL "$pid"
	comes_true 2 'and is killable' dead "$pid"
	comes_true 2 'no stream is left open' stat_is streams 0
	comes_true 2 'and no file' stat_is open_files 1
	kill -s CONT "$SERVER_PID"
	comes_true 5 'nothing is in flight' at_rest
	umount_xsfs
}

# The end of the mount, with readers and those who wait for watches.
test_end() {
	local threads status pid
	for threads in $XSFS_TEST_THREADS; do
		mount_xsfs "$STORE" -o "threads=$threads,cache=meta"
		xs write /e/x 1
		timeout "$XSFS_TEST_PATIENCE" cat "$MNT/e/.watch" >/dev/null 2>"$SCRATCH/reader" &
		PIDS+=("$!")
		pid=$!
		(exec 5<>"$MNT/.xsfs/watch"; read -r _ <&5) 2>/dev/null &
		PIDS+=("$!")
		comes_true 10 "threads=$threads: two wait" stat_is streams 2
		# The last of the three is the one who asks.
		comes_true 10 "threads=$threads: in the daemon" stat_is fuse_operations_now 3
		like "$(umount "$MNT" 2>&1 || true)" '*busy*' "threads=$threads: umount: busy"
		kill -s TERM "$MOUNT_PID"
		status=0
		wait_for 5 dead "$MOUNT_PID" && wait "$MOUNT_PID" || status=$?
		is "$status" 0 "threads=$threads: SIGTERM ends it"
		is "$(wait_for 5 dead "$pid" && echo gone)" gone "threads=$threads: and who waits"
		like "$(cat "$SCRATCH/reader")" '*error*' "threads=$threads: with an error"
		umount -l "$MNT" 2>/dev/null || true
	done
}

# The shell's ways.
test_shell() {
	local event path
	mount_xsfs "$STORE"
	mkdir "$MNT/sh"
	exec 3<>"$MNT/.xsfs/watch"
	echo /sh/key >&3
	echo 1 >"$MNT/sh/key"
	read -r -t "$XSFS_TEST_PATIENCE" event path <&3
	is "$event $path" 'changed /sh/key' 'a shell reads words'
	rm "$MNT/sh/key"
	while read -r -t "$XSFS_TEST_PATIENCE" event path <&3; do
		[[ $event != deleted ]] || break
	done
	is "$event $path" 'deleted /sh/key' 'and hears of the removal'
	exec 3>&-
	fails EINVAL bash -c 'echo nonsense >"$1"' - "$MNT/.xsfs/watch"
	umount_xsfs
}

test_lost_watch
for_each_store test_shell
for_each_store test_events
for_each_store test_guest
for_each_store test_flood
for_each_store test_resync
for_each_store test_given_up
for_each_store test_end
