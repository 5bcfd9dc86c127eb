/* SPDX-License-Identifier: MIT */
/*
 * Raw clients: open files of `.xsfs/xenbus`, each a client of the protocol (ring/client.h).  What
 * waits to read or to write is parked here, and the polls.
 */
#ifndef FS_SPECIAL_RAW_H
#define FS_SPECIAL_RAW_H

#include <sys/queue.h>

#include "fs/op/capability.h"
#include "ring/client.h"

struct fs;
struct op;
struct raw;

struct raws {
	LIST_HEAD(, raw) all;
	uint64_t resyncs;
	struct client_counters counters;
};

/* Returns the set of all raw clients of a mount, or NULL when out of memory. */
struct raws *raws_new(void);

/* Frees it; no client is left.  NULL is allowed. */
void raws_free(struct raws *raws);

/* Events may have been lost: every client hears of all its watches.  I/O thread. */
void raws_resync(struct fs *fs) REQUIRES(fs_lock_held);

/* The store has died: answers all that waits with EIO, and wakes every poll. */
void raws_died(struct fs *fs) REQUIRES(fs_lock_held);

/* Answers all that waits with EIO: the end is near.  I/O thread. */
void raws_shutdown(struct fs *fs) REQUIRES(fs_lock_held);

/* Returns a new client, or NULL when out of memory. */
struct raw *raw_new(struct fs *fs);

/* Ends it: for handle_set_own().  No operation waits on it. */
void raw_close(struct fs *fs, void *own);

/* Answer a READ, a WRITE, a POLL: now or when that can be done; EAGAIN with O_NONBLOCK in op->flags.
 * A write takes what there is room for, at least a byte.  Take the operation. */
void raw_read(struct op *op);
void raw_write(struct op *op);
void raw_poll(struct op *op);

#endif
