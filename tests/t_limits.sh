#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What one user takes of a mount has an end, and there is something left for others and for root.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 setpriv

test_limits() {
	chmod 711 "$SCRATCH"
	mount_xsfs "$STORE" -o allow_other,umask=0000,streams=4,watched=20,transactions=3
	checked python3 "$TEST_DIR/programs/limits.py" "$MNT"
	is "$(grep -c 'is refused more open event streams' "$MOUNT_LOG")" 1 'the log has a line, not one each time'
	umount_xsfs
	mount_xsfs "$STORE" -o allow_other,umask=0000
	checked python3 "$TEST_DIR/programs/limits_empty.py" "$MNT"
	checked python3 "$TEST_DIR/programs/limits_watches.py" "$MNT"
	umount_xsfs
	# A sanitizer surrounds and keeps what is allocated.
	if ! has_sanitizer; then
		mount_xsfs "$STORE"
		checked python3 "$TEST_DIR/programs/limits_deep.py" "$MNT" "$MOUNT_PID"
		umount_xsfs
	fi
}

# A guest: the store has quotas for all of it.
test_guest() {
	local i
	has_config HAVE_XEN || skip 'built without the ring transport'
	"$XSLOOP" domain "$SERVER_DIR" 7 4711
	xs write /local/domain/7/domid 7
	for ((i = 0; i < 5; i++)); do
		xs write "/shared/k${i}00/below" 0
	done
	xs write /frozen/old 0
	xs chmod -r /shared b0 >/dev/null
	xs chmod -r /frozen r0 >/dev/null
	xs chmod -r /local/domain/7 n7 >/dev/null
	chmod 711 "$SCRATCH"
	XSFS_TEST_DOMID=7 mount_xsfs ring:domid=7,gfn=4711,events=unbound -o allow_other,umask=0000
	checked python3 "$TEST_DIR/programs/limits_guest.py" "$MNT"
	comes_true "$XSFS_TEST_PATIENCE" 'the log tells of values that are lost' grep -q 'empty value lost' "$MOUNT_LOG"
	umount_xsfs
	is "$(grep -c 'empty value lost' "$MOUNT_LOG")" 10 'but of ten a minute only'
}

for_each_store test_limits
# It has a ring of its own, whatever the matrix says.
XSFS_TEST_TRANSPORT=ring XSFS_TEST_HALF='' for_each_store test_guest
