/* SPDX-License-Identifier: MIT */
/* Permission lists as text.  For node_xattr.c and special_perms.c. */
#ifndef FS_NODE_PERMS_H
#define FS_NODE_PERMS_H

#include "fs/op/op.h"

/*
 * Turns the GET_PERMS reply of call 0 into text without a newline, with room for one more byte
 * after it: *text (from malloc; NULL on an error).  Returns its length, -EIO if the reply is not a
 * list of permissions, or another error.
 */
int perms_text(const struct op *op, char **text);

/*
 * Sets the permissions of op->inode's node to the op->size bytes of text at op->data (optionally ending in one
 * newline); `done` finds the outcome in call 0.  Replies itself with -EINVAL if that is not a list of
 * permissions, and with -EOPNOTSUPP if it gives rights to "all domains" by the number that stands for them
 * (DOMID_ANY) and the server does not know that.  A text too long for a message is -E2BIG in op_call_error().
 */
void perms_set(struct op *op, void (*done)(struct op *op));

#endif
