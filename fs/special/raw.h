/* SPDX-License-Identifier: MIT */
/*
 * Raw clients: open files of `.xsfs/xenbus`, each of which is a client of the protocol
 * (ring/client.h).  Reads and writes that have to wait are parked here, and so are polls.
 */
#ifndef FS_SPECIAL_RAW_H
#define FS_SPECIAL_RAW_H

#include <sys/queue.h>

#include "fs/op/capability.h"
#include "fs/op/fs_impl.h"
#include "ring/client.h"

struct raw;

struct raws {
	LIST_HEAD(, raw) all;
	struct op_list reads, writes; /* that waited, and need wait no more; soon run */
	bool running;                 /* that is being done */
	uint64_t resyncs;
	struct client_counters counters;
};

/* Returns the set of all raw clients of a mount, or NULL when out of memory. */
struct raws *raws_new(void);

/* Frees the set, when no client is left.  NULL is allowed. */
void raws_free(struct raws *raws);

/* Events may have been lost: every client gets an event for each of its watches.  I/O thread. */
void raws_resync(struct fs *fs) REQUIRES(fs_lock_held);

/* The store has died: answers all that waits with EIO, and wakes every poll. */
void raws_died(struct fs *fs) REQUIRES(fs_lock_held);

/* Answers all parked operations with EIO, because the end is near.  I/O thread. */
void raws_shutdown(struct fs *fs) REQUIRES(fs_lock_held);

/* Returns a new client, or NULL when out of memory. */
struct raw *raw_new(struct fs *fs);

/* Ends a client: for handle_set_own().  No operation may be waiting on it. */
void raw_close(struct fs *fs, void *own);

/* Answer a READ, a WRITE, a POLL: now, or as soon as that is possible; EAGAIN with
 * O_NONBLOCK in op->flags.  A write takes as many bytes as there is room for, at least
 * one.  Each takes the operation. */
void raw_read(struct op *op);
void raw_write(struct op *op);
void raw_poll(struct op *op);

#endif
