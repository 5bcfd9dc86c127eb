/* SPDX-License-Identifier: MIT */
/* Polls are notified.  Any thread. */
#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <stdlib.h>

#include "fs/op/wakeup.h"

struct kept_poll *kept_poll_new(struct fuse_pollhandle *handle)
{
	struct kept_poll *poll = malloc(sizeof(*poll));

	if (poll)
		poll->handle = handle;
	return poll;
}

void kept_poll_free(struct kept_poll *poll)
{
	if (!poll)
		return;
	fuse_pollhandle_destroy(poll->handle);
	free(poll);
}

void wakeups_notify(struct wakeups *wakeups)
{
	struct kept_poll *poll;

	while ((poll = STAILQ_FIRST(wakeups))) {
		STAILQ_REMOVE_HEAD(wakeups, link);
		fuse_lowlevel_notify_poll(poll->handle);
		kept_poll_free(poll);
	}
}
