#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What one user takes of a mount has an end, and there is something left for others and for root.
. "${0%/*}/functions.sh"
requires python3 setpriv

test_limits() {
	chmod 711 "$SCRATCH"
	mount_xsfs "$STORE" -o allow_other,umask=0000,streams=4,watched=20,transactions=3
	bounded python3 "$TEST_DIR/programs/limits.py" "$MNT" "$MOUNT_PID" >"$SCRATCH/said" || not_ok 'the program ends' ''
	while IFS= read -r line; do
		case $line in
		'ok '*) ok "${line#ok }" ;;
		'not ok '*) not_ok "${line#not ok }" ;;
		'#'*) printf '%s\n' "$line" ;;
		esac
	done <"$SCRATCH/said"
	is "$(grep -c 'is refused more open event streams' "$MOUNT_LOG")" 1 'the log has a line, not one each time'
	umount_xsfs
}
for_each_store test_limits
