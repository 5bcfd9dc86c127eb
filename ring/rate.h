/* SPDX-License-Identifier: MIT */
/*
 * Lines in the log that a user, or a store that makes no sense, can provoke: a few a minute of each kind, with the
 * number of those that were left out.
 * The caller serialises all uses of a `struct rate`.
 */
#ifndef RING_RATE_H
#define RING_RATE_H

#include <stdbool.h>
#include <time.h>

#include "ring/logger.h"

/* The lines that rate_log() writes in a minute. */
#define RATE_LINES 10

/* Zeroed at first. */
struct rate {
	time_t since;         /* the first line of this minute: CLOCK_MONOTONIC; 0: there was none yet */
	unsigned told;        /* since then */
	unsigned long missed; /* likewise, that were not to be written */
};

/* Counts an occasion for a line, of which `most` are written in a minute.  Returns whether this one is; *missed: how
 * many were not, since the last. */
bool rate_allows(struct rate *rate, unsigned most, unsigned long *missed);

/* Logs a line, if there were not too many like it, and before it how many were left out. */
void rate_log(struct rate *rate, struct logger *log, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
