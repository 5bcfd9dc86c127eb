#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# File handles (name_to_handle_at, open_by_handle_at): they lead to their file for as long as the kernel knows it,
# and to no other one afterwards, whatever becomes of the file, the mount and its process.
. "${0%/*}/functions.sh"
requires python3 xenstore-write xenstore-rm

dead_is() {
	[[ $(stat "$MNT" 2>&1) == *"${ERRNO_TEXT[ENOTCONN]}"* ]]
}

test_handles() {
	local cache
	for cache in off meta full; do
		PREFIX="$PREFIX$cache: "
		mkdir -p "$SCRATCH/saved"
		mount_xsfs "$STORE" -o "cache=$cache"
		checked python3 "$TEST_DIR/programs/handles_first.py" "$MNT" "$SCRATCH/saved"
		umount_xsfs
		mount_xsfs "$STORE" -o "cache=$cache"
		checked python3 "$TEST_DIR/programs/handles_later.py" "$MNT" "$SCRATCH/saved" \
			'after a new mount: no handle of the old one leads anywhere'
		end_process "$MOUNT_PID" KILL
		succeeds 'a mount whose process was killed is dead' wait_for 10 dead_is
		fails ENOTCONN cat "$MNT/h/k0"
		umount -l "$MNT"
		mount_xsfs "$STORE" -o "cache=$cache"
		checked python3 "$TEST_DIR/programs/handles_later.py" "$MNT" "$SCRATCH/saved" \
			'after the process was killed, on a mount in its place: neither'
		umount_xsfs
		xs rm /h
		PREFIX=${PREFIX%"$cache: "}
	done
}
for_each_store test_handles
