/* SPDX-License-Identifier: MIT */
/* The common code of special files, and how one is found.  Nothing waits here. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/model/listing.h"
#include "fs/node/dir.h"
#include "fs/node/node.h"
#include "fs/op/transaction.h"
#include "fs/special/special.h"

bool special_is_name(const char *name)
{
	return name[0] == '.';
}

struct inode *special_intern(struct op *op, const struct special *special)
{
	struct inodes *inodes = &op->fs->inodes;
	struct inode *inode = inode_intern(inodes, op->inode, special->name, INODE_SPECIAL,
					   op->inode->view, special);

	if (inode && special->is_value)
		inode->cacheable = true;
	return inode;
}

static bool is_place(const struct fs *fs, const struct inode *dir, enum special_place place)
{
	switch (place) {
	case SPECIAL_IN_NODES:
		return dir->kind == INODE_DIR;
	case SPECIAL_IN_ROOT:
		return dir == fs->inodes.root || transaction_is_root(dir);
	case SPECIAL_IN_XSFS:
		return dir->special && dir->special->holds_others;
	}
	return false;
}

/* Returns whether the view of a directory contains the file at all. */
static bool is_in_view(const struct inode *dir, const struct special *special)
{
	return !dir->view->tx || !special->of_mount;
}

const struct special *special_find(const struct fs *fs, const struct inode *dir, const char *name)
{
	const struct special *const *special;

	for (special = fs->specials; *special; special++)
		if (!strcmp((*special)->name, name) && is_place(fs, dir, (*special)->place) &&
		    is_in_view(dir, *special))
			return *special;
	return NULL;
}

int special_list_xsfs(struct op *op, struct listing *listing)
{
	const struct special *const *special;
	int err = 0;

	for (special = op->fs->specials; *special && !err; special++)
		if ((*special)->place == SPECIAL_IN_XSFS && !(*special)->unlisted &&
		    is_in_view(op->inode, *special))
			err = listing_add(listing, (*special)->name);
	return err;
}

/* Fills in the attributes of a file; `size` is the length of its text, if it has one. */
static void attr(const struct fs *fs, const struct special *special, size_t size, struct stat *st)
{
	node_attr_file(fs, size, st);
	st->st_mode = special->mode & ~fs->config.umask;
	if (S_ISLNK(special->mode) || special->owner_only)
		st->st_mode = special->mode;
	if (special->owner_only) {
		st->st_uid = geteuid();
		st->st_gid = getegid();
	}
}

/* Stores the attributes of a file that exists whatever the store says. */
static int attr_static(struct fs *fs, const struct special *special, struct stat *st)
{
	size_t size = 0;
	char *text;
	int err;

	if (special->text) {
		err = special->text(fs, &text, &size);
		if (err)
			return err;
		free(text);
	}
	attr(fs, special, size, st);
	return 0;
}

void special_reply_entry(struct op *op, const struct special *special, const struct stat *st)
{
	struct transaction *tx = op->inode->view->tx;
	struct fs *fs = op->fs;
	struct inode *inode;

	/* A node's directory, which is the root of another view. */
	if (special->is_uniform_root)
		inode = inode_intern(&fs->inodes, op->inode, special->name, INODE_DIR,
				     tx ? transaction_view(tx, true) : &fs->nodes_view, NULL);
	else if (special->single)
		inode = inode_new_single(&fs->inodes, op->inode, special->name, special);
	else
		inode = special_intern(op, special);
	if (inode)
		op_reply_entry(op, inode, st);
	else
		op_reply_error(op, -ENOMEM);
	inode_put(&fs->inodes, inode);
}

void special_lookup_in(struct op *op, const struct special *special)
{
	struct stat st;
	int err;

	if (special->lookup) {
		special->lookup(op, special);
		return;
	}
	err = attr_static(op->fs, special, &st);
	if (err)
		op_reply_error(op, err);
	else
		special_reply_entry(op, special, &st);
}

void special_getattr(struct op *op)
{
	const struct special *special = op->inode->special;
	struct stat st;
	int err;

	if (special->place == SPECIAL_IN_NODES && inode_is_removed(op->inode)) {
		node_reply_removed(op);
		return;
	}
	if (special->getattr) {
		special->getattr(op);
		return;
	}
	err = attr_static(op->fs, special, &st);
	if (err)
		op_reply_error(op, err);
	else
		op_reply_attr(op, &st);
}

/* Without default_permissions the kernel does not check the mode. */
static bool may_open(const struct op *op)
{
	uid_t uid = fuse_req_ctx(op->req)->uid;

	return !op->inode->special->owner_only || uid == 0 || uid == geteuid();
}

static void special_open(struct op *op)
{
	const struct special *special = op->inode->special;
	struct handle *handle;
	size_t size = 0;
	char *text;
	int err;

	if (!may_open(op)) {
		op_reply_error(op, -EACCES);
		return;
	}
	if (special->open) {
		special->open(op);
		return;
	}
	if (!special->text) {
		/* As for a node's file, except that without a value there is nothing to empty. */
		if (!special->is_value)
			op->flags &= ~O_TRUNC;
		node_open(op);
		return;
	}
	if ((op->flags & O_ACCMODE) != O_RDONLY) {
		op_reply_error(op, -EACCES);
		return;
	}
	err = special->text(op->fs, &text, &size);
	handle = err ? NULL : handle_new(&op->fs->handles, op->inode, op->flags);
	if (handle) {
		handle_set_snapshot(handle, text, size);
		op_reply_open(op, handle);
	} else {
		if (!err)
			free(text);
		op_reply_error(op, err ? err : -ENOMEM);
	}
}

/* Reads a text, which is made when the file is opened and again whenever it is read
 * from the start. */
static void read_text(struct op *op)
{
	ssize_t count;
	char *buf = malloc(op->size ? op->size : 1), *text;
	size_t size;

	if (!buf) {
		op_reply_error(op, -ENOMEM);
		return;
	}
	if (op->off == 0 && op->inode->special->text(op->fs, &text, &size) == 0)
		handle_set_snapshot(op->handle, text, size);
	count = handle_read_snapshot(op->handle, buf, op->size, op->off);
	op_reply_buf(op, buf, count < 0 ? 0 : count);
	free(buf);
}

static void special_read(struct op *op)
{
	const struct special *special = op->inode->special;

	if (special->read)
		special->read(op);
	else if (special->text)
		read_text(op);
	else
		op_reply_error(op, -EINVAL);
}

static void special_write(struct op *op)
{
	if (op->inode->special->write)
		op->inode->special->write(op);
	else
		op_reply_error(op, -EACCES);
}

static void special_truncate(struct op *op)
{
	if (op->inode->special->truncate)
		op->inode->special->truncate(op);
	else
		op_reply_error(op, -EACCES);
}

void special_create_in(struct op *op, const struct special *special)
{
	if (special->create)
		special->create(op, special);
	else
		op_reply_error(op, -EEXIST);
}

void special_unlink_in(struct op *op, const struct special *special)
{
	if (special->unlink)
		special->unlink(op);
	else
		op_reply_error(op, -EPERM);
}

static void special_fsync(struct op *op)
{
	if (op->inode->special->fsync)
		op->inode->special->fsync(op);
	else
		op_reply_error(op, 0);
}

static void special_readlink(struct op *op)
{
	if (op->inode->special->readlink)
		op->inode->special->readlink(op);
	else
		op_reply_error(op, -EINVAL);
}

static void special_opendir(struct op *op)
{
	struct listing *listing = listing_new();
	int err = listing ? op->inode->special->list(op, listing) : -ENOMEM;

	if (err) {
		listing_put(listing);
		op_reply_error(op, err);
		return;
	}
	dir_listed(op, listing);
}

static void special_readdir(struct op *op)
{
	dir_reply(op);
}

static void special_poll(struct op *op)
{
	if (op->inode->special->poll)
		op->inode->special->poll(op);
	else
		op_reply_poll(op, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}

/* A descriptor of the file is closed. */
static void special_flush(struct op *op)
{
	if (op->inode->special->fsync)
		node_flush(op);
	else
		op_reply_error(op, 0);
}

/* Special files have no such attributes. */
static void special_listxattr(struct op *op)
{
	op_reply_xattr(op, NULL, 0);
}

const struct inode_ops special_ops = {
	.getattr = special_getattr,
	.touch = special_getattr,
	.truncate = special_truncate,
	.readlink = special_readlink,
	.open = special_open,
	.read = special_read,
	.write = special_write,
	.poll = special_poll,
	.flush = special_flush,
	.fsync = special_fsync,
	.opendir = special_opendir,
	.readdir = special_readdir,
	.listxattr = special_listxattr,
};
