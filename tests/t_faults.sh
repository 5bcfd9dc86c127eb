#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A store that does what no store may, under a mount, at each request of each operation: the operation has its right
# result or an errno, in time, and everything works when the store does again. unit_faults has many more faults, without
# the kernel and the socket.
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
. "${0%/*}/fake.sh"
requires python3 "$BUILD/tests/fakestore"

# Each fault strikes the first so many requests of each operation, one after the other (12 for a full run).
: "${XSFS_FAULTS_REQUESTS:=2}"

fake_start -o timeout=1,cache=meta
checked python3 "$TEST_DIR/programs/faults_mount.py" "$MNT" "$FAKE" "$XSFS_FAULTS_REQUESTS"
comes_true 5 'nothing is left of it' at_rest
fake_end
