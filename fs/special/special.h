/* SPDX-License-Identifier: MIT */
/*
 * Files and directories that are no nodes: those with a dot, in every directory and in `.xsfs`.
 * No name of a node has a dot, so they collide with nothing.
 *
 * Each is one entry of the table in special_table.c and one file special_*.c or report.c; an entry
 * without a function for an operation refuses it.
 */
#ifndef FS_SPECIAL_SPECIAL_H
#define FS_SPECIAL_SPECIAL_H

#include "fs/op/inode_ops.h"
#include "fs/op/op.h"

enum special_place {
	SPECIAL_IN_NODES, /* in the directory of every node */
	SPECIAL_IN_ROOT,  /* in the mount's root and that of a transaction's view */
	SPECIAL_IN_XSFS,  /* in `.xsfs` */
};

/* Each function takes the operation, as those of node.h do. */
struct special {
	const char *name;
	enum special_place place;
	mode_t mode;   /* type and permissions before the umask */
	bool unlisted; /* is there, but not in the listing of `.xsfs` */
	/* Its content is the value of its node: O_TRUNC empties that, and events tell when its
	 * attributes change. */
	bool is_value;
	bool of_mount; /* tells of the mount or of events: a transaction's view has none such */

	bool holds_others;    /* a directory in which those with SPECIAL_IN_XSFS are */
	bool is_uniform_root; /* a directory that shows the store, with every node as a directory */

	/* Each lookup gets an inode of its own.  The kernel lets one write at a time through to an
	 * inode, and who waits for its turn there cannot even be killed: a write that waits is to hold
	 * up nobody but those who have the same open file. */
	bool single;
	/* Root's and the mounter's, whatever the mount's options say: it has what files do not offer. */
	bool owner_only;

	/* op->inode is the directory: whether the file exists depends on the node.  NULL: it does,
	 * with the attributes of `getattr`. */
	void (*lookup)(struct op *op, const struct special *special);
	/* op->inode is the file.  NULL: `text` says the size, a directory has none. */
	void (*getattr)(struct op *op);
	/* Writes a text, made at each open, to *text (malloc) and *size.  Returns 0 or -errno. */
	int (*text)(struct fs *fs, char **text, size_t *size);
	void (*open)(struct op *op);
	void (*readlink)(struct op *op);
	void (*poll)(struct op *op);
	void (*read)(struct op *op);
	void (*write)(struct op *op);
	void (*truncate)(struct op *op);
	void (*create)(struct op *op, const struct special *special); /* op->inode: the directory */
	void (*unlink)(struct op *op);                               /* op->inode: the directory */
	void (*fsync)(struct op *op);
	/* Lists op->inode, a directory.  Returns 0 or -ENOMEM. */
	int (*list)(struct op *op, struct listing *listing);
	/* Looks op->name up in op->inode, a directory with entries of its own; NULL: it has none but
	 * those of the table. */
	void (*lookup_in)(struct op *op);
};

/* Returns the special file `name` of a directory, or NULL.  What it is a directory of decides. */
const struct special *special_find(const struct fs *fs, const struct inode *dir, const char *name);

/* Returns the inode of `special` in op->inode, with a reference, or NULL when out of memory. */
struct inode *special_intern(struct op *op, const struct special *special);

/* Lists those of `.xsfs`.  Returns 0 or -ENOMEM. */
int special_list_xsfs(struct op *op, struct listing *listing);

/* Returns whether `name` belongs to special files, existing or not. */
bool special_is_name(const char *name);

/* Inodes of kind INODE_SPECIAL. */
extern const struct inode_ops special_ops;

/* The operations on special files that are not about an inode of theirs: op->name in op->inode. */
void special_lookup_in(struct op *op, const struct special *special);
void special_create_in(struct op *op, const struct special *special);
void special_unlink_in(struct op *op, const struct special *special);

/* The attributes of op->inode. */
void special_getattr(struct op *op);

/* Asks the store by one request of `type` about the node of op->inode, and goes on with `done`.  Takes the
 * operation. */
void special_ask(struct op *op, uint32_t type, void (*done)(struct op *op));

/* Replies with the entry of `special` in op->inode. */
void special_reply_entry(struct op *op, const struct special *special, const struct stat *st);

#endif
