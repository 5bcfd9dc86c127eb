/* SPDX-License-Identifier: MIT */
/*
 * A few threads that may wait for the store, for operations that need several round trips, each
 * depending on the one before.  For op.c.
 *
 * Users take turns, and none has all threads at a time: whoever makes the store conflict, or waits for it for
 * long, holds up its own work and not that of others.
 */
#ifndef FS_OP_POOL_H
#define FS_OP_POOL_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "fs/op/capability.h"

/* A piece of work, embedded in the object that it belongs to. */
struct pool_work {
	void (*run)(struct pool_work *work); /* on a thread of the pool, with the lock held */
	uid_t uid;                           /* whose it is */
	/* The pool's. */
	struct pool_user *user; /* in whose queue it is; NULL: in none */
	TAILQ_ENTRY(pool_work) link;
};

struct fs;
struct pool;

/* Makes a pool of up to `threads` threads, which are started when there is work for them and run it
 * with the lock of `fs` held.  Returns NULL when out of memory. */
struct pool *pool_new(struct fs *fs, unsigned threads);

/* Queues work.  Returns 0, -ENOMEM, or -EAGAIN when there is not a single thread and none can be
 * started.  Never waits. */
int pool_submit(struct pool *pool, struct pool_work *work);

/* Takes work out of the queue again.  Returns false if it is running or has run. */
bool pool_cancel(struct pool *pool, struct pool_work *work);

/* Runs everything that is queued, ends the threads and frees the pool.  NULL is allowed.  Call it
 * without the lock. */
void pool_free(struct pool *pool) EXCLUDES(fs_lock_held);

#endif
