/* SPDX-License-Identifier: MIT */
/*
 * Changing values: write, truncate, create, fsync, release.
 *
 * One write() is one XS_WRITE of the whole value.  Where this open file defines the whole content,
 * having truncated it, that is one round trip.  Where the old content matters (append, a write in the
 * middle, a truncate to a size), or the node is yet to be made, it is a transaction on the pool.
 *
 * XS_WRITE makes a missing node, with all that is missing above it.  A node that somebody has removed
 * is not to come back that way: see node_put_value().
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/text.h"
#include "fs/node/node.h"
#include "fs/op/transaction.h"
#include "fs/op/tx.h"

/* ---- sizes ---- */

/* Returns 0, or -EFBIG for a value that no message can carry to `path`. */
static int check_size(const struct op *op, const char *path, size_t value_len)
{
	return strlen(path) + 1 + value_len > chan_payload_max(op->fs->chan) ? -EFBIG : 0;
}

/* Returns 0, or -EFBIG for an offset from which nothing can fit.  It is checked before memory is
 * asked for. */
static int check_offset(const struct op *op, off_t end)
{
	return end < 0 || (size_t)end > chan_payload_max(op->fs->chan) + 1 ? -EFBIG : 0;
}

/* ---- the old content matters ---- */

/* Where in the content the bytes go, and what is left of it. */
static int edit(struct op *op, const char *old, size_t old_size, char **content, size_t *size)
{
	off_t off = op->flags & O_APPEND ? (off_t)old_size : op->off;
	int err = check_offset(op, off + (off_t)op->size);

	if (err)
		return err;
	*content = text_splice(old, old_size, off, op->data, op->size, size);
	return *content ? 0 : -ENOMEM;
}

/* The content cut, or stretched with zeros, to op->off bytes. */
static int resize(struct op *op, const char *old, size_t old_size, char **content, size_t *size)
{
	size_t keep = (size_t)op->off < old_size ? (size_t)op->off : old_size;

	*content = text_splice(old, keep, op->off, NULL, 0, size);
	return *content ? 0 : -ENOMEM;
}

/* Adds the write of a value, and remembers that the node has been given one, be it empty. */
static void call_write(struct op *op, uint32_t tx_id, const char *path, const char *value,
		       size_t len)
{
	made_value_written(op->inode->view->made, path);
	/* What is written in a transaction is not looked at there: see node_tx.c. */
	if (op->inode->kind == INODE_LEAF && (len == 0 || op->inode->view->tx))
		node_made_file(op, path);
	op_call(op, XS_WRITE, tx_id, path, value, len);
}

/* Runs the body of a write in a transaction.  It is noted first, as its event may come before its
 * reply. */
static int write_in_tx(struct op *op, int (*body)(struct op *op, uint32_t tx_id))
{
	struct inodes *inodes = &op->fs->inodes;
	uint64_t foreign = inode_foreign(inodes, op->inode);
	int err;

	inode_wrote(inodes, op->inode);
	err = tx_run(op, body);
	if (err)
		inode_not_written(inodes, op->inode);
	else if (!op->inode->view->tx)
		inode_found(inodes, op->inode, foreign);
	return err;
}

/* Returns whether the node need not be in the store yet.  A `.value` that was created has a node. */
static bool is_to_be_made(const struct op *op)
{
	return op->inode->kind == INODE_LEAF && inode_is_pending(&op->fs->inodes, op->inode);
}

/* Adds the questions, in a transaction, for the value of the node and, if it may be missing, for its
 * directory, which has to be there then. */
static int call_old(struct op *op, uint32_t tx_id, const char *path, bool may_create)
{
	struct inode *dir = inode_get_parent(&op->fs->inodes, op->inode);
	int err = 0;

	op_call(op, XS_READ, tx_id, path, NULL, 0);
	if (may_create)
		err = node_call_dir(op, tx_id, dir);
	inode_put(&op->fs->inodes, dir);
	return err;
}

/* Sends them, with what was added since.  Returns 0, with the node's value as call 0, or an error;
 * *missing: it has to be made. */
static int read_old(struct op *op, bool may_create, bool *missing)
{
	struct inode *dir = inode_get_parent(&op->fs->inodes, op->inode);
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

/* Reads the content, changes it as `change` says, writes it.  The new content is left in the
 * handle. */
static int change_content(struct op *op, uint32_t tx_id,
			  int (*change)(struct op *, const char *, size_t, char **, size_t *))
{
	enum fs_format format = op->fs->config.format;
	struct request *read = NULL;
	size_t size = 0, old_size = 0, value_len;
	char path[PATH_SIZE], *content = NULL;
	bool missing = false, may_create = is_to_be_made(op);
	int err = tx_path(op, op->inode, NULL, path);

	if (!err)
		err = call_old(op, tx_id, path, may_create);
	if (!err)
		err = read_old(op, may_create, &missing);
	if (!err && missing) {
		err = change(op, NULL, 0, &content, &size);
	} else if (!err) {
		read = op->calls[0];
		old_size = text_from_value(format, read->reply, read->reply_len);
		err = change(op, read->reply, old_size, &content, &size);
	}
	if (!err) {
		value_len = text_value_len(format, content, size);
		err = check_size(op, path, value_len);
	}
	/* rsync cuts each file to the size that it has. */
	if (!err && !(read && change == resize && size == old_size)) {
		op_calls_clear(op);
		call_write(op, tx_id, path, content, value_len);
		err = op_wait(op);
		if (!err)
			err = op_call_error(op, 0);
	}
	free(content);
	return err;
}

static int edit_body(struct op *op, uint32_t tx_id)
{
	return change_content(op, tx_id, edit);
}

static int resize_body(struct op *op, uint32_t tx_id)
{
	return change_content(op, tx_id, resize);
}

/* The store has something newer than what the handle remembers. */
static void content_changed(struct op *op)
{
	inode_changed(&op->fs->inodes, op->inode);
	if (!op->handle)
		return;
	handle_take_empty_due(op->handle);
	handle_set_snapshot(op->handle, NULL, 0);
}

static void write_failed(struct op *op, int err)
{
	handle_refuse_write(op->handle);
	op_reply_error(op, err);
}

static void edit_run(struct op *op)
{
	int err = write_in_tx(op, edit_body);

	if (err) {
		write_failed(op, err);
		return;
	}
	content_changed(op);
	/* An append is none of what this handle has written itself. */
	handle_set_partial(op->handle);
	op_reply_write(op, op->size);
}

/* ---- a value as it is ---- */

/* Returns whether something is known that may have removed what the inode stands for, or nothing is
 * known of it at all. */
static bool may_be_gone(const struct op *op, struct inode *inode, const char *path)
{
	return !op->inode->view->tx && (!op_is_covered(op, inode, path) ||
					inode_is_doubtful(&op->fs->inodes, inode));
}

/* Writes op->data in a transaction: to a node that is there, or is made if op->may_create. */
static int put_body(struct op *op, uint32_t tx_id)
{
	/* In a transaction of our own the change may travel with the check, see node_create_in_tx(). */
	bool own = op->inode->view->tx_id == 0, missing;
	char path[PATH_SIZE];
	int err = tx_path(op, op->inode, NULL, path);

	if (!err)
		err = call_old(op, tx_id, path, op->may_create);
	if (err)
		return err;
	if (own)
		call_write(op, tx_id, path, op->data, op->value_len);
	err = read_old(op, op->may_create, &missing);
	/* That it may not be read means that it is there. */
	if (err == -EACCES)
		err = 0;
	if (!err && !missing && op->keep)
		err = tx_finding(op, -EEXIST);
	if (err)
		return err;
	if (own)
		return op_call_error(op, op->may_create ? 2 : 1);
	op_calls_clear(op);
	call_write(op, tx_id, path, op->data, op->value_len);
	err = op_wait(op);
	return err ? err : op_call_error(op, 0);
}

static void put_run(struct op *op)
{
	int err = write_in_tx(op, put_body);

	op->put(op, err == -EEXIST && op->keep ? 0 : err);
}

static void put_sent(struct op *op)
{
	int err = op_call_error(op, 0);

	if (err)
		inode_not_written(&op->fs->inodes, op->inode);
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
	inode_wrote(&op->fs->inodes, op->inode);
	call_write(op, view->tx_id, path, op->data, op->value_len);
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
	inode_found(&op->fs->inodes, op->inode, op->foreign);
	put_send(op);
}

void node_put_value(struct op *op, size_t len, void (*put)(struct op *op, int err))
{
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	op->put = put;
	op->value_len = len;
	op->may_create = is_to_be_made(op);
	if (err) {
		put(op, err);
	} else if (op->may_create) {
		op_run(op, put_run);
	} else if (may_be_gone(op, op->inode, path)) {
		op->foreign = inode_foreign(&op->fs->inodes, op->inode);
		op_call(op, XS_READ, 0, path, NULL, 0);
		op_submit(op, put_asked);
	} else {
		put_send(op);
	}
}

/* ---- this handle defines the content ---- */

/* op->data is the new content, op->off its size, op->size what was written of it. */
static void write_done(struct op *op, int err)
{
	if (err) {
		write_failed(op, err);
		return;
	}
	content_changed(op);
	handle_set_content(op->handle, op->data, op->off);
	op->data = NULL;
	op_reply_write(op, op->size);
}

static void write_whole(struct op *op)
{
	struct handle *handle = op->handle;
	char path[PATH_SIZE], *content = NULL;
	size_t size = 0, value_len;
	int err;

	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (!err)
		err = check_offset(op, op->off + (off_t)op->size);
	if (!err) {
		pthread_mutex_lock(&handle->lock);
		content = text_splice(handle->content, handle->content_size, op->off, op->data,
				      op->size, &size);
		pthread_mutex_unlock(&handle->lock);
		err = content ? 0 : -ENOMEM;
	}
	if (!err) {
		value_len = text_value_len(op->fs->config.format, content, size);
		err = check_size(op, path, value_len);
	}
	if (err) {
		free(content);
		write_failed(op, err);
		return;
	}
	free(op->data);
	op->data = content;
	op->off = size;
	node_put_value(op, value_len, write_done);
}

void node_write(struct op *op)
{
	char path[PATH_SIZE];
	bool whole;
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	if (err) {
		write_failed(op, err);
		return;
	}
	pthread_mutex_lock(&op->handle->lock);
	whole = op->handle->whole;
	pthread_mutex_unlock(&op->handle->lock);
	if (op->flags & O_APPEND) {
		/* What was just truncated still has its old value in the store.  A new file may
		 * have got one meanwhile, from somebody else who appends. */
		whole = handle_is_empty_due(op->handle) &&
			!inode_is_pending(&op->fs->inodes, op->inode);
		op->off = 0;
	}
	if (whole)
		write_whole(op);
	else
		op_run(op, edit_run);
}

/* ---- truncate ---- */

/* Answers with the attributes after a truncate: of a node's file or of a `.value`. */
static void truncated(struct op *op)
{
	op_calls_clear(op);
	op->inode->ops->getattr(op);
}

/* The same where nothing is left. */
static void emptied(struct op *op)
{
	struct stat st;

	node_attr_file(op->fs, 0, &st);
	op_reply_attr(op, &st);
}

static void resize_run(struct op *op)
{
	int err = write_in_tx(op, resize_body);

	if (err) {
		op_reply_error(op, err);
		return;
	}
	content_changed(op);
	truncated(op);
}

static void truncate_done(struct op *op, int err)
{
	if (err) {
		op_reply_error(op, err);
		return;
	}
	content_changed(op);
	emptied(op);
}

void node_truncate(struct op *op)
{
	char path[PATH_SIZE];
	int err = check_offset(op, op->off);

	if (!err)
		err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err) {
		op_reply_error(op, err);
	} else if (op->off == 0 && op->handle) {
		/* As with O_TRUNC: a write will follow, and watchers are not to see the gap. */
		handle_truncate(op->handle, op_process(op));
		handle_set_closing(op->handle);
		emptied(op);
	} else if (op->off == 0) {
		node_put_value(op, 0, truncate_done);
	} else {
		if (op->handle)
			handle_set_partial(op->handle);
		op_run(op, resize_run);
	}
}

/* ---- create ---- */

/* Replies to a CREATE: the file is there, in the store or pending. */
static void created(struct op *op, bool pending)
{
	struct fs *fs = op->fs;
	struct handle *handle = NULL;
	struct inode *leaf;
	struct stat st;

	leaf = inode_intern(&fs->inodes, op->inode, op->name, INODE_LEAF, op->inode->view, NULL);
	if (leaf)
		handle = handle_new(&fs->handles, leaf, op->flags);
	if (!handle) {
		inode_put(&fs->inodes, leaf);
		op_reply_error(op, -ENOMEM);
		return;
	}
	inode_made(&fs->inodes, leaf);
	handle_truncate(handle, op_process(op));
	if (pending) {
		inode_set_pending(&fs->inodes, leaf, true);
	} else {
		handle_take_empty_due(handle);
		inode_set_listing(&fs->inodes, op->inode, NULL);
		inode_found(&fs->inodes, leaf, inode_foreign(&fs->inodes, leaf));
	}
	node_attr_file(fs, 0, &st);
	op_reply_create(op, leaf, &st, handle);
	inode_put(&fs->inodes, leaf);
}

static int create_body(struct op *op, uint32_t tx_id)
{
	return node_create_in_tx(op, tx_id, XS_WRITE);
}

static void create_run(struct op *op)
{
	int err = tx_run(op, create_body);
	char path[PATH_SIZE];

	if (!err && !inode_path(&op->fs->inodes, op->inode, op->name, path))
		node_made_file(op, path);
	if (err)
		op_reply_error(op, err);
	else
		created(op, false);
}

/* Goes on with `then` when the directory op->target is there, or was as far as anybody knows; else
 * replies with an error.  It is asked for where something is known that may have removed it. */
static void ask_for_dir(struct op *op, void (*asked)(struct op *op), void (*then)(struct op *op))
{
	struct transaction *tx = op->target->view->tx;
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->target, NULL, path);

	if (!err && tx && !op->target->view_root && transaction_see(tx, path) == SIGHT_GONE)
		err = -ENOENT;
	if (err) {
		op_reply_error(op, err);
	} else if (op->target->view_root || !may_be_gone(op, op->target, path)) {
		then(op);
	} else {
		op->foreign = inode_foreign(&op->fs->inodes, op->target);
		op_call(op, XS_READ, 0, path, NULL, 0);
		op_submit(op, asked);
	}
}

/* Returns what the store said. */
static int dir_asked(struct op *op)
{
	int err = node_dir_error(op, 0, op->target);

	op_calls_clear(op);
	if (!err)
		inode_found(&op->fs->inodes, op->target, op->foreign);
	return err;
}

static void create_pending(struct op *op)
{
	created(op, true);
}

static void create_asked(struct op *op)
{
	int err = dir_asked(op);

	if (err)
		op_reply_error(op, err);
	else
		create_pending(op);
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
		op->target = inode_ref(&op->fs->inodes, op->inode);
		ask_for_dir(op, create_asked, create_pending);
	}
}

/* ---- empty values that are due ---- */

static void flush_empty_done(struct op *op, int err)
{
	if (err) {
		/* It is not tried again at release. */
		if (err == -ENOENT && op->handle)
			handle_refuse_write(op->handle);
		op_reply_error(op, err);
		return;
	}
	content_changed(op);
	op->keep = false;
	op_calls_clear(op);
	op->then(op);
}

void node_flush_empty(struct op *op, void (*then)(struct op *op))
{
	bool due = inode_is_pending(&op->fs->inodes, op->inode);

	if (op->handle)
		due |= handle_ends_empty(op->handle);
	if (!due) {
		then(op);
		return;
	}
	op->then = then;
	op->keep = is_to_be_made(op);
	node_put_value(op, 0, flush_empty_done);
}

void node_touch(struct op *op)
{
	node_flush_empty(op, node_getattr);
}

static void fsync_done(struct op *op)
{
	op_reply_error(op, 0);
}

void node_fsync(struct op *op)
{
	node_flush_empty(op, fsync_done);
}

static void flushed(struct op *op)
{
	op_reply_error(op, 0);
}

/* The empty value that is due has nowhere to go. */
static void flush_in_vain(struct op *op, int err)
{
	if (err == -ENOENT)
		handle_refuse_write(op->handle);
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

static void flush_node_asked(struct op *op)
{
	int err = op_call_error(op, 0);

	if (err && err != -EACCES) {
		flush_in_vain(op, err);
		return;
	}
	inode_found(&op->fs->inodes, op->inode, op->foreign);
	flushed(op);
}

/* This may be the last close, and the release is not to wait: it has to know by then whether what the
 * empty value is for is there. */
static void ask_before_release(struct op *op)
{
	char path[PATH_SIZE];
	int err;

	if (is_to_be_made(op)) {
		op->target = inode_get_parent(&op->fs->inodes, op->inode);
		ask_for_dir(op, flush_dir_asked, flushed);
		return;
	}
	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err) {
		op_reply_error(op, err);
	} else if (may_be_gone(op, op->inode, path)) {
		op->foreign = inode_foreign(&op->fs->inodes, op->inode);
		op_call(op, XS_READ, 0, path, NULL, 0);
		op_submit(op, flush_node_asked);
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
	char path[PATH_SIZE];

	if (err && err != -ENOENT && !inode_path(&op->fs->inodes, op->inode, NULL, path))
		log_warning(op->fs->log, "%s: empty value lost at close: %s", path, strerror(-err));
	op_reply_error(op, err);
}

/* What this mount is asked next is to come after this, so it is one request where nothing has happened
 * since the close asked; else the pool makes certain that nothing comes back that was removed. */
static void release_empty(struct op *op)
{
	struct inodes *inodes = &op->fs->inodes;
	bool known;

	op->put = release_done;
	op->may_create = op->keep = is_to_be_made(op);
	if (op->may_create)
		op->target = inode_get_parent(inodes, op->inode);
	known = op->inode->view->tx ||
		!inode_is_doubtful(inodes, op->may_create ? op->target : op->inode) ||
		(op->may_create && op->target->view_root);
	if (known)
		put_send(op);
	else
		op_run(op, put_run);
}

void node_release(struct fs *fs, struct handle *handle)
{
	struct inode *inode = handle->inode;
	struct op *op;

	if (handle_ends_empty(handle) && !inode_is_removed(&fs->inodes, inode)) {
		op = op_new(fs, NULL, inode->nodeid, "release");
		if (op)
			release_empty(op);
	}
	/* Nobody is left who would make it. */
	if (handle_take_empty_due(handle))
		inode_set_pending(&fs->inodes, inode, false);
	handle_free(handle);
}
