/* SPDX-License-Identifier: MIT */
/*
 * The log of the store's latest events.  Code that samples the store consults it to learn whether
 * the sample is still true.
 *
 * An event on P says: P and everything below it may have changed or gone, and nodes above P may
 * have come into being.  It is a hint, not a count.  dispatch.h describes how events are handled.
 */
#ifndef FS_MODEL_EVENT_H
#define FS_MODEL_EVENT_H

#include <stdbool.h>
#include <stdint.h>

/* Number of events that are remembered, to be compared with samples taken in the meantime. */
#define EVENT_RECENT 256

struct events {
	uint64_t seq;                /* number of the last event */
	uint64_t forgotten;          /* events up to this one are not remembered */
	char *recent[EVENT_RECENT];  /* the path of event n is at n % EVENT_RECENT */
};

void events_init(struct events *events);
void events_deinit(struct events *events);

/* Adds an event on `path` (copied); NULL means that anything may have changed, and so does a
 * failure to allocate memory. */
void events_add(struct events *events, const char *path);

/* Returns whether any event after number `seq` concerns `path`, or may concern it. */
bool events_since(struct events *events, uint64_t seq, const char *path);

#endif
