/* SPDX-License-Identifier: MIT */
/*
 * poll, select and epoll on a value, as sysfs does it: POLLPRI and POLLERR while it was not read
 * from the start (or on from where its text ended before) through this open file since it last
 * changed, POLLHUP while there is no such node.
 * For the operations of fs/.
 *
 * Where the base watch does not reach, each open file that is polled gets a watch.  The server may
 * refuse that, for a quota mostly.  Then the file is unwatched: once a second its pollers are told to
 * look, as something may have changed, and the watch is tried for again.
 */
#ifndef FS_EVENTS_POLL_H
#define FS_EVENTS_POLL_H

#include <stdint.h>
#include <sys/queue.h>

#include "fs/model/handle.h"
#include "fs/op/capability.h"

struct fs;
struct op;

/* Of a mount. */
struct polls {
	struct handle_list unwatched; /* open files that are */
	unsigned count;               /* their number */
	uint64_t tell_ms;             /* CLOCK_MONOTONIC: when to tell their pollers next, */
	uint64_t refused_ms;          /* and when a watch was refused last */
};

/* Returns those of a mount, or NULL when out of memory.  And: frees them; NULL is allowed. */
struct polls *polls_new(void);
void polls_free(struct polls *polls);

/* Answers a POLL on a file whose content is a node's value (op->handle; op->poll may be NULL).
 * Takes the operation. */
void poll_value(struct op *op);

/* This open file has read all of the value, having asked for it after op->events. */
void poll_seen(struct op *op, bool gone);

/* Tells the pollers of unwatched files, if it is time for that.  I/O thread.  Returns the
 * milliseconds after which to call it again, or -1 if there is none. */
int polls_tell_unwatched(struct fs *fs) REQUIRES(fs_lock_held);

#endif
