/* SPDX-License-Identifier: MIT */
/*
 * Nodes of the store as files and directories, and the file operations on them.  For ops.c, which
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

/* node_look.c, node_read.c, node_page.c, node_list.c: one round trip each. */
void node_lookup(struct op *op);  /* op->name in op->inode */
void node_getattr(struct op *op); /* op->handle may be NULL */
void node_open(struct op *op);    /* op->flags */
void node_read(struct op *op);    /* op->handle, size, off */
void node_read_page(struct op *op); /* the same, for a file whose content the kernel keeps */
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
 * Writes the `len` bytes at op->data as the value of op->inode's node, then calls `put` with 0 or
 * an error, -ENOENT for a node that does not exist.  This is a single XS_WRITE, which would create
 * a missing node and everything above it; so the store is asked first if anything is known that may
 * have removed the node.  A file that was created here and is not in the store yet is made in a
 * transaction, provided that its directory exists.
 */
void node_put_value(struct op *op, size_t len, void (*put)(struct op *op, int err));

void node_fsync(struct op *op);
void node_touch(struct op *op); /* makes the file, if it is unwritten */
void node_flush(struct op *op); /* op->handle; op->fi.lock_owner is closing a descriptor */

/* Closes a handle: sends the empty value if one is still due, without waiting, and
 * frees the handle. */
void node_release(struct fs *fs, struct handle *handle);

/* node_tree.c and node_rename.c: transactions, on the pool. */
void node_mkdir(struct op *op);
void node_mknod(struct op *op);
void node_unlink(struct op *op);
void node_rmdir(struct op *op);
void node_rename(struct op *op); /* op->name in op->inode to op->new_name in op->target; flags */

/*
 * In a transaction: adds a READ of the node of `dir` to the round, because creating something
 * in a missing directory would create the directory again.  Returns 0, or -ENOENT if the
 * directory was removed.
 * node_dir_error() evaluates the answer, call `i`: 0 if the directory exists, even if it cannot be
 * read; else -ENOENT or another error.  The mount's root always exists.
 */
int node_call_dir(struct op *op, uint32_t tx_id, const struct inode *dir);
int node_dir_error(struct op *op, unsigned i, const struct inode *dir);

/*
 * In a transaction, on the pool: makes op->name in op->inode by XS_WRITE (an empty value) or
 * XS_MKDIR.  Returns 0; -EEXIST, or -ENOENT if op->inode is gone, both as findings (tx.h); or
 * the store's error.
 */
int node_create_in_tx(struct op *op, uint32_t tx_id, uint32_t type) MAY_WAIT;

/* tx_run() of a body that does that.  Others may remove the node, and the store tell of that, before it is noted here
 * that it was made. */
int node_make(struct op *op, int (*body)(struct op *op, uint32_t tx_id)) MAY_WAIT;

/* Returns 0, or the reason why op->name cannot become a node in op->inode: -EINVAL
 * or -ENAMETOOLONG. */
int node_check_new_name(struct op *op);

/* The facts that READ and DIRECTORY of a node have told. */
struct node_facts {
	bool readable;     /* false: the store refuses, yet nodes below may be readable */
	bool has_children;
	size_t value_len;
};

/*
 * Extracts the facts from calls `i` (a READ) and `i + 1` (a DIRECTORY) of a finished round.
 * Returns 0, -ENOENT, or another error because of which the node cannot be looked at.
 */
int node_facts(const struct op *op, unsigned i, struct node_facts *facts);

/* Returns whether op->name, which has that path, must be a directory even if it has no children. */
bool node_stays_dir(struct op *op, const char *path);

/* Returns whether the path of a node that has neither value nor children is one that
 * makes it a directory. */
bool node_is_meant_dir(const struct op *op, const char *path);

/* Returns whether op->name, which has that path, is a directory. */
bool node_is_dir(struct op *op, const struct node_facts *facts, const char *path);

/*
 * A file without a value was made at `path`, in the view of op->inode: remembers that it is a file
 * where an empty node would be a directory.
 */
void node_made_file(const struct op *op, const char *path);

/*
 * Returns whether the node at `path`, in the view of op->inode, has a `.value`, given the answer to
 * call `i`, a READ of it.
 */
bool node_has_value(const struct op *op, unsigned i, const char *path);

/* Returns 0, or the error of call `i`, a READ: no answer came, the store could not say, or the node was removed
 * meanwhile, so that its names are none any more.  That it may not be read is an answer. */
int node_value_error(const struct op *op, unsigned i);

/*
 * Replies with the entry of op->name, which exists, at `path`: a directory, or a file with a value
 * of `value_len` bytes.  A directory that is not readable is hidden: its names cannot be listed, and no events of
 * it can be received.
 */
void node_reply_found(struct op *op, const char *path, bool dir, bool readable, size_t value_len);

/* Returns whether a DIRECTORY reply names any child. */
bool node_reply_has_children(const struct request *req);

/* op->name in op->inode was removed, and the kernel knows it or is about to. */
void node_removed(struct op *op);

/* Replies to a GETATTR with the attributes of something that was removed. */
void node_reply_removed(struct op *op);

/* Notes that the node was found by an operation that began after op->seq. */
void node_found(struct op *op, struct inode *inode, const char *path);

/* Fills in the attributes of a directory, or of a file of `size` bytes, except st_ino. */
void node_attr_dir(const struct fs *fs, bool readable, struct stat *st);
void node_attr_file(const struct fs *fs, size_t size, struct stat *st);

/*
 * Adds the names of the children of `path` to `listing`.
 * Uses DIRECTORY, and DIRECTORY_PART where the answer is too large for one reply; for a directory
 * that keeps changing while its parts are read, the last state seen is used.  Pool threads.
 * Returns 0 or the store's error (E2BIG where the server has no DIRECTORY_PART).
 */
int node_list(struct op *op, uint32_t tx_id, const char *path, struct listing *listing) MAY_WAIT;

/*
 * Returns whether the file appears empty to the process that asks, because an empty value is due:
 * through the open file, if the kernel says which one it is; otherwise to the process that emptied
 * it and to those that descend from it.
 */
bool node_sees_empty(struct op *op);

/*
 * A GETATTR for an open file whose content the kernel keeps: the kernel asks so before it reads, and reads
 * no further if there is no such node (`err`), or nothing in it.  op->events as for poll_seen().
 */
void node_asked_by_reader(struct op *op, int err, size_t size);

/* A program that asks the store each time has read this content: whoever opens the file from now on reads
 * nothing older. */
void node_read_anew(struct op *op, const char *content, size_t size);

/* Answers a GETATTR from what the kernel was told before (cache=full; it forgets the time of access with each
 * READ).  Returns false if the store has to be asked. */
bool node_getattr_shown(struct op *op);

/* Answers a GETATTR of a file.  If the kernel may have a smaller size, and a reader asks that will read from the kernel's
 * memory, the kernel is given the content first. */
void node_reply_size(struct op *op, const struct stat *st);

/* Answers a read whose question for the value was answered with `err`; 0: does nothing.  Returns whether it was
 * answered. */
bool node_read_failed(struct op *op, int err);

/* Answers a read with what it asks for of `content`. */
void node_reply_content(struct op *op, const char *content, size_t size);

/* Answers a read of a file that another one replaced with the value that it had then.  Returns
 * false if that value is not known. */
bool node_read_replaced(struct op *op);

/* Compares what the store said of `inode` with what it said before: calls `read` and `dir` of the
 * round are its XS_READ and XS_DIRECTORY (-1: not asked).  A difference moves its time. */
void node_saw(struct op *op, struct inode *inode, int read, int dir);

/*
 * Remembers, until an event comes, that a directory exists, whose node is `path`, or that a file does,
 * with a value of that length: the kernel asks again and again, because each listing and each read makes
 * it forget the time of access.
 */
void node_confirm(struct op *op, struct inode *inode, const char *path);
void node_confirm_file(struct op *op, struct inode *inode, size_t value_len);

/* Remembers whether the mount's root may be listed, as the store has just said. */
void node_note_root(const struct op *op, int err);

#endif
