/* SPDX-License-Identifier: MIT */
/*
 * rename.  The store has no such request, so a node moves by being copied, with everything below
 * it, and then removed, in one transaction.  On the pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/listing.h"
#include "fs/node/node.h"
#include "fs/node/protect.h"
#include "fs/op/tx.h"

/* linux/fs.h defines it too, but cannot be combined with other headers everywhere. */
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#endif

/* Nodes copied in one round, three requests each. */
#define COPY_BATCH 8

/* The data of one node. */
struct copy {
	struct request *value;
	struct request *perms;
	bool children_in_parts; /* there are too many for one reply */
};

struct paths {
	char from[PATH_SIZE];
	char to[PATH_SIZE];
};

static int paths_init(struct op *op, struct paths *paths)
{
	int err = tx_path(op, op->inode, op->name, paths->from);

	if (!err)
		err = tx_path(op, op->target, op->new_name, paths->to);
	return err;
}

/* Returns whether the new place is a directory: the kernel has seen one there, or all nodes
 * are directories. */
static bool target_is_dir(struct op *op)
{
	struct inodes *inodes = &op->fs->inodes;
	struct inode *dir = inode_find(inodes, op->target, op->new_name, INODE_DIR);
	bool is = op->target->view->layout == FS_NODES || (dir && dir->sticky);

	inode_put(inodes, dir);
	return is;
}

/* Keeps the value of the node at the new place as op->data, because programs that have that file
 * open go on reading it. */
static int keep_value(struct op *op, const struct request *read)
{
	char *copy = malloc(read->reply_len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, read->reply, read->reply_len);
	free(op->data);
	op->data = copy;
	op->value_len = read->reply_len;
	return 0;
}

/* Passes that value to the file at the new place, if the kernel knows one. */
static void set_last(struct op *op)
{
	struct inodes *inodes = &op->fs->inodes;
	struct inode *leaf = inode_find(inodes, op->target, op->new_name, INODE_LEAF);

	if (leaf && op->data) {
		inode_set_last(leaf, op->data, op->value_len);
		op->data = NULL;
	}
	inode_put(inodes, leaf);
}

/* Checks that the new place is free or can be made free, and frees it.  Both parents are read
 * first, because `from` will be removed as well.  Nothing is reported about the new place if there
 * is nothing to move. */
MAY_WAIT static int clear_target(struct op *op, uint32_t tx_id, const struct paths *paths)
{
	struct node_facts facts;
	int err;

	tx_call_parent(op, tx_id, paths->from);
	err = node_call_dir(op, tx_id, op->target);
	if (err)
		return err;
	op_call(op, XS_READ, tx_id, paths->from, NULL, 0);
	op_call(op, XS_READ, tx_id, paths->to, NULL, 0);
	op_call(op, XS_DIRECTORY, tx_id, paths->to, NULL, 0);
	err = op_wait(op);
	if (!err)
		err = node_dir_error(op, 1, op->target);
	if (err)
		return err;
	if (op_call_error(op, 2) == -ENOENT)
		return tx_finding(op, -ENOENT);
	err = node_facts(op, 3, &facts);
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	if (op->flags & RENAME_NOREPLACE)
		return tx_finding(op, -EEXIST);
	if (protect_keeps_target(op, paths->to))
		return tx_finding(op, -EPERM);
	if (!facts.readable)
		return -EACCES;
	if (facts.has_children || (facts.value_len > 0 && target_is_dir(op)))
		return tx_finding(op, -ENOTEMPTY);
	err = keep_value(op, op->calls[3]);
	if (err)
		return err;
	op_calls_clear(op);
	op_call(op, XS_RM, tx_id, paths->to, NULL, 0);
	err = op_wait(op);
	return err ? err : op_call_error(op, 0);
}

/* Translates a path below the moved node to its place before or after the move. */
static int join(char *buf, const char *base, const char *below)
{
	size_t base_len = strlen(base), below_len = strlen(below);

	if (base_len + below_len > XENSTORE_ABS_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(buf, base, base_len);
	memcpy(buf + base_len, below, below_len + 1);
	return 0;
}

/* Appends the children of `below` to the queue of nodes to be copied. */
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

/*
 * Returns the result of a request for a node to be copied.  If the top node is missing, that is a
 * finding; but the nodes below were named by their parents, so if one of those is missing somebody
 * else is changing the tree.
 */
static int read_error(struct op *op, unsigned call, bool top)
{
	int err = top ? tx_read_error(op, call) : op_call_error(op, call);

	return err == -ENOENT && !top ? -EAGAIN : err;
}

/* Reads value, permissions and children of `n` nodes, from queue->names[first] on. */
MAY_WAIT static int read_batch(struct op *op, uint32_t tx_id, const char *from,
			       struct listing *queue, unsigned first, unsigned n, struct copy *copies)
{
	char path[PATH_SIZE];
	int err = 0;
	bool top;

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
		top = first + i == 0;
		copies[i].children_in_parts = op_call_raw_error(op, 3 * i + 2) == -E2BIG;
		err = read_error(op, 3 * i, top);
		if (!err)
			err = read_error(op, 3 * i + 1, top);
		if (!err && !copies[i].children_in_parts)
			err = read_error(op, 3 * i + 2, top);
		if (!err && !copies[i].children_in_parts)
			err = queue_reply(queue, queue->names[first + i], op->calls[3 * i + 2]);
	}
	for (unsigned i = 0; i < n && !err; i++) {
		copies[i].value = request_get(op->calls[3 * i]);
		copies[i].perms = request_get(op->calls[3 * i + 1]);
	}
	return err;
}

MAY_WAIT static int write_batch(struct op *op, uint32_t tx_id, const char *to,
				struct listing *queue, unsigned first, unsigned n, struct copy *copies)
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
	for (unsigned i = 0; i < 2 * n && !err; i++) {
		err = op_call_error(op, i);
		/* The node was written just before, so xenstored means that its owner, or another
		 * domain named in the permissions, no longer exists. */
		if (err == -ENOENT && i % 2)
			tx_finding(op, err);
	}
	return err;
}

/* Lists the directories whose names did not fit into one reply. */
MAY_WAIT static int queue_large(struct op *op, uint32_t tx_id, const char *from,
				struct listing *queue, unsigned first, unsigned n, struct copy *copies)
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

/* Copies a node and all below it, parents first.  Notes in op->was_empty whether it has
 * neither value nor children. */
MAY_WAIT static int copy_subtree(struct op *op, uint32_t tx_id, const char *from, const char *to)
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
			op->was_empty = copies[0].value->reply_len == 0 && queue->count == 1;
		for (unsigned i = 0; i < n; i++) {
			request_put(copies[i].value);
			request_put(copies[i].perms);
		}
	}
	listing_put(queue);
	return err;
}

/* The store is about to move the node, or that is over. */
static void set_moving(struct op *op, bool moving)
{
	static const enum inode_kind kinds[] = { INODE_DIR, INODE_LEAF };
	struct inodes *inodes = &op->fs->inodes;
	struct inode *inode;

	for (unsigned i = 0; i < 2; i++) {
		inode = inode_find(inodes, op->inode, op->name, kinds[i]);
		inode_set_moving(inode, moving);
		inode_put(inodes, inode);
	}
}

MAY_WAIT static int rename_body(struct op *op, uint32_t tx_id)
{
	struct paths paths;
	int err = paths_init(op, &paths);

	/* The try before, if there was one, has come to nothing. */
	set_moving(op, false);
	ops_ask_again(op->fs);
	if (!err)
		err = clear_target(op, tx_id, &paths);
	if (!err)
		err = copy_subtree(op, tx_id, paths.from, paths.to);
	if (!err) {
		op_calls_clear(op);
		set_moving(op, true);
		op_call(op, XS_RM, tx_id, paths.from, NULL, 0);
		err = op_wait(op);
	}
	if (!err)
		err = op_call_error(op, 0);
	/* Too much for one transaction of this domain.  mv knows how to handle EXDEV, unless the
	 * move has to happen in the user's transaction. */
	return err == -EDQUOT && !op->inode->view->tx ? -EXDEV : err;
}

MAY_WAIT static int rename_create_body(struct op *op, uint32_t tx_id)
{
	return node_create_in_tx(op, tx_id, XS_WRITE);
}

/* A file that this mount shows but has not written yet must be in the store before it moves. */
MAY_WAIT static int write_unwritten(struct op *op)
{
	struct fs *fs = op->fs;
	struct inode *leaf = inode_find(&fs->inodes, op->inode, op->name, INODE_LEAF);
	int err = 0;

	if (leaf && leaf->unwritten) {
		err = tx_run(op, rename_create_body);
		/* Somebody else has made it in the meantime. */
		if (err == -EEXIST)
			err = 0;
		if (!err)
			inode_new_content(&fs->inodes, leaf);
	}
	inode_put(&fs->inodes, leaf);
	return err;
}

/* An empty node stays the directory or the file that it was, even if its new path would make it the
 * other.  Called after the move, before that is noted anywhere. */
static void keep_kind(struct op *op, const struct paths *paths)
{
	struct empty_nodes *empty_nodes = op->inode->view->empty_nodes;
	struct inode *dir;
	bool was_dir;

	empty_nodes_remove(empty_nodes, paths->to);
	if (!op->was_empty)
		return;
	dir = inode_find(&op->fs->inodes, op->inode, op->name, INODE_DIR);
	was_dir = (dir && dir->sticky) || empty_nodes_has(empty_nodes, paths->from) ||
		  node_is_meant_dir(op, paths->from);
	inode_put(&op->fs->inodes, dir);
	if (!was_dir)
		node_made_file(op, paths->to);
	else if (patterns_have(&op->fs->dirs, paths->from))
		empty_nodes_as_dir(empty_nodes, paths->to);
}

/* The node has moved.  What is remembered of it goes to where it is by now: a directory above may have been
 * renamed while the store was busy.  Returns 0 or -ENOMEM. */
static int moved(struct op *op)
{
	struct inodes *inodes = &op->fs->inodes;
	struct paths paths;
	bool known = !paths_init(op, &paths);
	int err;

	if (known) {
		keep_kind(op, &paths);
		empty_nodes_rename(op->inode->view->empty_nodes, paths.from, paths.to);
	}
	set_last(op);
	err = inode_rename(inodes, op->inode, op->name, op->target, op->new_name, &op->fs->wakeups);
	/* The other layout knows the one as it was, and has lost the other. */
	if (known && !op->inode->view->tx) {
		inodes_doubted(inodes, paths.from);
		inodes_doubted(inodes, paths.to);
	}
	return err;
}

MAY_WAIT static void rename_run(struct op *op)
{
	struct inodes *inodes = &op->fs->inodes;
	struct leaving source, target;
	int err;

	inode_begin_leaving(inodes, op->inode, op->name, &source);
	inode_begin_leaving(inodes, op->target, op->new_name, &target);
	/* As in make_run(). */
	op->target->told.making++;
	err = write_unwritten(op);
	if (!err)
		err = tx_run(op, rename_body);
	set_moving(op, false);
	if (!err)
		err = moved(op);
	op->target->told.making--;
	inode_end_leaving(inodes, &source);
	inode_end_leaving(inodes, &target);
	ops_ask_again(op->fs);
	op_reply_error(op, err);
}

void node_rename(struct op *op)
{
	struct paths paths;
	const char *below;
	int err = 0;

	if (op->flags & ~RENAME_NOREPLACE)
		err = -EINVAL;
	else if (op->inode->view != op->target->view)
		err = -EXDEV;
	else if (!name_is_legal(op->new_name))
		err = -EINVAL;
	else
		err = paths_init(op, &paths);
	below = err ? NULL : path_below(paths.to, paths.from);
	if (below && *below)
		err = -EINVAL;
	if (!err && protect_keeps_place(op, paths.from))
		err = -EPERM;
	if (err)
		op_reply_error(op, err);
	else
		op_run(op, rename_run);
}
