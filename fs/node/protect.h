/* SPDX-License-Identifier: MIT */
/*
 * What -o protect= keeps from being removed or moved through the mount: directories that a host
 * cannot do without (fs/model/guarded.h), and everything below them as far as a program would
 * remove it in one go.
 *
 * A filesystem is not told of "rm -r": it sees a directory listed, then its entries removed,
 * from the bottom up, so that a protected directory is already empty when its turn comes.  But
 * a program that removes a tree keeps the directories open while it works below them.  So
 * every open directory is remembered that is protected, or that was opened by a process which
 * has the directory above open for the same reason and has read it.  That process must not
 * remove anything in there.
 */
#ifndef FS_NODE_PROTECT_H
#define FS_NODE_PROTECT_H

#include "fs/op/op.h"

struct protect;

/*
 * Makes it from the value of the option, legal (patterns.h); NULL: the option was not given.
 * Returns 0, with *out NULL if nothing is protected, or -ENOMEM.
 */
int protect_new(struct protect **out, const char *option);
void protect_free(struct protect *protect);

/* The directory op->inode was opened as `handle`.  Returns 0, or -ENOMEM: the open
 * must fail then. */
int protect_opened(struct op *op, struct handle *handle);

/* Returns whether op->name in op->inode, a node or a `.value`, must not be removed.  Does not wait
 * for the store, but may read /proc. */
bool protect_keeps(struct op *op);

/* Returns whether the node at `path` must not be moved, because it or something
 * below it is protected. */
bool protect_keeps_place(struct op *op, const char *path);

/* Returns whether the node at `path`, which exists, must not be replaced. */
bool protect_keeps_target(struct op *op, const char *path);

#endif
