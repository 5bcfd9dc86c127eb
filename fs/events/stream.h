/* SPDX-License-Identifier: MIT */
/*
 * Event streams: what is read from `.watch`, `.next` and `.xsfs/watch`.  For special_watch.c and
 * dispatch.c.
 *
 * A stream has subscriptions (paths) and a queue of paths on which there were events.  It holds
 * each path once, whatever happens there, until it is read; only then the store is asked whether
 * the node is there, so a reader that stands still costs nothing but its bounded queue, and the
 * last line for a path describes what it came to.
 *
 * A stream of values (`.next`) is the same with one path.  It leaves out what happens below that, and
 * its line is the value, which the store was asked for anyway.
 */
#ifndef FS_EVENTS_STREAM_H
#define FS_EVENTS_STREAM_H

#include <stdint.h>
#include <sys/types.h>

#include "fs/op/capability.h"

struct fs;
struct op;
struct stream;
struct streams;

/* Bytes of paths that a stream's queue holds before it says `overflow` instead. */
#define STREAM_QUEUE_MAX (128u << 10)

/* Returns the set of all streams of a mount, or NULL when out of memory. */
struct streams *streams_new(void);

/* Frees it; no stream is left.  NULL is allowed. */
void streams_free(struct streams *streams);

/* Returns the number of open streams, and how often one overflowed. */
unsigned streams_count(struct fs *fs, uint64_t *overflows);

/* There was an event on `path`: whoever subscribed to it, to what is above, or below, gets it.
 * I/O thread. */
void streams_note_event(struct fs *fs, const char *path);

/* Events may have been lost: every stream says so.  I/O thread. */
void streams_resync(struct fs *fs) REQUIRES(fs_lock_held);

/* The store has died: answers every read that waits, and those to come, with EIO, and wakes every poll. */
void streams_died(struct fs *fs) REQUIRES(fs_lock_held);

/* Answers every read that waits, with EIO: the end is near.  I/O thread. */
void streams_shutdown(struct fs *fs) REQUIRES(fs_lock_held);

/*
 * Makes a stream, which is charged to `user` as are its paths.  `value_of` (copied): it tells the values of this one
 * path, which it has to be subscribed to; NULL: it tells what happens.  Returns 0, -EDQUOT or -ENOMEM.
 */
int stream_new(struct fs *fs, uid_t user, const char *value_of, struct stream **out);

/* Ends its subscriptions and frees it: for handle_set_own().  No operation waits on it. */
void stream_close(struct fs *fs, void *own);

/*
 * Subscribes to `n` paths (borrowed) and calls `done` with 0 or the first error when all their
 * watches are set: on the I/O thread, or here at once.  Those that failed are not subscribed to;
 * those that already were are no error.  -EDQUOT: the user has no share left for
 * the first of them, nor is there anything of those behind it.  One such call at a time.  `op` waits meanwhile; if it is
 * interrupted `done` gets -EINTR, and the subscriptions stay.
 */
void stream_subscribe(struct stream *stream, struct op *op, char *const *paths, unsigned n,
		      void (*done)(struct op *op, int error));

/* Ends a subscription.  Returns 0 or -ENOENT. */
int stream_unsubscribe(struct stream *stream, const char *path);

/* Answers a READ: with lines, now or when there are any; EAGAIN with O_NONBLOCK in op->flags.
 * Takes the operation. */
void stream_read(struct op *op);

/* Answers a POLL.  Takes the operation. */
void stream_poll(struct op *op);

#endif
