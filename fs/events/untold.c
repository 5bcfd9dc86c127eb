/* SPDX-License-Identifier: MIT */
/* Operations that wait for the notifier.  A poll holds nothing that it, or anybody else, could wait for. */
#include <errno.h>

#include "fs/events/untold.h"

/* For how long to wait where others may wait for the operation. */
#define BRIEFLY_MS 25

static void leave(struct op *op)
{
	TAILQ_REMOVE(&op->fs->untold, op, parked_link);
	op->fs->untold_brief -= op->until_ms != 0;
}

static void unpark(struct op *op)
{
	leave(op);
	op_reply_error(op, -EINTR);
}

static void go_on(struct op *op)
{
	op_unpark(op);
	leave(op);
	op->then(op);
}

/* Waits until that time by inode_now_ms(); 0: for however long it takes. */
static void wait_until(struct op *op, uint64_t until_ms, void (*told)(struct op *op))
{
	struct fs *fs = op->fs;
	int err;

	fs->tell_kernel(fs);
	/* An inode without a name is not told of; nor can it be opened again. */
	if (!inode_is_untold(op->inode)) {
		told(op);
		return;
	}
	op->then = told;
	op->until_ms = until_ms;
	err = op_park(op, unpark);
	if (err == -EINTR) {
		op_reply_error(op, err);
	} else if (err) {
		told(op);
	} else {
		TAILQ_INSERT_TAIL(&fs->untold, op, parked_link);
		fs->untold_brief += until_ms != 0;
	}
}

void untold_wait_briefly(struct op *op, void (*told)(struct op *op))
{
	struct fs *fs = op->fs;

	wait_until(op, inode_now_ms() + BRIEFLY_MS, told);
	/* The I/O thread may otherwise sleep past that. */
	if (fs->untold_brief > 0)
		chan_wake(fs->chan);
}

int untold_give_up(struct fs *fs)
{
	struct op *op, *next;
	uint64_t now_ms;

	if (!fs->untold_brief)
		return -1;
	now_ms = inode_now_ms();
	for (op = TAILQ_FIRST(&fs->untold); op; op = next) {
		next = TAILQ_NEXT(op, parked_link);
		if (op->until_ms && op->until_ms > now_ms)
			return op->until_ms - now_ms;
		if (op->until_ms)
			go_on(op);
	}
	return -1;
}

static void reply_poll(struct op *op)
{
	op_reply_poll(op, op->revents);
}

void untold_reply_poll(struct op *op, unsigned revents)
{
	op->revents = revents;
	inode_drop_content(&op->fs->inodes, op->inode);
	wait_until(op, 0, reply_poll);
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
			go_on(op);
	}
}

void untold_shutdown(struct fs *fs)
{
	struct op *op;

	while ((op = TAILQ_FIRST(&fs->untold)))
		go_on(op);
}
