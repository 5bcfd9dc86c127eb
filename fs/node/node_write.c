/* SPDX-License-Identifier: MIT */
/*
 * Changing values: write and truncate.
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
#include "fs/node/node_put.h"
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

/* Puts the bytes into the content, at op->off or at its end. */
static int edit(struct op *op, const char *old, size_t old_size, char **content, size_t *size)
{
	off_t off = op->flags & O_APPEND ? (off_t)old_size : op->off;
	int err = check_offset(op, off + (off_t)op->size);

	if (err)
		return err;
	*content = text_splice(old, old_size, off, op->data, op->size, size);
	return *content ? 0 : -ENOMEM;
}

/* The content cut, or stretched with zeros, to op->new_size bytes. */
static int resize(struct op *op, const char *old, size_t old_size, char **content, size_t *size)
{
	size_t keep = (size_t)op->new_size < old_size ? (size_t)op->new_size : old_size;

	*content = text_splice(old, keep, op->new_size, NULL, 0, size);
	return *content ? 0 : -ENOMEM;
}

/* Reads the content, changes it as `change` says, writes it.  The new content is left in the
 * handle. */
MAY_WAIT static int change_content(struct op *op, uint32_t tx_id,
				   int (*change)(struct op *, const char *, size_t, char **, size_t *))
{
	enum fs_format format = op->fs->config.format;
	struct request *read = NULL;
	size_t size = 0, old_size = 0, value_len;
	char path[PATH_SIZE], *content = NULL;
	bool missing = false, may_create = node_is_to_be_made(op);
	int err = node_write_path(op, path);

	if (!err)
		err = node_call_old(op, tx_id, path, may_create);
	if (!err)
		err = node_read_old(op, may_create, &missing);
	/* A handle that has emptied the file stretches nothing, though the store still has the old content.  One that
	 * has made the file owes as much, but others may have written since, and appends go behind that. */
	if (change == resize && op->handle && handle_reads_empty(op->handle) && !may_create)
		missing = true;
	/* Nor is there an old content to edit where an open file has just ended that had emptied it: see
	 * check_overtaken() in node_put.c. */
	if (node_awaits_empty(op->inode) && !may_create && !op->inode->view->tx)
		missing = true;
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
		node_call_write(op, tx_id, path, content, value_len);
		err = op_wait(op);
		if (!err)
			err = op_call_error(op, 0);
	}
	free(content);
	return err;
}

MAY_WAIT static int edit_body(struct op *op, uint32_t tx_id)
{
	return change_content(op, tx_id, edit);
}

MAY_WAIT static int resize_body(struct op *op, uint32_t tx_id)
{
	return change_content(op, tx_id, resize);
}

static void write_failed(struct op *op, int err)
{
	handle_refuse(op->handle);
	op_reply_error(op, err);
}

MAY_WAIT static void edit_run(struct op *op)
{
	int err = node_write_in_tx(op, edit_body);

	if (err) {
		write_failed(op, err);
		return;
	}
	node_content_changed(op);
	/* An append is none of what this handle has written itself. */
	handle_edit(op->handle);
	op_reply_write(op, op->size);
}

/* ---- this handle defines the content ---- */

/* op->data is the new content, op->data_len its size, op->size what was written of it. */
static void write_done(struct op *op, int err)
{
	if (err) {
		write_failed(op, err);
		return;
	}
	node_content_changed(op);
	handle_set_content(op->handle, op->data, op->data_len);
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
		content = text_splice(handle->content, handle->content_size, op->off, op->data,
				      op->size, &size);
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
	op->data_len = size;
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
	whole = handle_is_whole(op->handle);
	if (op->flags & O_APPEND) {
		/* A file that was just truncated still has its old value in the store.  A new file may
		 * have got one meanwhile, from somebody else who appends. */
		whole = handle_reads_empty(op->handle) && !op->inode->unwritten;
		op->off = 0;
	}
	if (whole)
		write_whole(op);
	else
		op_run_else(op, edit_run, write_failed);
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

/* It may have happened all the same.  A file that reads as empty goes on doing so. */
static void resize_failed(struct op *op)
{
	if (op->handle && !handle_reads_empty(op->handle))
		handle_edit(op->handle);
}

MAY_WAIT static void resize_run(struct op *op)
{
	int err = node_write_in_tx(op, resize_body);

	if (err) {
		resize_failed(op);
		op_reply_error(op, err);
		return;
	}
	node_content_changed(op);
	if (op->handle)
		handle_edit(op->handle);
	truncated(op);
}

static void truncate_done(struct op *op, int err)
{
	if (err) {
		resize_failed(op);
		op_reply_error(op, err);
		return;
	}
	node_content_changed(op);
	if (op->handle)
		handle_set_content(op->handle, NULL, 0);
	emptied(op);
}

void node_truncate(struct op *op)
{
	char path[PATH_SIZE];
	int err = check_offset(op, op->new_size);

	if (!err)
		err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err) {
		op_reply_error(op, err);
		return;
	}
	if (op->new_size > 0) {
		op_run(op, resize_run);
		return;
	}
	/* As with O_TRUNC: a write will follow, and watchers are not to see the gap. */
	err = op->handle ? handle_cut(op->handle, op_process(op), op_user(op)) : -EDQUOT;
	if (!err)
		emptied(op);
	else if (err == -EDQUOT)
		node_put_value(op, 0, truncate_done);
	else
		op_reply_error(op, err);
}
