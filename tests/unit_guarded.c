/* SPDX-License-Identifier: MIT */
/* Which directories are protected, and which lead to one: the table, and the option protect=. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/model/guarded.h"

static void expect(const char *option, bool (*ask)(const struct patterns *guarded, const char *path),
		   bool expected, const char *const *paths)
{
	struct patterns guarded;

	assert_int_equal(guarded_init(&guarded, option), 0);
	for (; *paths; paths++)
		if (ask(&guarded, *paths) != expected)
			fail_msg("%s: %s", option ? option : "(none)", *paths);
	patterns_deinit(&guarded);
}

static void what_a_host_needs(void **state)
{
	static const char *const yes[] = {
		"/local", "/local/domain", "/local/domain/0", "/local/domain/7",
		"/local/domain/0/memory", "/local/domain/0/device-model",
		"/local/domain/0/backend", "/local/domain/0/backend/vif",
		"/local/domain/3/backend/vbd", "/local/pool/0", "/libxl", "/libxl/7", "/vm",
		"/vm/3f1c8a52-7d0e-4b6a-9e35-c2a4d81f0b67", "/tool", "/tool/xenstored", NULL,
	};
	static const char *const no[] = {
		"/mine", "/tool/mine", "/local/domain/0/name", "/local/domain/7/data",
		"/local/domain/7/device", "/local/domain/7/memory", "/local/domain/data",
		"/local/domain/0/backend/vif/7", "/local/domain/0/backend/vif/7/0",
		"/libxl/7/device", "/vm/3f1c8a52-7d0e-4b6a-9e35-c2a4d81f0b67/image", NULL,
	};

	(void)state;
	expect(NULL, patterns_have, true, yes);
	expect("/mine/top", patterns_have, true, yes);
	expect(NULL, patterns_have, false, no);
	expect("none:/mine/top", patterns_have, false, yes);
}

static void what_leads_to_one(void **state)
{
	static const char *const yes[] = { "/a", "/a/b", "/x", "/x/yy", "/x/yy/z", NULL };
	static const char *const no[] = { "/a/b/c", "/a/c", "/b", "/x/zz", "/x/yy/z/w", "/a/b/c/d", NULL };

	(void)state;
	expect("none:/a/b/c:/x/y*/z/*", patterns_have_below, true, yes);
	expect("none:/a/b/c:/x/y*/z/*", patterns_have_below, false, no);
}

static void nothing_at_all(void **state)
{
	static const char *const options[] = { NULL, "/a", "none:/a", "none" };
	struct patterns guarded;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(guarded_init(&guarded, options[i]), 0);
		assert_int_equal(patterns_are_empty(&guarded), i == 3);
		patterns_deinit(&guarded);
	}
}

static void the_table_is_legal(void **state)
{
	unsigned n = 0;

	(void)state;
	for (const char *pattern; (pattern = guarded_builtin(n)); n++)
		if (!patterns_option_is_legal(pattern))
			fail_msg("%s", pattern);
	assert_in_range(n, 10, 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_host_needs),
		cmocka_unit_test(what_leads_to_one),
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(the_table_is_legal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
