/* SPDX-License-Identifier: MIT */
/*
 * Polls of files whose content the kernel keeps (cache=full).  We do not see what the kernel answers from its
 * memory being read.  So such a poll is ready only when the kernel has forgotten the content: then the read
 * that follows comes to us.  A read that does not, because another one has come in between, leaves the file
 * ready.
 */
#ifndef FS_EVENTS_UNTOLD_H
#define FS_EVENTS_UNTOLD_H

#include "fs/op/capability.h"
#include "fs/op/op.h"

/* Answers a POLL with `revents` when the kernel has forgotten the content of op->inode.  Takes the operation. */
void untold_reply_poll(struct op *op, unsigned revents);

/* The kernel was told to forget what it keeps of the inode: the polls that waited for that are answered. */
void untold_told(struct fs *fs, const struct inode *inode);

/* The mount ends: answers all that wait. */
void untold_shutdown(struct fs *fs) REQUIRES(fs_lock_held);

#endif
