#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Signals that a program handles and goes on, as shells do with SIGCHLD and others with timers, do not make
# operations fail that the store answers at once. (That a silent store can be interrupted: t_silent.sh.)
. "${0%/*}/functions.sh"
requires python3

test_signals() {
	mount_xsfs "$STORE"
	checked python3 "$TEST_DIR/programs/signals.py" "$MNT"
	is "$(($(stat_of fuse_interrupted) > 0))" 1 'some met operations under way'
	umount_xsfs
}
for_each_store test_signals
