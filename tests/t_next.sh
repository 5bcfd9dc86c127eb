#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# .next, the stream of a node's values, and event loops that know only "readable": asyncio, GLib, libuv, Go's. None
# of them spins, or misses the last value.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires python3 xenstore-write "$BUILD/tests/fakestore"

export XSFS_TEST_PATIENCE

test_values() {
	local cache
	for cache in off meta full; do
		mount_xsfs "$STORE" -o "cache=$cache"
		PREFIX="$PREFIX$cache: "
		checked python3 "$TEST_DIR/programs/next_values.py" "$MNT" "$SERVER_KIND"
		wait_for 10 stat_is streams 0 || true
		is "$(stat_of watches) $(stat_of streams)" '1 0' 'one server watch does it all, and no stream is left'
		umount_xsfs
		PREFIX=${PREFIX%"$cache: "}
		xs rm /n
	done
	xs write /r/key 1
	mount_xsfs "$STORE" -o format=raw,root=/r
	checked python3 "$TEST_DIR/programs/next_raw.py" "$MNT"
	umount_xsfs
}

has_library() {
	python3 -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null
}

test_loops() {
	local loop library
	mount_xsfs "$STORE"
	while read -r loop library; do
		if [[ ! $library ]] || has_library "$library"; then
			checked python3 "$TEST_DIR/programs/next_loops.py" "$MNT" "$loop"
		else
			skip_one "$loop" "there is no $library"
		fi
	done <<-'END'
		asyncio
		edge
		glib libglib-2.0.so.0
		libuv libuv.so.1
	END
	umount_xsfs
}

# value_comes FD VALUE: reads values until that one comes; prints the last that came, or the error.
value_comes() {
	# The shell's own limit of time does not hold for these files.
	timeout "$XSFS_TEST_PATIENCE" bash -c \
		'while IFS= read -r line; do [[ $line != "$1" ]] || break; done; echo "$line"' - "$2" <&"$1" 2>&1
}

# After a possible loss a change is reported, with the present value.
test_gaps() {
	mount_xsfs "$STORE" -o "timeout=$XSFS_TEST_PATIENCE"
	xs write /g/key 1
	exec 5<"$MNT/.xsfs/nodes/g/key/.next"
	kill -s STOP "$MOUNT_PID"
	kill -s CONT "$MOUNT_PID"
	is "$(value_comes 5 1)" 1 'after a stop: the value, in case that it changed'
	if [[ $STORE == socket ]]; then
		kill_server
		start_server "$SERVER_KIND" 5<&-
		xs write /g/key 2
		is "$(value_comes 5 2)" 2 'after a restart of the server: what was written meanwhile'
		xs write /g/key 3
		is "$(value_comes 5 3)" 3 'and what is written then'
	fi
	exec 5<&-
	umount_xsfs
}

# reads: what a read gives of descriptor 5, once it is readable.
reads() {
	python3 "$TEST_DIR/programs/next_reads.py"
}

# The effects of the store's faults.
test_faults() {
	PREFIX='faults: '
	fake_start -o cache=meta,timeout=1
	fake 'set /f/key 1'
	exec 5<"$MNT/.xsfs/nodes/f/key/.next"
	fake 'silent 1'
	fake 'set /f/key 2'
	is "$(reads)" ETIMEDOUT 'the store does not tell the value'
	is "$(reads)" "b'2\n'" 'that is not lost'
	fake 'error 1 EACCES'
	fake 'set /f/key 3'
	is "$(reads)" EACCES 'the store refuses it'
	fake 'set /f/key 4'
	is "$(reads)" "b'4\n'" 'which is told once: then there is the next'
	exec 5<&-
	fake_end
	PREFIX=
}

test_faults
for_each_store test_values
for_each_store test_loops
for_each_store test_gaps
