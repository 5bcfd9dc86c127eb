/* SPDX-License-Identifier: MIT */
/*
 * Putting a value into the store: one XS_WRITE where the node is known to be there; else the store is asked
 * first, or all of it is a transaction on the pool.
 */
#include <errno.h>
#include <string.h>

#include "fs/node/node_put.h"
#include "fs/op/transaction.h"
#include "fs/op/tx.h"

void node_call_write(struct op *op, uint32_t tx_id, const char *path, const char *value,
		       size_t len)
{
	empty_nodes_value_written(op->inode->view->empty_nodes, path);
	/* In a transaction the store is not asked about what was written there: see node_tx.c. */
	if (op->inode->kind == INODE_LEAF && (len == 0 || op->inode->view->tx))
		node_made_file(op, path);
	/* The kernel tells of it, once; in a transaction nobody can see it before it is committed. */
	if (!op->inode->view->tx)
		told_write(inode_of_node(op->inode), value, len);
	op->inode->value_len = len;
	op_call(op, XS_WRITE, tx_id, path, value, len);
}

int node_write_in_tx(struct op *op, int (*body)(struct op *op, uint32_t tx_id))
{
	uint64_t foreign = inode_foreign(op->inode);
	struct inode *node = inode_of_node(op->inode);
	int err;

	inode_wrote(op->inode);
	node->told.writing++;
	op->inode->writers += op->kind != OP_RELEASE;
	err = tx_run(op, body);
	op->inode->writers -= op->kind != OP_RELEASE;
	node->told.writing--;
	inode_write_over(&op->fs->inodes, op->inode, err);
	if (!err && !op->inode->view->tx)
		inode_found(op->inode, foreign);
	return err;
}

bool node_is_to_be_made(const struct op *op)
{
	return op->inode->kind == INODE_LEAF && op->inode->unwritten;
}

int node_write_path(struct op *op, char *path)
{
	if (!op->inode->view->tx && inode_is_leaving(op->inode))
		return -EAGAIN;
	return tx_path(op, op->inode, NULL, path);
}

int node_call_old(struct op *op, uint32_t tx_id, const char *path, bool may_create)
{
	struct inode *dir = inode_get_parent(op->inode);
	int err = 0;

	op_call(op, XS_READ, tx_id, path, NULL, 0);
	if (may_create)
		err = node_call_dir(op, tx_id, dir);
	inode_put(&op->fs->inodes, dir);
	return err;
}

int node_read_old(struct op *op, bool may_create, bool *missing)
{
	struct inode *dir = inode_get_parent(op->inode);
	int err = op_wait(op);

	*missing = false;
	if (!err) {
		err = may_create ? op_call_error(op, 0) : tx_read_error(op, 0);
		*missing = err == -ENOENT && may_create;
	}
	if (*missing)
		err = node_dir_error(op, 1, dir);
	inode_put(&op->fs->inodes, dir);
	return err;
}

bool node_may_be_gone(const struct op *op, struct inode *inode, const char *path)
{
	return !op->inode->view->tx && (!op_is_covered(op, inode, path) ||
					inode_is_doubtful(inode));
}

/*
 * Requests to this mount that were made after a close come after its empty value.  On the pool they can overtake it: then
 * it is not due any more.  Returns 0, the finding for that, or -EAGAIN while one is under way.  A write that goes to the
 * store without the pool is noted before an answer that comes after its own.
 */
static int check_overtaken(struct op *op)
{
	/* In a transaction of the user's one comes after the other. */
	if (op->kind != OP_RELEASE || op->inode->view->tx)
		return 0;
	if (op->inode->contents == op->contents)
		return op->inode->writers > 0 ? -EAGAIN : 0;
	op->keep = true;
	return tx_finding(op, -EEXIST);
}

bool node_awaits_empty(const struct inode *inode)
{
	const struct op *op;

	LIST_FOREACH(op, &inode->releases, release_link)
		if (op->contents == inode->contents)
			return true;
	return false;
}

/* Of a RELEASE: its empty value is yet to be committed; or that is on its way, and what is read after it shows it. */
static void set_released(struct op *op, bool released)
{
	if (op->kind != OP_RELEASE || op->released == released)
		return;
	op->released = released;
	if (released)
		LIST_INSERT_HEAD(&op->inode->releases, op, release_link);
	else
		LIST_REMOVE(op, release_link);
}

/* Writes op->data in a transaction: to a node that is there, or is made if op->may_create. */
MAY_WAIT static int put_body(struct op *op, uint32_t tx_id)
{
	/* In a transaction of our own the change may travel with the check, see node_create_in_tx(). */
	bool own = op->inode->view->tx_id == 0, missing;
	char path[PATH_SIZE];
	int err = check_overtaken(op);

	set_released(op, true);
	if (!err)
		err = node_write_path(op, path);
	if (!err)
		err = node_call_old(op, tx_id, path, op->may_create);
	if (err)
		return err;
	if (own)
		node_call_write(op, tx_id, path, op->data, op->value_len);
	err = node_read_old(op, op->may_create, &missing);
	/* That it may not be read means that it is there. */
	if (err == -EACCES)
		err = 0;
	if (!err)
		err = check_overtaken(op);
	if (!err && !missing && op->keep)
		err = tx_finding(op, -EEXIST);
	if (err)
		return err;
	if (own) {
		err = op_call_error(op, op->may_create ? 2 : 1);
		/* The commit goes out before the lock is given up. */
		set_released(op, err != 0);
		return err;
	}
	op_calls_clear(op);
	node_call_write(op, tx_id, path, op->data, op->value_len);
	err = op_wait(op);
	return err ? err : op_call_error(op, 0);
}

static void put_ended(struct op *op, int err)
{
	set_released(op, false);
	op->put(op, err);
}

MAY_WAIT static void put_run(struct op *op)
{
	int err = node_write_in_tx(op, put_body);

	put_ended(op, err == -EEXIST && op->keep ? 0 : err);
}

static void put_later(struct op *op)
{
	set_released(op, true);
	op_run_else(op, put_run, put_ended);
}

static void put_sent(struct op *op)
{
	int err = op_call_error(op, 0);

	inode_write_over(&op->fs->inodes, op->inode, err);
	op->put(op, err);
}

/* One request; in a transaction of the user's its own changes tell what was removed there. */
static void put_send(struct op *op)
{
	const struct view *view = op->inode->view;
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	if (!err && view->tx && !op->may_create &&
	    transaction_see(view->tx, path) == SIGHT_GONE)
		err = -ENOENT;
	if (err) {
		op->put(op, err);
		return;
	}
	/* By the time it is there this path may be that of nothing, or of another node. */
	if (inode_is_leaving(op->inode)) {
		put_later(op);
		return;
	}
	inode_wrote(op->inode);
	node_call_write(op, view->tx_id, path, op->data, op->value_len);
	op_submit(op, put_sent);
}

static void put_asked(struct op *op)
{
	int err = op_call_error(op, 0);

	op_calls_clear(op);
	if (err && err != -EACCES) {
		op->put(op, err);
		return;
	}
	inode_found(op->inode, op->foreign);
	put_send(op);
}

static void put_again(struct op *op)
{
	node_put_value(op, op->value_len, op->put);
}

void node_put_value(struct op *op, size_t len, void (*put)(struct op *op, int err))
{
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	op->put = put;
	op->value_len = len;
	op->may_create = node_is_to_be_made(op);
	if (err) {
		put(op, err);
	} else if (op->may_create || inode_is_leaving(op->inode)) {
		put_later(op);
	} else if (node_may_be_gone(op, op->inode, path)) {
		op->foreign = inode_foreign(op->inode);
		op_call(op, XS_READ, 0, path, NULL, 0);
		op_ask(op, put_asked, put_again);
	} else {
		put_send(op);
	}
}

void node_put_known(struct op *op, bool known, void (*put)(struct op *op, int err))
{
	op->put = put;
	if (known)
		put_send(op);
	else
		put_later(op);
}

void node_content_changed(struct op *op)
{
	inode_new_content(&op->fs->inodes, op->inode);
	if (!op->handle)
		return;
	handle_settle_empty(op->handle);
	handle_set_snapshot(op->handle, NULL, 0);
}
