/* SPDX-License-Identifier: MIT */
/* The index of paths that have users.  Pure. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "fs/events/path_index.h"
#include "fs/model/name.h"

/* A name in a path that has users, or is above one that has. */
struct path_entry {
	LIST_HEAD(, path_user) users;
	LIST_HEAD(, path_entry) below;
	LIST_ENTRY(path_entry) sibling;
	UT_hash_handle hh;
	/* The key: these two, as they lie there.  A path would be long, and all those above it as well. */
	struct path_entry *parent; /* NULL: the root, or a special path */
	char name[];
};

/* Room for the key of the longest name: special paths and relative ones come here as they are. */
struct entry_key {
	struct path_entry *parent;
	char name[PATH_SIZE];
};

void path_index_init(struct path_index *index)
{
	index->entries = NULL;
}

static size_t key_len(size_t name_len)
{
	return offsetof(struct entry_key, name) + name_len;
}

static struct path_entry *path_entry_find(struct path_index *index, struct path_entry *parent, const char *name,
				     size_t len)
{
	struct path_entry *entry;
	struct entry_key key;

	if (len > sizeof(key.name))
		return NULL;
	key.parent = parent;
	memcpy(key.name, name, len);
	HASH_FIND(hh, index->entries, &key, key_len(len), entry);
	return entry;
}

/*
 * Takes the next name off *path, which is the root ("/") at first.  Returns its length, and *name, or 0 at the end.  A
 * special path is one name.
 */
static size_t path_next_name(const char **path, const char **name, bool first)
{
	size_t len;

	if (first) {
		*name = *path;
		len = **path == '/' ? 1 : strlen(*path);
	} else {
		*path += **path == '/';
		*name = *path;
		len = strcspn(*path, "/");
	}
	*path += len;
	return len;
}

/* Frees an entry that has no users at or below it, and then any above it that no
 * longer have any. */
static void entry_drop_unused(struct path_index *index, struct path_entry *entry)
{
	struct path_entry *parent;

	while (entry && LIST_EMPTY(&entry->users) && LIST_EMPTY(&entry->below)) {
		parent = entry->parent;
		if (parent)
			LIST_REMOVE(entry, sibling);
		HASH_DELETE(hh, index->entries, entry);
		free(entry);
		entry = parent;
	}
}

static struct path_entry *entry_new(struct path_index *index, struct path_entry *parent, const char *name,
				    size_t len)
{
	struct path_entry *entry = calloc(1, sizeof(*entry) + len);

	if (!entry)
		return NULL;
	entry->parent = parent;
	memcpy(entry->name, name, len);
	HASH_ADD_KEYPTR(hh, index->entries, &entry->parent, key_len(len), entry);
	if (!entry->hh.tbl) {
		free(entry);
		return NULL;
	}
	if (parent)
		LIST_INSERT_HEAD(&parent->below, entry, sibling);
	return entry;
}

/* Returns the entry of a path, created if need be along with those above it; NULL
 * without memory. */
static struct path_entry *entry_intern(struct path_index *index, const char *path)
{
	struct path_entry *entry = NULL, *parent = NULL;
	const char *name;
	size_t len;

	for (bool first = true; (len = path_next_name(&path, &name, first)); first = false) {
		parent = entry;
		entry = path_entry_find(index, parent, name, len);
		if (!entry)
			entry = entry_new(index, parent, name, len);
		if (!entry) {
			entry_drop_unused(index, parent);
			return NULL;
		}
	}
	return entry;
}

int path_index_add(struct path_index *index, struct path_user *user, const char *path)
{
	user->at = entry_intern(index, path);
	if (!user->at)
		return -ENOMEM;
	user->path = path;
	LIST_INSERT_HEAD(&user->at->users, user, link);
	return 0;
}

void path_index_remove(struct path_index *index, struct path_user *user)
{
	LIST_REMOVE(user, link);
	entry_drop_unused(index, user->at);
	user->at = NULL;
}

struct path_user *path_index_find(struct path_index *index, const char *path,
				  bool (*fn)(void *arg, struct path_user *user), void *arg)
{
	struct path_entry *entry = NULL;
	struct path_user *user = NULL;
	const char *name;
	size_t len;

	for (bool first = true; (len = path_next_name(&path, &name, first)); first = false)
		if (!(entry = path_entry_find(index, entry, name, len)))
			return NULL;
	if (entry)
		LIST_FOREACH(user, &entry->users, link)
			if (fn(arg, user))
				break;
	return user;
}

/* Returns the next entry below `top` in preorder, or NULL after the last. */
static struct path_entry *entry_next(const struct path_entry *top, struct path_entry *entry)
{
	if (!LIST_EMPTY(&entry->below))
		return LIST_FIRST(&entry->below);
	while (entry != top && !LIST_NEXT(entry, sibling))
		entry = entry->parent;
	return entry == top ? NULL : LIST_NEXT(entry, sibling);
}

void path_index_visit(struct path_index *index, const char *path,
		      void (*fn)(void *arg, struct path_user *user, const char *path), void *arg)
{
	struct path_entry *top = NULL, *entry;
	const char *rest = path, *name;
	struct path_user *user;
	size_t len;

	for (bool first = true; (len = path_next_name(&rest, &name, first)); first = false) {
		top = path_entry_find(index, top, name, len);
		if (!top)
			return;
		LIST_FOREACH(user, &top->users, link)
			fn(arg, user, path);
	}
	/* Nodes below may have gone or come with it. */
	entry = top;
	while (entry && (entry = entry_next(top, entry)))
		LIST_FOREACH(user, &entry->users, link)
			fn(arg, user, user->path);
}
