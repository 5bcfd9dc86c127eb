/* SPDX-License-Identifier: MIT */
/* The changes of a transaction as a tree.  Pure. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "fs/model/changes.h"
#include "fs/model/name.h"

enum change_state { CHANGE_NONE, CHANGE_THERE, CHANGE_GONE };

struct change {
	UT_hash_handle hh;
	struct change *children;
	unsigned there;          /* children that are CHANGE_THERE */
	enum change_state state; /* CHANGE_NONE: on the way to others */
	bool cleared;            /* it was removed: nothing outside shows through here and below */
	char name[];
};

static struct change *change_new(const char *name, size_t len)
{
	struct change *change = calloc(1, sizeof(*change) + len + 1);

	if (change)
		memcpy(change->name, name, len);
	return change;
}

/* Frees all that is below. */
static void drop_children(struct change *top)
{
	struct change *change, *next;

	HASH_ITER(hh, top->children, change, next) {
		HASH_DEL(top->children, change);
		drop_children(change);
		free(change);
	}
	top->there = 0;
}

void changes_init(struct changes *changes)
{
	changes->root = NULL;
}

void changes_deinit(struct changes *changes)
{
	if (changes->root)
		drop_children(changes->root);
	free(changes->root);
	changes->root = NULL;
}

/* Cuts the next name off `path`.  Returns its length, 0 at the end of the path. */
static size_t next_name(const char **path, const char **name)
{
	*path += strspn(*path, "/");
	*name = *path;
	*path += strcspn(*path, "/");
	return *path - *name;
}

static void change_set_state(struct change *parent, struct change *change, enum change_state state)
{
	if (parent)
		parent->there += (state == CHANGE_THERE) - (change->state == CHANGE_THERE);
	change->state = state;
}

static struct change *child_of(struct change *parent, const char *name, size_t len)
{
	struct change *child;

	HASH_FIND(hh, parent->children, name, len, child);
	if (child)
		return child;
	child = change_new(name, len);
	if (!child)
		return NULL;
	HASH_ADD_KEYPTR(hh, parent->children, child->name, len, child);
	if (child->hh.tbl)
		return child;
	free(child);
	return NULL;
}

int changes_note(struct changes *changes, uint32_t type, const char *path)
{
	bool made = type == XS_WRITE || type == XS_MKDIR;
	struct change *change, *parent = NULL;
	const char *name;
	size_t len;

	if (!made && type != XS_RM)
		return 0;
	if (!changes->root)
		changes->root = change_new("", 0);
	change = changes->root;
	while (change && (len = next_name(&path, &name))) {
		/* Every node above one that was made existed already, or was made along with it. */
		if (made)
			change_set_state(parent, change, CHANGE_THERE);
		parent = change;
		change = child_of(parent, name, len);
	}
	if (!change)
		return -ENOMEM;
	change_set_state(parent, change, made ? CHANGE_THERE : CHANGE_GONE);
	if (!made) {
		drop_children(change);
		change->cleared = true;
	}
	return 0;
}

enum sight changes_see(const struct changes *changes, const char *path)
{
	struct change *change = changes->root;
	bool cleared = change && change->cleared;
	struct change *parent;
	const char *name;
	size_t len;

	while (change && (len = next_name(&path, &name))) {
		parent = change;
		HASH_FIND(hh, parent->children, name, len, change);
		if (change)
			cleared |= change->cleared;
	}
	if (!change)
		return cleared ? SIGHT_GONE : SIGHT_OUTSIDE;
	if (change->state == CHANGE_THERE && change->there > 0)
		return SIGHT_DIR;
	if (change->state == CHANGE_THERE && cleared)
		return SIGHT_LEAF;
	/* Removing the last child of a directory does not turn the directory into a file. */
	if (change->state == CHANGE_THERE)
		return change->children ? SIGHT_DIR : SIGHT_THERE;
	if (cleared)
		return SIGHT_GONE;
	return change->children ? SIGHT_OUTSIDE_DIR : SIGHT_OUTSIDE;
}

struct visit {
	void (*removed)(void *arg, const char *path);
	void (*there)(void *arg, const char *path);
	void *arg;
	char path[PATH_SIZE];
};

/* Visits `change`, whose path is in v->path, and everything below it. */
static void visit(struct visit *v, const struct change *change)
{
	size_t len = strlen(v->path);

	if (v->removed && change->cleared)
		v->removed(v->arg, v->path);
	if (v->there && change->state == CHANGE_THERE)
		v->there(v->arg, v->path);
	for (const struct change *child = change->children; child; child = child->hh.next) {
		if (path_append(v->path, child->name) == 0)
			visit(v, child);
		v->path[len] = '\0';
	}
}

void changes_for_each(const struct changes *changes, void (*removed)(void *arg, const char *path),
		      void (*there)(void *arg, const char *path), void *arg)
{
	struct visit first = { .removed = removed, .arg = arg, .path = "/" };
	struct visit second = { .there = there, .arg = arg, .path = "/" };

	if (!changes->root)
		return;
	visit(&first, changes->root);
	visit(&second, changes->root);
}
