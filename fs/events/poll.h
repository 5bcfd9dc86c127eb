/* SPDX-License-Identifier: MIT */
/*
 * poll, select and epoll on a value, as on an attribute of sysfs: POLLPRI and POLLERR until this
 * open file has been read from the start (or on from where its text ended before) after the last
 * change, POLLHUP while there is no such node.
 * For the operations of fs/.
 *
 * Where the base watch does not reach, each open file that is polled gets a watch of its own.  The
 * server may refuse it, mostly because of a quota.  Then the file is unwatched: once a second its
 * pollers are told to look, as something may have changed, and the watch is tried again.
 */
#ifndef FS_EVENTS_POLL_H
#define FS_EVENTS_POLL_H

#include <stdint.h>
#include <sys/queue.h>

#include "fs/model/handle.h"
#include "fs/op/capability.h"

struct fs;
struct op;

/* The polls of a mount. */
struct polls {
	struct handle_list unwatched; /* open files that have no watch */
	unsigned count;               /* how many there are */
	uint64_t tell_ms;             /* CLOCK_MONOTONIC: when to wake their pollers next */
	uint64_t refused_ms;          /* CLOCK_MONOTONIC: when a watch was last refused */
};

/* Returns the polls of a mount, or NULL when out of memory.  The second function frees them;
 * NULL is allowed. */
struct polls *polls_new(void);
void polls_free(struct polls *polls);

/* Answers a POLL on a file whose content is a node's value (op->handle; op->poll may be NULL).
 * Takes the operation. */
void poll_value(struct op *op);

/* This open file has read all of the value, which it asked for after op->events. */
void poll_seen(struct op *op, bool gone);

/* Wakes the pollers of unwatched files if it is time for that.  I/O thread.  Returns the
 * milliseconds after which to call it again, or -1 if there are none. */
int polls_tell_unwatched(struct fs *fs) REQUIRES(fs_lock_held);

#endif
