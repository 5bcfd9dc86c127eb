/* SPDX-License-Identifier: MIT */
/*
 * Tells the kernel what is no longer true.  On a thread of its own, because the kernel makes it
 * wait for directories that somebody else has locked, perhaps while waiting for us.  So nothing may
 * wait for this thread except the end of the filesystem, which goes on answering meanwhile.
 */
#ifndef FS_EVENTS_NOTIFIER_H
#define FS_EVENTS_NOTIFIER_H

#include <stdbool.h>
#include <stdint.h>

#include "fs/op/capability.h"

struct fs;
struct handle;
struct notifier;

/* Starts the thread.  Returns 0 or -errno. */
int notifier_start(struct fs *fs) REQUIRES(fs_lock_held);

/* There may be more that the kernel has to be told.  Wakes the thread only if it sleeps for longer than
 * until that is due.  Never waits.  Does nothing if there is no notifier. */
void notifier_wake(struct fs *fs);

/* inode_size_let_go(): what was held back for the reader alone is told now. */
void notifier_let_go(struct fs *fs, struct handle *reader);

/* Makes the kernel ask again for `name` in the directory with the nodeid `parent`, at once.  On a thread that
 * nothing waits for, like this one; without the lock. */
void notifier_expire(struct fs *fs, uint64_t parent, const char *name) EXCLUDES(fs_lock_held);

/* Makes the kernel forget it, and with it what nobody uses. */
void notifier_forget(struct fs *fs, uint64_t parent, const char *name) EXCLUDES(fs_lock_held);

/* Asks the thread to end.  Returns whether it has ended; until then requests must be answered.
 * After true the notifier is gone.  Call it without the lock. */
bool notifier_end(struct fs *fs) EXCLUDES(fs_lock_held);

#endif
