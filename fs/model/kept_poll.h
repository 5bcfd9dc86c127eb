/* SPDX-License-Identifier: MIT */
/*
 * Polls that the kernel waits for.  One is kept by whatever it is about, is moved to a list when
 * there is news, and is notified when the lock of the filesystem is released (fs_unlock()).  Pure.
 */
#ifndef FS_MODEL_KEPT_POLL_H
#define FS_MODEL_KEPT_POLL_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/queue.h>

struct fuse_pollhandle;

/* Of all polls of a mount: counted with and without the lock. */
struct poll_counters {
	atomic_uint now;       /* that the kernel waits for */
	atomic_ulong notified; /* wake-ups of the kernel */
};

struct kept_poll {
	struct fuse_pollhandle *handle;
	struct poll_counters *counters;
	STAILQ_ENTRY(kept_poll) link;
};

/* Polls to be notified; STAILQ_HEAD_INITIALIZER(). */
STAILQ_HEAD(wakeups, kept_poll);

/* Moves a poll, if there is one, to those that will be notified. */
static inline void wakeups_take(struct wakeups *wakeups, struct kept_poll **poll)
{
	if (*poll)
		STAILQ_INSERT_TAIL(wakeups, *poll, link);
	*poll = NULL;
}

#endif
