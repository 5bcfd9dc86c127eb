/* SPDX-License-Identifier: MIT */
/*
 * Finding nodes in the view of a transaction.  The server counts everything asked within a
 * transaction as read, and the commit fails if any of it has changed; so a path walk must not ask
 * there.  Where a name leads is decided from what the transaction has changed, and from outside.
 * Only what a program wants to know about a node itself is asked inside.
 */
#include <errno.h>

#include "fs/model/text.h"
#include "fs/node/node.h"
#include "fs/op/transaction.h"

static enum sight see(const struct op *op, const char *path)
{
	return transaction_see(op->inode->view->tx, path);
}

/* ---- lookup ---- */

static void reply_missing(struct op *op, const char *path)
{
	struct fs *fs = op->fs;
	struct inode *leaf = inode_find(&fs->inodes, op->inode, op->name, INODE_LEAF);

	if (leaf && leaf->unwritten) {
		node_reply_found(op, path, false, true, 0);
	} else {
		inode_gone(&fs->inodes, op->inode, op->name);
		op_reply_error(op, -ENOENT);
	}
	inode_put(&fs->inodes, leaf);
}

/* Answers without asking anybody, even for a file's size: the kernel requests the attributes when
 * somebody wants them.  Returns false if the store has to be asked outside the transaction. */
static bool lookup_inside(struct op *op, const char *path, enum sight sight)
{
	switch (sight) {
	case SIGHT_GONE:
		reply_missing(op, path);
		return true;
	case SIGHT_DIR:
		node_reply_found(op, path, true, true, 0);
		return true;
	case SIGHT_LEAF:
		/* What was written as a file in a transaction is remembered as
		 * one, empty or not. */
		node_reply_found(op, path, node_stays_dir(op, path) || node_is_meant_dir(op, path),
				 true, 0);
		return true;
	default:
		return false;
	}
}

static void tx_lookup_done(struct op *op)
{
	struct node_facts facts = { 0 };
	char path[PATH_SIZE];
	enum sight sight = SIGHT_OUTSIDE;
	int err = inode_path(&op->fs->inodes, op->inode, op->name, path);
	bool dir;

	if (!err) {
		sight = see(op, path);
		err = node_facts(op, 0, &facts);
	}
	/* It may have been made or removed inside, in the meantime or before. */
	if ((!err || err == -ENOENT) && lookup_inside(op, path, sight))
		return;
	if (err == -ENOENT && sight == SIGHT_THERE) {
		facts = (struct node_facts){ .readable = true };
		err = 0;
	}
	if (err == -ENOENT) {
		reply_missing(op, path);
		return;
	}
	if (err) {
		op_reply_error(op, err);
		return;
	}
	dir = sight == SIGHT_OUTSIDE_DIR || node_is_dir(op, &facts, path);
	node_reply_found(op, path, dir, facts.readable, facts.value_len);
}

void node_tx_lookup(struct op *op)
{
	char path[PATH_SIZE];
	int err = name_is_legal(op->name) ? 0 : -ENOENT;

	if (!err)
		err = inode_path(&op->fs->inodes, op->inode, op->name, path);
	if (err) {
		op_reply_error(op, err);
		return;
	}
	if (lookup_inside(op, path, see(op, path)))
		return;
	op_call(op, XS_READ, 0, path, NULL, 0);
	op_call(op, XS_DIRECTORY, 0, path, NULL, 0);
	op_submit(op, tx_lookup_done);
}

/* ---- getattr ---- */

static void getattr_dir_done(struct op *op)
{
	int err = op_call_error(op, 0);
	char path[PATH_SIZE];
	struct stat st;

	/* The root exists, whatever happens to its node; and so does anything
	 * that was made inside. */
	if (err == -ENOENT && (op->inode->view_root ||
			       (inode_path(&op->fs->inodes, op->inode, NULL, path) == 0 &&
				see(op, path) == SIGHT_THERE)))
		err = 0;
	if (err && err != -EACCES) {
		op_reply_error(op, err);
		return;
	}
	node_attr_dir(op->fs, !err, &st);
	op_reply_attr(op, &st);
}

/* The attributes of a directory say no more than that it exists, and the kernel wants them
 * during path walks. */
static void tx_getattr_dir(struct op *op, const char *path)
{
	enum sight sight = see(op, path);
	struct stat st;

	if (sight == SIGHT_GONE && !op->inode->view_root) {
		op->inode->sticky = false;
		op_reply_error(op, -ENOENT);
	} else if (sight == SIGHT_DIR || sight == SIGHT_LEAF) {
		node_attr_dir(op->fs, true, &st);
		op_reply_attr(op, &st);
	} else {
		op_call(op, XS_READ, 0, path, NULL, 0);
		op_submit(op, getattr_dir_done);
	}
}

static void getattr_leaf_done(struct op *op)
{
	int err = op_call_error(op, 0);
	size_t len = err ? 0 : op->calls[0]->reply_len;
	struct stat st;

	if (err == -ENOENT && op->inode->unwritten)
		err = 0;
	if (err) {
		op_reply_error(op, err);
		return;
	}
	node_attr_file(op->fs, text_size(op->fs->config.format, len), &st);
	op_reply_attr(op, &st);
}

void node_tx_getattr(struct op *op)
{
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	if (err) {
		op_reply_error(op, err);
	} else if (op->inode->kind == INODE_DIR) {
		tx_getattr_dir(op, path);
	} else {
		op_call(op, XS_READ, op->inode->view->tx_id, path, NULL, 0);
		op_ask(op, getattr_leaf_done, node_tx_getattr);
	}
}
