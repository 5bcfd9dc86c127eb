/* SPDX-License-Identifier: MIT */
/* The index of paths that somebody wants to hear of.  Pure. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "fs/events/path_index.h"

/* A path that has users, or is above one that has. */
struct path_entry {
	LIST_HEAD(, path_user) users;
	LIST_HEAD(, path_entry) below;
	struct path_entry *parent; /* NULL: the root, or a special path */
	LIST_ENTRY(path_entry) sibling;
	UT_hash_handle hh;
	char path[];
};

void path_index_init(struct path_index *index)
{
	index->entries = NULL;
}

static struct path_entry *entry_find(struct path_index *index, const char *path, size_t len)
{
	struct path_entry *entry;

	HASH_FIND(hh, index->entries, path, len, entry);
	return entry;
}

/* Returns the length of the parent of path[0..len), 0 above the root or a special path. */
static size_t parent_len(const char *path, size_t len)
{
	if (len <= 1 || path[0] != '/')
		return 0;
	while (path[len - 1] != '/')
		len--;
	return len > 1 ? len - 1 : 1;
}

/* Frees an entry that has no users at or below it, and then perhaps those above it. */
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

static struct path_entry *entry_new(struct path_index *index, const char *path, size_t len,
				    struct path_entry *parent)
{
	struct path_entry *entry = calloc(1, sizeof(*entry) + len + 1);

	if (!entry)
		return NULL;
	memcpy(entry->path, path, len);
	LIST_INIT(&entry->users);
	LIST_INIT(&entry->below);
	HASH_ADD_KEYPTR(hh, index->entries, entry->path, len, entry);
	if (!entry->hh.tbl) {
		free(entry);
		return NULL;
	}
	entry->parent = parent;
	if (parent)
		LIST_INSERT_HEAD(&parent->below, entry, sibling);
	return entry;
}

/* Returns the entry of a path, made if need be together with those above it; NULL without memory. */
static struct path_entry *entry_intern(struct path_index *index, const char *path, size_t len)
{
	struct path_entry *entry = entry_find(index, path, len), *parent = NULL;
	size_t above = parent_len(path, len);

	if (entry)
		return entry;
	if (above) {
		parent = entry_intern(index, path, above);
		if (!parent)
			return NULL;
	}
	entry = entry_new(index, path, len, parent);
	if (!entry)
		entry_drop_unused(index, parent);
	return entry;
}

int path_index_add(struct path_index *index, struct path_user *user, const char *path)
{
	user->at = entry_intern(index, path, strlen(path));
	if (!user->at)
		return -ENOMEM;
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
	struct path_entry *entry = entry_find(index, path, strlen(path));
	struct path_user *user = NULL;

	if (entry)
		LIST_FOREACH(user, &entry->users, link)
			if (fn(arg, user))
				break;
	return user;
}

/* Returns the next entry below `top` in preorder, or NULL behind the last. */
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
	struct path_entry *top = entry_find(index, path, strlen(path)), *entry;
	struct path_user *user;
	size_t len;

	for (len = strlen(path); len; len = parent_len(path, len)) {
		entry = entry_find(index, path, len);
		if (entry)
			LIST_FOREACH(user, &entry->users, link)
				fn(arg, user, path);
	}
	/* What is below may have gone with it, or come with it. */
	entry = top;
	while (entry && (entry = entry_next(top, entry)))
		LIST_FOREACH(user, &entry->users, link)
			fn(arg, user, entry->path);
}
