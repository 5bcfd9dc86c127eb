/* SPDX-License-Identifier: MIT */
/*
 * Nodes of the store as files and directories: what each file operation does.  For ops.c, which
 * unpacks FUSE's arguments into the operation, and for special.c.
 * Each function replies, now or later, and takes the operation.
 */
#ifndef FS_NODE_NODE_H
#define FS_NODE_NODE_H

#include "fs/op/inode_ops.h"
#include "fs/op/op.h"

/* Nodes as directories and as files; node_ops.c. */
extern const struct inode_ops node_dir_ops;
extern const struct inode_ops node_leaf_ops;

/* node_look.c, node_read.c, node_list.c: one round trip each. */
void node_lookup(struct op *op);  /* op->name in op->inode */
void node_getattr(struct op *op); /* op->handle may be NULL */
void node_open(struct op *op);    /* op->flags */
void node_read(struct op *op);    /* op->handle, size, off */
void node_opendir(struct op *op);
void node_readdir(struct op *op); /* op->handle, size, off */

/* node_tx.c: the first two for the view of a transaction. */
void node_tx_lookup(struct op *op);
void node_tx_getattr(struct op *op);

/* node_xattr.c: op->name is the attribute. */
void node_getxattr(struct op *op);
void node_setxattr(struct op *op); /* op->data, size, flags (XATTR_*) */
void node_listxattr(struct op *op);
void node_removexattr(struct op *op);

/* node_write.c: one round trip, or a transaction where the old value matters. */
void node_write(struct op *op);    /* op->handle, data, size, off, flags (open flags) */
void node_truncate(struct op *op); /* to op->new_size; op->handle may be NULL */
void node_create(struct op *op);   /* op->name in op->inode, op->flags */
void node_flush_empty(struct op *op, void (*then)(struct op *op)); /* op->handle may be NULL */

/*
 * Writes the `len` bytes at op->data as the value of op->inode's node, and goes on with `put`: with 0
 * or an error, -ENOENT for a node that is not there.  That is one XS_WRITE, which would make a
 * missing node and all that is above it; so the store is asked first where something is known that
 * may have removed the node.  A file that was created here and is not yet in the store is made in a
 * transaction, if its directory is there.
 */
void node_put_value(struct op *op, size_t len, void (*put)(struct op *op, int err));

void node_fsync(struct op *op);
void node_touch(struct op *op); /* makes the file, if it is unwritten */
void node_flush(struct op *op); /* op->handle; op->fi.lock_owner closes a descriptor */

/* Closes a handle: writes the empty value that is still due, waits for nothing, frees it. */
void node_release(struct fs *fs, struct handle *handle);

/* node_tree.c and node_rename.c: transactions, on the pool. */
void node_mkdir(struct op *op);
void node_mknod(struct op *op);
void node_unlink(struct op *op);
void node_rmdir(struct op *op);
void node_rename(struct op *op); /* op->name in op->inode to op->new_name in op->target; flags */

/*
 * In a transaction: adds a READ of the node of `dir` to the round, as what is created in a directory
 * that is gone would make that again.  Returns 0, or -ENOENT if the directory was removed.
 * node_dir_error() reads the answer, call `i`: 0 if the directory is there, be it that it may not be
 * read; else -ENOENT or another error.  The mount's root always is.
 */
int node_call_dir(struct op *op, uint32_t tx_id, const struct inode *dir);
int node_dir_error(struct op *op, unsigned i, const struct inode *dir);

/*
 * In a transaction, on the pool: makes op->name in op->inode by XS_WRITE (an empty value) or
 * XS_MKDIR.  Returns 0; -EEXIST, or -ENOENT if op->inode is gone, as findings (tx.h); or the store's
 * error.
 */
int node_create_in_tx(struct op *op, uint32_t tx_id, uint32_t type) MAY_WAIT;

/* Returns 0, or why op->name cannot become a node in op->inode: -EINVAL, -ENAMETOOLONG. */
int node_check_new_name(struct op *op);

/* What READ and DIRECTORY of a node told about it. */
struct node_facts {
	bool readable;     /* false: the store refuses, but there may be readable nodes below */
	bool has_children;
	size_t value_len;
};

/*
 * Reads the facts off calls `i` (a READ) and `i + 1` (a DIRECTORY) of a finished round.
 * Returns 0, or -ENOENT or another error with which the node cannot be looked at.
 */
int node_facts(const struct op *op, unsigned i, struct node_facts *facts);

/* Returns whether op->name, with that path, is to be a directory even if it has no children. */
bool node_stays_dir(struct op *op, const char *path);

/* Returns whether a node at `path` that has neither value nor children is a directory by what its
 * path is meant for. */
bool node_is_meant_dir(const struct op *op, const char *path);

/* Returns whether op->name, with that path, is a directory. */
bool node_is_dir(struct op *op, const struct node_facts *facts, const char *path);

/*
 * A file without a value was made at `path`, in the view of op->inode: where an empty node would be
 * a directory, this one is not.
 */
void node_made_file(const struct op *op, const char *path);

/*
 * Returns whether the node at `path`, in the view of op->inode, has a `.value`, if call `i`, a READ
 * of it, is answered.
 */
bool node_has_value(const struct op *op, unsigned i, const char *path);

/*
 * Replies with the entry of op->name, which is there, at `path`: a directory, or a file of `size`
 * bytes.  A directory that is not readable is hidden: its names cannot be listed, nor its events be
 * had.
 */
void node_reply_found(struct op *op, const char *path, bool dir, bool readable, size_t size);

/* Returns whether a DIRECTORY reply names any child. */
bool node_reply_has_children(const struct request *req);

/* op->name in op->inode was removed, and the kernel knows or is about to hear it. */
void node_removed(struct op *op);

/* Replies to a GETATTR with the attributes of what was removed. */
void node_reply_removed(struct op *op);

/* The node was found by an operation that began after op->seq: notes that. */
void node_found(struct op *op, struct inode *inode, const char *path);

/* Fills in the attributes of a directory, or of a file of `size` bytes, but for st_ino. */
void node_attr_dir(const struct fs *fs, bool readable, struct stat *st);
void node_attr_file(const struct fs *fs, size_t size, struct stat *st);

/*
 * Adds the names of the children of `path` to `listing`.
 * Uses DIRECTORY, and DIRECTORY_PART where the answer is too large for one reply; a directory that
 * keeps changing under the parts is given as it was seen last.  Pool threads.
 * Returns 0 or the store's error (E2BIG where the server has no DIRECTORY_PART).
 */
int node_list(struct op *op, uint32_t tx_id, const char *path, struct listing *listing) MAY_WAIT;

/*
 * Returns whether the file that is asked about is empty for who asks, because an empty value is due:
 * through the open file, where the kernel says which, else for the process that emptied it and for those
 * that descend from it.
 */
bool node_sees_empty(struct op *op);

/* Compares what the store said of `inode` with what it said before: calls `read` and `dir` of the round
 * are XS_READ and XS_DIRECTORY of it (-1: not asked).  A difference moves its time. */
void node_saw(struct op *op, struct inode *inode, int read, int dir);

/*
 * Remembers that a directory, whose node is `path`, is there, for as long as no event comes: the kernel
 * asks again and again, as each listing makes it forget the time of access.
 */
void node_confirm_dir(struct op *op, struct inode *dir, const char *path);

/* Keeps what the store says of the mount's root: whether it may be listed. */
void node_note_root(const struct op *op, int err);

#endif
