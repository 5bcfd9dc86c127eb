/* SPDX-License-Identifier: MIT */
/*
 * Files that come into being, and empty values that are due: create, fsync, flush, release.  A file that is
 * created is unwritten, known to this mount only, until its first value is written.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs/node/node_put.h"
#include "fs/op/transaction.h"
#include "fs/op/tx.h"

/* ---- create ---- */

/* Returns op->name in op->inode, with a reference, and a handle for it, or NULL without memory. */
static struct inode *open_new(struct op *op, struct handle **handle)
{
	struct fs *fs = op->fs;
	struct inode *leaf;

	leaf = inode_intern(&fs->inodes, op->inode, op->name, INODE_LEAF, op->inode->view, NULL);
	*handle = leaf ? handle_new(&fs->handles, leaf, op->flags) : NULL;
	if (*handle)
		return leaf;
	inode_put(&fs->inodes, leaf);
	return NULL;
}

static void created(struct op *op, struct inode *leaf, struct handle *handle)
{
	struct inodes *inodes = &op->fs->inodes;
	struct stat st;

	node_attr_file(op->fs, 0, &st);
	op_reply_create(op, leaf, &st, handle);
	inode_put(inodes, leaf);
}

MAY_WAIT static int create_body(struct op *op, uint32_t tx_id)
{
	return node_create_in_tx(op, tx_id, XS_WRITE);
}

/*
 * Somebody else has made the file since it was looked up.  Who does not insist on a new one gets that: ESTALE makes the
 * kernel look it up again, and open it.  In a transaction it may never find what is there, as names are looked up outside.
 */
static int made_by_others(struct op *op)
{
	struct transaction *tx = op->inode->view->tx;

	if (op->flags & O_EXCL)
		return -EEXIST;
	if (!tx)
		return -ESTALE;
	transaction_conflict(tx);
	return -ECANCELED;
}

MAY_WAIT static void create_run(struct op *op)
{
	struct fs *fs = op->fs;
	struct inode *leaf = NULL;
	struct handle *handle;
	char path[PATH_SIZE];
	int err = node_make(op, create_body);

	if (err == -EEXIST)
		err = made_by_others(op);
	if (!err && !inode_path(&fs->inodes, op->inode, op->name, path))
		node_made_file(op, path);
	if (!err)
		leaf = open_new(op, &handle);
	if (!leaf) {
		op_reply_error(op, err ? err : -ENOMEM);
		return;
	}
	inode_made(&fs->inodes, leaf);
	handle_set_content(handle, NULL, 0);
	inode_set_listing(&fs->inodes, op->inode, NULL);
	inode_found(leaf, inode_foreign(leaf));
	created(op, leaf, handle);
}

/* The file is there, but in no store yet.  A user who may owe no more empty values makes it at once. */
static void create_unwritten(struct op *op)
{
	struct fs *fs = op->fs;
	struct handle *handle;
	struct inode *leaf = open_new(op, &handle);
	int err = leaf ? handle_empty(handle, op_process(op), op_user(op)) : -ENOMEM;

	if (!err) {
		inode_made(&fs->inodes, leaf);
		inode_set_unwritten(&fs->inodes, leaf, true);
		created(op, leaf, handle);
		return;
	}
	if (leaf) {
		handle_free(handle);
		inode_put(&fs->inodes, leaf);
	}
	if (err == -EDQUOT)
		op_run(op, create_run);
	else
		op_reply_error(op, err);
}

/* Goes on with `then` when the directory op->target is there, or was as far as anybody knows; else
 * replies with an error.  It is asked for where something is known that may have removed it.  `again` as
 * for op_ask(). */
static void ask_for_dir(struct op *op, void (*asked)(struct op *op), void (*then)(struct op *op),
			void (*again)(struct op *op))
{
	struct transaction *tx = op->target->view->tx;
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->target, NULL, path);

	if (!err && tx && !op->target->view_root && transaction_see(tx, path) == SIGHT_GONE)
		err = -ENOENT;
	if (err) {
		op_reply_error(op, err);
	} else if (op->target->view_root || !node_may_be_gone(op, op->target, path)) {
		then(op);
	} else {
		op->foreign = inode_foreign(op->target);
		op_call(op, XS_READ, 0, path, NULL, 0);
		op_ask(op, asked, again);
	}
}

/* Returns what the store said. */
static int dir_asked(struct op *op)
{
	int err = node_dir_error(op, 0, op->target);

	op_calls_clear(op);
	if (!err)
		inode_found(op->target, op->foreign);
	return err;
}

static void create_asked(struct op *op)
{
	int err = dir_asked(op);

	if (err)
		op_reply_error(op, err);
	else
		create_unwritten(op);
}

static void create_ask(struct op *op)
{
	ask_for_dir(op, create_asked, create_unwritten, create_ask);
}

void node_create(struct op *op)
{
	int err = node_check_new_name(op);

	if (!err && op->inode->view->layout == FS_NODES)
		err = -EPERM;
	if (err)
		op_reply_error(op, err);
	else if (op->flags & O_EXCL)
		op_run(op, create_run);
	else {
		op->target = inode_ref(op->inode);
		create_ask(op);
	}
}

/* ---- empty values that are due ---- */

static void flush_empty_done(struct op *op, int err)
{
	if (err) {
		/* Somebody was told: it is not tried again at release. */
		if (err == -ENOENT && op->handle)
			handle_refuse(op->handle);
		inode_refuse(op->inode);
		op_reply_error(op, err);
		return;
	}
	node_content_changed(op);
	op->keep = false;
	op_calls_clear(op);
	op->then(op);
}

void node_flush_empty(struct op *op, void (*then)(struct op *op))
{
	bool due = op->inode->unwritten;

	if (op->handle)
		due |= handle_ends_empty(op->handle);
	if (!due) {
		then(op);
		return;
	}
	op->then = then;
	op->keep = node_is_to_be_made(op);
	node_put_value(op, 0, flush_empty_done);
}

void node_touch(struct op *op)
{
	node_flush_empty(op, node_getattr);
}

static void flushed(struct op *op)
{
	op_reply_error(op, 0);
}

void node_fsync(struct op *op)
{
	node_flush_empty(op, flushed);
}

/* The empty value that is due has nowhere to go. */
static void flush_in_vain(struct op *op, int err)
{
	if (err == -ENOENT)
		handle_refuse(op->handle);
	op_reply_error(op, err);
}

static void flush_dir_asked(struct op *op)
{
	int err = dir_asked(op);

	if (err)
		flush_in_vain(op, err);
	else
		flushed(op);
}

static void ask_before_release(struct op *op);

/* If somebody else has made the file, nothing is due any more. */
static void flush_made_asked(struct op *op)
{
	int err = op_call_error(op, 0);

	op_calls_clear(op);
	/* That it may not be read means that it is there. */
	if (!err || err == -EACCES) {
		inode_new_content(&op->fs->inodes, op->inode);
		flushed(op);
		return;
	}
	/* Not known: the release makes certain of it. */
	if (err != -ENOENT) {
		op_reply_error(op, err);
		return;
	}
	inode_found(op->inode, op->foreign);
	op->handle->missing_at_close = true;
	ask_for_dir(op, flush_dir_asked, flushed, ask_before_release);
}

/* A file that is to be made may be there by now. */
static void ask_whether_made(struct op *op, const char *path)
{
	op->foreign = inode_foreign(op->inode);
	op_call(op, XS_READ, 0, path, NULL, 0);
	op_ask(op, flush_made_asked, ask_before_release);
}

static void flush_node_asked(struct op *op)
{
	int err = op_call_error(op, 0);

	if (err && err != -EACCES) {
		flush_in_vain(op, err);
		return;
	}
	inode_found(op->inode, op->foreign);
	flushed(op);
}

/* This may be the last close, and the release is not to wait: it has to know by then whether what the
 * empty value is for is there. */
static void ask_before_release(struct op *op)
{
	char path[PATH_SIZE];
	int err;

	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err) {
		op_reply_error(op, err);
	} else if (node_is_to_be_made(op)) {
		/* A rename may have given it another one since it was asked last. */
		inode_put(&op->fs->inodes, op->target);
		op->target = inode_get_parent(op->inode);
		ask_whether_made(op, path);
	} else if (node_may_be_gone(op, op->inode, path)) {
		op->foreign = inode_foreign(op->inode);
		op_call(op, XS_READ, 0, path, NULL, 0);
		op_ask(op, flush_node_asked, ask_before_release);
	} else {
		flushed(op);
	}
}

/*
 * close(2).  Who truncated by ftruncate() is done now.  A file that was opened with O_TRUNC is
 * closed at once by every shell, which has made a copy of the descriptor before, and by each child
 * that inherits it: only the second close by the same process means that nothing was to be written,
 * as in `: > key`.  What ends with a single close is written at release; in a transaction at once,
 * for the release may come after the commit, and nobody sees what is replaced later.
 */
void node_flush(struct op *op)
{
	uint64_t owner = op->fi.lock_owner;
	struct handle *handle = op->handle;

	if (!handle_ends_empty(handle))
		op_reply_error(op, 0);
	else if (op->inode->view->tx || handle_is_last_close(handle, owner))
		node_fsync(op);
	else
		ask_before_release(op);
}

/* Nobody waits for this write; the log is all that can hear of its failure, but for that of a node
 * that somebody removed. */
static void release_done(struct op *op, int err)
{
	bool overtaken = op->inode->contents != op->contents;
	char path[PATH_SIZE];

	/* Until now this mount has shown it; from now on the store does, if it was made. */
	if (op->may_create && !overtaken && !err)
		inode_new_content(&op->fs->inodes, op->inode);
	else if (op->may_create && !overtaken)
		inode_set_unwritten(&op->fs->inodes, op->inode, false);
	if (err && err != -ENOENT && !inode_path(&op->fs->inodes, op->inode, NULL, path))
		rate_log(&op->fs->rates.values, op->fs->log, LOGGER_WARNING, "%s: empty value lost at close: %s",
			 path, strerror(-err));
	if (op->charged)
		quota_release(&op->fs->quotas, QUOTA_EMPTY, op->user, 1);
	op_reply_error(op, err);
}

/* Returns whether the file op->inode is still to be made in op->target: as the store said at close
 * if it was `missing` then, and as far as events have told since. */
static bool is_still_to_be_made(const struct op *op, bool missing)
{
	return missing && !inode_is_doubtful(op->inode) &&
	       (op->target->view_root || !inode_is_doubtful(op->target));
}

/* The next request of this mount must come after this one, so it is a single request where nothing has happened
 * since the close asked; else the pool makes certain that nothing comes back that was removed, and that
 * nothing is overwritten that somebody else has made. */
static void release_empty(struct op *op, bool missing)
{
	bool known;

	op->may_create = op->keep = node_is_to_be_made(op);
	if (op->may_create) {
		op->target = inode_get_parent(op->inode);
		known = is_still_to_be_made(op, missing);
	} else {
		known = !inode_is_doubtful(op->inode);
	}
	node_put_known(op, known || op->inode->view->tx, release_done);
}

void node_release(struct fs *fs, struct handle *handle)
{
	struct inode *inode = handle->inode;
	bool missing = handle->missing_at_close;
	struct op *op = NULL;

	if (handle_ends_empty(handle) && !inode_is_removed(inode))
		op = op_new(fs, NULL, inode->nodeid, OP_RELEASE);
	if (op) {
		op->charged = handle_take_charge(handle, &op->user);
		op->contents = inode->contents;
	}
	/* Else nobody is left who would make it. */
	if (handle_settle_empty(handle) && !op)
		inode_set_unwritten(&fs->inodes, inode, false);
	if (op)
		release_empty(op, missing);
	handle_free(handle);
}
