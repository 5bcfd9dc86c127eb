/* SPDX-License-Identifier: MIT */
/* The set of paths, and what is remembered of them.  No I/O. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "fs/model/made.h"
#include "fs/model/name.h"

enum made_fact {
	MADE_DIR = 1 << 0,      /* it is a directory */
	MADE_FILE = 1 << 1,     /* it is a file, where empty nodes are directories */
	MADE_NO_VALUE = 1 << 2, /* while its value is empty there is no `.value` */
};

struct made_entry {
	UT_hash_handle hh;
	unsigned facts; /* not 0 */
	char path[];
};

void made_init(struct made *made)
{
	made->entries = NULL;
}

static void entry_remove(struct made *made, struct made_entry *entry)
{
	HASH_DEL(made->entries, entry);
	free(entry);
}

void made_deinit(struct made *made)
{
	while (made->entries)
		entry_remove(made, made->entries);
}

static struct made_entry *entry_find(struct made *made, const char *path)
{
	struct made_entry *entry;

	HASH_FIND_STR(made->entries, path, entry);
	return entry;
}

/* Adds facts to what is remembered of a path. */
static void add(struct made *made, const char *path, unsigned facts)
{
	struct made_entry *entry = entry_find(made, path);
	size_t size = strlen(path) + 1;

	if (entry) {
		entry->facts |= facts;
		return;
	}
	entry = malloc(sizeof(*entry) + size);
	if (!entry)
		return;
	memcpy(entry->path, path, size);
	entry->facts = facts;
	/* uthash keeps the order of addition: its first element is the oldest. */
	if (HASH_COUNT(made->entries) >= MADE_MAX)
		entry_remove(made, made->entries);
	HASH_ADD_STR(made->entries, path, entry);
	if (!entry->hh.tbl)
		free(entry);
}

/* Takes facts away.  Returns those of them that were there. */
static unsigned take(struct made *made, const char *path, unsigned facts)
{
	struct made_entry *entry = entry_find(made, path);

	if (!entry)
		return 0;
	facts &= entry->facts;
	entry->facts &= ~facts;
	if (!entry->facts)
		entry_remove(made, entry);
	return facts;
}

/* Returns what is remembered of a path. */
static unsigned facts_of(struct made *made, const char *path)
{
	struct made_entry *entry = entry_find(made, path);

	return entry ? entry->facts : 0;
}

void made_add(struct made *made, const char *path)
{
	take(made, path, MADE_FILE);
	add(made, path, MADE_DIR | MADE_NO_VALUE);
}

void made_remove(struct made *made, const char *path)
{
	take(made, path, ~0u);
}

bool made_has(struct made *made, const char *path)
{
	return facts_of(made, path) & MADE_DIR;
}

void made_as_dir(struct made *made, const char *path)
{
	add(made, path, MADE_DIR);
}

void made_as_file(struct made *made, const char *path)
{
	add(made, path, MADE_FILE);
}

bool made_is_file(struct made *made, const char *path)
{
	return facts_of(made, path) & MADE_FILE;
}

void made_value_removed(struct made *made, const char *path)
{
	add(made, path, MADE_NO_VALUE);
}

bool made_value_written(struct made *made, const char *path)
{
	return take(made, path, MADE_NO_VALUE);
}

bool made_has_no_value(struct made *made, const char *path)
{
	return facts_of(made, path) & MADE_NO_VALUE;
}

void made_rename(struct made *made, const char *from, const char *to)
{
	size_t from_len = strlen(from), to_len = strlen(to);
	struct made_entry *entry, *next;
	char path[PATH_SIZE];

	HASH_ITER(hh, made->entries, entry, next) {
		if (!path_below(entry->path, from))
			continue;
		/* Out first: a full set would make room for the new name, perhaps by this entry. */
		HASH_DEL(made->entries, entry);
		if (to_len + strlen(entry->path + from_len) < PATH_SIZE) {
			memcpy(path, to, to_len);
			strcpy(path + to_len, entry->path + from_len);
			add(made, path, entry->facts);
		}
		free(entry);
	}
}

void made_remove_below(struct made *made, const char *path)
{
	struct made_entry *entry, *next;

	HASH_ITER(hh, made->entries, entry, next)
		if (path_below(entry->path, path))
			entry_remove(made, entry);
}

void made_copy(struct made *made, struct made *from)
{
	struct made_entry *entry;

	for (entry = from->entries; entry; entry = entry->hh.next)
		add(made, entry->path, entry->facts);
}

void made_take(struct made *made, const char *path, struct made *from)
{
	unsigned facts = facts_of(from, path);

	take(made, path, ~facts);
	if (facts)
		add(made, path, facts);
}
