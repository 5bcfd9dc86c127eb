/* SPDX-License-Identifier: MIT */
/*
 * A bounded queue of paths on which something happened, each once, in the order of arrival.  When
 * there is no room, or no memory, it drops all of them and records an overflow; nothing more is
 * queued until the overflow was taken.  Pure; the caller serialises.
 */
#ifndef FS_EVENTS_PATH_QUEUE_H
#define FS_EVENTS_PATH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct path_item;

struct path_queue {
	struct path_item *items;
	size_t bytes;  /* memory that they take */
	size_t max;
	bool overflow; /* paths were dropped, and that was not taken yet */
};

/* `max`: the most memory that it may take, in bytes. */
void path_queue_init(struct path_queue *queue, size_t max);

/* Drops all paths. */
void path_queue_clear(struct path_queue *queue);

/* Adds a path (copied) unless it is queued already.  Returns false if this made the
 * queue overflow. */
bool path_queue_add(struct path_queue *queue, const char *path);

/* Returns the first path, or NULL.  It stays valid until the queue changes. */
const char *path_queue_first(const struct path_queue *queue);

/* Removes the first path. */
void path_queue_pop(struct path_queue *queue);

#endif
