/* SPDX-License-Identifier: MIT */
/* Notifying the polls that were kept (kept_poll.h).  Any thread. */
#ifndef FS_OP_WAKEUP_H
#define FS_OP_WAKEUP_H

#include "fs/model/kept_poll.h"
#include "fs/op/capability.h"

/* Returns a poll that can be kept (takes `handle`), or NULL when out of memory.  `counters`
 * must outlive it. */
struct kept_poll *kept_poll_new(struct fuse_pollhandle *handle, struct poll_counters *counters);

/* Frees a poll without notifying it; NULL is allowed. */
void kept_poll_free(struct kept_poll *poll);

/* Notifies and frees all of them: for fs_unlock(). */
void wakeups_notify(struct wakeups *wakeups) EXCLUDES(fs_lock_held);

#endif
