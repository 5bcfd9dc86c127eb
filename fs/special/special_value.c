/* SPDX-License-Identifier: MIT */
/*
 * `.value`: the value of a node that is shown as a directory.  In the tree it exists exactly
 * while the value is not empty.  In the uniform view it also exists while the value is empty,
 * unless this mount made the node or removed the file and the value has not been written
 * since: programs that copy a tree there create the file exclusively.  Its content is the same
 * as that of any node's file.
 */
#include <errno.h>
#include <fcntl.h>

#include "fs/events/poll.h"
#include "fs/model/text.h"
#include "fs/node/node.h"
#include "fs/special/special_files.h"

/*
 * Fills in the attributes from a READ that ended with `err`.
 * Returns 0, -ENOENT if there is no such file now, or another error.
 */
static int value_attr(const struct op *op, int err, bool unwritten, struct stat *st)
{
	char path[PATH_SIZE];
	size_t size = 0;

	if (!err)
		size = text_size(op->fs->config.format, op->calls[0]->reply_len);
	node_attr_file(op->fs, size, st);
	/* It cannot be read, but it may be writable. */
	if (err == -EACCES) {
		st->st_mode = S_IFREG | (0222 & ~op->fs->config.umask);
		return 0;
	}
	if (err || unwritten)
		return err;
	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (!err && !node_has_value(op, 0, path))
		err = -ENOENT;
	return err;
}

static void value_lookup_done(struct op *op)
{
	struct fs *fs = op->fs;
	struct inode *file;
	struct stat st;
	bool unwritten;
	int err;

	file = inode_find(&fs->inodes, op->inode, NAME_OF_VALUE, INODE_SPECIAL);
	unwritten = file && file->unwritten;
	err = value_attr(op, op_call_error(op, 0), unwritten, &st);
	if (err) {
		op_reply_error(op, err);
	} else {
		if (!file)
			file = special_intern(op, &special_value);
		if (file)
			node_saw(op, file, 0, -1);
		special_reply_entry(op, &special_value, &st);
	}
	inode_put(&fs->inodes, file);
}

static void value_getattr_done(struct op *op)
{
	bool unwritten = op->handle || op->inode->unwritten || op->inode->opens > 0;
	struct stat st = { 0 };
	int err = value_attr(op, op_call_error(op, 0), unwritten, &st);

	node_asked_by_reader(op, err, st.st_size);
	if (err) {
		op_reply_error(op, err);
		return;
	}
	node_saw(op, op->inode, 0, -1);
	node_reply_size(op, &st);
}

static void value_lookup(struct op *op, const struct special *special)
{
	(void)special;
	op_ask_node(op, XS_READ, value_lookup_done);
}

static void value_getattr(struct op *op)
{
	struct stat st;

	if (node_sees_empty(op)) {
		node_attr_file(op->fs, 0, &st);
		op_reply_attr(op, &st);
		return;
	}
	if (node_getattr_shown(op))
		return;
	op->events = op->inode->events;
	op_ask_node(op, XS_READ, value_getattr_done);
}

/* Replies to a CREATE.  The file is unwritten until a value is written.  A user who may owe no more empty values owes
 * none here: the store has it. */
static void value_created(struct op *op)
{
	struct fs *fs = op->fs;
	struct handle *handle = NULL;
	struct inode *file;
	struct stat st;

	file = special_intern(op, &special_value);
	if (file)
		handle = handle_new(&fs->handles, file, op->flags);
	if (!handle) {
		inode_put(&fs->inodes, file);
		op_reply_error(op, -ENOMEM);
		return;
	}
	inode_made(&fs->inodes, file);
	inode_set_listing(&fs->inodes, op->inode, NULL);
	if (handle_empty(handle, op_process(op), op_user(op)))
		handle_begin_empty(handle, op_process(op));
	inode_set_unwritten(&fs->inodes, file, true);
	node_attr_file(fs, 0, &st);
	op_reply_create(op, file, &st, handle);
	inode_put(&fs->inodes, file);
}

static void create_done(struct op *op)
{
	int err = op_call_error(op, 0);
	char path[PATH_SIZE];

	if (!err)
		err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	/* Somebody has given it a value meanwhile: ESTALE makes the kernel look it up again, and open it. */
	if (!err && node_has_value(op, 0, path))
		err = op->flags & O_EXCL ? -EEXIST : -ESTALE;
	/* From now on it exists, also in other views, which see no unwritten file. */
	if (!err)
		empty_nodes_value_written(op->inode->view->empty_nodes, path);
	if (err)
		op_reply_error(op, err);
	else
		value_created(op);
}

static void value_create(struct op *op, const struct special *special)
{
	(void)special;
	op_ask_node(op, XS_READ, create_done);
}

static void unlink_done(struct op *op, int err)
{
	char path[PATH_SIZE];

	if (!err && !inode_path(&op->fs->inodes, op->inode, NULL, path)) {
		empty_nodes_value_removed(op->inode->view->empty_nodes, path);
		inode_set_listing(&op->fs->inodes, op->inode, NULL);
	}
	op_reply_error(op, err);
}

/* Removing the file empties the value. */
static void value_unlink(struct op *op)
{
	struct fs *fs = op->fs;
	struct inode *file;

	file = inode_find(&fs->inodes, op->inode, NAME_OF_VALUE, INODE_SPECIAL);
	if (file)
		inode_new_content(&fs->inodes, file);
	inode_put(&fs->inodes, file);
	node_put_value(op, 0, unlink_done);
}

const struct special special_value = {
	.name = NAME_OF_VALUE,
	.place = SPECIAL_IN_NODES,
	.mode = S_IFREG | 0666,
	.is_value = true,
	.lookup = value_lookup,
	.getattr = value_getattr,
	.read = node_read,
	.write = node_write,
	.poll = poll_value,
	.truncate = node_truncate,
	.create = value_create,
	.unlink = value_unlink,
	.fsync = node_fsync,
};
