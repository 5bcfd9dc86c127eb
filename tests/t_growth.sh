#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A value that grows while a file is open: a program that has read it to its end and reads on gets the
# addition, as from a log; and a value read in pieces is never a mixture of two.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 xenstore-write tail

# printed TEXT: returns whether that is what tail has printed.
printed() {
	[[ $(<"$SCRATCH/followed") == "$1" ]]
}

follow() {
	local tail
	xs write /g/log $'first\nsecond'
	: >"$SCRATCH/followed"
	tail -f ---disable-inotify -s 0.05 "$MNT/g/log" >"$SCRATCH/followed" 2>&1 &
	tail=$!
	PIDS+=("$tail")
	comes_true 10 'tail -f without inotify shows what there is' printed $'first\nsecond'
	xs write /g/log $'first\nsecond\nthird'
	comes_true 10 'and what another client adds' printed $'first\nsecond\nthird'
	echo fourth >>"$MNT/g/log"
	comes_true 10 'and what is appended through the mount' printed $'first\nsecond\nthird\nfourth'
	end_process "$tail"
}

# one_request NAME COMMAND...: it reads the value of $MNT/g/key at the cost of one request.
one_request() {
	local name=$1
	shift
	is "$("$@" | wc -c)" 11 "$name reads"
	remembers stat "$MNT/g/key"
	asks 1 "$name asks the store once" into_a_pipe "$@"
}

# into_a_pipe CMD...: grep reads less when it prints to /dev/null.
into_a_pipe() {
	"$@" | cat
}

test_growth() {
	local cache
	# Requests are counted, so those for inotify are left out.
	for cache in off meta full; do
		mount_xsfs "$STORE" -o "cache=$cache,inotify=off"
		PREFIX="$PREFIX$cache: "
		# With cache=full an addition is seen when the kernel was told of it: soon, as tail shows.
		[[ $cache == full ]] || checked python3 "$TEST_DIR/programs/growth.py" "$MNT" tree
		follow
		umount_xsfs
		PREFIX=${PREFIX%"$cache: "}
	done
	mount_xsfs "$STORE" -o cache=meta,inotify=off
	xs write /g/key 0123456789
	# The watch that lets the kernel remember is set when this is over.
	comes_true 10 'the kernel remembers' asks_nothing stat "$MNT/g/key"
	one_request cat cat "$MNT/g/key"
	# shellcheck disable=SC2016
	one_request '$(<f)' bash -c 'printf "%s\n" "$(<"$1")"' - "$MNT/g/key"
	one_request 'python read()' python3 -c 'import sys; sys.stdout.write(open(sys.argv[1]).read())' "$MNT/g/key"
	one_request 'dd bs=1' dd bs=1 status=none if="$MNT/g/key"
	one_request 'grep' grep . "$MNT/g/key"
	one_request 'sed' sed p -n "$MNT/g/key"
	one_request 'cp' cp "$MNT/g/key" /dev/stdout
	umount_xsfs
	mount_xsfs "$STORE" -o format=raw
	checked python3 "$TEST_DIR/programs/growth_raw.py" "$MNT"
	umount_xsfs
}

for_each_store test_growth
