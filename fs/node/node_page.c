/* SPDX-License-Identifier: MIT */
/*
 * Reads of files whose content the kernel keeps (cache=full).  It asks when it has no page of a file, and
 * answers all further reads itself until the notifier tells it to forget the page.
 *
 * The answer belongs to the size that the kernel was told last (inode_show()), or a reader would get a value
 * that is cut off, or has zeros behind it.  So a read is answered from memory; the store is asked only for
 * a program that has mapped the file, which does not ask for the size.
 */
#include <errno.h>
#include <string.h>

#include "fs/events/notifier.h"
#include "fs/events/poll.h"
#include "fs/events/untold.h"
#include "fs/node/node.h"

/* What the kernel gets now is out of date, or may be: it has to forget it again. */
static void forget_page(struct op *op)
{
	inode_drop_content(&op->fs->inodes, op->inode);
	notifier_wake(op->fs);
}

static void reply_shown(struct op *op)
{
	struct handle *handle = op->handle;
	struct inode *inode = op->inode;
	struct fs *fs = op->fs;

	/* First, so that an event that comes behind the answer finds the inode. */
	inode_believed(inode);
	inode->paged = true;
	if (!inode_shows_current(inode)) {
		forget_page(op);
	} else if (inode_size_settled(handle, inode->shown_size)) {
		op->events = inode->events;
		poll_seen(op, false);
	} else {
		/* It may be cut, or have zeros behind it: who polls is told again. */
		handle->seen = 0;
		/* Or else the next read asks for the size anyway, and a mapping, which never does, is to keep its page. */
		if (inode->size_valid)
			forget_page(op);
	}
	/* The kernel may cut the file to it. */
	inode_size_sent(inode, inode->shown_size);
	handle->asked_ms = 0;
	node_reply_content(op, inode->shown, inode->shown_size);
	notifier_let_go(fs, handle);
}

void node_read_anew(struct op *op, const char *content, size_t size)
{
	struct inode *inode = op->inode;

	if (!inode->shown || (size == inode->shown_size && !memcmp(content, inode->shown, size)))
		return;
	inode_outdate_shown(inode);
	forget_page(op);
}

void node_asked_by_reader(struct op *op, int err, size_t size)
{
	if (!op->handle || !op->handle->cached)
		return;
	if (err == -ENOENT)
		poll_seen(op, true);
	else if (!err && size == 0 && !inode_is_untold(op->inode))
		poll_seen(op, false);
}

static void size_told(struct op *op)
{
	struct inode *inode = op->inode;
	struct stat st;

	/* Of an empty file, too: without that one of ten was full of zeros, for a program that reads without a pause. */
	if (op->handle && inode_size_may_be_more(inode, inode->shown_size))
		inode_size_hold(op->handle);
	node_attr_file(op->fs, inode->shown_size, &st);
	op_reply_attr(op, &st);
}

void node_reply_size(struct op *op, const struct stat *st)
{
	struct inode *inode = op->inode;
	bool shown = inode->shown && inode->shown_size == (size_t)st->st_size;
	bool reads = shown && op->handle && op->handle->cached;
	bool grows = reads && inode_size_may_be_less(inode, inode->shown_size);
	bool shrinks = reads && inode_size_may_be_more(inode, inode->shown_size);

	/* What it has asked for the size for before is over, though no READ may have come. */
	if (op->handle)
		notifier_let_go(op->fs, op->handle);
	if (grows)
		inode_grow(&op->fs->inodes, inode);
	if (grows || shrinks || (shown && inode->giving))
		untold_wait_briefly(op, size_told);
	else
		op_reply_attr(op, st);
}

bool node_getattr_shown(struct op *op)
{
	struct inode *inode = op->inode;
	char path[PATH_SIZE];
	struct stat st;

	/* Whether something without a value is a file depends on more than that. */
	if (!inode->shown_size || !inode_shows_current(inode) || inode_is_written(inode) ||
	    inode_path(&op->fs->inodes, inode, NULL, path) || !op_is_covered(op, inode, path))
		return false;
	node_attr_file(op->fs, inode->shown_size, &st);
	node_reply_size(op, &st);
	return true;
}

static void page_done(struct op *op)
{
	if (node_read_failed(op, op_call_error(op, 0)))
		return;
	node_saw(op, op->inode, 0, -1);
	if (!op->inode->shown) {
		op_reply_error(op, -ENOMEM);
		return;
	}
	/* The kernel may have been told of another size. */
	forget_page(op);
	reply_shown(op);
}

void node_read_page(struct op *op)
{
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	if (err == -ESTALE && node_read_replaced(op))
		return;
	if (err) {
		op_reply_error(op, err);
		return;
	}
	if (inode_shows(op->handle) && op_is_covered(op, op->inode, path)) {
		reply_shown(op);
		return;
	}
	op->events = op->inode->events;
	op_call(op, XS_READ, op->inode->view->tx_id, path, NULL, 0);
	op_ask(op, page_done, node_read_page);
}
