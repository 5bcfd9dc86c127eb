/* SPDX-License-Identifier: MIT */
/*
 * `.perms`: the permissions of a directory's node as one line of text, `n0,r5`.  Each write() is
 * one SET_PERMS of the complete list.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/node/node.h"
#include "fs/node/perms.h"
#include "fs/special/special_files.h"

/* Turns the GET_PERMS reply of the round into a line: *line (from malloc).  Returns its length or
 * -errno. */
static int perms_line(const struct op *op, char **line)
{
	int len = perms_text(op, line);

	if (len < 0)
		return len;
	(*line)[len] = '\n';
	return len + 1;
}

/* Derives the attributes *st from that reply.  Returns 0 or -errno. */
static int perms_attr(const struct op *op, struct stat *st)
{
	char *line;
	int len = perms_line(op, &line);

	free(line);
	if (len < 0)
		return len;
	node_attr_file(op->fs, len, st);
	return 0;
}

static void perms_lookup_done(struct op *op)
{
	struct stat st;
	int err = perms_attr(op, &st);

	if (err) {
		op_reply_error(op, err);
		return;
	}
	special_reply_entry(op, &special_perms, &st);
}

static void perms_lookup(struct op *op, const struct special *special)
{
	(void)special;
	op_ask_node(op, XS_GET_PERMS, perms_lookup_done);
}

static void perms_getattr_done(struct op *op)
{
	struct stat st;
	int err = perms_attr(op, &st);

	if (err) {
		op_reply_error(op, err);
		return;
	}
	op_reply_attr(op, &st);
}

static void perms_getattr(struct op *op)
{
	op_ask_node(op, XS_GET_PERMS, perms_getattr_done);
}

static void reply_part(struct op *op)
{
	char *part = malloc(op->size ? op->size : 1);
	ssize_t count;

	if (!part) {
		op_reply_error(op, -ENOMEM);
		return;
	}
	count = handle_read_snapshot(op->handle, part, op->size, op->off);
	op_reply_buf(op, part, count > 0 ? count : 0);
	free(part);
}

static void perms_read_done(struct op *op)
{
	char *line;
	int len = perms_line(op, &line);

	if (len < 0) {
		op_reply_error(op, len);
		return;
	}
	handle_set_snapshot(op->handle, line, len);
	reply_part(op);
}

static void perms_read(struct op *op)
{
	if (op->off > 0)
		reply_part(op);
	else
		op_ask_node(op, XS_GET_PERMS, perms_read_done);
}

static void perms_write_done(struct op *op)
{
	int err = op_call_error(op, 0);

	/* E2BIG is the error of an argument list; for a file the right one is EFBIG. */
	if (err == -E2BIG)
		err = -EFBIG;
	if (err)
		op_reply_error(op, err);
	else
		op_reply_write(op, op->size);
}

static void perms_write(struct op *op)
{
	if (op->off > 0)
		op_reply_error(op, -EINVAL);
	else
		perms_set(op, perms_write_done);
}

/* Permissions cannot be empty, so this does nothing: the write that follows is what matters. */
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
