/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes of nodes: `user.xenstore.perms`, the permissions as text, and
 * `user.xenstore.value`, the raw value.  One round trip each.
 *
 * Only the permissions are listed, because a copy of a tree takes the value from the content.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs/node/node.h"
#include "fs/node/perms.h"

#define XATTR_PERMS "user.xenstore.perms"
#define XATTR_VALUE "user.xenstore.value"

static bool is_perms(const struct op *op)
{
	return !strcmp(op->name, XATTR_PERMS);
}

static bool is_value(const struct op *op)
{
	return !strcmp(op->name, XATTR_VALUE);
}

static void get_perms_done(struct op *op)
{
	char *text;
	int len = perms_text(op, &text);

	if (len < 0)
		op_reply_error(op, len);
	else
		op_reply_xattr(op, text, len);
	free(text);
}

static void get_value_done(struct op *op)
{
	int err = op_call_error(op, 0);

	if (err)
		op_reply_error(op, err);
	else
		op_reply_xattr(op, op->calls[0]->reply, op->calls[0]->reply_len);
}

/* For a file that another one replaced: answers with the value that it had then.  Returns false if
 * that is not known. */
static bool get_replaced(struct op *op)
{
	size_t len;
	char *value = inode_get_last(op->inode, &len);

	if (!value)
		return false;
	op_reply_xattr(op, value, len);
	free(value);
	return true;
}

void node_getxattr(struct op *op)
{
	char path[PATH_SIZE];
	int err = 0;

	if (!is_perms(op) && !is_value(op))
		err = -ENODATA;
	if (!err)
		err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err == -ESTALE && is_value(op) && get_replaced(op))
		return;
	if (err) {
		op_reply_error(op, err);
		return;
	}
	op_call(op, is_perms(op) ? XS_GET_PERMS : XS_READ, op->inode->view->tx_id, path, NULL, 0);
	op_ask(op, is_perms(op) ? get_perms_done : get_value_done, node_getxattr);
}

static void set_perms_done(struct op *op)
{
	op_reply_error(op, op_call_error(op, 0));
}

static void set_value_done(struct op *op, int err)
{
	if (!err)
		inode_new_content(&op->fs->inodes, op->inode);
	op_reply_error(op, err);
}

/* The node is known to be in the store. */
static void setxattr_existing(struct op *op)
{
	if (is_value(op))
		node_put_value(op, op->size, set_value_done);
	else
		perms_set(op, set_perms_done);
}

void node_setxattr(struct op *op)
{
	if (!is_perms(op) && !is_value(op))
		op_reply_error(op, -EOPNOTSUPP);
	else if (op->flags & XATTR_CREATE)
		op_reply_error(op, -EEXIST);
	else
		node_flush_empty(op, setxattr_existing);
}

void node_listxattr(struct op *op)
{
	op_reply_xattr(op, XATTR_PERMS, sizeof(XATTR_PERMS));
}

void node_removexattr(struct op *op)
{
	/* Every node has both, so neither can be removed. */
	op_reply_error(op, is_perms(op) || is_value(op) ? -EPERM : -ENODATA);
}
