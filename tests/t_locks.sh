#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Nobody notifies the kernel, or waits in poll(), while holding a lock: whatever has to wait for that lock would wait
# for the system call as well. Replies are sent under the lock of the filesystem, and no other. A library that is
# preloaded looks at each (replies.c).
. "${0%/*}/functions.sh"
. "${0%/*}/load.sh"
requires python3 xenstore-write

# count_of WHAT: how many of these the library has seen.
count_of() { awk -v what="$1" '$1 == what { print $2 }' "$SCRATCH/replies"; }

test_locks() {
	local threads what
	for threads in 1 4; do
		: >"$SCRATCH/replies"
		XSFS_TEST_WRAPPER=${LOOK_ON:-$XSFS_TEST_WRAPPER} mount_xsfs "$STORE" -o "threads=$threads,cache=meta"
		checked python3 "$TEST_DIR/programs/locks.py" "$MNT" "$MOUNT_PID"
		umount_xsfs
		xs rm /l
		[[ $LOOK_ON ]] || continue
		for what in 'a reply' 'a notification' 'poll()'; do
			is "$(grep -F "$what under" "$SCRATCH/replies" || true)" '' "threads=$threads: $what: no lock that must not be held"
		done
		is "$(count_of unlocked)" 0 "threads=$threads: no reply without the lock of the filesystem"
		at_least "$(count_of replies)" 200 "threads=$threads: the replies were looked at"
		at_least "$(count_of notifications)" 4 "threads=$threads: and the notifications"
		at_least "$(count_of waits)" 1 "threads=$threads: and the waits"
	done
}

# look_on CMD...: runs xsfs with replies.c, behind the library that plays Xen.
cat >"$SCRATCH/look_on" <<-END
	#!/bin/bash
	export XSFS_REPLIES=$SCRATCH/replies
	LD_PRELOAD="\${LD_PRELOAD:+\$LD_PRELOAD:}$BUILD/tests/.libs/libreplies.so" exec "\$@"
END
chmod +x "$SCRATCH/look_on"

# The sanitizers look at locks themselves, and valgrind.
LOOK_ON=$SCRATCH/look_on
[[ ! $XSFS_TEST_WRAPPER && $(<"$BUILD/config.log") != *fsanitize=* ]] || LOOK_ON=
for_each_store test_locks
