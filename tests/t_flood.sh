#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A flood of changes, of which the server may keep the last ones back until there is another.
. "${0%/*}/functions.sh"
requires python3

test_flood() {
	local cache
	for cache in off meta full; do
		XSFS_TEST_CACHE=$cache mount_xsfs "$STORE" -o inotify=off
		PREFIX="$PREFIX$cache: "
		checked python3 "$TEST_DIR/programs/flood.py" "$MNT" "$MOUNT_PID"
		umount_xsfs
		PREFIX=${PREFIX%"$cache: "}
		xs rm /f
	done
}

for_each_store test_flood
