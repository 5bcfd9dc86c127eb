/* SPDX-License-Identifier: MIT */
/*
 * A bounded queue of paths on which something happened, each once, in the order of arrival.  When
 * there is no room, or no memory, it forgets them all and says that it overflowed: then nothing more
 * is queued until that was taken.  Pure; the caller serialises.
 */
#ifndef FS_EVENTS_PATH_QUEUE_H
#define FS_EVENTS_PATH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct path_item;

struct path_queue {
	struct path_item *items;
	size_t bytes;  /* that they take */
	size_t max;
	bool overflow; /* paths were forgotten, and that was not taken yet */
};

/* `max`: the bytes that it may take. */
void path_queue_init(struct path_queue *queue, size_t max);

/* Forgets all paths. */
void path_queue_clear(struct path_queue *queue);

/* Adds a path (copied) unless it is there.  Returns false if the queue has overflowed by that. */
bool path_queue_add(struct path_queue *queue, const char *path);

/* Returns the first path, which stays valid until the queue is changed, or NULL. */
const char *path_queue_first(const struct path_queue *queue);

/* Removes the first path. */
void path_queue_pop(struct path_queue *queue);

#endif
