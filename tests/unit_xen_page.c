/* SPDX-License-Identifier: MIT */
/* Which pages are never mapped, by what architecture and with what message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ring/xen_page.h"

static char logged[512];

static void keep_log(struct logger *log, enum log_level level, const char *fmt, va_list ap)
{
	(void)log;
	if (level <= LOGGER_ERROR)
		vsnprintf(logged, sizeof(logged), fmt, ap);
}

/* A frame beyond all memory, so that it is refused before any device is asked. */
static void own_page(void **state)
{
	struct logger log = { .vlog = keep_log };
	struct xen_page page = { 0 };
	int err = xen_page_map(&page, DOMID_SELF, UINT64_MAX, &log);

	(void)state;
	assert_null(page.ring);
#if defined(__x86_64__) || defined(__i386__)
	assert_int_equal(err, -EINVAL);
	assert_non_null(strstr(logged, "/dev/mem: Invalid argument"));
#else
	assert_int_equal(err, -EOPNOTSUPP);
	assert_non_null(strstr(logged, "use the store \"auto\""));
#endif
}

static void unmapped_page(void **state)
{
	struct xen_page page = { 0 };

	(void)state;
	xen_page_unmap(&page);
	assert_null(page.ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_page),
		cmocka_unit_test(unmapped_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
