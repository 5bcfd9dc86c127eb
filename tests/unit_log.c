/* SPDX-License-Identifier: MIT */
/* Tests src/log_text.c: how a log line shows bytes that other clients wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "src/log_text.h"

static void shows(const char *text, const char *expected)
{
	char out[256];

	log_text_escape(out, sizeof(out), text);
	assert_string_equal(out, expected);
}

static void text_stays_as_it_is(void **state)
{
	(void)state;
	shows("", "");
	shows("/local/domain/1: \"a b\" ~", "/local/domain/1: \"a b\" ~");
	shows("/mnt/\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xa7", "/mnt/\xc3\xbc\xe2\x82\xac\xf0\x9f\x90\xa7");
}

static void control_characters_are_escaped(void **state)
{
	(void)state;
	shows("a\nb\tc\rd", "a\\nb\\tc\\x0dd");
	shows("\033[31m\177", "\\x1b[31m\\x7f");
	shows("\\n", "\\\\n");
	/* U+009B is what ESC [ is to some terminals. */
	shows("\xc2\x9b" "31m", "\\xc2\\x9b31m");
	shows("\xc2\xa0", "\xc2\xa0");
}

static void ends_of_lines_and_changes_of_direction_are_escaped(void **state)
{
	(void)state;
	shows("a\xe2\x80\xaeoot", "a\\xe2\\x80\\xaeoot");
	shows("a\xe2\x80\xa8" "b", "a\\xe2\\x80\\xa8b");
	shows("a\xe2\x81\xa6" "b", "a\\xe2\\x81\\xa6b");
	shows("a\xe2\x80\x93" "b", "a\xe2\x80\x93" "b");
}

static void what_is_no_utf8_is_escaped(void **state)
{
	(void)state;
	shows("\xff\xfe", "\\xff\\xfe");
	shows("\xc3", "\\xc3");
	shows("\xe2\x82z", "\\xe2\\x82z");
	shows("\xc0\xaf", "\\xc0\\xaf");
}

static void what_does_not_fit_is_left_out(void **state)
{
	char out[8];

	(void)state;
	log_text_escape(out, sizeof(out), "1234567");
	assert_string_equal(out, "1234567");
	log_text_escape(out, sizeof(out), "12345678");
	assert_string_equal(out, "1234567");
	/* Nothing is cut in the middle. */
	log_text_escape(out, sizeof(out), "12345\xe2\x82\xac");
	assert_string_equal(out, "12345");
	log_text_escape(out, sizeof(out), "1234\033");
	assert_string_equal(out, "1234");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stays_as_it_is),
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(ends_of_lines_and_changes_of_direction_are_escaped),
		cmocka_unit_test(what_is_no_utf8_is_escaped),
		cmocka_unit_test(what_does_not_fit_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
