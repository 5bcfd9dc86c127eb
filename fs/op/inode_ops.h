/* SPDX-License-Identifier: MIT */
/*
 * The file operations of an inode.  There is a table for each thing that an inode can stand for: a
 * node as a directory, a node as a file, a file of xsfs itself.  ops.c calls them; the tables are
 * declared in node.h and special.h.
 *
 * Each takes an operation whose op->inode is the inode, and replies, now or later.  NULL: ops.c
 * replies with the error for an operation that does not exist.
 */
#ifndef FS_OP_INODE_OPS_H
#define FS_OP_INODE_OPS_H

struct op;

struct inode_ops {
	void (*getattr)(struct op *op);  /* op->handle may be NULL */
	void (*touch)(struct op *op);    /* sets times, owner and mode, which changes nothing */
	void (*truncate)(struct op *op); /* to op->new_size; op->handle may be NULL */
	void (*readlink)(struct op *op);
	void (*open)(struct op *op);     /* op->flags, op->fi */
	void (*read)(struct op *op);     /* op->handle, size, off, flags */
	void (*write)(struct op *op);    /* op->handle, data, size, off, flags */
	void (*poll)(struct op *op);     /* op->handle, op->poll */
	void (*flush)(struct op *op);    /* op->handle, op->fi.lock_owner */
	void (*fsync)(struct op *op);    /* op->handle */
	void (*opendir)(struct op *op);  /* op->flags, op->fi */
	void (*readdir)(struct op *op);  /* op->handle, size, off */
	void (*getxattr)(struct op *op); /* op->name is the attribute, in these four */
	void (*setxattr)(struct op *op); /* op->data, size, flags (XATTR_*) */
	void (*listxattr)(struct op *op);
	void (*removexattr)(struct op *op);
};

#endif
