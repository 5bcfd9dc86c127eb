/* SPDX-License-Identifier: MIT */
/*
 * `.perms`: the permissions of a directory's node as one line of text, `n0,r5`.  One write() is one
 * SET_PERMS of all of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/node.h"
#include "fs/perms.h"
#include "fs/special.h"

/* Turns the GET_PERMS reply of the round into a line.  Returns its length or -errno. */
static int perms_line(const struct op *op, char *line)
{
	int err = op_call_error(op, 0), len;

	if (err)
		return err;
	len = wire_perms_to_text(op->calls[0]->reply, op->calls[0]->reply_len, line,
				 PERMS_TEXT_MAX);
	if (len < 0)
		return -EIO;
	line[len] = '\n';
	return len + 1;
}

static void ask(struct op *op, void (*done)(struct op *op))
{
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	if (err) {
		op_reply_error(op, err);
		return;
	}
	op_call(op, XS_GET_PERMS, op->inode->view->tx_id, path, NULL, 0);
	op_submit(op, done);
}

static void lookup_done(struct op *op)
{
	char line[PERMS_TEXT_MAX + 1];
	struct stat st;
	int len = perms_line(op, line);

	if (len < 0) {
		op_reply_error(op, len);
		return;
	}
	node_attr_file(op->fs, len, &st);
	special_reply_entry(op, &special_perms, &st);
}

static void perms_lookup(struct op *op, const struct special *special)
{
	(void)special;
	ask(op, lookup_done);
}

static void getattr_done(struct op *op)
{
	char line[PERMS_TEXT_MAX + 1];
	struct stat st;
	int len = perms_line(op, line);

	if (len < 0) {
		op_reply_error(op, len);
		return;
	}
	node_attr_file(op->fs, len, &st);
	op_reply_attr(op, &st);
}

static void perms_getattr(struct op *op)
{
	ask(op, getattr_done);
}

static void read_done(struct op *op)
{
	char line[PERMS_TEXT_MAX + 1], *copy;
	int len = perms_line(op, line);

	copy = len < 0 ? NULL : malloc(len);
	if (!copy) {
		op_reply_error(op, len < 0 ? len : -ENOMEM);
		return;
	}
	memcpy(copy, line, len);
	handle_set_snapshot(op->handle, copy, len);
	len = (size_t)len > op->size ? (int)op->size : len;
	op_reply_buf(op, line, len);
}

static void perms_read(struct op *op)
{
	char page[PERMS_TEXT_MAX];
	ssize_t count = -1;

	if (op->off > 0)
		count = handle_read_snapshot(op->handle, page,
					     op->size < sizeof(page) ? op->size : sizeof(page),
					     op->off);
	if (count >= 0)
		op_reply_buf(op, page, count);
	else if (op->off > 0)
		op_reply_buf(op, NULL, 0);
	else
		ask(op, read_done);
}

static void write_done(struct op *op)
{
	int err = op_call_error(op, 0);

	if (err)
		op_reply_error(op, err);
	else
		op_reply_write(op, op->size);
}

static void perms_write(struct op *op)
{
	char path[PATH_SIZE], perms[PERMS_WIRE_MAX];
	int err, len;

	len = op->off == 0 ? wire_perms_from_text(op->data, op->size, perms, sizeof(perms)) : -1;
	err = len < 0 ? -EINVAL : inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err) {
		op_reply_error(op, err);
		return;
	}
	op_call(op, XS_SET_PERMS, op->inode->view->tx_id, path, perms, len);
	op_submit(op, write_done);
}

/* There are no empty permissions: what counts is the write that follows. */
static void perms_truncate(struct op *op)
{
	perms_getattr(op);
}

const struct special special_perms = {
	.name = ".perms",
	.place = SPECIAL_IN_NODES,
	.mode = S_IFREG | 0666,
	.lookup = perms_lookup,
	.getattr = perms_getattr,
	.read = perms_read,
	.write = perms_write,
	.truncate = perms_truncate,
};
