/* SPDX-License-Identifier: MIT */
/* A bounded queue of paths.  Pure. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "fs/events/path_queue.h"

struct path_item {
	UT_hash_handle hh; /* uthash keeps the order of arrival */
	char path[];
};

void path_queue_init(struct path_queue *queue, size_t max)
{
	*queue = (struct path_queue){ .max = max };
}

void path_queue_clear(struct path_queue *queue)
{
	while (queue->items)
		path_queue_pop(queue);
}

static bool overflow(struct path_queue *queue)
{
	path_queue_clear(queue);
	queue->overflow = true;
	return false;
}

bool path_queue_add(struct path_queue *queue, const char *path)
{
	size_t size = strlen(path) + 1;
	struct path_item *item;

	/* Nothing more can be added until the overflow was taken. */
	if (queue->overflow)
		return true;
	HASH_FIND_STR(queue->items, path, item);
	if (item)
		return true;
	if (queue->bytes + sizeof(*item) + size > queue->max)
		return overflow(queue);
	item = malloc(sizeof(*item) + size);
	if (!item)
		return overflow(queue);
	memcpy(item->path, path, size);
	HASH_ADD_STR(queue->items, path, item);
	if (!item->hh.tbl) {
		free(item);
		return overflow(queue);
	}
	queue->bytes += sizeof(*item) + size;
	return true;
}

const char *path_queue_first(const struct path_queue *queue)
{
	return queue->items ? queue->items->path : NULL;
}

void path_queue_pop(struct path_queue *queue)
{
	struct path_item *item = queue->items;

	queue->bytes -= sizeof(*item) + strlen(item->path) + 1;
	HASH_DEL(queue->items, item);
	free(item);
}
