#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A daemon keeps nothing of the shell that started it, and names what it cannot get: descriptors, or space for the
# embedded store.
. "${0%/*}/functions.sh"
requires flock prlimit
requires_fuse

DIR=$SCRATCH/inherits
LOCK=$SCRATCH/lock
mkdir "$DIR"
: >"$LOCK"
MOUNTS+=("$DIR")

# holders: the processes that have the lock's file open.
holders() {
	find /proc/[0-9]*/fd -lname "$LOCK" 2>/dev/null | cut -d / -f 3 | sort -u | paste -sd ' ' || true
}

# keeps_nothing NAME STORE: mounted by a shell that holds a lock, inside $(...).
keeps_nothing() {
	local name=$1 store=$2 output
	# The outer shell waits until everybody who has its pipe has closed it.
	# shellcheck disable=SC2016
	output=$(bounded bash -c 'exec 9>"$1" && flock 9 && exec 200>"$1" && "$2" "$3" "$4" 2>&1' \
		- "$LOCK" "$XSFS" "$store" "$DIR") || output+=" status $?"
	is "$output" '' "$name: a command substitution around it ends"
	succeeds "$name: it is mounted" test -e "$DIR/.xsfs/stats"
	is "$(holders)" '' "$name: nobody has the caller's file open"
	succeeds "$name: and its lock is free" flock -n "$LOCK" true
	succeeds "$name: it unmounts" umount "$DIR"
}

# says PATTERN NAME CMD...: CMD fails, and all that it says is one line that matches.
says() {
	local pattern=$1 name=$2 status=0 output
	shift 2
	output=$(bounded "$@" 2>&1 </dev/null) || status=$?
	is "$status $(wc -l <<<"$output")" '1 1' "$name: a failure, in one line"
	like "$output" "xsfs: $pattern" "$name: which says why"
}

# few_descriptors STORE: with none for whatever comes next, from the first to the last. With three, the program is not even loaded.
few_descriptors() {
	local store=$1 n output status mounted=0 other=''
	# The search for leaks needs descriptors, too: without, it can wait for itself for ever.
	local -x ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
	for ((n = 4; n < 40; n++)); do
		status=0
		output=$(bounded prlimit --nofile=$n "$XSFS" "$store" "$DIR" 2>&1 </dev/null) || status=$?
		if ((status == 0)); then
			mounted=$n
			break
		fi
		# The loader of programs has no texts yet.
		[[ $output == *'Too many open files'* || $output == *'Error 24'* ]] || other+="$n: status $status: $output"$'\n'
	done
	is "$other" '' "$store: with too few descriptors it says so"
	is "$((mounted > 5))" 1 "$store: and with enough it mounts"
	note "$store needs $mounted"
	umount "$DIR"
}

test_daemon() {
	keeps_nothing 'a socket' "socket:$SERVER_SOCKET"
	few_descriptors "socket:$SERVER_SOCKET"
}
XSFS_TEST_SERVER=c XSFS_TEST_TRANSPORT=socket for_each_store test_daemon

if has_config HAVE_XEN && server_binary c >/dev/null; then
	keeps_nothing 'an embedded store' embedded

	# A directory without room: none at all, enough for the world but not for the server, and so on.
	small=$SCRATCH/small
	mkdir "$small"
	for size in 4k 16k 64k; do
		mount -t tmpfs -o "size=$size" small "$small"
		status=0
		output=$(TMPDIR=$small bounded "$XSFS" embedded "$DIR" 2>&1 </dev/null) || status=$?
		is "$status $(wc -l <<<"$output")" '1 1' "a directory of $size: a failure, in one line"
		like "$output" 'xsfs: embedded: *No space left on device*' "a directory of $size: which says why"
		umount "$small"
	done
fi
