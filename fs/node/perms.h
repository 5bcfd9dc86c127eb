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
 * Whether the text gives rights to "all domains" by the number that stands for them (DOMID_ANY).
 * Only newer servers know it (FEATURE_DOMID_ANY); others take it for a domain that does not exist,
 * and drop it without a word.
 */
bool perms_name_all(const char *text, size_t len);

/*
 * Adds a SET_PERMS of `len` bytes of text (optionally ending in one newline) to the round.  Returns
 * 0, -EINVAL if the text is not a list of permissions, or -ENOMEM.  A text too long for a message
 * is -E2BIG in op_call_error().
 */
int perms_call(struct op *op, const char *path, const char *text, size_t len);

#endif
