/* SPDX-License-Identifier: MIT */
/* The set of empty directories made here.  Any thread, one leaf lock. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "fs/made.h"
#include "fs/name.h"

struct made_entry {
	UT_hash_handle hh;
	char path[];
};

void made_init(struct made *made)
{
	made->entries = NULL;
	pthread_mutex_init(&made->lock, NULL);
}

static void remove_locked(struct made *made, struct made_entry *entry)
{
	HASH_DEL(made->entries, entry);
	free(entry);
}

void made_deinit(struct made *made)
{
	while (made->entries)
		remove_locked(made, made->entries);
	pthread_mutex_destroy(&made->lock);
}

static struct made_entry *find_locked(struct made *made, const char *path)
{
	struct made_entry *entry;

	HASH_FIND_STR(made->entries, path, entry);
	return entry;
}

static void add_locked(struct made *made, const char *path)
{
	size_t size = strlen(path) + 1;
	struct made_entry *entry;

	if (find_locked(made, path))
		return;
	entry = malloc(sizeof(*entry) + size);
	if (!entry)
		return;
	memcpy(entry->path, path, size);
	/* uthash keeps the order of addition: its first element is the oldest. */
	if (HASH_COUNT(made->entries) >= MADE_MAX)
		remove_locked(made, made->entries);
	HASH_ADD_STR(made->entries, path, entry);
	if (!entry->hh.tbl)
		free(entry);
}

void made_add(struct made *made, const char *path)
{
	pthread_mutex_lock(&made->lock);
	add_locked(made, path);
	pthread_mutex_unlock(&made->lock);
}

void made_remove(struct made *made, const char *path)
{
	struct made_entry *entry;

	pthread_mutex_lock(&made->lock);
	entry = find_locked(made, path);
	if (entry)
		remove_locked(made, entry);
	pthread_mutex_unlock(&made->lock);
}

bool made_has(struct made *made, const char *path)
{
	bool found;

	pthread_mutex_lock(&made->lock);
	found = find_locked(made, path) != NULL;
	pthread_mutex_unlock(&made->lock);
	return found;
}

/* Returns whether an entry is `path` or something below it. */
static bool is_below(const struct made_entry *entry, const char *path, size_t len)
{
	return !strncmp(entry->path, path, len) && (!entry->path[len] || entry->path[len] == '/');
}

void made_rename(struct made *made, const char *from, const char *to)
{
	size_t from_len = strlen(from), to_len = strlen(to);
	struct made_entry *entry, *next;
	char path[PATH_SIZE];

	pthread_mutex_lock(&made->lock);
	HASH_ITER(hh, made->entries, entry, next) {
		if (!is_below(entry, from, from_len))
			continue;
		/* Out first: a full set would make room for the new name, perhaps by this entry. */
		HASH_DEL(made->entries, entry);
		if (to_len + strlen(entry->path + from_len) < PATH_SIZE) {
			memcpy(path, to, to_len);
			strcpy(path + to_len, entry->path + from_len);
			add_locked(made, path);
		}
		free(entry);
	}
	pthread_mutex_unlock(&made->lock);
}

void made_remove_below(struct made *made, const char *path)
{
	struct made_entry *entry, *next;
	size_t len = strlen(path);

	pthread_mutex_lock(&made->lock);
	HASH_ITER(hh, made->entries, entry, next)
		if (is_below(entry, path, len))
			remove_locked(made, entry);
	pthread_mutex_unlock(&made->lock);
}

void made_copy(struct made *made, struct made *from)
{
	struct made_entry *entry;

	pthread_mutex_lock(&from->lock);
	for (entry = from->entries; entry; entry = entry->hh.next)
		made_add(made, entry->path);
	pthread_mutex_unlock(&from->lock);
}
