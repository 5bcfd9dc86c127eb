/* SPDX-License-Identifier: MIT */
/*
 * How long a thread keeps looking before it sleeps.  For the loops that service a channel.
 *
 * A wake-up costs more than many requests, so looking again for a while pays when the answer is
 * near; it must yield, or on one processor it would keep the very answer from being made.  The
 * budget adapts: where spinning is rarely rewarded it is tried rarely.
 */
#ifndef RING_SPIN_H
#define RING_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
	uint64_t until_ns; /* 0: not spinning */
	unsigned score;    /* how well it has paid lately, 0 to SPIN_SCORE_MAX */
	unsigned skipped;  /* opportunities skipped since the last try */
	bool sure;         /* this spin does not depend on trust, nor change it */
};

/* Longest time to spin for one event, in nanoseconds. */
#define SPIN_BUDGET_NS 50000

#define SPIN_SCORE_MAX 64

/* Starts out optimistic. */
void spin_init(struct spin *spin);

/* Something came: the budget starts afresh, and spinning gains trust. */
void spin_hit(struct spin *spin);

/* Nothing came.  Yields the processor and returns true if the caller should look again; returns
 * false if it should sleep. */
bool spin_again(struct spin *spin);

/* Something is certain to come soon: the next spin is tried whatever it has paid lately. */
void spin_expect(struct spin *spin);

/* The caller has slept; the budget starts afresh. */
void spin_restart(struct spin *spin);

/*
 * A look that is over before a yield would be: for the rest of a message that the other side is
 * just moving.  It adapts in the same way, as it is wasted where both share a processor.
 */
struct glance {
	unsigned score, skipped;
};

/* Starts out optimistic. */
void glance_init(struct glance *glance);

/* Calls `ready` until it returns true, for a few microseconds at most.  Returns whether it did. */
bool glance_until(struct glance *glance, bool (*ready)(const void *arg), const void *arg);

#endif
