/* SPDX-License-Identifier: MIT */
/* Polls that wait for the notifier.  They hold nothing that it, or anybody else, could wait for. */
#include <errno.h>

#include "fs/events/untold.h"

static void unpark(struct op *op)
{
	TAILQ_REMOVE(&op->fs->untold, op, parked_link);
	op_reply_error(op, -EINTR);
}

void untold_reply_poll(struct op *op, unsigned revents)
{
	struct fs *fs = op->fs;
	int err;

	inode_drop_content(&fs->inodes, op->inode);
	fs->tell_kernel(fs);
	/* An inode without a name is not told of; nor can it be opened again. */
	if (!inode_is_untold(op->inode)) {
		op_reply_poll(op, revents);
		return;
	}
	op->revents = revents;
	err = op_park(op, unpark);
	if (!err)
		TAILQ_INSERT_TAIL(&fs->untold, op, parked_link);
	else if (err == -EINTR)
		op_reply_error(op, err);
	else
		op_reply_poll(op, revents);
}

static void answer(struct op *op)
{
	op_unpark(op);
	TAILQ_REMOVE(&op->fs->untold, op, parked_link);
	op_reply_poll(op, op->revents);
}

void untold_told(struct fs *fs, const struct inode *inode)
{
	struct op *op, *next;

	/* Something has happened while it was told. */
	if (inode_is_untold(inode))
		return;
	for (op = TAILQ_FIRST(&fs->untold); op; op = next) {
		next = TAILQ_NEXT(op, parked_link);
		if (op->inode == inode)
			answer(op);
	}
}

void untold_shutdown(struct fs *fs)
{
	struct op *op;

	while ((op = TAILQ_FIRST(&fs->untold)))
		answer(op);
}
