/* SPDX-License-Identifier: MIT */
/* The effect of removals and renames on inodes.  No I/O. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/inode_impl.h"

void inode_gone(struct inodes *t, struct inode *parent, const char *name)
{
	struct inode *inode;

	inode_drop_listing(t, parent);
	inode = inode_peek(t, parent, name, INODE_DIR);
	if (inode) {
		inode->sticky = false;
		inode->found = 0;
	}
	inode_absent(t, inode);
	inode = inode_peek(t, parent, name, INODE_LEAF);
	if (inode) {
		/* An empty value that is due for it stays so: who closes the file is to be told that it has no place. */
		inode_value_changed(t, inode);
		inode->found = 0;
	}
	inode_absent(t, inode);
}

static struct inode *leaving_begin(struct inodes *t, struct inode *parent, const char *name,
				   enum inode_kind kind)
{
	struct inode *inode = inode_peek(t, parent, name, kind);

	if (inode) {
		inode->refs++;
		inode->leaving++;
	}
	return inode;
}

void inode_begin_leaving(struct inodes *t, struct inode *parent, const char *name,
			 struct leaving *leaving)
{
	leaving->dir = leaving_begin(t, parent, name, INODE_DIR);
	leaving->leaf = leaving_begin(t, parent, name, INODE_LEAF);
}

static void leaving_end(struct inodes *t, struct inode *inode)
{
	if (!inode)
		return;
	inode->leaving--;
	inode->refs--;
	inode_release(t, inode);
}

void inode_end_leaving(struct inodes *t, struct leaving *leaving)
{
	leaving_end(t, leaving->dir);
	leaving_end(t, leaving->leaf);
}

bool inode_is_leaving(const struct inode *inode)
{
	while (inode && !inode->leaving)
		inode = inode->parent;
	return inode;
}

void inode_set_moving(struct inode *inode, bool moving)
{
	if (inode)
		inode->moving = moving;
}

bool inode_is_moving(const struct inode *inode)
{
	while (inode && !inode->moving)
		inode = inode->parent;
	return inode;
}

uint64_t inode_moved(const struct inode *inode)
{
	uint64_t last = 0;

	for (; inode; inode = inode->parent)
		if (inode->moved > last)
			last = inode->moved;
	return last;
}

/* Takes an inode, if there is one, out of the table of names for good. */
static void remove(struct inodes *t, struct inode *inode, int why, struct wakeups *wakeups)
{
	struct inode *below;

	if (!inode)
		return;
	inode_unhash(t, inode);
	inode->removed = why;
	for (below = inode; below; below = inode_next(inode, below)) {
		/* An empty value is no longer due for any of them. */
		inode_new_content(t, below);
		below->sticky = false;
		below->confirmed = 0;
		below->found = 0;
	}
	inode_wake_removed(t, inode, wakeups);
}

void inode_remove(struct inodes *t, struct inode *parent, const char *name,
		  struct wakeups *wakeups)
{
	inode_drop_listing(t, parent);
	remove(t, inode_peek(t, parent, name, INODE_DIR), -ENOENT, wakeups);
	remove(t, inode_peek(t, parent, name, INODE_LEAF), -ENOENT, wakeups);
	told_removed(parent, name);
	inode_change_dir(t, parent, CHANGED_BY_US);
}

void inode_remove_dir(struct inodes *t, struct inode *dir, struct wakeups *wakeups)
{
	inode_drop_listing(t, dir->parent);
	remove(t, dir, -ENOENT, wakeups);
}

void inode_set_last(struct inode *inode, char *data, size_t len)
{
	free(inode->last);
	inode->last = data;
	inode->last_len = len;
}

char *inode_get_last(const struct inode *inode, size_t *len)
{
	char *copy = NULL;

	if (inode->removed == -ESTALE && inode->last)
		copy = malloc(inode->last_len + 1);
	if (copy) {
		memcpy(copy, inode->last, inode->last_len);
		*len = inode->last_len;
	}
	return copy;
}

/* Moves one inode, if there is one; `key` is that of its new name, and is taken. */
static void move(struct inodes *t, struct inode *inode, struct inode *new_parent, char *key,
			size_t key_len)
{
	struct inode *old_parent;

	if (!inode) {
		free(key);
		return;
	}
	inode->moved = ++t->changes;
	inode_unhash(t, inode);
	inode_set_key(inode, key, key_len);
	inode_hash(t, inode);
	old_parent = inode->parent;
	LIST_REMOVE(inode, sibling);
	LIST_INSERT_HEAD(&new_parent->children, inode, sibling);
	if (inode->unwritten) {
		TAILQ_REMOVE(&old_parent->unwritten_files, inode, unwritten_link);
		TAILQ_INSERT_TAIL(&new_parent->unwritten_files, inode, unwritten_link);
	}
	inode->parent = new_parent;
	new_parent->refs++;
	old_parent->refs--;
	inode_release(t, old_parent);
	/* It was made anew there, with all below it. */
	told_own_below(inode);
}

/* Moves one inode and removes the one at the new place. */
static void rename_kind(struct inodes *t, struct inode *parent, const char *name,
			       struct inode *new_parent, const char *new_name,
			       enum inode_kind kind, char *key, size_t key_len,
			       struct wakeups *wakeups)
{
	struct inode *inode = inode_peek(t, parent, name, kind);
	struct inode *target = inode_peek(t, new_parent, new_name, kind);

	if (inode == target) {
		free(key);
		return;
	}
	/* A lookup of the file during the replacement must be repeated, not fail: hence ESTALE. */
	remove(t, target, kind == INODE_LEAF ? -ESTALE : -ENOENT, wakeups);
	move(t, inode, new_parent, key, key_len);
}

int inode_rename(struct inodes *t, struct inode *parent, const char *name,
		 struct inode *new_parent, const char *new_name, struct wakeups *wakeups)
{
	enum told_kind kind = told_name(parent, name);
	size_t leaf_len = 0, dir_len = 0;
	char *leaf_key = inode_key_new(new_parent, new_name, INODE_LEAF, &leaf_len);
	char *dir_key = inode_key_new(new_parent, new_name, INODE_DIR, &dir_len);

	if (!leaf_key || !dir_key) {
		free(leaf_key);
		free(dir_key);
		return -ENOMEM;
	}
	inode_drop_listing(t, parent);
	inode_drop_listing(t, new_parent);
	rename_kind(t, parent, name, new_parent, new_name, INODE_LEAF, leaf_key, leaf_len,
			   wakeups);
	rename_kind(t, parent, name, new_parent, new_name, INODE_DIR, dir_key, dir_len,
			   wakeups);
	inode_change_dir(t, parent, CHANGED_BY_US);
	if (new_parent != parent)
		inode_change_dir(t, new_parent, CHANGED_BY_US);
	told_removed(parent, name);
	/* By this the kernel tells of it, also if nothing had told of the old name. */
	told_name_add(new_parent, new_name, kind == TOLD_FILE || kind == TOLD_DIR ? kind : TOLD_UNSURE);
	new_parent->told.changes++;
	return 0;
}
