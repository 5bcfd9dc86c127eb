/* SPDX-License-Identifier: MIT */
/* A directory's names from replies that each have a part of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/model/name_parts.h"

/* Adds a reply that is written as a string, whose last NUL counts. */
#define ADD(parts, body) name_parts_add(parts, body, sizeof(body))

static void assert_names(const struct name_parts *parts, const char *names, size_t len)
{
	assert_int_equal(parts->len, len);
	assert_memory_equal(parts->names, names, len);
}

static void one_part_may_have_all(void **state)
{
	struct name_parts parts = { 0 };

	(void)state;
	assert_int_equal(ADD(&parts, "7\0a\0bc\0"), NAME_PARTS_DONE);
	assert_names(&parts, "a\0bc", 5);
	name_parts_deinit(&parts);
}

static void parts_follow_each_other_at_their_offsets(void **state)
{
	struct name_parts parts = { 0 };

	(void)state;
	assert_int_equal(ADD(&parts, "7\0a\0bc"), NAME_PARTS_MORE);
	assert_int_equal(parts.offset, 5);
	assert_int_equal(ADD(&parts, "7\0d\0"), NAME_PARTS_DONE);
	assert_names(&parts, "a\0bc\0d", 7);
	name_parts_deinit(&parts);
}

static void a_directory_that_changed_is_read_from_the_start(void **state)
{
	struct name_parts parts = { 0 };

	(void)state;
	assert_int_equal(ADD(&parts, "7\0a"), NAME_PARTS_MORE);
	assert_int_equal(ADD(&parts, "8\0b\0"), NAME_PARTS_MORE);
	assert_int_equal(parts.offset, 0);
	assert_int_equal(ADD(&parts, "8\0c"), NAME_PARTS_MORE);
	assert_int_equal(ADD(&parts, "8\0d\0"), NAME_PARTS_DONE);
	assert_names(&parts, "c\0d", 4);
	name_parts_deinit(&parts);
}

static void one_that_keeps_changing_is_as_it_was_seen_last(void **state)
{
	struct name_parts parts = { 0 };
	int rc = NAME_PARTS_MORE;
	unsigned i;

	(void)state;
	for (i = 0; rc == NAME_PARTS_MORE && i < 100; i++)
		rc = i % 2 ? ADD(&parts, "2\0b\0") : ADD(&parts, "1\0a");
	assert_int_equal(rc, NAME_PARTS_CHANGING);
	assert_int_equal(i, 2 * NAME_PARTS_RESTARTS);
	assert_names(&parts, "a\0b", 4);
	name_parts_deinit(&parts);
}

static void what_makes_no_sense_is_an_error(void **state)
{
	struct name_parts parts = { 0 };

	(void)state;
	assert_int_equal(name_parts_add(&parts, "", 0), -EIO);
	assert_int_equal(ADD(&parts, "x\0a\0"), -EIO);
	/* Neither the end nor a name: it would be asked for again for ever. */
	assert_int_equal(ADD(&parts, "7"), -EIO);
	name_parts_deinit(&parts);
}

static void a_directory_without_end_has_an_end(void **state)
{
	struct name_parts parts = { 0 };
	char body[4096];
	unsigned n = 0;
	int rc;

	(void)state;
	memset(body, 'a', sizeof(body));
	memcpy(body, "7", 2);
	body[sizeof(body) - 1] = '\0';
	do {
		rc = name_parts_add(&parts, body, sizeof(body));
	} while (rc == NAME_PARTS_MORE && ++n < 2 * NAME_PARTS_MAX / sizeof(body));
	assert_int_equal(rc, -E2BIG);
	assert_true(parts.max <= NAME_PARTS_MAX);
	name_parts_deinit(&parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_part_may_have_all),
		cmocka_unit_test(parts_follow_each_other_at_their_offsets),
		cmocka_unit_test(a_directory_that_changed_is_read_from_the_start),
		cmocka_unit_test(one_that_keeps_changing_is_as_it_was_seen_last),
		cmocka_unit_test(what_makes_no_sense_is_an_error),
		cmocka_unit_test(a_directory_without_end_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
