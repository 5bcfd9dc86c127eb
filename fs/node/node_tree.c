/* SPDX-License-Identifier: MIT */
/*
 * Making and removing nodes: mkdir, mknod, unlink, rmdir.  On the pool, in transactions, because
 * the store itself refuses neither to make a node that exists nor to remove one that has children.
 */
#include <errno.h>

#include "fs/events/notifier.h"
#include "fs/node/node.h"
#include "fs/op/tx.h"

int node_check_new_name(struct op *op)
{
	char path[PATH_SIZE];

	if (!name_is_legal(op->name))
		return -EINVAL;
	return inode_path(&op->fs->inodes, op->inode, op->name, path);
}

/* ---- make ---- */

int node_call_dir(struct op *op, uint32_t tx_id, const struct inode *dir)
{
	char path[PATH_SIZE];
	int err = tx_path(op, dir, NULL, path);

	if (!err)
		op_call(op, XS_READ, tx_id, path, NULL, 0);
	return err;
}

int node_dir_error(struct op *op, unsigned i, const struct inode *dir)
{
	int err = op_call_error(op, i);

	if (err == -EACCES || (err == -ENOENT && dir->view_root))
		return 0;
	return err == -ENOENT ? tx_finding(op, err) : err;
}

int node_create_in_tx(struct op *op, uint32_t tx_id, uint32_t type)
{
	/* In a transaction of our own the change may be sent along with the check: it is undone if
	 * the check fails. */
	bool own = op->inode->view->tx_id == 0;
	char path[PATH_SIZE];
	int err;

	err = tx_path(op, op->inode, op->name, path);
	if (!err)
		err = node_call_dir(op, tx_id, op->inode);
	if (err)
		return err;
	op_call(op, XS_READ, tx_id, path, NULL, 0);
	if (own)
		op_call(op, type, tx_id, path, NULL, 0);
	err = op_wait(op);
	if (err)
		return err;
	err = op_call_error(op, 1);
	if (err != -ENOENT)
		return err ? err : tx_finding(op, -EEXIST);
	err = node_dir_error(op, 0, op->inode);
	if (err)
		return err;
	if (own)
		return op_call_error(op, 2);
	op_calls_clear(op);
	op_call(op, type, tx_id, path, NULL, 0);
	err = op_wait(op);
	return err ? err : op_call_error(op, 0);
}

MAY_WAIT static int mkdir_body(struct op *op, uint32_t tx_id)
{
	return node_create_in_tx(op, tx_id, XS_MKDIR);
}

MAY_WAIT static int mknod_body(struct op *op, uint32_t tx_id)
{
	return node_create_in_tx(op, tx_id, XS_WRITE);
}

/* Replies with the entry of a node that was just made. */
static void made_entry(struct op *op, enum inode_kind kind)
{
	struct fs *fs = op->fs;
	char path[PATH_SIZE];
	struct inode *inode;
	struct stat st;

	inode_set_listing(&fs->inodes, op->inode, NULL);
	inode = inode_intern(&fs->inodes, op->inode, op->name, kind, op->inode->view, NULL);
	if (!inode) {
		op_reply_error(op, -ENOMEM);
		return;
	}
	if (kind == INODE_DIR) {
		inode->sticky = true;
		if (!inode_path(&fs->inodes, inode, NULL, path))
			empty_nodes_add(inode->view->empty_nodes, path);
		node_attr_dir(fs, true, &st);
	} else {
		if (!inode_path(&fs->inodes, inode, NULL, path))
			node_made_file(op, path);
		node_attr_file(fs, 0, &st);
	}
	inode_found(inode, inode_foreign(inode));
	inode_made(&fs->inodes, inode);
	op_reply_entry(op, inode, &st);
	inode_put(&fs->inodes, inode);
}

int node_make(struct op *op, int (*body)(struct op *op, uint32_t tx_id))
{
	int err;

	op->inode->told.making++;
	err = tx_run(op, body);
	op->inode->told.making--;
	return err;
}

MAY_WAIT static void make_run(struct op *op, int (*body)(struct op *op, uint32_t tx_id), enum inode_kind kind)
{
	int err = node_make(op, body);

	if (err)
		op_reply_error(op, err);
	else
		made_entry(op, kind);
}

MAY_WAIT static void mkdir_run(struct op *op)
{
	make_run(op, mkdir_body, INODE_DIR);
}

void node_mkdir(struct op *op)
{
	int err = node_check_new_name(op);

	if (err)
		op_reply_error(op, err);
	else
		op_run(op, mkdir_run);
}

MAY_WAIT static void mknod_run(struct op *op)
{
	make_run(op, mknod_body, INODE_LEAF);
}

void node_mknod(struct op *op)
{
	int err = node_check_new_name(op);

	if (!err && op->inode->view->layout == FS_NODES)
		err = -EPERM;
	if (err)
		op_reply_error(op, err);
	else
		op_run(op, mknod_run);
}

/* ---- remove ---- */

/*
 * Removes op->name in op->inode, unless it has children (then the error is `not_empty`), or, with
 * `no_value`, has a value.
 */
MAY_WAIT static int remove_in_tx(struct op *op, uint32_t tx_id, int not_empty, bool no_value)
{
	bool own = op->inode->view->tx_id == 0;
	char path[PATH_SIZE];
	int err;

	err = tx_path(op, op->inode, op->name, path);
	if (err)
		return err;
	tx_call_parent(op, tx_id, path);
	op_call(op, XS_DIRECTORY, tx_id, path, NULL, 0);
	op_call(op, XS_READ, tx_id, path, NULL, 0);
	if (own)
		op_call(op, XS_RM, tx_id, path, NULL, 0);
	err = op_wait(op);
	if (err)
		return err;
	if (op_call_raw_error(op, 1) == -E2BIG)
		return tx_finding(op, not_empty);
	err = tx_read_error(op, 1);
	if (!err)
		err = tx_read_error(op, 2);
	if (err)
		return err;
	if (node_reply_has_children(op->calls[1]) || (no_value && op->calls[2]->reply_len > 0))
		return tx_finding(op, not_empty);
	if (own)
		return op_call_error(op, 3);
	op_calls_clear(op);
	op_call(op, XS_RM, tx_id, path, NULL, 0);
	err = op_wait(op);
	return err ? err : op_call_error(op, 0);
}

MAY_WAIT static int unlink_body(struct op *op, uint32_t tx_id)
{
	return remove_in_tx(op, tx_id, -EISDIR, false);
}

MAY_WAIT static int rmdir_body(struct op *op, uint32_t tx_id)
{
	return remove_in_tx(op, tx_id, -ENOTEMPTY, true);
}

void node_removed(struct op *op)
{
	struct inodes *inodes = &op->fs->inodes;
	char path[PATH_SIZE];

	inode_remove(inodes, op->inode, op->name, &op->fs->wakeups);
	if (!inode_path(inodes, op->inode, op->name, path)) {
		empty_nodes_remove(op->inode->view->empty_nodes, path);
		/* The kernel does not know that this is the same node in the other layout. */
		if (!op->inode->view->tx)
			inodes_removed(inodes, path);
	}
}

/* The node was gone already.  Not every kernel drops the name by itself then. */
static void gone_already(struct op *op)
{
	static const enum inode_kind kinds[] = { INODE_DIR, INODE_LEAF };
	struct inodes *inodes = &op->fs->inodes;
	struct inode *inode;

	for (unsigned i = 0; i < 2; i++) {
		inode = inode_find(inodes, op->inode, op->name, kinds[i]);
		if (inode && !inode->view->tx)
			inode_set_stale(inodes, inode);
		inode_put(inodes, inode);
	}
	node_removed(op);
	notifier_wake(op->fs);
}

MAY_WAIT static void unlink_run(struct op *op)
{
	struct fs *fs = op->fs;
	struct leaving leaving;
	struct inode *leaf;
	int err;

	inode_begin_leaving(&fs->inodes, op->inode, op->name, &leaving);
	err = tx_run(op, unlink_body);

	/* It may have existed only in this mount: created, with nothing written yet. */
	leaf = inode_find(&fs->inodes, op->inode, op->name, INODE_LEAF);
	if (err == -ENOENT && leaf && leaf->unwritten)
		err = 0;
	inode_put(&fs->inodes, leaf);
	if (!err)
		node_removed(op);
	else if (err == -ENOENT)
		gone_already(op);
	inode_end_leaving(&fs->inodes, &leaving);
	op_reply_error(op, err);
}

MAY_WAIT static void rmdir_run(struct op *op)
{
	struct inodes *inodes = &op->fs->inodes;
	struct leaving leaving;
	int err;

	inode_begin_leaving(inodes, op->inode, op->name, &leaving);
	err = tx_run(op, rmdir_body);
	if (!err)
		node_removed(op);
	else if (err == -ENOENT)
		gone_already(op);
	inode_end_leaving(inodes, &leaving);
	op_reply_error(op, err);
}

void node_unlink(struct op *op)
{
	op_run(op, unlink_run);
}

void node_rmdir(struct op *op)
{
	op_run(op, rmdir_run);
}
