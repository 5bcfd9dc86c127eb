/* SPDX-License-Identifier: MIT */
/* Log lines: how they show bytes that other clients wrote (src/log_text.c), and that they wait for nobody. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/log.h"
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
	shows("a\xd8\x9c" "b", "a\\xd8\\x9cb");
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

/* Reads what there is.  Returns its length. */
static size_t drain(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += n;
	text[len] = '\0';
	return len;
}

static void lines_that_nobody_reads_are_counted_and_not_waited_for(void **state)
{
	static char text[1 << 17];
	int saved = dup(STDERR_FILENO), fds[2], size, written = 0;
	struct logger *log;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	size = fcntl(fds[1], F_GETPIPE_SZ);
	assert_in_range(size, 4096, sizeof(text) - 1);
	/* A log of this name would not go to standard error. */
	unsetenv("JOURNAL_STREAM");
	log = log_init(true, false);
	log_started();
	dup2(fds[1], STDERR_FILENO);
	/* Each takes more than a byte: the pipe is full long before the end. */
	for (; written < size; written++)
		log_info(log, "line %d", written);
	assert_true(drain(fds[0], text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "xsfs: line 0\n"));
	assert_int_equal(text[strlen(text) - 1], '\n');
	log_info(log, "the next one");
	drain(fds[0], text, sizeof(text));
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[0]);
	close(fds[1]);
	assert_non_null(strstr(text, " lines were lost here, as the log did not take them\nxsfs: the next one\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stays_as_it_is),
		cmocka_unit_test(control_characters_are_escaped),
		cmocka_unit_test(ends_of_lines_and_changes_of_direction_are_escaped),
		cmocka_unit_test(what_is_no_utf8_is_escaped),
		cmocka_unit_test(what_does_not_fit_is_left_out),
		cmocka_unit_test(lines_that_nobody_reads_are_counted_and_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
