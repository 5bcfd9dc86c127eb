/* SPDX-License-Identifier: MIT */
/* The set of paths, and what is remembered of them.  No I/O. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "fs/model/empty_nodes.h"
#include "fs/model/name.h"

enum empty_node_fact {
	EMPTY_NODE_DIR = 1 << 0,      /* it is a directory */
	EMPTY_NODE_FILE = 1 << 1,     /* it is a file, where empty nodes are directories */
	EMPTY_NODE_NO_VALUE = 1 << 2, /* while its value is empty there is no `.value` */
};

struct empty_node {
	UT_hash_handle hh;
	unsigned facts; /* not 0 */
	char path[];
};

void empty_nodes_init(struct empty_nodes *set)
{
	set->entries = NULL;
}

static void entry_remove(struct empty_nodes *set, struct empty_node *entry)
{
	HASH_DEL(set->entries, entry);
	free(entry);
}

void empty_nodes_deinit(struct empty_nodes *set)
{
	while (set->entries)
		entry_remove(set, set->entries);
}

static struct empty_node *entry_find(struct empty_nodes *set, const char *path)
{
	struct empty_node *entry;

	HASH_FIND_STR(set->entries, path, entry);
	return entry;
}

/* Adds facts to what is remembered of a path. */
static void add(struct empty_nodes *set, const char *path, unsigned facts)
{
	struct empty_node *entry = entry_find(set, path);
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
	if (HASH_COUNT(set->entries) >= EMPTY_NODES_MAX)
		entry_remove(set, set->entries);
	HASH_ADD_STR(set->entries, path, entry);
	if (!entry->hh.tbl)
		free(entry);
}

/* Takes facts away.  Returns those of them that were there. */
static unsigned take(struct empty_nodes *set, const char *path, unsigned facts)
{
	struct empty_node *entry = entry_find(set, path);

	if (!entry)
		return 0;
	facts &= entry->facts;
	entry->facts &= ~facts;
	if (!entry->facts)
		entry_remove(set, entry);
	return facts;
}

/* Returns what is remembered of a path. */
static unsigned facts_of(struct empty_nodes *set, const char *path)
{
	struct empty_node *entry = entry_find(set, path);

	return entry ? entry->facts : 0;
}

void empty_nodes_add(struct empty_nodes *set, const char *path)
{
	take(set, path, EMPTY_NODE_FILE);
	add(set, path, EMPTY_NODE_DIR | EMPTY_NODE_NO_VALUE);
}

void empty_nodes_remove(struct empty_nodes *set, const char *path)
{
	take(set, path, ~0u);
}

bool empty_nodes_has(struct empty_nodes *set, const char *path)
{
	return facts_of(set, path) & EMPTY_NODE_DIR;
}

void empty_nodes_as_dir(struct empty_nodes *set, const char *path)
{
	add(set, path, EMPTY_NODE_DIR);
}

void empty_nodes_as_file(struct empty_nodes *set, const char *path)
{
	add(set, path, EMPTY_NODE_FILE);
}

bool empty_nodes_is_file(struct empty_nodes *set, const char *path)
{
	return facts_of(set, path) & EMPTY_NODE_FILE;
}

void empty_nodes_value_removed(struct empty_nodes *set, const char *path)
{
	add(set, path, EMPTY_NODE_NO_VALUE);
}

bool empty_nodes_value_written(struct empty_nodes *set, const char *path)
{
	return take(set, path, EMPTY_NODE_NO_VALUE);
}

bool empty_nodes_has_no_value(struct empty_nodes *set, const char *path)
{
	return facts_of(set, path) & EMPTY_NODE_NO_VALUE;
}

void empty_nodes_rename(struct empty_nodes *set, const char *from, const char *to)
{
	size_t from_len = strlen(from), to_len = strlen(to);
	struct empty_node *entry, *next;
	char path[PATH_SIZE];

	HASH_ITER(hh, set->entries, entry, next) {
		if (!path_below(entry->path, from))
			continue;
		/* Out first: a full set would make room for the new name, perhaps by this entry. */
		HASH_DEL(set->entries, entry);
		if (to_len + strlen(entry->path + from_len) < PATH_SIZE) {
			memcpy(path, to, to_len);
			strcpy(path + to_len, entry->path + from_len);
			add(set, path, entry->facts);
		}
		free(entry);
	}
}

void empty_nodes_remove_below(struct empty_nodes *set, const char *path)
{
	struct empty_node *entry, *next;

	HASH_ITER(hh, set->entries, entry, next)
		if (path_below(entry->path, path))
			entry_remove(set, entry);
}

void empty_nodes_copy(struct empty_nodes *set, struct empty_nodes *from)
{
	struct empty_node *entry;

	for (entry = from->entries; entry; entry = entry->hh.next)
		add(set, entry->path, entry->facts);
}

void empty_nodes_take(struct empty_nodes *set, const char *path, struct empty_nodes *from)
{
	unsigned facts = facts_of(from, path);

	take(set, path, ~facts);
	if (facts)
		add(set, path, facts);
}
