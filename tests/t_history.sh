#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whatever several clients do at once, through two mounts, .xsfs/nodes, raw clients and the server's socket: there is
# an order of it all in which each got the answer that the manual promises (history/model.c).
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
. "${0%/*}/histories.sh"
requires "$BUILD/tests/histories" "$BUILD/tests/fakestore"

# Histories under each server, transport and cache mode (2000 for a full run), and where those are kept that are
# refused: XSFS_HISTORY_DIR, else they are in the log.
: "${XSFS_HISTORIES:=40}"
[[ -z $XSFS_TEST_QUICK ]] || XSFS_HISTORIES=20
# The first one's number; each is random, but for this.
: "${XSFS_HISTORY_SEED:=$((EPOCHSECONDS * 100000))}"

REFUSED=${XSFS_HISTORY_DIR:-$SCRATCH/refused}

# record DIR ARGS...: sets SAID; its status.
record() {
	local dir=$1 status=0
	shift
	mkdir -p "$dir"
	SAID=$(timeout --kill-after=2 $((XSFS_HISTORIES / 10 + 2 * XSFS_TEST_PATIENCE)) \
		"$BUILD/tests/histories" -o "$dir" -S "$XSFS_HISTORY_SEED" "$@" run 2>&1) || status=$?
	return "$status"
}

test_history() {
	local mode other other_pid cached allowed=()
	# Its transactions are not what the protocol says; raw clients get them as they are.
	[[ $SERVER_KIND == c ]] || allowed=(-a skew)
	for mode in off meta full; do
		cached=()
		[[ $mode != meta ]] || cached=(-c)
		[[ $mode != full ]] || cached=(-F)
		mount_xsfs socket:"$SERVER_SOCKET" -o "threads=4,cache=$mode"
		other=$MNT other_pid=$MOUNT_PID
		mount_xsfs "$STORE" -o "threads=1,cache=$mode"
		record "$REFUSED" -m "$MNT" -m "$other" -s "$SERVER_SOCKET" -n "$XSFS_HISTORIES" "${cached[@]}" "${allowed[@]}" -R 3 || true
		are_linearizable "cache=$mode" -gt 0
		umount_xsfs
		umount "$other"
		wait "$other_pid"
	done
}

# A store that lies is found out, or the above says nothing; the same store is not where it does not lie.
test_liar() {
	local fault found i
	for fault in ok 'lose 1' 'overlook 100000'; do
		fake_start -o cache=meta
		for ((i = 1; i <= 30; i++)); do
			echo "after $((i * 300)) $fault" >&8
		done
		found=$SCRATCH/found
		[[ $fault != ok ]] || found=$REFUSED
		record "$found" -m "$MNT" -s "$FAKE/socket" -c -n 60 -v A,direct || true
		if [[ $fault == ok ]]; then
			are_linearizable 'a store without faults' -gt 0
		else
			at_least "$(word refused)" 1 "a store that does \"$fault\" is found out"
		fi
		fake_end
	done
}

for_each_store test_history
test_liar
