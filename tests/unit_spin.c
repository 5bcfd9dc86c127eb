/* SPDX-License-Identifier: MIT */
/* Tests ring/spin.c: looking again pays only where it is rewarded, and it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ring/spin.h"

/* What is looked at: it is ready at the look with this number. */
struct thing {
	unsigned looks, ready_at;
};

static bool look(const void *arg)
{
	struct thing *thing = (struct thing *)arg;

	return ++thing->looks >= thing->ready_at;
}

/* Returns how many times a glance looked that finds nothing. */
static unsigned glance_in_vain(struct glance *glance)
{
	struct thing never = { .ready_at = -1 };

	assert_false(glance_until(glance, look, &never));
	return never.looks;
}

static void glance_finds(void **state)
{
	struct thing at_once = { .ready_at = 1 }, soon = { .ready_at = 2 };
	struct glance glance;

	(void)state;
	glance_init(&glance);
	assert_true(glance_until(&glance, look, &at_once));
	assert_int_equal(at_once.looks, 1);
	assert_true(glance_until(&glance, look, &soon));
	assert_int_equal(soon.looks, 2);
}

static void glance_in_vain_loses_trust(void **state)
{
	unsigned tried = 0, looks;
	struct thing at_once;
	struct glance glance;

	(void)state;
	glance_init(&glance);
	for (int i = 0; i < SPIN_SCORE_MAX; i++)
		glance_in_vain(&glance);
	/* One look is for nothing, and now most of the time there is no second. */
	for (int i = 0; i < 64; i++) {
		looks = glance_in_vain(&glance);
		assert_true(looks >= 1);
		tried += looks > 1;
	}
	assert_int_equal(tried, 4);
	/* The first look is always taken. */
	for (int i = 0; i < 64; i++) {
		at_once = (struct thing){ .ready_at = 1 };
		assert_true(glance_until(&glance, look, &at_once));
	}
}

static void glance_gains_trust(void **state)
{
	struct glance glance;
	struct thing soon;
	unsigned found = 0;

	(void)state;
	glance_init(&glance);
	for (int i = 0; i < SPIN_SCORE_MAX; i++)
		glance_in_vain(&glance);
	for (int i = 0; i < 64; i++) {
		soon = (struct thing){ .ready_at = 2 };
		found += glance_until(&glance, look, &soon);
	}
	/* From the first that was tried and found, all were tried. */
	assert_true(found >= 64 - 16);
}

static void spin_ends(void **state)
{
	struct spin spin;
	unsigned tried = 0;

	(void)state;
	spin_init(&spin);
	while (spin_again(&spin))
		tried++;
	assert_true(tried >= 1);
	/* Without reward it is hardly ever tried. */
	for (int i = 0; i < SPIN_SCORE_MAX; i++)
		while (spin_again(&spin))
			;
	tried = 0;
	for (int i = 0; i < 64; i++) {
		tried += spin_again(&spin);
		while (spin_again(&spin))
			;
		spin_restart(&spin);
	}
	assert_in_range(tried, 1, 8);
}

/* Lets it be tried in vain until it is hardly ever tried. */
static void spin_lose_trust(struct spin *spin)
{
	spin_init(spin);
	for (int i = 0; i < SPIN_SCORE_MAX; i++)
		while (spin_again(spin))
			;
	spin->skipped = 0;
}

static void spin_is_tried_when_something_is_certain(void **state)
{
	struct spin spin;

	(void)state;
	spin_lose_trust(&spin);
	assert_false(spin_again(&spin));
	spin_expect(&spin);
	assert_true(spin_again(&spin));
	/* It comes, which was known before, and so says nothing about the next time. */
	spin_hit(&spin);
	assert_int_equal(spin.score, 0);
	assert_false(spin_again(&spin));
}

static void spin_for_what_is_certain_ends(void **state)
{
	struct spin spin;

	(void)state;
	spin_init(&spin);
	spin_expect(&spin);
	while (spin_again(&spin))
		;
	assert_int_equal(spin.score, SPIN_SCORE_MAX);
	/* The next one counts again. */
	while (spin_again(&spin))
		;
	assert_true(spin.score < SPIN_SCORE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(glance_finds),
		cmocka_unit_test(glance_in_vain_loses_trust),
		cmocka_unit_test(glance_gains_trust),
		cmocka_unit_test(spin_ends),
		cmocka_unit_test(spin_is_tried_when_something_is_certain),
		cmocka_unit_test(spin_for_what_is_certain_ends),
	};

	return cmocka_run_group_tests_name("spin", tests, NULL, NULL);
}
