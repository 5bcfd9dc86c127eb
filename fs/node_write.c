/* SPDX-License-Identifier: MIT */
/*
 * Changing values: write, truncate, create, fsync, release.
 *
 * One write() is one XS_WRITE of the whole value.  Where this open file defines the whole content,
 * having truncated or created it, that is one round trip.  Where the old content matters (append, a
 * write in the middle, a truncate to a size) it is a transaction on the pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/node.h"
#include "fs/special.h"
#include "fs/text.h"
#include "fs/tx.h"

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

/* Adds the write of a value.  Of a directory's own value it is noted first, as its event may come
 * before its reply, and is no news about what the node is. */
static void call_write(struct op *op, uint32_t tx_id, const char *path, const char *value,
		       size_t len)
{
	inode_wrote(&op->fs->inodes, op->inode);
	op_call(op, XS_WRITE, tx_id, path, value, len);
}

/* Reads the content, changes it as `change` says, writes it.  The new content is left in the
 * handle. */
static int change_content(struct op *op, uint32_t tx_id,
			  int (*change)(struct op *, const char *, size_t, char **, size_t *))
{
	enum fs_format format = op->fs->config.format;
	struct request *read = NULL;
	size_t size = 0, value_len;
	char path[PATH_SIZE], *content = NULL;
	int err;

	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err)
		return err;
	op_call(op, XS_READ, tx_id, path, NULL, 0);
	err = op_wait(op);
	if (!err)
		err = op_call_error(op, 0);
	if (err == -ENOENT && inode_is_pending(&op->fs->inodes, op->inode)) {
		err = change(op, NULL, 0, &content, &size);
	} else if (!err) {
		read = op->calls[0];
		size = text_from_value(format, read->reply, read->reply_len);
		err = change(op, read->reply, size, &content, &size);
	}
	if (!err) {
		value_len = text_value_len(format, content, size);
		err = check_size(op, path, value_len);
	}
	if (!err) {
		op_calls_clear(op);
		call_write(op, tx_id, path, content, value_len);
		err = op_wait(op);
	}
	if (!err)
		err = op_call_error(op, 0);
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
	int err = tx_run(op, edit_body);

	if (err) {
		write_failed(op, err);
		return;
	}
	content_changed(op);
	/* An append is none of what this handle has written itself. */
	handle_set_partial(op->handle);
	op_reply_write(op, op->size);
}

/* ---- this handle defines the content ---- */

/* op->data is the new content, op->off its size, op->size what was written of it. */
static void write_done(struct op *op)
{
	int err = op_call_error(op, 0);

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
	call_write(op, op->inode->view->tx_id, path, content, value_len);
	op_submit(op, write_done);
}

void node_write(struct op *op)
{
	bool whole;

	pthread_mutex_lock(&op->handle->lock);
	whole = op->handle->whole;
	pthread_mutex_unlock(&op->handle->lock);
	if (op->flags & O_APPEND) {
		/* What was just truncated still has its old value in the store.  A new file may
		 * have got one meanwhile, from somebody else who appends. */
		whole = handle_is_empty_due(op->fs, op->handle) &&
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
	if (op->inode->kind == INODE_SPECIAL)
		special_getattr(op);
	else
		node_getattr(op);
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
	int err = tx_run(op, resize_body);

	if (err) {
		op_reply_error(op, err);
		return;
	}
	content_changed(op);
	truncated(op);
}

static void truncate_done(struct op *op)
{
	int err = op_call_error(op, 0);

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
		handle_truncate(op->fs, op->handle, op_process(op));
		handle_set_closing(op->handle);
		emptied(op);
	} else if (op->off == 0) {
		call_write(op, op->inode->view->tx_id, path, NULL, 0);
		op_submit(op, truncate_done);
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
		handle = handle_new(fs, leaf, op->flags);
	if (!handle) {
		inode_put(&fs->inodes, leaf);
		op_reply_error(op, -ENOMEM);
		return;
	}
	inode_made(&fs->inodes, leaf);
	handle_truncate(fs, handle, op_process(op));
	if (pending) {
		inode_set_pending(&fs->inodes, leaf, true);
	} else {
		handle_take_empty_due(handle);
		inode_set_listing(&fs->inodes, op->inode, NULL);
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

	if (err)
		op_reply_error(op, err);
	else
		created(op, false);
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
	else
		created(op, true);
}

/* ---- empty values that are due ---- */

static void flush_empty_done(struct op *op)
{
	int err = op_call_error(op, 0);

	if (err) {
		op_reply_error(op, err);
		return;
	}
	content_changed(op);
	op_calls_clear(op);
	op->then(op);
}

void node_flush_empty(struct op *op, void (*then)(struct op *op))
{
	bool due = inode_is_pending(&op->fs->inodes, op->inode);
	char path[PATH_SIZE];
	int err;

	if (op->handle)
		due |= handle_ends_empty(op->fs, op->handle);
	if (!due) {
		then(op);
		return;
	}
	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err) {
		op_reply_error(op, err);
		return;
	}
	op->then = then;
	call_write(op, op->inode->view->tx_id, path, NULL, 0);
	op_submit(op, flush_empty_done);
}

static void fsync_done(struct op *op)
{
	op_reply_error(op, 0);
}

void node_fsync(struct op *op)
{
	node_flush_empty(op, fsync_done);
}

/*
 * close(2).  Who truncated by ftruncate() is done now.  A file that was opened with O_TRUNC is
 * closed at once by every shell, which has made a copy of the descriptor before, and by each child
 * that inherits it: only the second close by the same process means that nothing was to be written,
 * as in `: > key`.  What ends with a single close is written at release; in a transaction at once,
 * for the release may come after the commit, and nobody sees what is replaced later.
 */
void node_flush(struct op *op, uint64_t owner)
{
	struct handle *handle = op->handle;

	if (handle_ends_empty(op->fs, handle) &&
	    (op->inode->view->tx || handle_is_last_close(handle, owner)))
		node_fsync(op);
	else
		op_reply_error(op, 0);
}

/* Nobody waits for this write; the log is all that can hear of its failure. */
static void release_done(struct op *op)
{
	int err = op_call_error(op, 0);
	char path[PATH_SIZE];

	if (err && !inode_path(&op->fs->inodes, op->inode, NULL, path))
		log_warning(op->fs->log, "%s: empty value lost at close: %s", path, strerror(-err));
	op_reply_error(op, err);
}

void node_release(struct fs *fs, struct handle *handle)
{
	struct inode *inode = handle->inode;
	char path[PATH_SIZE];
	struct op *op;

	if (handle_ends_empty(fs, handle) && inode_path(&fs->inodes, inode, NULL, path) == 0) {
		op = op_new(fs, NULL, inode->nodeid, "release");
		if (op) {
			call_write(op, inode->view->tx_id, path, NULL, 0);
			op_submit(op, release_done);
		}
	}
	/* Nobody is left who would make it. */
	if (handle_take_empty_due(handle))
		inode_set_pending(&fs->inodes, inode, false);
	handle_free(fs, handle);
}
