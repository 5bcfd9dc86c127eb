/* SPDX-License-Identifier: MIT */
/*
 * Looking at nodes: lookup and getattr.  One round trip each: a function starts on a thread that
 * reads /dev/fuse and ends in a `…_done` on the I/O thread.
 */
#include <errno.h>
#include <string.h>

#include "fs/events/notifier.h"
#include "fs/model/listing.h"
#include "fs/model/text.h"
#include "fs/node/node.h"

/* ---- lookup ---- */

/* The store has no such node.  A file that was created here and not written yet is
 * shown all the same. */
static void lookup_missing(struct op *op, const char *path, int err)
{
	struct fs *fs = op->fs;
	struct inode *leaf;
	struct stat st;

	leaf = inode_find(&fs->inodes, op->inode, op->name, INODE_LEAF);
	if (leaf && leaf->unwritten) {
		node_attr_file(fs, 0, &st);
		op_reply_entry(op, leaf, &st);
	} else {
		inode_gone(&fs->inodes, op->inode, op->name);
		empty_nodes_remove(op->inode->view->empty_nodes, path);
		op_reply_error(op, err);
	}
	inode_put(&fs->inodes, leaf);
}

/*
 * Whoever watches a directory with inotify(7) is told of the names that come after it was looked up, so what there was
 * by then has to be known.  A directory that does not fit into one reply is read in parts for that, once.  Returns
 * whether this is due; op->target is the directory if it was tried.
 */
static bool wants_names(struct op *op)
{
	struct inodes *inodes = &op->fs->inodes;
	struct inode *dir;
	bool known;

	if (!inodes->telling || op->target || op_call_raw_error(op, 1) != -E2BIG)
		return false;
	dir = inode_find(inodes, op->inode, op->name, INODE_DIR);
	known = dir && dir->told.names_known;
	inode_put(inodes, dir);
	return !known;
}

/* Without its names it is a directory all the same: then new ones in it are not told before it is listed. */
MAY_WAIT static void learn_names(struct op *op)
{
	struct inodes *inodes = &op->fs->inodes;
	struct listing *listing = listing_new();
	char path[PATH_SIZE];
	int err;

	op->target = inode_intern(inodes, op->inode, op->name, INODE_DIR, op->inode->view, NULL);
	err = op->target && listing ? inode_path(inodes, op->target, NULL, path) : -ENOMEM;
	if (!err)
		err = node_list(op, op->inode->view->tx_id, path, listing);
	if (!err && !op->target->told.names_known)
		told_listing(op->target, listing);
	listing_put(listing);
	if (err == -EINTR || !op->target) {
		op_reply_error(op, err);
		return;
	}
	op_calls_clear(op);
	node_lookup(op);
}

static void lookup_done(struct op *op)
{
	struct fs *fs = op->fs;
	struct node_facts facts;
	char path[PATH_SIZE];
	int err;

	err = inode_path(&fs->inodes, op->inode, op->name, path);
	if (!err)
		err = node_facts(op, 0, &facts);
	if (err == -ENOENT) {
		lookup_missing(op, path, err);
		return;
	}
	if (err) {
		op_reply_error(op, err);
		return;
	}
	if (wants_names(op)) {
		op_run(op, learn_names);
		return;
	}
	node_reply_found(op, path, node_is_dir(op, &facts, path), facts.readable, facts.value_len);
}

void node_lookup(struct op *op)
{
	char path[PATH_SIZE];
	int err;

	if (op->inode->view->tx) {
		node_tx_lookup(op);
		return;
	}
	/* No node can have such a name, so the store need not be asked. */
	err = name_is_legal(op->name) ? 0 : -ENOENT;
	if (!err)
		err = inode_path(&op->fs->inodes, op->inode, op->name, path);
	if (err) {
		op_reply_error(op, err);
		return;
	}
	op_call(op, XS_READ, op->inode->view->tx_id, path, NULL, 0);
	op_call(op, XS_DIRECTORY, op->inode->view->tx_id, path, NULL, 0);
	op_ask(op, lookup_done, node_lookup);
}

/* ---- getattr ---- */

/* The kernel still has a name for a node that is gone: makes it look the name up again. */
static void forget_name(struct op *op)
{
	/* In a transaction the kernel looks each time anyway. */
	if (op->inode->view->tx)
		return;
	inode_set_stale(&op->fs->inodes, op->inode);
	notifier_wake(op->fs);
}

/* Answers for the mount's root from memory, because umount(8) and every walk to `.xsfs/stats` ask
 * for it and must not wait for a silent store.  Returns false if the store has to be asked. */
static bool getattr_root(struct op *op)
{
	int listable = op->fs->root_listable;
	struct stat st;

	if (op->inode != op->fs->inodes.root || listable < 0)
		return false;
	node_attr_dir(op->fs, listable, &st);
	op_reply_attr(op, &st);
	return true;
}

static void getattr_dir(struct op *op)
{
	struct fs *fs = op->fs;
	int err = op_call_error(op, 0);
	char path[PATH_SIZE];
	struct stat st;

	node_note_root(op, err);
	/* The mount's root exists, whatever happens to its node. */
	if (err == -ENOENT && !op->inode->view_root) {
		op->inode->sticky = false;
		forget_name(op);
	}
	if (err && err != -EACCES && !(err == -ENOENT && op->inode->view_root)) {
		op_reply_error(op, err);
		return;
	}
	if (!err && !inode_path(&fs->inodes, op->inode, NULL, path)) {
		node_confirm(op, op->inode, path);
		node_found(op, op->inode, path);
	}
	node_saw(op, op->inode, 0, op->n_calls > 1 ? 1 : -1);
	node_attr_dir(fs, err != -EACCES, &st);
	op_reply_attr(op, &st);
}

/* Returns whether a node that the kernel takes for a file has become a directory. */
static bool leaf_is_dir(const struct op *op, const struct node_facts *facts)
{
	char path[PATH_SIZE];

	if (facts->has_children || !facts->readable)
		return true;
	return facts->value_len == 0 && !inode_path(&op->fs->inodes, op->inode, NULL, path) &&
	       node_is_meant_dir(op, path);
}

static void getattr_leaf(struct op *op)
{
	struct fs *fs = op->fs;
	struct node_facts facts = { 0 };
	struct stat st;
	int err;

	err = node_facts(op, 0, &facts);
	/* The node has become a directory, which the kernel can learn only by another lookup.
	 * Programs that have it open go on with the value, as fstat(2) does not say which open
	 * file it is about. */
	if (!err && leaf_is_dir(op, &facts) && !op->inode->opens)
		err = -ESTALE;
	if (err == -ENOENT && op->inode->unwritten)
		err = 0;
	node_asked_by_reader(op, err, facts.value_len);
	if (err == -ENOENT || err == -ESTALE)
		forget_name(op);
	if (err) {
		op_reply_error(op, err);
		return;
	}
	node_saw(op, op->inode, 0, -1);
	if (!leaf_is_dir(op, &facts))
		node_confirm_file(op, op->inode, facts.value_len);
	node_attr_file(fs, text_size(fs->config.format, facts.value_len), &st);
	node_reply_size(op, &st);
}

/* Answers from memory where an event would have told of a change.  The kernel asks for each file that
 * was read since, because its time of access is no longer known then. */
static bool getattr_known(struct op *op)
{
	const struct inode *inode = op->inode;
	struct stat st;

	if (!inode_is_confirmed(op->inode))
		return false;
	/* Values that the kernel keeps go with their size: node_getattr_shown(). */
	if (op->fs->inodes.track_shown && inode->kind != INODE_DIR)
		return false;
	if (inode->kind == INODE_DIR)
		node_attr_dir(op->fs, true, &st);
	else
		node_attr_file(op->fs, text_size(op->fs->config.format, inode->value_len), &st);
	op_reply_attr(op, &st);
	return true;
}

/* A directory has changed if its children have.  Where events tell of that, the names are requested
 * only after an event. */
static bool names_wanted(const struct op *op, const char *path)
{
	struct fs *fs = op->fs;

	return !fs->caching || !op_is_covered(op, op->inode, path) ||
	       op->inode->names_unsure;
}

void node_getattr(struct op *op)
{
	uint32_t tx_id = op->inode->view->tx_id;
	char path[PATH_SIZE];
	struct stat st;
	int err;

	if (node_sees_empty(op)) {
		node_attr_file(op->fs, 0, &st);
		op_reply_attr(op, &st);
		return;
	}
	if (node_getattr_shown(op) || getattr_known(op) || getattr_root(op))
		return;
	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	/* The kernel names the open file only where it is about to read. */
	if (err == -ENOENT && op->handle && op->handle->cached) {
		op_reply_error(op, err);
		return;
	}
	if (err == -ENOENT || err == -ESTALE) {
		node_reply_removed(op);
		return;
	}
	if (err) {
		op_reply_error(op, err);
		return;
	}
	if (op->inode->view->tx) {
		node_tx_getattr(op);
		return;
	}
	op->events = op->inode->events;
	op_call(op, XS_READ, tx_id, path, NULL, 0);
	if (op->inode->kind == INODE_LEAF || names_wanted(op, path))
		op_call(op, XS_DIRECTORY, tx_id, path, NULL, 0);
	op_ask(op, op->inode->kind == INODE_LEAF ? getattr_leaf : getattr_dir, node_getattr);
}
