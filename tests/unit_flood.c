/* SPDX-License-Identifier: MIT */
/* Whether the server may have kept events back, by how many come between a question and the next answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/model/flood.h"

/* So many events come.  Returns how often a question was due. */
static unsigned come(struct flood *flood, unsigned n)
{
	unsigned due = 0;

	while (n--)
		due += flood_event(flood);
	return due;
}

/* So many events come, and a question is sent as soon as it is due. */
static void come_and_ask(struct flood *flood, unsigned n)
{
	while (n--)
		if (flood_event(flood))
			flood_asked(flood);
}

static void a_question_is_due_after_so_many_events(void **state)
{
	(void)state;
	struct flood flood = { 0 };

	assert_int_equal(come(&flood, FLOOD_ASK - 1), 0);
	assert_true(flood_event(&flood));
	flood_asked(&flood);
	assert_int_equal(come(&flood, 10 * FLOOD_ASK), 0);
}

static void few_events_at_a_time_are_no_flood(void **state)
{
	(void)state;
	struct flood flood = { 0 };

	for (unsigned i = 0; i < 100; i++) {
		come_and_ask(&flood, FLOOD_ASK);
		assert_true(flood.asking);
		assert_int_equal(flood_answered(&flood), FLOOD_NOTHING);
	}
}

static void many_events_before_an_answer_are_a_flood(void **state)
{
	(void)state;
	struct flood flood = { 0 };

	come_and_ask(&flood, FLOOD_EVENTS);
	assert_int_equal(flood_answered(&flood), FLOOD_ASK_AGAIN);
	assert_true(flood.high);
}

static void it_is_over_when_few_have_come_since_the_question_before(void **state)
{
	(void)state;
	struct flood flood = { 0 };

	come_and_ask(&flood, 2 * FLOOD_EVENTS);
	assert_int_equal(flood_answered(&flood), FLOOD_ASK_AGAIN);
	flood_asked(&flood);
	assert_int_equal(flood_answered(&flood), FLOOD_ASK_AGAIN);
	flood_asked(&flood);
	come(&flood, FLOOD_ASK);
	assert_int_equal(flood_answered(&flood), FLOOD_OVER);
	/* That is told once. */
	come_and_ask(&flood, 1);
	assert_int_equal(flood_answered(&flood), FLOOD_NOTHING);
}

/* The server's queue may have been full from shortly after one answer to shortly before the next. */
static void what_came_before_the_question_counts(void **state)
{
	(void)state;
	struct flood flood = { 0 };

	come_and_ask(&flood, FLOOD_ASK);
	assert_int_equal(flood_answered(&flood), FLOOD_NOTHING);
	come_and_ask(&flood, FLOOD_ASK);
	come(&flood, FLOOD_EVENTS - 2 * FLOOD_ASK);
	assert_int_equal(flood_answered(&flood), FLOOD_NOTHING);
	come_and_ask(&flood, FLOOD_ASK);
	come(&flood, FLOOD_ASK);
	assert_int_equal(flood_answered(&flood), FLOOD_ASK_AGAIN);
}

static void a_question_without_an_answer_is_asked_again(void **state)
{
	(void)state;
	struct flood flood = { 0 };

	come_and_ask(&flood, FLOOD_ASK);
	flood_unanswered(&flood);
	assert_true(flood_event(&flood));
	flood_asked(&flood);
	come(&flood, FLOOD_EVENTS - FLOOD_ASK - 1);
	assert_int_equal(flood_answered(&flood), FLOOD_ASK_AGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_due_after_so_many_events),
		cmocka_unit_test(few_events_at_a_time_are_no_flood),
		cmocka_unit_test(many_events_before_an_answer_are_a_flood),
		cmocka_unit_test(it_is_over_when_few_have_come_since_the_question_before),
		cmocka_unit_test(what_came_before_the_question_counts),
		cmocka_unit_test(a_question_without_an_answer_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
