#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What one user takes of a mount has an end, and there is something left for others and for root.
. "${0%/*}/functions.sh"
requires python3 setpriv

test_limits() {
	chmod 711 "$SCRATCH"
	mount_xsfs "$STORE" -o allow_other,umask=0000,streams=4,watched=20,transactions=3
	checked python3 "$TEST_DIR/programs/limits.py" "$MNT"
	is "$(grep -c 'is refused more open event streams' "$MOUNT_LOG")" 1 'the log has a line, not one each time'
	umount_xsfs
	# A sanitizer surrounds and keeps what is allocated.
	if ! has_sanitizer; then
		mount_xsfs "$STORE"
		checked python3 "$TEST_DIR/programs/limits_deep.py" "$MNT" "$MOUNT_PID"
		umount_xsfs
	fi
}
for_each_store test_limits
