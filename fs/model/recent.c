/* SPDX-License-Identifier: MIT */
/* The set of recently changed paths. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "fs/model/name.h"
#include "fs/model/recent.h"

struct recent_entry {
	UT_hash_handle hh;
	struct timespec at;    /* when the node itself changed or came into being */
	struct timespec below; /* when everything below it may have changed; 0: unknown */
	char path[];
};

static void remove_entry(struct recent *recent, struct recent_entry *entry)
{
	HASH_DEL(recent->entries, entry);
	free(entry);
}

void recent_deinit(struct recent *recent)
{
	while (recent->entries)
		remove_entry(recent, recent->entries);
}

static struct recent_entry *find(const struct recent *recent, const char *path, size_t len)
{
	struct recent_entry *entry;

	HASH_FIND(hh, recent->entries, path, len, entry);
	return entry;
}

/* Takes the entry of a path out, or makes a new one. */
static struct recent_entry *recent_take(struct recent *recent, const char *path, size_t len)
{
	struct recent_entry *entry = find(recent, path, len);

	if (entry) {
		HASH_DEL(recent->entries, entry);
		return entry;
	}
	entry = calloc(1, sizeof(*entry) + len + 1);
	if (entry)
		memcpy(entry->path, path, len);
	return entry;
}

void recent_add(struct recent *recent, const char *path, size_t len, const struct timespec *at,
		bool below)
{
	struct recent_entry *entry = recent_take(recent, path, len);

	if (!entry)
		return;
	if (time_is_later(at, &entry->at))
		entry->at = *at;
	if (below && time_is_later(at, &entry->below))
		entry->below = *at;
	/* uthash keeps the order of addition: its first element is the oldest. */
	if (HASH_COUNT(recent->entries) >= RECENT_MAX)
		remove_entry(recent, recent->entries);
	HASH_ADD_KEYPTR(hh, recent->entries, entry->path, len, entry);
	if (!entry->hh.tbl)
		free(entry);
}

struct timespec recent_find(const struct recent *recent, const char *path)
{
	size_t len = strlen(path);
	struct recent_entry *entry;
	struct timespec at = { 0 };

	if (!recent->entries)
		return at;
	entry = find(recent, path, len);
	if (entry)
		at = entry->at;
	/* The paths above it, ending with the root of the store. */
	while (len > 1) {
		while (len > 1 && path[len - 1] != '/')
			len--;
		if (len > 1)
			len--;
		entry = find(recent, path, len);
		if (entry && time_is_later(&entry->below, &at))
			at = entry->below;
	}
	return at;
}
