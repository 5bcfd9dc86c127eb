/* SPDX-License-Identifier: MIT */
/*
 * The log of the store's latest events, for whoever samples the store and wants to know whether the
 * sample is still true.
 *
 * An event on P says: P and everything below it may have changed or gone, and nodes above P may
 * have come into being.  It is a hint, not a count.  dispatch.h has what is done with one.
 */
#ifndef FS_MODEL_EVENT_H
#define FS_MODEL_EVENT_H

#include <stdbool.h>
#include <stdint.h>

/* Events that are remembered, to compare with samples taken meanwhile. */
#define EVENT_RECENT 256

struct events {
	uint64_t seq;                /* of the last event */
	uint64_t forgotten;          /* events up to this one are not remembered */
	char *recent[EVENT_RECENT];  /* the path of event n at n % EVENT_RECENT */
};

void events_init(struct events *events);
void events_deinit(struct events *events);

/* Adds an event on `path` (copied); NULL: on anything.  Without memory it counts as the latter. */
void events_add(struct events *events, const char *path);

/* Returns whether an event since number `seq` concerns `path`, or may. */
bool events_since(struct events *events, uint64_t seq, const char *path);

#endif
