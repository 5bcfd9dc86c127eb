/* SPDX-License-Identifier: MIT */
/* The table of fs/model/error.h, row by row. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <xen/io/xs_wire.h>

#include "fs/model/error.h"

struct row {
	uint32_t type;
	int store;
	int file;
};

static void each_is(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(error_from_store(rows[i].type, rows[i].store), rows[i].file);
}

#define EACH_IS(...) \
	do { \
		static const struct row rows[] = { __VA_ARGS__ }; \
		each_is(rows, sizeof(rows) / sizeof(rows[0])); \
	} while (0)

static void test_quotas(void **state)
{
	(void)state;
	EACH_IS({ XS_WRITE, -ENOSPC, -EDQUOT }, { XS_TRANSACTION_START, -ENOSPC, -EDQUOT },
		{ XS_MKDIR, -EDQUOT, -EDQUOT }, { XS_WATCH, -E2BIG, -EDQUOT });
}

static void test_sizes(void **state)
{
	(void)state;
	EACH_IS({ XS_WRITE, -E2BIG, -EFBIG }, { XS_MKDIR, -E2BIG, -EFBIG },
		{ XS_DIRECTORY, -E2BIG, -E2BIG }, { XS_WRITE, -EMSGSIZE, -EFBIG },
		{ XS_SET_PERMS, -EMSGSIZE, -E2BIG },
		{ XS_READ, -EMSGSIZE, -ENAMETOOLONG }, { XS_WATCH, -EMSGSIZE, -ENAMETOOLONG });
}

static void test_states(void **state)
{
	(void)state;
	EACH_IS({ XS_TRANSACTION_END, -EAGAIN, -EBUSY }, { XS_READ, -ENOSYS, -EOPNOTSUPP },
		{ XS_READ, -ESTALE, -EIO }, { XS_READ, -ESHUTDOWN, -EIO },
		{ XS_READ, -EPROTO, -EIO }, { XS_INTRODUCE, -EISCONN, -EIO });
}

static void test_others_stay(void **state)
{
	(void)state;
	EACH_IS({ XS_READ, 0, 0 }, { XS_READ, -ENOENT, -ENOENT }, { XS_READ, -EACCES, -EACCES },
		{ XS_MKDIR, -EEXIST, -EEXIST }, { XS_READ, -EINTR, -EINTR },
		{ XS_READ, -ETIMEDOUT, -ETIMEDOUT }, { XS_READ, -EIO, -EIO },
		{ XS_WRITE, -EINVAL, -EINVAL }, { XS_READ, -ENOMEM, -ENOMEM });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quotas),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_others_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
