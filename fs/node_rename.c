/* SPDX-License-Identifier: MIT */
/*
 * rename: the store has no such thing, so a node moves by being copied, with everything below it,
 * and removed, in one transaction.  On the pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/listing.h"
#include "fs/node.h"
#include "fs/tx.h"

/* linux/fs.h has it too, but does not go together with other headers everywhere. */
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#endif

/* Nodes copied in one round, three requests each. */
#define COPY_BATCH 8

/* What one node has. */
struct copy {
	struct request *value;
	struct request *perms;
	bool children_in_parts; /* too many for one reply */
};

struct paths {
	char from[PATH_SIZE];
	char to[PATH_SIZE];
};

static int paths_init(struct op *op, struct paths *paths)
{
	int err = inode_path(&op->fs->inodes, op->inode, op->name, paths->from);

	if (!err)
		err = inode_path(&op->fs->inodes, op->target, op->new_name, paths->to);
	return err;
}

/* Returns whether the kernel has seen a directory at the new place. */
static bool target_is_dir(struct op *op)
{
	struct inodes *inodes = &op->fs->inodes;
	struct inode *dir = inode_find(inodes, op->target, op->new_name, INODE_DIR);
	bool is = dir && inode_is_sticky(inodes, dir);

	inode_put(inodes, dir);
	return is;
}

/* Checks that the new place is free, or can be made so, and makes it free. */
static int clear_target(struct op *op, uint32_t tx_id, const char *to)
{
	struct node_facts facts;
	int err;

	op_call(op, XS_READ, tx_id, to, NULL, 0);
	op_call(op, XS_DIRECTORY, tx_id, to, NULL, 0);
	err = op_wait(op);
	if (!err)
		err = node_facts(op, 0, &facts);
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	if (op->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!facts.readable)
		return -EACCES;
	if (facts.has_children || (facts.value_len > 0 && target_is_dir(op)))
		return -ENOTEMPTY;
	op_calls_clear(op);
	op_call(op, XS_RM, tx_id, to, NULL, 0);
	err = op_wait(op);
	return err ? err : op_call_error(op, 0);
}

/* Appends a path below the moved node to where that is, or will be. */
static int join(char *buf, const char *base, const char *below)
{
	size_t base_len = strlen(base), below_len = strlen(below);

	if (base_len + below_len > XENSTORE_ABS_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(buf, base, base_len);
	memcpy(buf + base_len, below, below_len + 1);
	return 0;
}

/* Adds the children of `below` to the end of what is to be copied. */
static int queue_children(struct listing *queue, const char *below, const struct listing *children)
{
	char path[PATH_SIZE];
	int len, err = 0;

	for (unsigned i = 0; i < children->count && !err; i++) {
		len = snprintf(path, sizeof(path), "%s/%s", below, children->names[i]);
		err = len < (int)sizeof(path) ? listing_add(queue, path) : -ENAMETOOLONG;
	}
	return err;
}

static int queue_reply(struct listing *queue, const char *below, const struct request *req)
{
	struct listing *children = listing_new();
	int err = children ? listing_add_names(children, req->reply, req->reply_len) : -ENOMEM;

	if (!err)
		err = queue_children(queue, below, children);
	listing_put(children);
	return err == -EPROTO ? -EIO : err;
}

/* Reads value, permissions and children of `n` nodes from queue->names[first] on. */
static int read_batch(struct op *op, uint32_t tx_id, const char *from, struct listing *queue,
		      unsigned first, unsigned n, struct copy *copies)
{
	char path[PATH_SIZE];
	int err = 0;

	op_calls_clear(op);
	for (unsigned i = 0; i < n; i++) {
		err = join(path, from, queue->names[first + i]);
		if (err)
			break;
		op_call(op, XS_READ, tx_id, path, NULL, 0);
		op_call(op, XS_GET_PERMS, tx_id, path, NULL, 0);
		op_call(op, XS_DIRECTORY, tx_id, path, NULL, 0);
	}
	if (!err)
		err = op_wait(op);
	for (unsigned i = 0; i < n && !err; i++) {
		copies[i].children_in_parts = op_call_raw_error(op, 3 * i + 2) == -E2BIG;
		err = op_call_error(op, 3 * i);
		if (!err)
			err = op_call_error(op, 3 * i + 1);
		if (!err && !copies[i].children_in_parts)
			err = op_call_error(op, 3 * i + 2);
		if (!err && !copies[i].children_in_parts)
			err = queue_reply(queue, queue->names[first + i], op->calls[3 * i + 2]);
	}
	for (unsigned i = 0; i < n && !err; i++) {
		copies[i].value = request_get(op->calls[3 * i]);
		copies[i].perms = request_get(op->calls[3 * i + 1]);
	}
	return err;
}

static int write_batch(struct op *op, uint32_t tx_id, const char *to, struct listing *queue,
		       unsigned first, unsigned n, struct copy *copies)
{
	char path[PATH_SIZE];
	int err = 0;

	op_calls_clear(op);
	for (unsigned i = 0; i < n; i++) {
		err = join(path, to, queue->names[first + i]);
		if (err)
			break;
		op_call(op, XS_WRITE, tx_id, path, copies[i].value->reply,
			copies[i].value->reply_len);
		op_call(op, XS_SET_PERMS, tx_id, path, copies[i].perms->reply,
			copies[i].perms->reply_len);
	}
	if (!err)
		err = op_wait(op);
	for (unsigned i = 0; i < 2 * n && !err; i++)
		err = op_call_error(op, i);
	return err;
}

/* Lists the directories whose names did not fit into one reply. */
static int queue_large(struct op *op, uint32_t tx_id, const char *from, struct listing *queue,
		       unsigned first, unsigned n, struct copy *copies)
{
	struct listing *children;
	char path[PATH_SIZE];
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++) {
		if (!copies[i].children_in_parts)
			continue;
		children = listing_new();
		err = children ? join(path, from, queue->names[first + i]) : -ENOMEM;
		if (!err)
			err = node_list(op, tx_id, path, children);
		if (!err)
			err = queue_children(queue, queue->names[first + i], children);
		listing_put(children);
	}
	return err;
}

/* Copies a node and all below it, parents first.  op->size is 0 afterwards if it has neither value
 * nor children. */
static int copy_subtree(struct op *op, uint32_t tx_id, const char *from, const char *to)
{
	struct listing *queue = listing_new();
	unsigned first, n;
	int err = queue ? listing_add(queue, "") : -ENOMEM;

	for (first = 0; !err && first < queue->count; first += n) {
		struct copy copies[COPY_BATCH] = { 0 };

		n = queue->count - first < COPY_BATCH ? queue->count - first : COPY_BATCH;
		err = read_batch(op, tx_id, from, queue, first, n, copies);
		if (!err)
			err = write_batch(op, tx_id, to, queue, first, n, copies);
		if (!err)
			err = queue_large(op, tx_id, from, queue, first, n, copies);
		if (!err && first == 0)
			op->size = copies[0].value->reply_len + queue->count - 1;
		for (unsigned i = 0; i < n; i++) {
			request_put(copies[i].value);
			request_put(copies[i].perms);
		}
	}
	listing_put(queue);
	return err;
}

static int rename_body(struct op *op, uint32_t tx_id)
{
	struct paths paths;
	int err = paths_init(op, &paths);

	if (!err)
		err = clear_target(op, tx_id, paths.to);
	if (!err)
		err = copy_subtree(op, tx_id, paths.from, paths.to);
	if (!err) {
		op_calls_clear(op);
		op_call(op, XS_RM, tx_id, paths.from, NULL, 0);
		err = op_wait(op);
	}
	if (!err)
		err = op_call_error(op, 0);
	/* Too much for one transaction of this domain: mv knows what to do then, unless it is to be
	 * in that one. */
	return err == -EDQUOT && !op->inode->view->tx ? -EXDEV : err;
}

/* A file that this mount has shown but not yet written has to be in the store before it moves. */
static int write_pending(struct op *op, const char *path)
{
	struct fs *fs = op->fs;
	struct inode *leaf = inode_find(&fs->inodes, op->inode, op->name, INODE_LEAF);
	int err = 0;

	if (leaf && inode_is_pending(&fs->inodes, leaf)) {
		op_call(op, XS_WRITE, op->inode->view->tx_id, path, NULL, 0);
		err = op_wait(op);
		if (!err)
			err = op_call_error(op, 0);
		if (!err)
			inode_set_pending(&fs->inodes, leaf, false);
	}
	inode_put(&fs->inodes, leaf);
	return err;
}

/* An empty node stays the directory, or the file, that it was, also where its new path is meant to
 * be something else.  Called when it has moved, before that is noted anywhere. */
static void keep_kind(struct op *op, const struct paths *paths)
{
	struct made *made = op->inode->view->made;
	struct inode *dir;
	bool was_dir;

	made_remove(made, paths->to);
	if (op->size > 0)
		return;
	dir = inode_find(&op->fs->inodes, op->inode, op->name, INODE_DIR);
	was_dir = (dir && inode_is_sticky(&op->fs->inodes, dir)) || made_has(made, paths->from) ||
		  node_is_meant_dir(op, paths->from);
	inode_put(&op->fs->inodes, dir);
	if (!was_dir)
		node_made_file(op, paths->to);
	else if (dirs_has(&op->fs->dirs, paths->from))
		made_as_dir(made, paths->to);
}

static void rename_run(struct op *op)
{
	struct fs *fs = op->fs;
	struct paths paths;
	int err = paths_init(op, &paths);

	if (!err)
		err = write_pending(op, paths.from);
	if (!err)
		err = tx_run(op, rename_body);
	if (!err) {
		keep_kind(op, &paths);
		made_rename(op->inode->view->made, paths.from, paths.to);
		err = inode_rename(&fs->inodes, op->inode, op->name, op->target, op->new_name);
	}
	op_reply_error(op, err);
}

void node_rename(struct op *op)
{
	size_t from_len;
	struct paths paths;
	int err = 0;

	if (op->flags & ~RENAME_NOREPLACE)
		err = -EINVAL;
	else if (op->inode->view != op->target->view)
		err = -EXDEV;
	else if (!name_is_legal(op->new_name))
		err = -EINVAL;
	else
		err = paths_init(op, &paths);
	if (!err) {
		from_len = strlen(paths.from);
		if (!strncmp(paths.to, paths.from, from_len) && paths.to[from_len] == '/')
			err = -EINVAL;
	}
	if (err)
		op_reply_error(op, err);
	else
		op_run(op, rename_run);
}
