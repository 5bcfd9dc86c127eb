/* SPDX-License-Identifier: MIT */
/*
 * Lines in the log that a user can provoke: one a minute of each kind, which says how many there were.
 * The caller serialises (fs->lock).
 */
#ifndef FS_MODEL_RATE_H
#define FS_MODEL_RATE_H

#include <stdbool.h>
#include <time.h>

/* Zeroed at first. */
struct rate {
	time_t told_at; /* CLOCK_MONOTONIC; 0: never */
	unsigned long missed; /* since then */
};

/* Counts an occasion for a line.  Returns whether it is to be written; *missed: how many were not, since the last. */
bool rate_allows(struct rate *rate, unsigned long *missed);

#endif
