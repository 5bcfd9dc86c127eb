/* SPDX-License-Identifier: MIT */
/* Operations: their rounds, how they are interrupted, how they wait, and the pool's part in that. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/op/lock.h"
#include "fs/op/transaction.h"
#include "ring/clock.h"
#include "tests/failing_malloc.h"
#include "tests/fs_fixture.h"
#include "tests/shifted_clock.h"

#define ROOT INODE_ROOT_ID
#define MOMENT_NS UINT64_C(1000000)

/* Rounds of the test that have ended, and the errors of their first two calls. */
static unsigned rounds;
static int errors[2];

/* Operations that the pool has started. */
static unsigned runs;

static int begin(void **state)
{
	rounds = 0;
	runs = 0;
	clock_shift = 0;
	return fs_fixture_setup(state);
}

/* Ends an operation with the error of its first call. */
static void round_done(struct op *op)
{
	rounds++;
	errors[0] = op_call_error(op, 0);
	errors[1] = op_call_error(op, 1);
	op_reply_error(op, errors[0]);
}

/* Asks for /a in an operation of its own, for a request of the kernel. */
static struct op *read_a(struct fs_fixture *fx)
{
	struct op *op = kernel_asks(fx, ROOT);

	op_call(op, XS_READ, 0, "/a", NULL, 0);
	op_submit(op, round_done);
	return op;
}

/* ---- its begin ---- */

static void a_nodeid_that_nobody_has_is_stale(void **state)
{
	struct fs_fixture *fx = *state;

	assert_null(kernel_asks(fx, 4711));
	kernel_hears_error(fx, -ESTALE);
}

static bool never_over(const struct view *view)
{
	(void)view;
	return false;
}

static bool always_over(const struct view *view)
{
	(void)view;
	return true;
}

static unsigned touches, answers;

static void count_touch(const struct view *view)
{
	(void)view;
	touches++;
}

static void count_answer(const struct view *view, const struct op *op)
{
	(void)view;
	(void)op;
	answers++;
}

static void ignore(const struct view *view)
{
	(void)view;
}

static const struct view_hooks hooks_over = {
	.get = ignore, .put = ignore, .touch = count_touch, .answered = count_answer, .is_over = always_over,
};
static const struct view_hooks hooks_open = {
	.get = ignore, .put = ignore, .touch = count_touch, .answered = count_answer, .is_over = never_over,
};

/* Returns the nodeid, which the kernel knows, of an inode in a view. */
static uint64_t in_view(struct fs_fixture *fx, const struct view *view)
{
	struct inodes *inodes = &fx->fs.inodes;
	struct inode *inode = inode_intern(inodes, inodes->root, "v", INODE_DIR, view, NULL);
	uint64_t nodeid = inode->nodeid;

	assert_non_null(inode);
	inode_remember(inode);
	inode_put(inodes, inode);
	touches = answers = 0;
	return nodeid;
}

static void in_a_view_that_is_over_everything_is_stale(void **state)
{
	static const struct view over = { .hooks = &hooks_over };
	struct fs_fixture *fx = *state;

	assert_null(kernel_asks(fx, in_view(fx, &over)));
	kernel_hears_error(fx, -ESTALE);
}

static void without_memory_for_an_operation_the_kernel_hears_of_it(void **state)
{
	struct fs_fixture *fx = *state;

	malloc_countdown = 1;
	assert_null(kernel_asks(fx, ROOT));
	malloc_countdown = 0;
	kernel_hears_error(fx, -ENOMEM);
}

static void without_memory_for_a_name_the_operation_is_over(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, ROOT);

	malloc_countdown = 1;
	assert_false(op_set_data(op, "x", 1));
	malloc_countdown = 0;
	kernel_hears_error(fx, -ENOMEM);
	assert_int_equal(fx->fs.ops_now, 0);
}

/* ---- rounds ---- */

static void a_round_goes_out_together_and_ends_once(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, ROOT);
	struct fake_msg a, b;

	op_call(op, XS_READ, 0, "/a", NULL, 0);
	op_call(op, XS_DIRECTORY, 0, "/b", NULL, 0);
	store_gets_nothing(fx);
	op_submit(op, round_done);
	a = store_gets(fx, XS_READ, "/a");
	b = store_gets(fx, XS_DIRECTORY, "/b");
	answer(fx->base, &a, "1");
	assert_int_equal(rounds, 0);
	answer(fx->base, &b, "");
	assert_int_equal(rounds, 1);
	kernel_hears_error(fx, 0);
}

static void each_call_has_its_own_result_whatever_came_first(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, ROOT);
	struct fake_msg a, b;

	op_call(op, XS_READ, 0, "/a", NULL, 0);
	op_call(op, XS_READ, 0, "/b", NULL, 0);
	op_submit(op, round_done);
	a = store_gets(fx, XS_READ, "/a");
	b = store_gets(fx, XS_READ, "/b");
	fake_store_error(fx->base->store, &b, "EACCES");
	answer(fx->base, &a, "1");
	assert_int_equal(errors[0], 0);
	assert_int_equal(errors[1], -EACCES);
}

static void a_round_has_room_for_many_calls(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, ROOT);
	char path[16];

	for (unsigned i = 0; i < 3 * OP_INLINE_CALLS; i++) {
		snprintf(path, sizeof(path), "/%u", i);
		op_call(op, XS_READ, 0, path, NULL, 0);
	}
	op_submit(op, round_done);
	for (unsigned i = 0; i < 3 * OP_INLINE_CALLS; i++) {
		snprintf(path, sizeof(path), "/%u", i);
		store_answers(fx, XS_READ, path, "");
	}
	assert_int_equal(rounds, 1);
	kernel_hears_error(fx, 0);
}

static void without_memory_for_a_call_nothing_is_asked(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, ROOT);

	op_call(op, XS_READ, 0, "/a", NULL, 0);
	malloc_countdown = 1;
	op_call(op, XS_READ, 0, "/b", NULL, 0);
	malloc_countdown = 0;
	op_submit(op, round_done);
	store_gets_nothing(fx);
	assert_int_equal(errors[0], -ENOMEM);
	assert_int_equal(errors[1], -ENOMEM);
	kernel_hears_error(fx, -ENOMEM);
}

static void without_memory_for_more_calls_nothing_is_asked(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, ROOT);

	for (unsigned i = 0; i < OP_INLINE_CALLS; i++)
		op_call(op, XS_READ, 0, "/a", NULL, 0);
	/* The request has its memory, the list of them has not. */
	malloc_countdown = 2;
	op_call(op, XS_READ, 0, "/b", NULL, 0);
	assert_int_equal(malloc_countdown, 0);
	op_submit(op, round_done);
	store_gets_nothing(fx);
	kernel_hears_error(fx, -ENOMEM);
}

static void a_round_without_calls_ends_at_once(void **state)
{
	struct fs_fixture *fx = *state;

	op_submit(kernel_asks(fx, ROOT), round_done);
	assert_int_equal(rounds, 1);
	kernel_hears(fx);
}

static void a_lost_connection_ends_the_round(void **state)
{
	struct fs_fixture *fx = *state;

	read_a(fx);
	store_gets(fx, XS_READ, "/a");
	fake_store_eof(fx->base->store);
	pump(fx->base);
	kernel_hears_error(fx, -EIO);
}

static void too_long_a_path_is_what_a_server_finds_invalid(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, ROOT);
	char path[1500];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	op_call(op, XS_READ, 0, path, NULL, 0);
	op_submit(op, round_done);
	store_refuses(fx, XS_READ, path, "EINVAL");
	kernel_hears_error(fx, -ENAMETOOLONG);
}

static void what_fails_in_a_view_that_has_ended_meanwhile_is_stale(void **state)
{
	static const struct view_hooks *const open = &hooks_open;
	struct fs_fixture *fx = *state;
	struct view view = { .hooks = open };
	struct op *op = kernel_asks(fx, in_view(fx, &view));

	op_call(op, XS_READ, 0, "/a", NULL, 0);
	op_submit(op, round_done);
	view.hooks = &hooks_over;
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	kernel_hears_error(fx, -ESTALE);
	inode_forget(&fx->fs.inodes, fx->fs.inodes.last_id, 1);
}

static void a_view_hears_of_the_use_and_the_answers(void **state)
{
	static const struct view view = { .hooks = &hooks_open };
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, in_view(fx, &view));

	assert_int_equal(touches, 1);
	op_call(op, XS_READ, 0, "/a", NULL, 0);
	op_submit(op, round_done);
	assert_int_equal(answers, 0);
	store_answers(fx, XS_READ, "/a", "");
	assert_int_equal(answers, 1);
	kernel_hears_error(fx, 0);
}

static bool wrote;

static void note_wrote(struct op *op)
{
	wrote = op->wrote;
	round_done(op);
}

/* Returns whether the operation counts as one that has changed something, after one call of `type`
 * that was refused with `error` (NULL: it succeeded). */
static bool has_written(struct fs_fixture *fx, uint32_t type, const char *error)
{
	static const struct view view = { .hooks = &hooks_open };
	struct op *op = kernel_asks(fx, in_view(fx, &view));

	op_call(op, type, 0, "/a", NULL, 0);
	op_submit(op, note_wrote);
	if (error)
		store_refuses(fx, type, "/a", error);
	else
		store_answers(fx, type, "/a", "OK");
	kernel_hears(fx);
	return wrote;
}

static void only_what_changed_something_counts_as_written(void **state)
{
	struct fs_fixture *fx = *state;

	assert_true(has_written(fx, XS_WRITE, NULL));
	assert_true(has_written(fx, XS_RM, NULL));
	assert_true(has_written(fx, XS_MKDIR, NULL));
	assert_true(has_written(fx, XS_SET_PERMS, NULL));
	assert_false(has_written(fx, XS_READ, NULL));
	assert_false(has_written(fx, XS_WRITE, "EACCES"));
}

static void a_write_that_was_given_up_may_have_happened(void **state)
{
	static const struct view view = { .hooks = &hooks_open };
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, in_view(fx, &view));

	op_call(op, XS_WRITE, 0, "/a", NULL, 0);
	op_submit(op, note_wrote);
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	assert_true(wrote);
}

/* ---- interruptions ---- */

static void an_interruption_gives_up_what_the_store_does_not_answer(void **state)
{
	struct fs_fixture *fx = *state;
	struct fake_msg msg;

	read_a(fx);
	msg = store_gets(fx, XS_READ, "/a");
	kernel_interrupts(fx, fx->unique);
	kernel_hears_nothing(fx);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	assert_int_equal(rounds, 1);
	/* What comes now is for nobody. */
	answer(fx->base, &msg, "late");
	assert_int_equal(stats(fx->base).late_replies, 1);
	kernel_hears_nothing(fx);
}

static void an_interrupted_request_is_not_searched_for(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = read_a(fx);

	kernel_interrupts(fx, fx->unique);
	assert_ptr_equal(op->due_list, &fx->fs.interrupted);
	/* libfuse, which would search through all that there are, has not heard of it. */
	assert_false(fuse_req_interrupted(op->req));
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
}

static void requests_are_spread_over_all_lists(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *ops[4 * OPS_BY_UNIQUE], *op;

	for (unsigned i = 0; i < 4 * OPS_BY_UNIQUE; i++)
		ops[i] = kernel_asks(fx, ROOT);
	for (unsigned i = 0; i < OPS_BY_UNIQUE; i++) {
		unsigned n = 0;

		LIST_FOREACH(op, &fx->fs.by_unique[i], unique_link)
			n++;
		assert_in_range(n, 3, 5);
	}
	for (unsigned i = 0; i < 4 * OPS_BY_UNIQUE; i++)
		op_reply_error(ops[i], 0);
	for (unsigned i = 0; i < OPS_BY_UNIQUE; i++)
		assert_true(LIST_EMPTY(&fx->fs.by_unique[i]));
}

static void an_interruption_may_come_before_its_request(void **state)
{
	struct fs_fixture *fx = *state;

	/* The interruption has the next number, and the request that behind it. */
	kernel_interrupts(fx, fx->unique + 2);
	read_a(fx);
	store_gets(fx, XS_READ, "/a");
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
}

static void an_answer_in_the_time_of_grace_counts(void **state)
{
	struct fs_fixture *fx = *state;

	read_a(fx);
	kernel_interrupts(fx, fx->unique);
	store_answers(fx, XS_READ, "/a", "1");
	kernel_hears_error(fx, 0);
	assert_int_equal(ops_interrupt(&fx->fs), -1);
	kernel_hears_nothing(fx);
}

static void an_answer_that_has_come_counts_however_late_that_is_seen(void **state)
{
	struct fs_fixture *fx = *state;
	struct fake_msg msg;

	read_a(fx);
	msg = store_gets(fx, XS_READ, "/a");
	kernel_interrupts(fx, fx->unique);
	fake_store_reply(fx->base->store, &msg, "value", 5);
	grace_is_over(fx);
	kernel_hears_error(fx, 0);
	kernel_hears_nothing(fx);
}

static void all_calls_of_the_round_are_given_up(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, ROOT);

	op_call(op, XS_READ, 0, "/a", NULL, 0);
	op_call(op, XS_READ, 0, "/b", NULL, 0);
	op_submit(op, round_done);
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	assert_int_equal(errors[0], -EINTR);
	assert_int_equal(errors[1], -EINTR);
	kernel_hears_error(fx, -EINTR);
}

static void after_an_interruption_no_round_begins(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, ROOT);

	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_nothing(fx);
	op_call(op, XS_READ, 0, "/a", NULL, 0);
	op_submit(op, round_done);
	store_gets_nothing(fx);
	kernel_hears_error(fx, -EINTR);
}

static void an_interruption_behind_the_answer_finds_nobody(void **state)
{
	struct fs_fixture *fx = *state;
	uint64_t interruption;

	read_a(fx);
	store_answers(fx, XS_READ, "/a", "1");
	kernel_hears_error(fx, 0);
	interruption = kernel_interrupts(fx, fx->unique);
	assert_int_equal(ops_interrupt(&fx->fs), -1);
	/* libfuse keeps it in case that its request comes later, until another has come. */
	op_reply_error(kernel_asks(fx, ROOT), 0);
	kernel_hears_of(fx, interruption, -EAGAIN);
	kernel_hears_error(fx, 0);
}

static void one_of_two_is_interrupted(void **state)
{
	struct fs_fixture *fx = *state;
	uint64_t first;

	read_a(fx);
	first = fx->unique;
	read_a(fx);
	kernel_interrupts(fx, first);
	grace_is_over(fx);
	kernel_hears_of(fx, first, -EINTR);
	store_gets(fx, XS_READ, "/a");
	store_answers(fx, XS_READ, "/a", "1");
	kernel_hears_error(fx, 0);
}

/* ---- waiting for something else ---- */

static unsigned unparked;

/* What a list that operations wait in does when one is interrupted. */
static void unpark(struct op *op)
{
	unparked++;
	op_reply_error(op, -EINTR);
}

static struct op *parked_op(struct fs_fixture *fx)
{
	struct op *op = kernel_asks(fx, ROOT);

	unparked = 0;
	assert_int_equal(op_park(op, unpark), 0);
	return op;
}

static void an_interruption_ends_a_parked_operation_once(void **state)
{
	struct fs_fixture *fx = *state;

	parked_op(fx);
	kernel_interrupts(fx, fx->unique);
	assert_int_equal(unparked, 0);
	grace_is_over(fx);
	assert_int_equal(unparked, 1);
	kernel_hears_error(fx, -EINTR);
	kernel_hears_nothing(fx);
}

static void what_was_waited_for_wins_against_an_interruption_that_is_not_due(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = parked_op(fx);

	kernel_interrupts(fx, fx->unique);
	op_unpark(op);
	op_reply_error(op, 0);
	kernel_hears_error(fx, 0);
	grace_is_over(fx);
	assert_int_equal(unparked, 0);
}

static void unparked_for_good_an_interruption_does_not_find_it_parked(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = parked_op(fx);

	op_unpark(op);
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	assert_int_equal(unparked, 0);
	kernel_hears_nothing(fx);
	op_reply_error(op, 0);
}

static void an_interrupted_operation_does_not_begin_to_wait(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, ROOT);

	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	unparked = 0;
	assert_int_equal(op_park(op, unpark), -EINTR);
	op_reply_error(op, -EINTR);
	assert_int_equal(unparked, 0);
}

static void by_default_it_waits_for_ever(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = parked_op(fx);

	assert_int_equal(ops_interrupt(&fx->fs), -1);
	op_unpark(op);
	op_reply_error(op, 0);
}

static void where_the_wait_is_bounded_it_ends(void **state)
{
	struct fs_fixture *fx = *state;

	fx->fs.config.park_ms = 1;
	parked_op(fx);
	grace_is_over(fx);
	assert_int_equal(unparked, 1);
	kernel_hears_error(fx, -EINTR);
}

static void an_interruption_comes_before_the_bound(void **state)
{
	struct fs_fixture *fx = *state;
	int wait_ms;

	fx->fs.config.park_ms = 1000000;
	parked_op(fx);
	assert_true(ops_interrupt(&fx->fs) > 10000);
	kernel_interrupts(fx, fx->unique);
	wait_ms = ops_interrupt(&fx->fs);
	assert_true(wait_ms < 10000);
	grace_is_over(fx);
	assert_int_equal(unparked, 1);
	kernel_hears_error(fx, -EINTR);
}

/* ---- polls ---- */

static void a_kept_poll_is_notified(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_polls(fx, ROOT, 17);
	struct kept_poll *kept = NULL;

	op_keep_poll(op, &kept);
	op_reply_poll(op, 0);
	kernel_hears_error(fx, 0);
	wakeups_take(&fx->fs.wakeups, &kept);
	kernel_hears_poll(fx, 17);
}

static void a_poll_that_was_kept_before_makes_room(void **state)
{
	struct fs_fixture *fx = *state;
	struct kept_poll *kept = NULL;
	struct op *op = kernel_polls(fx, ROOT, 1);

	op_keep_poll(op, &kept);
	op_reply_poll(op, 0);
	op = kernel_polls(fx, ROOT, 2);
	op_keep_poll(op, &kept);
	op_reply_poll(op, 0);
	kernel_hears(fx);
	wakeups_take(&fx->fs.wakeups, &kept);
	kernel_hears(fx);
	kernel_hears_poll(fx, 2);
	kernel_hears_nothing(fx);
}

static void a_poll_that_nobody_keeps_goes_with_its_operation(void **state)
{
	struct fs_fixture *fx = *state;
	struct kept_poll *kept = NULL;
	struct op *op = kernel_asks(fx, ROOT);

	op_keep_poll(op, &kept);
	assert_null(kept);
	op_reply_poll(op, 0);
	/* The leak checker sees if it stayed. */
	op_reply_poll(kernel_polls(fx, ROOT, 3), 0);
}

/* ---- on the pool ---- */

static void wait_for_a_and_b(struct op *op)
{
	int err;

	runs++;
	op_call(op, XS_READ, 0, "/a", NULL, 0);
	err = op_wait(op);
	if (!err)
		err = op_call_error(op, 0);
	op_calls_clear(op);
	if (!err) {
		op_call(op, XS_READ, 0, "/b", NULL, 0);
		err = op_wait(op);
	}
	op_reply_error(op, err ? err : op_call_error(op, 0));
}

static void on_the_pool_one_round_comes_after_the_other(void **state)
{
	struct fs_fixture *fx = *state;
	struct fake_msg msg;

	op_run(kernel_asks(fx, ROOT), wait_for_a_and_b);
	msg = store_gets(fx, XS_READ, "/a");
	store_gets_nothing(fx);
	answer(fx->base, &msg, "1");
	store_refuses(fx, XS_READ, "/b", "ENOENT");
	kernel_hears_error(fx, -ENOENT);
}

static void who_waits_on_the_pool_is_interrupted(void **state)
{
	struct fs_fixture *fx = *state;

	op_run(kernel_asks(fx, ROOT), wait_for_a_and_b);
	store_gets(fx, XS_READ, "/a");
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	store_gets_nothing(fx);
}

/* What op_wait() said of a round of which one call was answered. */
static int half_a_round;

static void wait_for_both(struct op *op)
{
	int err;

	op_call(op, XS_READ, 0, "/a", NULL, 0);
	op_call(op, XS_READ, 0, "/b", NULL, 0);
	err = op_wait(op);
	half_a_round = op_call_error(op, 0) ? 1 : err;
	op_reply_error(op, err);
}

static void an_interruption_is_told_also_of_what_was_answered(void **state)
{
	struct fs_fixture *fx = *state;

	op_run(kernel_asks(fx, ROOT), wait_for_both);
	store_answers(fx, XS_READ, "/a", "1");
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	assert_int_equal(half_a_round, -EINTR);
}

static void wait_without_memory(struct op *op)
{
	int err;

	op->no_memory = true;
	err = op_wait(op);
	op_reply_error(op, err);
}

static void without_memory_nobody_waits(void **state)
{
	struct fs_fixture *fx = *state;

	op_run(kernel_asks(fx, ROOT), wait_without_memory);
	kernel_hears_error(fx, -ENOMEM);
	store_gets_nothing(fx);
}

static void in_the_queue_of_the_pool_it_is_interrupted_without_having_run(void **state)
{
	struct fs_fixture *fx = *state;
	uint64_t busy[2];

	for (unsigned i = 0; i < 2; i++) {
		op_run(kernel_asks(fx, ROOT), wait_for_a_and_b);
		busy[i] = fx->unique;
	}
	/* Both threads of the pool wait for the store now. */
	store_gets(fx, XS_READ, "/a");
	store_gets(fx, XS_READ, "/a");
	op_run(kernel_asks(fx, ROOT), wait_for_a_and_b);
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	assert_int_equal(runs, 2);
	store_gets_nothing(fx);
	for (unsigned i = 0; i < 2; i++)
		kernel_interrupts(fx, busy[i]);
	grace_is_over(fx);
	assert_int_equal(kernel_hears(fx)->error, -EINTR);
	assert_int_equal(kernel_hears(fx)->error, -EINTR);
}

static void an_interrupted_operation_does_not_get_to_the_pool(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, ROOT);

	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	op_run(op, wait_for_a_and_b);
	kernel_hears_error(fx, -EINTR);
	assert_int_equal(runs, 0);
}

static void when_the_pool_has_ended_it_is_an_error(void **state)
{
	struct fs_fixture *fx = *state;

	fs_fixture_shutdown(fx);
	op_run(kernel_asks(fx, ROOT), wait_for_a_and_b);
	kernel_hears_error(fx, -EIO);
}

static void sleep_for_an_hour(struct op *op)
{
	int err;

	op_call(op, XS_READ, 0, "/begun", NULL, 0);
	op_wait(op);
	err = op_sleep(op, 3600 * UINT64_C(1000000000));
	op_reply_error(op, err);
}

static void a_sleep_is_interrupted(void **state)
{
	struct fs_fixture *fx = *state;

	op_run(kernel_asks(fx, ROOT), sleep_for_an_hour);
	store_answers(fx, XS_READ, "/begun", "");
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
}

static void sleep_for_a_moment(struct op *op)
{
	uint64_t begin = clock_now_ns(CLOCK_MONOTONIC);
	int err = op_sleep(op, MOMENT_NS);

	assert_true(clock_now_ns(CLOCK_MONOTONIC) - begin >= MOMENT_NS);
	op_reply_error(op, err);
}

static void a_sleep_ends_by_itself(void **state)
{
	struct fs_fixture *fx = *state;

	op_run(kernel_asks(fx, ROOT), sleep_for_a_moment);
	kernel_hears_error(fx, 0);
}

static void a_sleep_is_no_longer_when_the_clock_is_set_back(void **state)
{
	struct fs_fixture *fx = *state;

	/* What a wait until then takes when it is set back. */
	shifted_clock = CLOCK_REALTIME;
	clock_shift = 3600;
	op_run(kernel_asks(fx, ROOT), sleep_for_a_moment);
	kernel_hears_error(fx, 0);
}

static void the_end_of_the_mount_ends_who_waits_on_the_pool(void **state)
{
	struct fs_fixture *fx = *state;

	op_run(kernel_asks(fx, ROOT), wait_for_a_and_b);
	store_gets(fx, XS_READ, "/a");
	fs_fixture_shutdown(fx);
	kernel_hears_error(fx, -EIO);
}

/* ---- signals ---- */

struct sleeper {
	struct fs *fs;
	pthread_cond_t wake;
	bool asleep, woken;
};

static void *sleep_until_woken(void *arg)
{
	struct sleeper *sleeper = arg;

	fs_lock(sleeper->fs);
	sleeper->asleep = true;
	while (!sleeper->woken)
		fs_wait(sleeper->fs, &sleeper->wake, NULL);
	fs_unlock(sleeper->fs);
	return NULL;
}

/* Starts a thread that waits for a signal, and returns when it does. */
static pthread_t sleeper_start(struct sleeper *sleeper)
{
	pthread_t thread;

	assert_int_equal(fs_thread_start(&thread, sleep_until_woken, sleeper), 0);
	while (!sleeper->asleep) {
		fs_unlock(sleeper->fs);
		sched_yield();
		fs_lock(sleeper->fs);
	}
	return thread;
}

static void sleeper_join(struct fs *fs, pthread_t thread)
{
	fs_unlock(fs);
	pthread_join(thread, NULL);
	fs_lock(fs);
}

static void a_held_signal_is_sent_later(void **state)
{
	struct fs_fixture *fx = *state;
	struct sleeper sleeper = { .fs = &fx->fs, .wake = PTHREAD_COND_INITIALIZER };
	pthread_t thread = sleeper_start(&sleeper);

	fs_hold_signals(&fx->fs);
	sleeper.woken = true;
	fs_signal(&fx->fs, &sleeper.wake);
	assert_int_equal(fx->fs.n_held, 1);
	fs_send_signals(&fx->fs);
	assert_int_equal(fx->fs.n_held, 0);
	sleeper_join(&fx->fs, thread);
}

static void a_signal_that_is_not_held_is_sent_at_once(void **state)
{
	struct fs_fixture *fx = *state;
	struct sleeper sleeper = { .fs = &fx->fs, .wake = PTHREAD_COND_INITIALIZER };
	pthread_t thread = sleeper_start(&sleeper);

	sleeper.woken = true;
	fs_signal(&fx->fs, &sleeper.wake);
	assert_int_equal(fx->fs.n_held, 0);
	sleeper_join(&fx->fs, thread);
}

static void a_signal_for_which_there_is_no_room_is_sent_at_once(void **state)
{
	struct fs_fixture *fx = *state;
	struct sleeper sleeper = { .fs = &fx->fs, .wake = PTHREAD_COND_INITIALIZER };
	pthread_cond_t nobody = PTHREAD_COND_INITIALIZER;
	pthread_t thread = sleeper_start(&sleeper);

	fs_hold_signals(&fx->fs);
	for (int i = 0; i < FS_HELD_MAX; i++)
		fs_signal(&fx->fs, &nobody);
	sleeper.woken = true;
	fs_signal(&fx->fs, &sleeper.wake);
	sleeper_join(&fx->fs, thread);
	fs_send_signals(&fx->fs);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_nodeid_that_nobody_has_is_stale),
		TEST(in_a_view_that_is_over_everything_is_stale),
		TEST(without_memory_for_an_operation_the_kernel_hears_of_it),
		TEST(without_memory_for_a_name_the_operation_is_over),
		TEST(a_round_goes_out_together_and_ends_once),
		TEST(each_call_has_its_own_result_whatever_came_first),
		TEST(a_round_has_room_for_many_calls),
		TEST(without_memory_for_a_call_nothing_is_asked),
		TEST(without_memory_for_more_calls_nothing_is_asked),
		TEST(a_round_without_calls_ends_at_once),
		TEST(a_lost_connection_ends_the_round),
		TEST(too_long_a_path_is_what_a_server_finds_invalid),
		TEST(what_fails_in_a_view_that_has_ended_meanwhile_is_stale),
		TEST(a_view_hears_of_the_use_and_the_answers),
		TEST(only_what_changed_something_counts_as_written),
		TEST(a_write_that_was_given_up_may_have_happened),
		TEST(an_interruption_gives_up_what_the_store_does_not_answer),
		TEST(an_interrupted_request_is_not_searched_for),
		TEST(requests_are_spread_over_all_lists),
		TEST(an_interruption_may_come_before_its_request),
		TEST(an_answer_in_the_time_of_grace_counts),
		TEST(an_answer_that_has_come_counts_however_late_that_is_seen),
		TEST(all_calls_of_the_round_are_given_up),
		TEST(after_an_interruption_no_round_begins),
		TEST(an_interruption_behind_the_answer_finds_nobody),
		TEST(one_of_two_is_interrupted),
		TEST(an_interruption_ends_a_parked_operation_once),
		TEST(what_was_waited_for_wins_against_an_interruption_that_is_not_due),
		TEST(unparked_for_good_an_interruption_does_not_find_it_parked),
		TEST(an_interrupted_operation_does_not_begin_to_wait),
		TEST(by_default_it_waits_for_ever),
		TEST(where_the_wait_is_bounded_it_ends),
		TEST(an_interruption_comes_before_the_bound),
		TEST(a_kept_poll_is_notified),
		TEST(a_poll_that_was_kept_before_makes_room),
		TEST(a_poll_that_nobody_keeps_goes_with_its_operation),
		TEST(on_the_pool_one_round_comes_after_the_other),
		TEST(who_waits_on_the_pool_is_interrupted),
		TEST(an_interruption_is_told_also_of_what_was_answered),
		TEST(without_memory_nobody_waits),
		TEST(in_the_queue_of_the_pool_it_is_interrupted_without_having_run),
		TEST(an_interrupted_operation_does_not_get_to_the_pool),
		TEST(when_the_pool_has_ended_it_is_an_error),
		TEST(a_sleep_is_interrupted),
		TEST(a_sleep_ends_by_itself),
		TEST(a_sleep_is_no_longer_when_the_clock_is_set_back),
		TEST(the_end_of_the_mount_ends_who_waits_on_the_pool),
		TEST(a_held_signal_is_sent_later),
		TEST(a_signal_that_is_not_held_is_sent_at_once),
		TEST(a_signal_for_which_there_is_no_room_is_sent_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
