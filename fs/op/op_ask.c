/* SPDX-License-Identifier: MIT */
/*
 * Questions about paths that a rename of our own makes wrong while they are on their way.
 *
 * From the store's commit until the rename is noted here a path is made as it was before, and the store has
 * nothing there.  Who asked for it has the file open, or stands in the directory, and must not be told that
 * it is gone.
 */
#include <errno.h>

#include "fs/op/op_impl.h"

static bool is_missing(const struct op *op)
{
	for (unsigned i = 0; i < op->n_calls; i++)
		if (op_call_raw_error(op, i) == -ENOENT)
			return true;
	return false;
}

static void ask_again(struct op *op)
{
	op_calls_clear(op);
	op->again(op);
}

/* Who asked hears why there is no answer, and may have more to do than to reply. */
static void end_unanswered(struct op *op, int err)
{
	op_fail_calls(op, err);
	op->asked(op);
}

static void unpark_astray(struct op *op)
{
	TAILQ_REMOVE(&op->fs->astray, op, parked_link);
	end_unanswered(op, -EINTR);
}

/* Until the rename is over nobody knows whether the node is there. */
static void wait_for_rename(struct op *op)
{
	int err = op_park(op, unpark_astray);

	if (err)
		end_unanswered(op, err);
	else
		TAILQ_INSERT_TAIL(&op->fs->astray, op, parked_link);
}

static void asked(struct op *op)
{
	if (!is_missing(op) || !op->inode)
		op->asked(op);
	else if (inode_is_moving(op->inode))
		wait_for_rename(op);
	else if (inode_moved(op->inode) != op->moved)
		ask_again(op);
	else
		op->asked(op);
}

void op_ask(struct op *op, void (*done)(struct op *op), void (*again)(struct op *op))
{
	op->asked = done;
	op->again = again;
	op->moved = op->inode ? inode_moved(op->inode) : 0;
	op_submit(op, asked);
}

static void ask_node_again(struct op *op)
{
	op_ask_node(op, op->asks, op->asked);
}

void op_ask_node(struct op *op, uint32_t type, void (*done)(struct op *op))
{
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	if (err) {
		op_reply_error(op, err);
		return;
	}
	op->asks = type;
	op_call(op, type, op->inode->view->tx_id, path, NULL, 0);
	op_ask(op, done, ask_node_again);
}

/* ---- on the pool ---- */

/* How often a job looks whether a rename is over, in nanoseconds. */
#define RENAME_LOOK_NS 1000000

bool op_is_astray(const struct op *op)
{
	return inode_is_moving(op->inode) || (op->target && inode_is_moving(op->target));
}

int op_wait_for_rename(struct op *op)
{
	int err = 0;

	while (!err && op_is_astray(op))
		err = op_sleep(op, RENAME_LOOK_NS);
	return err;
}

void ops_ask_again(struct fs *fs)
{
	struct op_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
	struct op *op;

	/* Some may come back at once, as another rename is under way. */
	TAILQ_CONCAT(&waiting, &fs->astray, parked_link);
	while ((op = TAILQ_FIRST(&waiting))) {
		TAILQ_REMOVE(&waiting, op, parked_link);
		op_unpark(op);
		ask_again(op);
	}
}
