/* SPDX-License-Identifier: MIT */
/* Lines of the log that somebody provokes: a few a minute, and how many there were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ring/rate.h"

static unsigned lines;
static char last[2][80]; /* the latest two, the latest first */

static void keep_line(struct logger *log, enum log_level level, const char *fmt, va_list ap)
{
	(void)log;
	assert_int_equal(level, LOGGER_WARNING);
	snprintf(last[1], sizeof(last[1]), "%s", last[0]);
	vsnprintf(last[0], sizeof(last[0]), fmt, ap);
	lines++;
}

static struct logger logger = { .vlog = keep_line };

static void a_minute_has_its_lines_and_no_more(void **state)
{
	struct rate rate = { 0 };
	unsigned long missed;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_true(rate_allows(&rate, 3, &missed));
	assert_int_equal(missed, 0);
	for (unsigned i = 0; i < 5; i++)
		assert_false(rate_allows(&rate, 3, &missed));
	rate.since -= 61;
	assert_true(rate_allows(&rate, 3, &missed));
	assert_int_equal(missed, 5);
	assert_true(rate_allows(&rate, 3, &missed));
	assert_int_equal(missed, 0);
}

static void the_log_says_how_many_lines_were_left_out(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		rate_log(&rate, &logger, LOGGER_WARNING, "line %u", i);
	assert_int_equal(lines, RATE_LINES);
	rate.since -= 61;
	rate_log(&rate, &logger, LOGGER_WARNING, "line %u", 100);
	assert_int_equal(lines, RATE_LINES + 2);
	assert_string_equal(last[1], "90 lines like the next one were left out");
	assert_string_equal(last[0], "line 100");
}

static void without_a_log_nothing_is_counted(void **state)
{
	struct rate rate = { 0 };

	(void)state;
	rate_log(&rate, NULL, LOGGER_WARNING, "a line");
	assert_int_equal(rate.told, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_minute_has_its_lines_and_no_more),
		cmocka_unit_test(the_log_says_how_many_lines_were_left_out),
		cmocka_unit_test(without_a_log_nothing_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
