/* SPDX-License-Identifier: MIT */
/* Slots and ids of requests in flight.  For chan.c, under its lock. */
#include <assert.h>
#include <stdlib.h>

#include "ring/table.h"

int table_init(struct table *t, unsigned size, uint32_t seed)
{
	assert(size > 0 && size <= TABLE_SLOTS_MAX);
	t->slots = calloc(size, sizeof(*t->slots));
	t->free_slots = calloc(size, sizeof(*t->free_slots));
	if (!t->slots || !t->free_slots) {
		table_deinit(t);
		return -ENOMEM;
	}
	t->size = size;
	t->free_count = size;
	for (unsigned i = 0; i < size; i++)
		t->free_slots[i] = size - 1 - i;
	t->count = seed;
	return 0;
}

void table_deinit(struct table *t)
{
	free(t->slots);
	free(t->free_slots);
	*t = (struct table){ 0 };
}

void table_insert(struct table *t, struct request *req)
{
	assert(t->free_count > 0);
	req->slot = t->free_slots[--t->free_count];
	do {
		t->count++;
		req->msg.req_id = t->count << TABLE_SLOT_BITS | req->slot;
	} while (req->msg.req_id == 0);
	t->slots[req->slot] = req;
}

struct request *table_find(const struct table *t, uint32_t id)
{
	unsigned slot = id & (TABLE_SLOTS_MAX - 1);
	struct request *req = slot < t->size ? t->slots[slot] : NULL;

	return req && req->msg.req_id == id ? req : NULL;
}

void table_remove(struct table *t, struct request *req)
{
	assert(t->slots[req->slot] == req);
	t->slots[req->slot] = NULL;
	t->free_slots[t->free_count++] = req->slot;
}
