/* SPDX-License-Identifier: MIT */
/* The log of events.  Any thread; a leaf lock; no I/O. */
#include <stdlib.h>
#include <string.h>

#include "fs/model/event.h"
#include "fs/model/name.h"

void events_init(struct events *events)
{
	*events = (struct events){ 0 };
	pthread_mutex_init(&events->lock, NULL);
}

void events_deinit(struct events *events)
{
	for (unsigned i = 0; i < EVENT_RECENT; i++)
		free(events->recent[i]);
	pthread_mutex_destroy(&events->lock);
}

void events_add(struct events *events, const char *path)
{
	char *copy = path ? strdup(path) : NULL;
	char **slot;

	pthread_mutex_lock(&events->lock);
	slot = &events->recent[++events->seq % EVENT_RECENT];
	free(*slot);
	*slot = copy;
	if (!copy)
		events->forgotten = events->seq;
	else if (events->seq >= EVENT_RECENT && events->seq - EVENT_RECENT > events->forgotten)
		events->forgotten = events->seq - EVENT_RECENT;
	pthread_mutex_unlock(&events->lock);
}

uint64_t events_seq(struct events *events)
{
	uint64_t seq;

	pthread_mutex_lock(&events->lock);
	seq = events->seq;
	pthread_mutex_unlock(&events->lock);
	return seq;
}

bool events_since(struct events *events, uint64_t seq, const char *path)
{
	bool found;

	pthread_mutex_lock(&events->lock);
	found = seq < events->forgotten;
	for (uint64_t n = seq + 1; n <= events->seq && !found; n++)
		found = path_related(events->recent[n % EVENT_RECENT], path);
	pthread_mutex_unlock(&events->lock);
	return found;
}
