#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# When an allocation fails, or a new descriptor cannot be had, whichever it is and whoever asks for it, the operation
# concerned gets an error, or succeeds all the same; xsfs goes on, and everything works afterwards. A library that is
# preloaded lets the n-th fail (failing.c).
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 "$BUILD/tests/.libs/libfailing.so"

# Of so many allocations one is tried; 1 is the full size. A start makes few: all are, as all descriptors.
: "${XSFS_STARVED_STRIDE:=13}"
: "${XSFS_STARVED_START_STRIDE:=1}"

# starving CMD...: runs xsfs with failing.c, which has to come before the libraries of the sanitizers, too.
cat >"$SCRATCH/starving" <<-END
	#!/bin/bash
	export XSFS_FAILING=$SCRATCH/failing
	export ASAN_OPTIONS="\${ASAN_OPTIONS:+\$ASAN_OPTIONS:}verify_asan_link_order=0:allocator_may_return_null=1"
	LD_PRELOAD="\${LD_PRELOAD:+\$LD_PRELOAD:}$BUILD/tests/.libs/libfailing.so" exec "\$@"
END
chmod +x "$SCRATCH/starving"
truncate --size=4096 "$SCRATCH/failing"

# starve WHAT KIND STRIDE COMMAND...
starve() {
	checked python3 "$TEST_DIR/programs/starved.py" "$1" "$MNT" "$SCRATCH/failing" "$2" "$3" "${@:4}"
}

test_running() {
	XSFS_TEST_WRAPPER="$SCRATCH/starving $XSFS_TEST_WRAPPER" mount_xsfs "$STORE" -o cache=meta
	starve run memory "$XSFS_STARVED_STRIDE"
	comes_true 5 'nothing is left of it' at_rest
	is "$(stat_of transactions)" 0 'no transaction is open'
	umount_xsfs
}

# The filter is not made: libseccomp 2.5.4 writes beyond its memory when it gets no more.
test_start() {
	local kind
	MNT=$(mktemp -d "$SCRATCH/start.XXXXXX")
	starve start memory "$XSFS_STARVED_START_STRIDE" "$SCRATCH/starving" "$XSFS" "socket:$SERVER_SOCKET" "$MNT" -f -o seccomp=off
	for kind in EMFILE ENFILE; do
		starve start "$kind" 1 "$SCRATCH/starving" "$XSFS" "socket:$SERVER_SOCKET" "$MNT" -f -o seccomp=off
	done
}

for_each_store test_running
XSFS_TEST_SERVER=${XSFS_TEST_SERVER%% *} XSFS_TEST_TRANSPORT=socket XSFS_TEST_HALF='' for_each_store test_start
