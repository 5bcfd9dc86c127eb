/* SPDX-License-Identifier: MIT */
/* Open directories: passing a listing to the kernel, page by page.  For
 * node_list.c and special.c. */
#ifndef FS_NODE_DIR_H
#define FS_NODE_DIR_H

#include "fs/op/op.h"

/*
 * The names of op->inode are known: takes `listing` and answers the OPENDIR (op->handle is NULL: a
 * handle is made) or the READDIR that asked for them.
 */
void dir_listed(struct op *op, struct listing *listing);

/* Answers a READDIR (op->size, off) from op->handle's listing. */
void dir_reply(struct op *op);

#endif
