/* SPDX-License-Identifier: MIT */
/*
 * Request ids and the requests that they belong to: a fixed number of slots, one for each
 * request that may
 * await a reply.  For chan.c, under its lock.
 *
 * An id is a slot's number and a count that grows with each use, so it finds its slot without a
 * search, is never given out twice while it is in flight however often the count wraps, and a stale
 * reply (of a predecessor on the same ring) is recognised.
 */
#ifndef RING_TABLE_H
#define RING_TABLE_H

#include <stdint.h>

#include "ring/request.h"

/* Bits of an id that hold the slot's number. */
#define TABLE_SLOT_BITS 10
#define TABLE_SLOTS_MAX (1u << TABLE_SLOT_BITS)

struct table {
	struct request **slots;
	unsigned *free_slots; /* a stack of the unused ones */
	unsigned size;        /* of both arrays */
	unsigned free_count;
	uint32_t count;       /* becomes part of the next id */
};

/*
 * Makes a table of `size` slots (1 to TABLE_SLOTS_MAX) whose ids start after `seed`.
 * Returns 0 or -ENOMEM.
 */
int table_init(struct table *t, unsigned size, uint32_t seed);

/* Frees the slots; requests in them are not touched. */
void table_deinit(struct table *t);

/* Puts a request into a free slot, which must exist, and sets its msg.req_id (never 0, the id
 * of watch events). */
void table_insert(struct table *t, struct request *req);

/* Returns the request that has this id in flight, or NULL. */
struct request *table_find(const struct table *t, uint32_t id);

/* Takes a request out again; its slot may be reused. */
void table_remove(struct table *t, struct request *req);

/* Returns how many requests are in the table. */
static inline unsigned table_used(const struct table *t)
{
	return t->size - t->free_count;
}

#endif
