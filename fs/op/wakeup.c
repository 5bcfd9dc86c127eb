/* SPDX-License-Identifier: MIT */
/* Notifies polls.  Any thread. */
#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <stdlib.h>

#include "fs/op/wakeup.h"

struct kept_poll *kept_poll_new(struct fuse_pollhandle *handle, struct poll_counters *counters)
{
	struct kept_poll *poll = malloc(sizeof(*poll));

	if (!poll)
		return NULL;
	poll->handle = handle;
	poll->counters = counters;
	atomic_fetch_add_explicit(&counters->now, 1, memory_order_relaxed);
	return poll;
}

void kept_poll_free(struct kept_poll *poll)
{
	if (!poll)
		return;
	atomic_fetch_sub_explicit(&poll->counters->now, 1, memory_order_relaxed);
	fuse_pollhandle_destroy(poll->handle);
	free(poll);
}

void wakeups_notify(struct wakeups *wakeups)
{
	struct kept_poll *poll;

	while ((poll = STAILQ_FIRST(wakeups))) {
		STAILQ_REMOVE_HEAD(wakeups, link);
		fuse_lowlevel_notify_poll(poll->handle);
		atomic_fetch_add_explicit(&poll->counters->notified, 1, memory_order_relaxed);
		kept_poll_free(poll);
	}
}
