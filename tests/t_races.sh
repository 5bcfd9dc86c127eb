#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Operations whose nodes somebody else changes meanwhile: each gives the answer of a filesystem, and not the
# store's answer in a transaction that no longer fits. First in orders that are certain, then a table of
# operations and disturbers.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires "$BUILD/tests/races" python3 xenstore-write

# For each operation and disturber; 1 is the full table: by a disturber with pauses, and by one without.
: "${XSFS_RACES_SECONDS:=0.02}"

# mount_between OPTIONS...: mounts the server's socket with between.py in the middle. Sets BETWEEN.
mount_between() {
	BETWEEN=$(mktemp -d "$SCRATCH/between.XXXXXX")
	PYTHONPATH=$TEST_DIR PYTHONDONTWRITEBYTECODE=1 python3 "$TEST_DIR/between.py" "$BETWEEN/socket" \
		"$SERVER_SOCKET" "$BETWEEN/rules" "$BETWEEN/log" >"$BETWEEN/said" &
	BETWEEN_PID=$!
	PIDS+=("$BETWEEN_PID")
	wait_for "$XSFS_TEST_PATIENCE" grep -q ready "$BETWEEN/said"
	mount_xsfs socket:"$BETWEEN/socket" "$@"
}

umount_between() {
	umount_xsfs
	end_process "$BETWEEN_PID"
}

# in_order PART: see races_order.py.
in_order() {
	checked python3 "$TEST_DIR/races_order.py" "$MNT" "$BETWEEN" "$1"
}

# The command fails for a conflict, or for a reason of its own.
tool() {
	local runs=$SCRATCH/runs
	: >"$runs"
	xs rm /w
	xs write /w/p/k v /w/p/other 1
	echo 'READ /w/p 1 remove /w/p/k' >"$BETWEEN/rules"
	# shellcheck disable=SC2016 # the command's
	succeeds 'xsfs-tx tries again where the command failed for a conflict' "$BUILD/src/xsfs-tx" -m "$MNT" bash -ec '
		echo >>"$1"; cd "$XSFS/w/p"
		[[ ! -e k ]] || { cat k; rm k; }
		echo done >result' - "$runs"
	is "$(wc -l <"$runs") $(value /w/p/result)" '2 done' 'it ran twice'
	: >"$runs"
	# shellcheck disable=SC2016
	fails ENOENT "$BUILD/src/xsfs-tx" -m "$MNT" bash -ec 'echo >>"$1"; cd "$XSFS/w/p"; cat none' - "$runs"
	is "$(wc -l <"$runs")" 1 'a command that fails by itself runs once'
}

# In orders that are certain.
certain() {
	mount_between
	in_order "$SERVER_KIND"
	tool
	umount_between
	mount_between -o timeout=1
	in_order deadline
	umount_between
}

# table NAME ARGS...: all operations against all disturbers.
table() {
	local status=0 output
	output=$(timeout --kill-after=2 3600 "$BUILD/tests/races" -s "$XSFS_RACES_SECONDS" "${@:2}" \
		"$MNT" /races "$SERVER_SOCKET" 2>&1) || status=$?
	note "$output"
	is "$status" 0 "$1: no EIO, no EINVAL, nothing wrong"
}

test_races() {
	case $SERVER_KIND/$STORE in
	c/ring | o/socket) certain ;;
	esac
	mount_xsfs "$STORE" -o timeout=1
	table 'a disturber with pauses'
	[[ $XSFS_RACES_SECONDS == 0.0* ]] || table 'a disturber without pauses' -f
	umount_xsfs
}
for_each_store test_races
