/* SPDX-License-Identifier: MIT */
/*
 * The filesystem's lock, fs->lock; fs_impl.h says what it guards.  For code that starts work in fs/
 * on a thread, and for the few places that wait.
 */
#ifndef FS_OP_LOCK_H
#define FS_OP_LOCK_H

#include <time.h>

#include "fs/op/capability.h"

struct fs;

/* Initialises the lock, before there is another thread.  pthread_mutex_destroy() ends it. */
void fs_lock_init(struct fs *fs);

/* Takes the lock.  On any thread that does not hold it. */
void fs_lock(struct fs *fs) ACQUIRE(fs_lock_held);

/* Releases the lock, and then notifies the polls that were put on fs->wakeups: notifying is a
 * system call, which nobody should have to wait for. */
void fs_unlock(struct fs *fs) RELEASE(fs_lock_held);

/*
 * Waits, with the lock released, until `cond` is signalled or until the CLOCK_REALTIME time `until`
 * (NULL: for ever).  May return spuriously, as pthread_cond_wait(3) may.
 * Returns 0 or ETIMEDOUT.  Not on a thread that reads /dev/fuse, nor on the I/O thread.
 */
int fs_wait(struct fs *fs, pthread_cond_t *cond, const struct timespec *until)
	REQUIRES(fs_lock_held);

#endif
