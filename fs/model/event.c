/* SPDX-License-Identifier: MIT */
/* The log of events.  No I/O. */
#include <stdlib.h>
#include <string.h>

#include "fs/model/event.h"
#include "fs/model/name.h"

void events_init(struct events *events)
{
	*events = (struct events){ 0 };
}

void events_deinit(struct events *events)
{
	for (unsigned i = 0; i < EVENT_RECENT; i++)
		free(events->recent[i]);
}

void events_add(struct events *events, const char *path)
{
	char *copy = path ? strdup(path) : NULL;
	char **slot;

	slot = &events->recent[++events->seq % EVENT_RECENT];
	free(*slot);
	*slot = copy;
	if (!copy)
		events->forgotten = events->seq;
	else if (events->seq >= EVENT_RECENT && events->seq - EVENT_RECENT > events->forgotten)
		events->forgotten = events->seq - EVENT_RECENT;
}

bool events_since(struct events *events, uint64_t seq, const char *path)
{
	bool found;

	found = seq < events->forgotten;
	for (uint64_t n = seq + 1; n <= events->seq && !found; n++)
		found = path_related(events->recent[n % EVENT_RECENT], path);
	return found;
}
