/* SPDX-License-Identifier: MIT */
/* When the I/O thread may sleep. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/loop.h"
#include "fs/op/lock.h"
#include "fs/special/raw.h"
#include "tests/events_fixture.h"
#include "tests/shifted_clock.h"

/* More than an interrupted operation is given to end by itself. */
#define GRACE_MS 20

static void answered(struct op *op)
{
	op_reply_error(op, op_call_error(op, 0));
}

/* A read that the store does not answer. */
static void read_a(struct fs_fixture *fx)
{
	struct op *op = kernel_asks(fx, INODE_ROOT_ID);

	op_call(op, XS_READ, 0, "/a", NULL, 0);
	op_submit(op, answered);
	store_gets(fx, XS_READ, "/a");
}

/* Returns whether the I/O thread may sleep, and would be woken. */
static bool may_sleep(struct fs_fixture *fx)
{
	struct pollfd fds[CHAN_POLLFDS];
	int wait_ms;
	bool may;

	fs_unlock(&fx->fs);
	may = loop_may_sleep(&fx->fs, &wait_ms);
	if (may) {
		chan_wake(fx->fs.chan);
		assert_true(poll(fds, chan_pollfds(fx->fs.chan, fds), 0) > 0);
		chan_service(fx->fs.chan);
	}
	fs_lock(&fx->fs);
	return may;
}

static void with_nothing_to_do_it_sleeps(void **state)
{
	struct fs_fixture *fx = *state;

	assert_true(may_sleep(fx));
	read_a(fx);
	assert_true(may_sleep(fx));
}

/* To give an operation up the channel is serviced first, and that thinks that the thread is awake. */
static void who_has_just_given_up_an_operation_looks_once_more(void **state)
{
	struct fs_fixture *fx = *state;

	read_a(fx);
	kernel_interrupts(fx, fx->unique);
	poll(NULL, 0, GRACE_MS);
	assert_false(may_sleep(fx));
	kernel_hears_error(fx, -EINTR);
	assert_true(may_sleep(fx));
}

/* However busy the thread was then. */
static void after_a_suspension_events_may_have_been_lost(void **state)
{
	struct fs_fixture *fx = *state;
	unsigned said = fx->base->logged[LOGGER_INFO];

	fx->fs.raws = raws_new();
	assert_non_null(fx->fs.raws);
	fs_unlock(&fx->fs);
	loop_begin(&fx->fs);
	loop_look_for_suspension(&fx->fs);
	assert_int_equal(fx->base->logged[LOGGER_INFO], said);
	/* For so long it was. */
	shifted_clock = CLOCK_BOOTTIME;
	clock_shift = 10;
	loop_look_for_suspension(&fx->fs);
	assert_int_equal(fx->base->logged[LOGGER_INFO], said + 1);
	loop_look_for_suspension(&fx->fs);
	assert_int_equal(fx->base->logged[LOGGER_INFO], said + 1);
	fs_lock(&fx->fs);
	raws_free(fx->fs.raws);
	fx->fs.raws = NULL;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, events_fixture_setup, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(with_nothing_to_do_it_sleeps),
		TEST(who_has_just_given_up_an_operation_looks_once_more),
		TEST(after_a_suspension_events_may_have_been_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
