/* SPDX-License-Identifier: MIT */
/*
 * What an event of the store means here.  For cover.c, from where events come, and for whoever
 * samples the store and wants to know whether that is still true.
 *
 * An event on P says: P and everything below it may have changed or gone, and what is above P may
 * have come into being.  It is a hint, not a count.
 */
#ifndef FS_EVENT_H
#define FS_EVENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct fs;

/* Events that are remembered, to compare with samples taken meanwhile. */
#define EVENT_RECENT 256

struct events {
	pthread_mutex_t lock;
	uint64_t seq;                /* of the last event */
	uint64_t forgotten;          /* events up to this one are not remembered */
	char *recent[EVENT_RECENT];  /* the path of event n at n % EVENT_RECENT */
	uint64_t resyncs;
};

void events_init(struct events *events);
void events_deinit(struct events *events);

/* The store reported `path`.  Wakes polls, feeds streams, drops what is cached.  I/O thread. */
void event_changed(struct fs *fs, const char *path);

/* Events may have been lost: everything may have changed.  I/O thread. */
void event_resync(struct fs *fs);

/* A watch was set only now: polls are to look again.  Any thread. */
void event_unseen(struct fs *fs);

/* Returns the number of the last event: what is sampled from now on is newer.  Any thread. */
uint64_t event_seq(struct fs *fs);

/* Returns whether an event since number `seq` concerns `path`, or may.  Any thread. */
bool event_since(struct fs *fs, uint64_t seq, const char *path);

/* Returns whether one path is at or below the other. */
bool event_related(const char *a, const char *b);

#endif
