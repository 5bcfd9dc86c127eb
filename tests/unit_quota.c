/* SPDX-License-Identifier: MIT */
/* What users may take, one and all, and what is left for root. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/model/quota.h"
#include "tests/failing_malloc.h"

#define SHARE 10
#define KIND QUOTA_STREAMS

static unsigned lines;

static void count_line(struct logger *log, enum log_level level, const char *fmt, va_list ap)
{
	(void)log;
	(void)level;
	(void)fmt;
	(void)ap;
	lines++;
}

static struct logger logger = { .vlog = count_line };
static struct quotas quotas;

static int set_up(void **state)
{
	const uint64_t shares[QUOTA_KINDS] = { SHARE, QUOTA_NONE, SHARE, SHARE, SHARE };

	(void)state;
	lines = 0;
	quotas_init(&quotas, shares, &logger);
	return 0;
}

/* All that was taken must have been given back: then nobody is remembered. */
static int tear_down(void **state)
{
	(void)state;
	assert_int_equal(quotas.kinds[KIND].used, 0);
	assert_null(quotas.by_uid);
	quotas_deinit(&quotas);
	return 0;
}

static void a_user_has_its_share_and_no_more(void **state)
{
	(void)state;
	assert_int_equal(quota_charge(&quotas, KIND, 1, SHARE), 0);
	assert_int_equal(quota_charge(&quotas, KIND, 1, 1), -EDQUOT);
	assert_int_equal(quotas.kinds[KIND].refusals, 1);
	quota_release(&quotas, KIND, 1, 1);
	assert_int_equal(quota_charge(&quotas, KIND, 1, 1), 0);
	quota_release(&quotas, KIND, 1, SHARE);
}

/* Who gets no more of it loses nothing. */
static void a_kind_without_a_name_is_not_logged(void **state)
{
	(void)state;
	assert_int_equal(quota_charge(&quotas, QUOTA_EMPTY, 1, SHARE + 1), -EDQUOT);
	assert_int_equal(quotas.kinds[QUOTA_EMPTY].refusals, 1);
	assert_int_equal(lines, 0);
}

static void the_kinds_have_nothing_to_do_with_each_other(void **state)
{
	(void)state;
	assert_int_equal(quota_charge(&quotas, KIND, 1, SHARE), 0);
	assert_int_equal(quota_charge(&quotas, QUOTA_TRANSACTIONS, 1, SHARE), 0);
	assert_int_equal(quota_charge(&quotas, QUOTA_WATCHED, 1, 1 << 30), 0);
	quota_release(&quotas, KIND, 1, SHARE);
	quota_release(&quotas, QUOTA_TRANSACTIONS, 1, SHARE);
	quota_release(&quotas, QUOTA_WATCHED, 1, 1 << 30);
}

static void all_users_together_leave_root_the_rest(void **state)
{
	uid_t uid;

	(void)state;
	for (uid = 1; uid <= QUOTA_USERS; uid++)
		assert_int_equal(quota_charge(&quotas, KIND, uid, SHARE), 0);
	assert_int_equal(quota_charge(&quotas, KIND, uid, 1), -EDQUOT);
	/* More than a share is root's at any time. */
	assert_int_equal(quota_charge(&quotas, KIND, 0, SHARE * (QUOTA_MOUNT - QUOTA_USERS)), 0);
	assert_int_equal(quota_charge(&quotas, KIND, 0, 1), -EDQUOT);
	quota_release(&quotas, KIND, 0, SHARE * (QUOTA_MOUNT - QUOTA_USERS));
	while (--uid)
		quota_release(&quotas, KIND, uid, SHARE);
}

static void what_root_takes_is_not_taken_from_users(void **state)
{
	(void)state;
	assert_int_equal(quota_charge(&quotas, KIND, 0, SHARE * QUOTA_USERS), 0);
	assert_int_equal(quota_charge(&quotas, KIND, 1, SHARE), 0);
	quota_release(&quotas, KIND, 0, SHARE * QUOTA_USERS);
	quota_release(&quotas, KIND, 1, SHARE);
}

static void refusals_are_counted_each_and_logged_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(quota_charge(&quotas, KIND, 1 + i % 2, SHARE + 1), -EDQUOT);
	assert_int_equal(quotas.kinds[KIND].refusals, 100);
	assert_int_equal(lines, 1);
	assert_int_equal(quotas.kinds[KIND].rate.missed, 99);
}

static void without_memory_nothing_is_taken(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 8; n++) {
		int err;

		malloc_countdown = n;
		err = quota_charge(&quotas, KIND, 7, 1);
		malloc_countdown = 0;
		if (err == 0) {
			assert_true(n > 1);
			quota_release(&quotas, KIND, 7, 1);
			return;
		}
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(quotas.kinds[KIND].used, 0);
		assert_null(quotas.by_uid);
	}
	fail();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_user_has_its_share_and_no_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_kind_without_a_name_is_not_logged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_kinds_have_nothing_to_do_with_each_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_users_together_leave_root_the_rest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_root_takes_is_not_taken_from_users, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refusals_are_counted_each_and_logged_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_memory_nothing_is_taken, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
