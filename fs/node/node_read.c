/* SPDX-License-Identifier: MIT */
/* Opening and reading values.  One round trip, which ends in read_done() on the I/O thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/events/poll.h"
#include "fs/model/text.h"
#include "fs/node/node_put.h"

/* Removed in the meantime: ESTALE makes the kernel look the name up again, and with O_CREAT make it. */
static int open_error(int err)
{
	return err == -ENOENT ? -ESTALE : err;
}

/* A user who may owe no more empty values has emptied the file first. */
static void open_emptied(struct op *op, int err)
{
	struct handle *handle;

	if (!err)
		node_content_changed(op);
	handle = err ? NULL : handle_new(&op->fs->handles, op->inode, op->flags);
	if (!handle) {
		op_reply_error(op, open_error(err ? err : -ENOMEM));
		return;
	}
	handle_set_content(handle, NULL, 0);
	op_reply_open(op, handle);
}

void node_open(struct op *op)
{
	char path[PATH_SIZE];
	struct handle *handle;
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	/* Replaced in the meantime: for a reader the old content is as good as the new one. */
	if (err == -ESTALE && (op->flags & O_ACCMODE) == O_RDONLY)
		err = 0;
	handle = err ? NULL : handle_new(&op->fs->handles, op->inode, op->flags);
	if (!handle) {
		op_reply_error(op, open_error(err ? err : -ENOMEM));
		return;
	}
	/* The empty value is not written now, because most often a write follows. */
	if ((op->flags & O_TRUNC) && (op->flags & O_ACCMODE) != O_RDONLY)
		err = handle_empty(handle, op_process(op), op_user(op));
	if (!err) {
		op_reply_open(op, handle);
		return;
	}
	handle_free(handle);
	if (err == -EDQUOT)
		node_put_value(op, 0, open_emptied);
	else
		op_reply_error(op, err);
}

bool node_read_failed(struct op *op, int err)
{
	if (err == -ENOENT)
		poll_seen(op, true);
	/* A file that was created here and never written reads as the empty file
	 * that it will be. */
	if (err == -ENOENT && op->inode->unwritten)
		op_reply_buf(op, NULL, 0);
	else if (err)
		op_reply_error(op, err);
	return err;
}

void node_reply_content(struct op *op, const char *content, size_t size)
{
	if ((size_t)op->off >= size)
		op_reply_buf(op, NULL, 0);
	else
		op_reply_buf(op, content + op->off,
			     size - op->off < op->size ? size - op->off : op->size);
}

/* Keeps the content from the store for the reads that follow.  Returns whether this read may use it
 * too: past the end of an older snapshot only a continuation of that snapshot may be returned. */
static bool keep_snapshot(struct op *op, char *content, size_t size)
{
	if (op->off > 0)
		return handle_extend_snapshot(op->handle, content, size);
	handle_set_snapshot(op->handle, content, size);
	return true;
}

static void read_done(struct op *op)
{
	struct fs *fs = op->fs;
	int err = op_call_error(op, 0);
	struct request *req;
	char *content, *reply;
	size_t size;
	bool seen;

	/* A node that is gone adds nothing past the end of what was read of it. */
	if (err == -ENOENT && op->off > 0 && op->handle->snapshot) {
		op_reply_buf(op, NULL, 0);
		return;
	}
	if (node_read_failed(op, err))
		return;
	req = op->calls[0];
	reply = req->reply;
	inode_saw_length(op->inode, req->reply_len);
	/* The reply has room for one more byte. */
	size = text_from_value(fs->config.format, reply, req->reply_len);
	content = malloc(size + 1);
	if (!content) {
		op_reply_error(op, -ENOMEM);
		return;
	}
	memcpy(content, reply, size);
	node_read_anew(op, content, size);
	seen = keep_snapshot(op, content, size);
	if (seen)
		poll_seen(op, false);
	node_reply_content(op, reply, seen ? size : 0);
}

/* Answers a read from the handle's snapshot.  Returns false if the store has to be asked. */
static bool read_from_handle(struct op *op)
{
	ssize_t count = -1;
	char *buf;

	if (handle_reads_empty(op->handle)) {
		op_reply_buf(op, NULL, 0);
		return true;
	}
	if (op->off == 0)
		return false;
	buf = malloc(op->size ? op->size : 1);
	if (!buf) {
		op_reply_error(op, -ENOMEM);
		return true;
	}
	count = handle_read_growing(op->handle, buf, op->size, op->off);
	if (count >= 0)
		op_reply_buf(op, buf, count);
	free(buf);
	return count >= 0;
}

bool node_read_replaced(struct op *op)
{
	size_t size = 0;
	char *content = inode_get_last(op->inode, &size), *reply;

	if (!content)
		return false;
	size = text_from_value(op->fs->config.format, content, size);
	/* A copy, because the snapshot belongs to the handle and another read may replace it. */
	reply = malloc(size + 1);
	if (!reply) {
		free(content);
		op_reply_error(op, -ENOMEM);
		return true;
	}
	memcpy(reply, content, size);
	handle_set_snapshot(op->handle, content, size);
	node_reply_content(op, reply, size);
	free(reply);
	return true;
}

void node_read(struct op *op)
{
	char path[PATH_SIZE];
	int err;

	if (op->handle->cached) {
		node_read_page(op);
		return;
	}
	if (read_from_handle(op))
		return;
	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err == -ESTALE && node_read_replaced(op))
		return;
	if (err) {
		op_reply_error(op, err);
		return;
	}
	op->events = op->inode->events;
	op_call(op, XS_READ, op->inode->view->tx_id, path, NULL, 0);
	op_ask(op, read_done, node_read);
}
