/* SPDX-License-Identifier: MIT */
/*
 * Files and directories that are not nodes: those with a dot in their name, in every directory, and
 * those in `.xsfs`.  No node's name has a dot, so they collide with nothing.
 *
 * Each is one entry of the table in special_table.c and lives in one file, special_*.c or report.c;
 * an entry without a function for an operation refuses that operation.
 */
#ifndef FS_SPECIAL_SPECIAL_H
#define FS_SPECIAL_SPECIAL_H

#include "fs/op/inode_ops.h"
#include "fs/op/op.h"

enum special_place {
	SPECIAL_IN_NODES, /* in the directory of every node */
	SPECIAL_IN_ROOT,  /* in the mount's root and in the root of a transaction's view */
	SPECIAL_IN_XSFS,  /* in `.xsfs` */
};

/* The functions take the operation, like those of node.h. */
struct special {
	const char *name;
	enum special_place place;
	mode_t mode;   /* type and permissions, before the umask */
	bool unlisted; /* exists, but is missing from the listing of `.xsfs` */
	/* The content is the value of the node: O_TRUNC empties it, and events tell when the
	 * attributes change. */
	bool is_value;
	bool of_mount; /* is about the mount or about events, so a transaction's view lacks it */

	bool holds_others;    /* a directory that contains those with SPECIAL_IN_XSFS */
	bool is_uniform_root; /* a directory that shows the store, with every node as a directory */

	/* Each lookup gets an inode of its own.  The kernel lets only one write at a time through
	 * to an inode, and a program waiting for its turn there cannot even be killed: a write that
	 * waits must hold up only those who share its open file. */
	bool single;
	/* Accessible only to root and the mounter, whatever the mount's options say, because it
	 * allows what files do not. */
	bool owner_only;

	/* op->inode is the directory; the function decides whether the file exists, which depends
	 * on the node.  NULL: it always does, with the attributes from `getattr`. */
	void (*lookup)(struct op *op, const struct special *special);
	/* op->inode is the file.  NULL: the size is that of `text`; a directory has none. */
	void (*getattr)(struct op *op);
	/* Writes the text, which is made at each open, to *text (malloc) and *size.
	 * Returns 0 or -errno. */
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
	/* Looks up op->name in op->inode, a directory with entries of its own; NULL: it has only
	 * those of the table. */
	void (*lookup_in)(struct op *op);
};

/* Returns the special file `name` of a directory, or NULL.  The answer depends on what the
 * directory belongs to. */
const struct special *special_find(const struct fs *fs, const struct inode *dir, const char *name);

/* Returns the inode of `special` in op->inode, with a reference, or NULL when out of memory. */
struct inode *special_intern(struct op *op, const struct special *special);

/* Lists the files of `.xsfs`.  Returns 0 or -ENOMEM. */
int special_list_xsfs(struct op *op, struct listing *listing);

/* Returns whether `name` is one that only special files can have, whether or not one exists. */
bool special_is_name(const char *name);

/* The operations of inodes of kind INODE_SPECIAL. */
extern const struct inode_ops special_ops;

/* Operations on special files that do not have an inode yet: on op->name in op->inode. */
void special_lookup_in(struct op *op, const struct special *special);
void special_create_in(struct op *op, const struct special *special);
void special_unlink_in(struct op *op, const struct special *special);

/* Replies with the attributes of op->inode. */
void special_getattr(struct op *op);

/* Replies with the entry of `special` in op->inode. */
void special_reply_entry(struct op *op, const struct special *special, const struct stat *st);

#endif
