/* SPDX-License-Identifier: MIT */
/*
 * Polls that the kernel waits for.  Each is kept by the object that it is about, moves to a list
 * when there is something to report, and is notified when the filesystem's lock is released
 * (fs_unlock()).  Pure.
 */
#ifndef FS_MODEL_KEPT_POLL_H
#define FS_MODEL_KEPT_POLL_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/queue.h>

struct fuse_pollhandle;

/* Counters over all polls of a mount, updated with and without the lock. */
struct poll_counters {
	atomic_uint now;       /* polls that the kernel waits for now */
	atomic_ulong notified; /* wake-ups of the kernel */
};

struct kept_poll {
	struct fuse_pollhandle *handle;
	struct poll_counters *counters;
	STAILQ_ENTRY(kept_poll) link;
};

/* Polls to be notified; STAILQ_HEAD_INITIALIZER(). */
STAILQ_HEAD(wakeups, kept_poll);

/* Moves a poll, if there is one, to the list of those to be notified. */
static inline void wakeups_take(struct wakeups *wakeups, struct kept_poll **poll)
{
	if (*poll)
		STAILQ_INSERT_TAIL(wakeups, *poll, link);
	*poll = NULL;
}

#endif
