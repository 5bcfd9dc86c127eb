/* SPDX-License-Identifier: MIT */
/* The table of inodes: lifetimes and flags.  No I/O. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/inode_impl.h"
#include "fs/model/listing.h"

/* A transaction lives for as long as an inode shows it, so each such inode tells it. */
static const struct view *view_get(const struct view *view)
{
	if (view->hooks)
		view->hooks->get(view);
	return view;
}

static void view_put(const struct view *view)
{
	if (view->hooks)
		view->hooks->put(view);
}

void inode_release(struct inodes *t, struct inode *inode)
{
	struct inode *parent;

	while (inode && inode->refs == 0 && inode->nlookup == 0) {
		parent = inode->parent;
		if (!inode->hashed && !inode->removed && inode->parent)
			LIST_REMOVE(inode, unnamed_link);
		inode_set_unwritten(t, inode, false);
		inode_stat_end(t, inode);
		inode_unhash(t, inode);
		inode_drop_listing(t, inode);
		HASH_DELETE(by_id, t->by_id, inode);
		if (parent)
			LIST_REMOVE(inode, sibling);
		if (inode == t->nodes_root)
			t->nodes_root = NULL;
		view_put(inode->view);
		free(inode->last);
		free(inode->shown);
		free(inode->key);
		free(inode);
		if (parent)
			parent->refs--;
		inode = parent;
	}
}

/* Returns a new inode with a reference.  Takes `key`, even on failure. */
static struct inode *inode_new(struct inodes *t, struct inode *parent, char *key,
				      size_t key_len)
{
	struct inode *inode = calloc(1, sizeof(*inode));

	if (inode) {
		inode->nodeid = ++t->last_id;
		HASH_ADD(by_id, t->by_id, nodeid, sizeof(inode->nodeid), inode);
	}
	if (!inode || !inode->by_id.tbl) {
		free(inode);
		free(key);
		return NULL;
	}
	inode->refs = 1;
	inode->parent = parent;
	inode->events = 1;
	inode->foreign = 1;
	inode->least_size = SIZE_MAX;
	LIST_INIT(&inode->children);
	TAILQ_INIT(&inode->unwritten_files);
	LIST_INIT(&inode->pollers);
	LIST_INIT(&inode->emptied);
	if (parent) {
		parent->refs++;
		LIST_INSERT_HEAD(&parent->children, inode, sibling);
	}
	inode_set_key(inode, key, key_len);
	inode_hash(t, inode);
	return inode;
}

int inodes_init(struct inodes *t, const char *root_path, const struct view *view,
		const struct inode_ops *const *ops)
{
	size_t key_len = 0;
	char *key;

	*t = (struct inodes){ .ops = ops, .root_path = strdup(root_path) };
	TAILQ_INIT(&t->listings);
	LIST_INIT(&t->unnamed);
	for (unsigned i = 0; i < INODE_ROUNDS; i++)
		TAILQ_INIT(&t->stale[i]);
	key = inode_key_new(NULL, "", INODE_DIR, &key_len);
	if (!t->root_path || !key) {
		free(key);
		free(t->root_path);
		return -ENOMEM;
	}
	t->root = inode_new(t, NULL, key, key_len);
	if (!t->root) {
		free(t->root_path);
		return -ENOMEM;
	}
	t->root->kind = INODE_DIR;
	t->root->ops = ops[INODE_DIR];
	t->root->cacheable = true;
	t->root->view = view;
	t->root->view_root = true;
	inode_stat_begin(t, t->root, false);
	return 0;
}

void inodes_deinit(struct inodes *t)
{
	struct inode *inode, *next;

	HASH_CLEAR(by_name, t->by_name);
	HASH_CLEAR(by_number, t->by_number);
	recent_deinit(&t->recent);
	HASH_ITER(by_id, t->by_id, inode, next) {
		HASH_DELETE(by_id, t->by_id, inode);
		listing_put(inode->listing);
		view_put(inode->view);
		free(inode->last);
		free(inode->shown);
		free(inode->names);
		told_deinit(&inode->told);
		free(inode->key);
		free(inode);
	}
	free(t->root_path);
}

unsigned inodes_count(struct inodes *t)
{
	return HASH_CNT(by_id, t->by_id);
}

struct inode *inode_get(struct inodes *t, uint64_t nodeid)
{
	struct inode *inode;

	HASH_FIND(by_id, t->by_id, &nodeid, sizeof(nodeid), inode);
	if (inode)
		inode->refs++;
	return inode;
}

struct inode *inode_ref(struct inode *inode)
{
	inode->refs++;
	return inode;
}

void inode_put(struct inodes *t, struct inode *inode)
{
	if (!inode)
		return;
	inode->refs--;
	inode_release(t, inode);
}

struct inode *inode_ref_open(struct inode *inode)
{
	inode->refs++;
	inode->opens++;
	return inode;
}

void inode_put_open(struct inodes *t, struct inode *inode)
{
	inode->opens--;
	inode->refs--;
	inode_release(t, inode);
}

bool inode_is_open(struct inode *top)
{
	struct inode *inode = top;

	while (inode && !inode->opens)
		inode = inode_next(top, inode);
	return inode;
}

struct inode *inode_intern(struct inodes *t, struct inode *parent, const char *name,
			   enum inode_kind kind, const struct view *view,
			   const struct special *special)
{
	struct inode *inode;
	size_t key_len = 0;
	char *key = inode_key_new(parent, name, kind, &key_len);

	if (!key)
		return NULL;
	inode = inode_find_key(t, key, key_len);
	if (inode) {
		inode->refs++;
		free(key);
	} else {
		inode = inode_new(t, parent, key, key_len);
		if (inode) {
			inode->kind = kind;
			inode->ops = t->ops[kind];
			inode->cacheable = kind != INODE_SPECIAL;
			inode->view = view_get(view);
			inode->special = special;
			inode->view_root = view != parent->view;
			/* Events are never about a transaction. */
			if (inode->view_root && !view->tx)
				t->nodes_root = inode;
			inode_stat_begin(t, inode, false);
		}
	}
	return inode;
}

struct inode *inode_new_single(struct inodes *t, struct inode *parent, const char *name,
			       const struct special *special)
{
	struct inode *inode = NULL;
	size_t key_len = 0;
	char *key;

	/* The kind in the key is one that no lookup uses, and differs each time. */
	key = inode_key_new(parent, name, ~t->last_id, &key_len);
	if (key)
		inode = inode_new(t, parent, key, key_len);
	if (inode) {
		inode->kind = INODE_SPECIAL;
		inode->ops = t->ops[INODE_SPECIAL];
		inode->view = view_get(parent->view);
		inode->special = special;
		inode_stat_begin(t, inode, true);
	}
	return inode;
}

struct inode *inode_find(struct inodes *t, struct inode *parent, const char *name,
			 enum inode_kind kind)
{
	struct inode *inode;

	inode = inode_peek(t, parent, name, kind);
	if (inode)
		inode->refs++;
	return inode;
}

void inode_remember(struct inode *inode)
{
	inode->nlookup++;
	inode->absent = false;
	told_looked_up(inode);
}

void inode_forget(struct inodes *t, uint64_t nodeid, uint64_t nlookup)
{
	struct inode *inode;

	HASH_FIND(by_id, t->by_id, &nodeid, sizeof(nodeid), inode);
	/* The root is never looked up, yet the kernel may forget it at the end. */
	if (inode && inode != t->root) {
		inode->nlookup -= nlookup < inode->nlookup ? nlookup : inode->nlookup;
		inode_release(t, inode);
	}
}

struct inode *inode_get_parent(const struct inode *inode)
{
	struct inode *parent;

	parent = inode->parent;
	parent->refs++;
	return parent;
}

bool inode_hidden_above(struct inodes *t, const struct inode *inode, char *path)
{
	bool found;

	while (inode && !inode->hidden)
		inode = inode->parent;
	found = inode && !inode_own_path(t, inode, path);
	return found;
}

void inode_set_unwritten(struct inodes *t, struct inode *inode, bool unwritten)
{
	if (unwritten && !inode->unwritten) {
		TAILQ_INSERT_TAIL(&inode->parent->unwritten_files, inode, unwritten_link);
		t->unwritten++;
	} else if (!unwritten && inode->unwritten) {
		TAILQ_REMOVE(&inode->parent->unwritten_files, inode, unwritten_link);
		t->unwritten--;
	}
	inode->unwritten = unwritten;
	inode->refused = false;
}

void inode_refuse(struct inode *inode)
{
	inode->refused = inode->unwritten;
}

void inode_value_changed(struct inodes *t, struct inode *inode)
{
	char path[PATH_SIZE];

	inode_change_value(inode);
	/* A directory's `.value` shares the value of the directory's node. */
	if (inode->kind == INODE_SPECIAL && inode->parent->kind == INODE_DIR)
		inode_change_value(inode->parent);
	/* The event may come after the reply. */
	if (t->track_shown && !inode_own_path(t, inode, path))
		inodes_outdate_shown(t, path);
}

void inode_new_content(struct inodes *t, struct inode *inode)
{
	if (inode->unwritten)
		inode_drop_listing(t, inode->parent);
	inode_set_unwritten(t, inode, false);
	inode->contents++;
	inode_value_changed(t, inode);
}
