/* SPDX-License-Identifier: MIT */
/*
 * Operations that wait until the kernel was told to forget something; with cache=full, where it keeps the content of
 * files.
 *
 * We do not see what the kernel answers from its memory being read.  So a poll is ready only when the kernel has
 * forgotten the content: then the read that follows comes to us.  A read that does not, because another one has come
 * in between, leaves the file ready.  Who asks for the size in order to read waits while the kernel is given a longer
 * content.
 */
#ifndef FS_EVENTS_UNTOLD_H
#define FS_EVENTS_UNTOLD_H

#include "fs/op/capability.h"
#include "fs/op/op.h"

/* Answers a POLL with `revents` when the kernel has forgotten the content of op->inode.  Takes the operation. */
void untold_reply_poll(struct op *op, unsigned revents);

/*
 * Calls `told`, which replies, when the kernel has been told what it is to forget of op->inode: at once if there is
 * nothing, and after 25 ms in any case.  Takes the operation.
 *
 * Whose operation it is may hold the lock of a file (lseek(2)), for which somebody waits who holds that of a directory
 * (unlink(2)), for which the notifier waits: so it must not wait for the notifier for ever.
 */
void untold_wait_briefly(struct op *op, void (*told)(struct op *op));

/* Goes on with the operations that have waited for so long.  I/O thread.  Returns the milliseconds after which to call
 * it again, or -1. */
int untold_give_up(struct fs *fs) REQUIRES(fs_lock_held);

/* The kernel was told to forget what it keeps of the inode: the operations that waited for that are answered. */
void untold_told(struct fs *fs, const struct inode *inode);

/* The mount ends: answers all that wait. */
void untold_shutdown(struct fs *fs) REQUIRES(fs_lock_held);

#endif
