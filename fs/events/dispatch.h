/* SPDX-License-Identifier: MIT */
/*
 * The effects of an event from the store: polls are woken, streams are fed, and the kernel is told
 * what it must no longer believe.  cover.c is handed these functions (dispatch_handlers).
 */
#ifndef FS_EVENTS_DISPATCH_H
#define FS_EVENTS_DISPATCH_H

#include "fs/events/cover.h"
#include "fs/op/capability.h"

extern const struct cover_handlers dispatch_handlers;

/* The store reported `path`.  I/O thread. */
void dispatch_event(struct fs *fs, const char *path);

/* Changes may not have been seen: nodes are looked at anew, but streams have nothing to say about that. */
void dispatch_unseen(struct fs *fs);

/* Events may have been lost: everything may have changed.  I/O thread. */
void dispatch_resync(struct fs *fs) REQUIRES(fs_lock_held);

#endif
