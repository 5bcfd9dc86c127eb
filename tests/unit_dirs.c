/* SPDX-License-Identifier: MIT */
/* Which empty nodes are directories because of their paths: Xen's table, and the option dirs=. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/model/dirs.h"
#include "fs/model/name.h"
#include "tests/failing_malloc.h"

static void expect(const char *option, bool expected, const char *const *paths)
{
	struct patterns dirs;

	assert_int_equal(dirs_init(&dirs, option), 0);
	for (; *paths; paths++)
		if (patterns_have(&dirs, *paths) != expected)
			fail_msg("%s: %s", option ? option : "(none)", *paths);
	patterns_deinit(&dirs);
}

/* Directories that libxl makes empty when it creates a domain, and that drivers fill. */
static void directories_of_xen(void **state)
{
	static const char *const paths[] = {
		"/local", "/local/domain", "/local/domain/0", "/local/domain/32751", "/vm",
		"/vm/3f1c8a52-7d0e-4b6a-9e35-c2a4d81f0b67", "/libxl", "/libxl/7", "/libxl/7/device",
		"/libxl/7/device/vbd/51712", "/tool", "/tool/xenstored", "/local/pool/0",
		"/local/domain/7/cpu", "/local/domain/7/memory", "/local/domain/7/device",
		"/local/domain/7/device/suspend", "/local/domain/7/device/vif",
		"/local/domain/7/device/vif/0", "/local/domain/7/control",
		"/local/domain/7/hvmloader", "/local/domain/7/data", "/local/domain/7/drivers",
		"/local/domain/7/feature", "/local/domain/7/attr", "/local/domain/7/error",
		"/local/domain/7/libxl", "/local/domain/7/device-model",
		"/local/domain/0/device-model/7", "/local/domain/0/device-model/7/backends/qdisk",
		"/local/domain/0/backend", "/local/domain/0/backend/vbd",
		"/local/domain/0/backend/vbd/7", "/local/domain/0/backend/vbd/7/51712",
		"/local/domain/7/attr/vif/0/ipv4", "/local/domain/7/console", NULL,
	};

	(void)state;
	expect(NULL, true, paths);
	expect("/a", true, paths);
	expect("none", false, paths);
}

/* Values that are, or may be, empty. */
static void values_of_xen(void **state)
{
	static const char *const paths[] = {
		"/", "/a", "/data", "/local/domain/7/name", "/local/domain/7/vm",
		"/local/domain/7/control/shutdown", "/local/domain/7/control/sysrq",
		"/local/domain/7/control/feature-poweroff",
		"/local/domain/7/device/suspend/event-channel",
		"/local/domain/7/device/vif/0/state", "/local/domain/7/data/foo",
		"/local/domain/7/drivers/0", "/local/domain/7/feature/hotplug/vif",
		"/local/domain/7/attr/vif/0/name", "/local/domain/7/attr/vif/0/ipv4/0",
		"/local/domain/7/libxl/disable_udev", "/local/domain/7/console/limit",
		"/local/domain/0/backend/vbd/7/51712/params", "/local/domain/0/device-model/7/state",
		"/vm/3f1c8a52-7d0e-4b6a-9e35-c2a4d81f0b67/rtc/timeoffset", "/libxl/7/type",
		"/tool/xenstored/domid", "/local/domain/data", "/local/domain/7/datax",
		"/local/domain/7/data/", "/x/local/domain/7/data", NULL,
	};

	(void)state;
	expect(NULL, false, paths);
	expect("none", false, paths);
}

static void of_the_option(void **state)
{
	static const char *const yes[] = { "/a", "/b/x/c", "/b/yy/c", "/d1", "/e-f/g", NULL };
	static const char *const no[] = { "/", "/b/c", "/b/x/y/c", "/b/x", "/d", "/d12", "/e-/g",
					  "/local/domain/7/data", "/none", NULL };
	static const char *const xen[] = { "/local/domain/7/data", NULL };

	(void)state;
	expect("/a:/b/*/c:none:/d?:/e-[a-f]/g", true, yes);
	expect("/a:/b/*/c:none:/d?:/e-[a-f]/g", false, no);
	expect("/a:/b", true, xen);
	expect("/local/domain/*/data:none", true, xen);
}

static void options_that_are_refused(void **state)
{
	static const char *const legal[] = { "none", "/a", "/a:/b", "none:/a/*", "/[!a]?/b*", NULL };
	static const char *const wrong[] = { "", ":", "/", "a", "/a:", ":/a", "/a::/b", "/a/",
					     "//a", "/a//b", "/a.b", "/a b", "nones", "/a:none:b",
					     NULL };
	char longest[PATH_SIZE + 1];

	(void)state;
	for (const char *const *p = legal; *p; p++)
		if (!patterns_option_is_legal(*p))
			fail_msg("%s", *p);
	for (const char *const *p = wrong; *p; p++)
		if (patterns_option_is_legal(*p))
			fail_msg("%s", *p);
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[PATH_SIZE] = '\0';
	assert_false(patterns_option_is_legal(longest));
	longest[PATH_SIZE - 1] = '\0';
	assert_true(patterns_option_is_legal(longest));
}

static void the_table_is_legal(void **state)
{
	unsigned n = 0;

	(void)state;
	for (const char *pattern; (pattern = dirs_builtin(n)); n++)
		if (!patterns_option_is_legal(pattern))
			fail_msg("%s", pattern);
	assert_in_range(n, 40, 200);
}

static void without_memory(void **state)
{
	struct patterns dirs;

	(void)state;
	malloc_countdown = 1;
	assert_int_equal(dirs_init(&dirs, "/a:/b"), -ENOMEM);
	malloc_countdown = 0;
	patterns_deinit(&dirs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directories_of_xen),
		cmocka_unit_test(values_of_xen),
		cmocka_unit_test(of_the_option),
		cmocka_unit_test(options_that_are_refused),
		cmocka_unit_test(the_table_is_legal),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
