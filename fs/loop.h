/* SPDX-License-Identifier: MIT */
/* The threads that read /dev/fuse, one of which also services the channel.  For fs.c. */
#ifndef FS_LOOP_H
#define FS_LOOP_H

#include <stdbool.h>

#include "fs/op/capability.h"

struct fs;

/* A descriptor of the caller's that fs_run() polls for input as well. */
struct fs_extra_fd {
	int fd;
	/* Called on the I/O thread when it is readable. */
	void (*ready)(void *arg);
	void *arg;
};

/* The process or the machine was stopped for a while, and events may have been lost in that time.
 * I/O thread only. */
void fs_gap(struct fs *fs) EXCLUDES(fs_lock_held);

/* The store has died, for good: whoever waits for something to happen in it is told.  I/O thread. */
void fs_store_died(struct fs *fs) EXCLUDES(fs_lock_held);

/* Looks whether the machine was suspended since loop_begin(), or since it was seen here that it was, however busy this
 * thread has been: fs_gap() then.  I/O thread. */
void loop_begin(struct fs *fs);
void loop_look_for_suspension(struct fs *fs) EXCLUDES(fs_lock_held);

/* The I/O thread's loop, see fs_run().  Returns 0 or -errno. */
int loop_run(struct fs *fs, const struct fs_extra_fd *extra, unsigned n_extra)
	EXCLUDES(fs_lock_held);

/* Returns whether the I/O thread may sleep in poll(2), and in *wait_ms for how long at most (-1: for ever): whatever
 * other threads leave for it from now on wakes it.  I/O thread. */
bool loop_may_sleep(struct fs *fs, int *wait_ms) EXCLUDES(fs_lock_held);

/* Answers all that wait for something else than the store, while those who poll can still be told: the end is near, and
 * the channel is shut down.  I/O thread. */
void loop_end_waiting(struct fs *fs) REQUIRES(fs_lock_held);

/* For a short while after the end, answers every request that comes in with an error. */
void loop_answer(struct fs *fs) EXCLUDES(fs_lock_held);

/* A further reader's loop: takes requests from /dev/fuse and starts them, until fs->wake_readers
 * is readable or the session ends.  `arg` is the struct fs; for pthread_create(). */
void *loop_reader(void *arg) EXCLUDES(fs_lock_held);

#endif
