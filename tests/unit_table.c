/* SPDX-License-Identifier: MIT */
/* Tests ring/table.c: ids find their requests, wrap, and are never given out twice at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/table.h"

static struct request *request_in(struct table *t)
{
	struct request *req = request_new(XS_READ, 0, 0);

	table_insert(t, req);
	return req;
}

static void id_finds_its_request(void **state)
{
	struct request *a, *b;
	struct table t;

	(void)state;
	assert_int_equal(table_init(&t, 4, 0), 0);
	a = request_in(&t);
	b = request_in(&t);
	assert_ptr_equal(table_find(&t, a->msg.req_id), a);
	assert_ptr_equal(table_find(&t, b->msg.req_id), b);
	assert_int_equal(table_used(&t), 2);
	request_put(a);
	request_put(b);
	table_deinit(&t);
}

static void removed_is_not_found(void **state)
{
	struct request *req;
	struct table t;

	(void)state;
	assert_int_equal(table_init(&t, 4, 0), 0);
	req = request_in(&t);
	table_remove(&t, req);
	assert_null(table_find(&t, req->msg.req_id));
	assert_int_equal(table_used(&t), 0);
	request_put(req);
	table_deinit(&t);
}

static void stale_id_of_the_same_slot_is_not_found(void **state)
{
	struct request *old, *new;
	struct table t;

	(void)state;
	assert_int_equal(table_init(&t, 1, 0), 0);
	old = request_in(&t);
	table_remove(&t, old);
	new = request_in(&t);
	assert_int_equal(old->slot, new->slot);
	assert_null(table_find(&t, old->msg.req_id));
	request_put(old);
	request_put(new);
	table_deinit(&t);
}

static void any_number_can_be_looked_up(void **state)
{
	struct request *req;
	struct table t;

	(void)state;
	assert_int_equal(table_init(&t, 3, 0), 0);
	req = request_in(&t);
	/* Slots that exist and that do not, in particular those beyond the table. */
	for (uint32_t id = 0; id < 3 * TABLE_SLOTS_MAX; id++)
		assert_ptr_equal(table_find(&t, id), id == req->msg.req_id ? req : NULL);
	assert_null(table_find(&t, UINT32_MAX));
	request_put(req);
	table_deinit(&t);
}

static void largest_table(void **state)
{
	struct request *reqs[TABLE_SLOTS_MAX];
	struct table t;

	(void)state;
	assert_int_equal(table_init(&t, TABLE_SLOTS_MAX, UINT32_MAX), 0);
	for (unsigned i = 0; i < TABLE_SLOTS_MAX; i++)
		reqs[i] = request_in(&t);
	assert_int_equal(t.free_count, 0);
	for (unsigned i = 0; i < TABLE_SLOTS_MAX; i++) {
		assert_ptr_equal(table_find(&t, reqs[i]->msg.req_id), reqs[i]);
		request_put(reqs[i]);
	}
	table_deinit(&t);
}

/* Zero is the id of watch events. */
static void no_id_is_zero(void **state)
{
	struct request *req;
	struct table t;

	(void)state;
	/* The count's upper bits do not fit into an id: it wraps every so often. */
	for (uint64_t wrap = 0; wrap <= UINT32_MAX; wrap += 1 << (32 - TABLE_SLOT_BITS)) {
		assert_int_equal(table_init(&t, 1, (uint32_t)wrap - 2), 0);
		for (int i = 0; i < 4; i++) {
			req = request_in(&t);
			assert_int_not_equal(req->msg.req_id, 0);
			table_remove(&t, req);
			request_put(req);
		}
		table_deinit(&t);
	}
}

static void id_in_flight_is_not_given_out_again(void **state)
{
	struct request *held, *req;
	struct table t;

	(void)state;
	assert_int_equal(table_init(&t, 2, 0), 0);
	held = request_in(&t);
	for (unsigned i = 0; i < 5u << (32 - TABLE_SLOT_BITS) >> 4; i++) {
		/* Sixteen times as fast as by using them all. */
		t.count += 15;
		req = request_in(&t);
		if (req->msg.req_id == held->msg.req_id)
			fail_msg("id %u given out twice", req->msg.req_id);
		table_remove(&t, req);
		request_put(req);
	}
	assert_ptr_equal(table_find(&t, held->msg.req_id), held);
	request_put(held);
	table_deinit(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(id_finds_its_request),
		cmocka_unit_test(removed_is_not_found),
		cmocka_unit_test(stale_id_of_the_same_slot_is_not_found),
		cmocka_unit_test(any_number_can_be_looked_up),
		cmocka_unit_test(largest_table),
		cmocka_unit_test(no_id_is_zero),
		cmocka_unit_test(id_in_flight_is_not_given_out_again),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
