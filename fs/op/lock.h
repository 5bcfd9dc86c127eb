/* SPDX-License-Identifier: MIT */
/*
 * The filesystem's lock, fs->lock; fs_impl.h says what it guards.  For code that starts work in fs/
 * on a thread, and for the few places that wait.
 */
#ifndef FS_OP_LOCK_H
#define FS_OP_LOCK_H

#include <pthread.h>
#include <stdint.h>
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

/* Wakes the thread that waits for `cond` in fs_wait(): now, or in fs_send_signals() if signals are held.  Call it with
 * the lock held. */
void fs_signal(struct fs *fs, pthread_cond_t *cond);

/*
 * Holds signals until fs_send_signals(): a thread that is woken up competes for the processor and the lock with what the
 * I/O thread does next.  Only for the I/O thread, which sends them before it sleeps or ends; until then the
 * conditions must exist.
 */
void fs_hold_signals(struct fs *fs) REQUIRES(fs_lock_held);

/* Sends the signals that were held, and holds no more. */
void fs_send_signals(struct fs *fs) REQUIRES(fs_lock_held);

/* Starts a thread that gets no signals: those are the main thread's, which reads them from a descriptor.
 * Returns 0 or -errno. */
int fs_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* Makes a condition for fs_wait() with a time, which nobody's setting of the clock makes longer or shorter. */
void fs_cond_init(pthread_cond_t *cond);

/* Returns the CLOCK_MONOTONIC time `ns` nanoseconds from now, for fs_wait(). */
struct timespec fs_time_after(uint64_t ns);

/*
 * Waits, with the lock released, until `cond` is signalled or until the CLOCK_MONOTONIC time `until`
 * (NULL: for ever; else `cond` is one of fs_cond_init()).  May return spuriously, as pthread_cond_wait(3) may.
 * Returns 0 or ETIMEDOUT.  Not on a thread that reads /dev/fuse, nor on the I/O thread.
 */
int fs_wait(struct fs *fs, pthread_cond_t *cond, const struct timespec *until)
	REQUIRES(fs_lock_held);

#endif
