/* SPDX-License-Identifier: MIT */
/*
 * The lock of the filesystem, fs->lock; fs_impl.h says what it guards.  For whoever begins to work in
 * fs/ on a thread, and for those few that wait.
 */
#ifndef FS_OP_LOCK_H
#define FS_OP_LOCK_H

#include <time.h>

#include "fs/op/capability.h"

struct fs;

/* Makes the lock: before there is another thread.  pthread_mutex_destroy() ends it. */
void fs_lock_init(struct fs *fs);

/* Takes the lock.  Any thread that does not hold it. */
void fs_lock(struct fs *fs) ACQUIRE(fs_lock_held);

/* Releases it, and then notifies the polls that were put on fs->wakeups meanwhile: that is a system
 * call, for which nobody is to wait. */
void fs_unlock(struct fs *fs) RELEASE(fs_lock_held);

/*
 * Waits, with the lock released, until `cond` is signalled, or until the time of CLOCK_REALTIME that
 * `until` says (NULL: for ever).  May return for no reason, as pthread_cond_wait(3) may.
 * Returns 0 or ETIMEDOUT.  Not on a thread that reads /dev/fuse, nor on the I/O thread.
 */
int fs_wait(struct fs *fs, pthread_cond_t *cond, const struct timespec *until)
	REQUIRES(fs_lock_held);

#endif
