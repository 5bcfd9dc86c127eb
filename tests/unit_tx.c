/* SPDX-License-Identifier: MIT */
/*
 * Transactions of single operations: which answers are believed, which are tried again, and the
 * differences in a user's transaction.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/op/transaction.h"
#include "fs/op/tx.h"
#include "tests/fs_fixture.h"

/* The number of doubtful answers in a row after which one is believed. */
#define DOUBTS 16

static unsigned bodies; /* how many bodies have started */

static int begin(void **state)
{
	bodies = 0;
	return fs_fixture_setup(state);
}

/* ---- bodies ---- */

/* Writes /a, as tx_run()'s bodies do. */
static int write_a(struct op *op, uint32_t tx_id)
{
	int err;

	bodies++;
	op_call(op, XS_WRITE, tx_id, "/a", NULL, 0);
	err = op_wait(op);
	return err ? err : op_call_error(op, 0);
}

/* Reads /a, and has to find it. */
static int find_a(struct op *op, uint32_t tx_id)
{
	int err;

	bodies++;
	op_call(op, XS_READ, tx_id, "/a", NULL, 0);
	err = op_wait(op);
	return err ? err : tx_read_error(op, 0);
}

/* Writes /a and then finds that /b is not there. */
static int write_a_find_b(struct op *op, uint32_t tx_id)
{
	int err = write_a(op, tx_id);

	if (err)
		return err;
	op_calls_clear(op);
	op_call(op, XS_READ, tx_id, "/b", NULL, 0);
	err = op_wait(op);
	return err ? err : tx_read_error(op, 0);
}

/* Sees an impossible state of the tree, the first time. */
static int see_a_mixture_once(struct op *op, uint32_t tx_id)
{
	return bodies++ ? write_a(op, tx_id) : -EAGAIN;
}

/* Fails for a reason that has nothing to do with the store. */
static int fail_with_eio(struct op *op, uint32_t tx_id)
{
	(void)op;
	(void)tx_id;
	bodies++;
	return -EIO;
}

static int look_up_the_path(struct op *op, uint32_t tx_id)
{
	char path[PATH_SIZE];

	(void)tx_id;
	bodies++;
	return tx_path(op, op->inode, NULL, path);
}

static int ask_for_parents(struct op *op, uint32_t tx_id)
{
	tx_call_parent(op, tx_id, "/a/b/c");
	tx_call_parent(op, tx_id, "/a");
	return op_wait(op);
}

/* ---- operations ---- */

static void run_write_a(struct op *op)
{
	op_reply_error(op, tx_run(op, write_a));
}

static void run_find_a(struct op *op)
{
	op_reply_error(op, tx_run(op, find_a));
}

static void run_write_a_find_b(struct op *op)
{
	op_reply_error(op, tx_run(op, write_a_find_b));
}

static void run_see_a_mixture_once(struct op *op)
{
	op_reply_error(op, tx_run(op, see_a_mixture_once));
}

static void run_fail_with_eio(struct op *op)
{
	op_reply_error(op, tx_run(op, fail_with_eio));
}

static void run_look_up_the_path(struct op *op)
{
	op_reply_error(op, tx_run(op, look_up_the_path));
}

static void run_ask_for_parents(struct op *op)
{
	op_reply_error(op, tx_run(op, ask_for_parents));
}

static void begin_on(struct fs_fixture *fx, uint64_t nodeid, void (*run)(struct op *op))
{
	op_run(kernel_asks(fx, nodeid), run);
}

/* The store starts a transaction, and refuses its body's first request, or not (NULL). */
static void try_once(struct fs_fixture *fx, uint32_t type, const char *error)
{
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	if (!error) {
		store_answers(fx, type, "/a", "OK");
		return;
	}
	store_refuses(fx, type, "/a", error);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
}

static void try_and_commit(struct fs_fixture *fx)
{
	try_once(fx, XS_WRITE, NULL);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
}

/* ---- answers that stand ---- */

static void a_change_is_made_in_a_transaction_and_committed(void **state)
{
	struct fs_fixture *fx = *state;
	struct fake_msg msg;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	msg = store_gets(fx, XS_WRITE, "/a");
	assert_int_equal(msg.hdr.tx_id, 7);
	answer(fx->base, &msg, "OK");
	msg = store_gets(fx, XS_TRANSACTION_END, "T");
	assert_int_equal(msg.hdr.tx_id, 7);
	kernel_hears_nothing(fx);
	answer(fx->base, &msg, "OK");
	kernel_hears_error(fx, 0);
	store_gets_nothing(fx);
}

static void what_was_found_stands_and_is_aborted(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_find_a);
	try_once(fx, XS_READ, "ENOENT");
	kernel_hears_error(fx, -ENOENT);
	assert_int_equal(bodies, 1);
	store_gets_nothing(fx);
}

static void what_is_nobody_elses_doing_stands(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	try_once(fx, XS_WRITE, "EACCES");
	kernel_hears_error(fx, -EACCES);
	assert_int_equal(bodies, 1);
}

static void an_error_of_our_own_stands(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_fail_with_eio);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	kernel_hears_error(fx, -EIO);
	assert_int_equal(bodies, 1);
}

static void that_an_inode_was_removed_is_found(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct wakeups wakeups = STAILQ_HEAD_INITIALIZER(wakeups);

	inode_remove(&fx->fs.inodes, fx->fs.inodes.root, "a", &wakeups);
	begin_on(fx, inode->nodeid, run_look_up_the_path);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	kernel_hears_error(fx, -ENOENT);
	assert_int_equal(bodies, 1);
}

static void that_an_inode_was_replaced_is_found_as_its_removal(void **state)
{
	struct fs_fixture *fx = *state;
	struct inodes *inodes = &fx->fs.inodes;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct wakeups wakeups = STAILQ_HEAD_INITIALIZER(wakeups);

	known_inode(fx, "b", INODE_LEAF);
	assert_int_equal(inode_rename(inodes, inodes->root, "b", inodes->root, "a", &wakeups), 0);
	begin_on(fx, inode->nodeid, run_look_up_the_path);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	kernel_hears_error(fx, -ENOENT);
}

static void a_quota_that_the_commit_exceeds_is_told(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	try_once(fx, XS_WRITE, NULL);
	store_refuses(fx, XS_TRANSACTION_END, "T", "EQUOTA");
	kernel_hears_error(fx, -EDQUOT);
	store_gets_nothing(fx);
}

static void a_quota_of_transactions_is_told(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	store_refuses(fx, XS_TRANSACTION_START, "", "ENOSPC");
	kernel_hears_error(fx, -EDQUOT);
	assert_int_equal(bodies, 0);
	store_gets_nothing(fx);
}

static void a_transaction_without_a_number_is_none(void **state)
{
	static const char *const wrong[] = { "0", "x", "", "99999999999" };
	struct fs_fixture *fx = *state;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		begin_on(fx, INODE_ROOT_ID, run_write_a);
		store_answers(fx, XS_TRANSACTION_START, "", wrong[i]);
		kernel_hears_error(fx, -EIO);
	}
	assert_int_equal(bodies, 0);
}

/* ---- answers that are tried again ---- */

static void a_conflict_of_the_commit_is_tried_again(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	try_once(fx, XS_WRITE, NULL);
	store_refuses(fx, XS_TRANSACTION_END, "T", "EAGAIN");
	try_and_commit(fx);
	assert_int_equal(fx->fs.tx_retries, 1);
}

static void a_mixture_of_states_is_tried_again(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_see_a_mixture_once);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	try_and_commit(fx);
}

static void what_another_client_may_have_caused_is_tried_again(void **state)
{
	static const char *const doubtful[] = { "EIO", "EINVAL", "ENOENT", "EEXIST" };
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	for (unsigned i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++)
		try_once(fx, XS_WRITE, doubtful[i]);
	try_and_commit(fx);
	assert_int_equal(fx->fs.tx_retries, 4);
}

static void a_doubtful_answer_is_believed_in_the_end(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	for (unsigned i = 0; i < DOUBTS; i++)
		try_once(fx, XS_WRITE, "ENOENT");
	kernel_hears_error(fx, -ENOENT);
	assert_int_equal(bodies, DOUBTS);
	store_gets_nothing(fx);
}

static void another_doubt_is_counted_anew(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	for (unsigned i = 0; i < DOUBTS - 1; i++)
		try_once(fx, XS_WRITE, "ENOENT");
	try_once(fx, XS_WRITE, "EEXIST");
	try_and_commit(fx);
}

static void behind_a_conflict_doubts_are_counted_anew(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	for (unsigned i = 0; i < DOUBTS - 1; i++)
		try_once(fx, XS_WRITE, "ENOENT");
	try_once(fx, XS_WRITE, NULL);
	store_refuses(fx, XS_TRANSACTION_END, "T", "EAGAIN");
	try_once(fx, XS_WRITE, "ENOENT");
	try_and_commit(fx);
}

static void when_its_time_is_over_the_store_is_busy(void **state)
{
	struct fs_fixture *fx = *state;

	fx->fs.config.timeout_ms = 0;
	begin_on(fx, INODE_ROOT_ID, run_write_a);
	try_once(fx, XS_WRITE, NULL);
	store_refuses(fx, XS_TRANSACTION_END, "T", "EAGAIN");
	kernel_hears_error(fx, -EBUSY);
	store_gets_nothing(fx);
}

/* ---- interruptions and losses ---- */

static void an_interruption_in_the_body_aborts(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_gets(fx, XS_WRITE, "/a");
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	store_gets(fx, XS_TRANSACTION_END, "F");
	kernel_hears_error(fx, -EINTR);
}

static void a_commit_that_was_on_its_way_is_not_aborted(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	try_once(fx, XS_WRITE, NULL);
	store_gets(fx, XS_TRANSACTION_END, "T");
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	store_gets_nothing(fx);
}

static bool is_asked(void *arg)
{
	struct fs_fixture *fx = arg;

	return stats(fx->base).queued + stats(fx->base).in_flight > 0;
}

static void a_commit_that_never_left_is_aborted(void **state)
{
	struct fs_fixture *fx = *state;
	struct fake_msg msg;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	msg = store_gets(fx, XS_WRITE, "/a");
	fake_store_fill(fx->base->store);
	answer(fx->base, &msg, "OK");
	wait_until(fx, is_asked, fx);
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	fake_store_room(fx->base->store, SIZE_MAX);
	store_gets(fx, XS_TRANSACTION_END, "F");
}

static bool is_connected_again(void *arg)
{
	struct fs_fixture *fx = arg;

	return stats(fx->base).reconnects > 0;
}

static void a_lost_connection_is_not_tried_again(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_write_a);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_gets(fx, XS_WRITE, "/a");
	fake_store_eof(fx->base->store);
	kernel_hears_error(fx, -EIO);
	assert_int_equal(bodies, 1);
	/* Nor is the transaction of the next connection that has this number ended. */
	wait_until(fx, is_connected_again, fx);
	store_gets_nothing(fx);
}

static void for_a_removal_the_parent_is_asked_for_first(void **state)
{
	struct fs_fixture *fx = *state;

	begin_on(fx, INODE_ROOT_ID, run_ask_for_parents);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_answers(fx, XS_READ, "/a/b", "");
	store_answers(fx, XS_READ, "/", "");
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
}

/* ---- in a user's transaction ---- */

/* A transaction with the number 5, and an inode in its view. */
struct inside {
	struct handle *file;
	struct transaction *tx;
	uint64_t nodeid;
};

static struct inside go_inside(struct fs_fixture *fx)
{
	struct inodes *inodes = &fx->fs.inodes;
	struct inside in = { .file = open_transaction(fx, "5") };
	struct inode *inode;

	in.tx = in.file->own;
	inode = inode_intern(inodes, inodes->root, "inside", INODE_DIR, transaction_view(in.tx, false),
			     NULL);
	assert_non_null(inode);
	in.nodeid = inode->nodeid;
	inode_remember(inode);
	inode_put(inodes, inode);
	return in;
}

/* Asks for the commit, which the store is to get as `end`. */
static void commit_inside(struct fs_fixture *fx, const struct inside *in, const char *end, int error)
{
	struct op *op = kernel_asks(fx, in->file->inode->nodeid);

	op->handle = in->file;
	transaction_end(in->tx, op, true);
	store_answers(fx, XS_TRANSACTION_END, end, "OK");
	kernel_hears_error(fx, error);
}

static void inside_there_is_no_other_transaction(void **state)
{
	struct fs_fixture *fx = *state;
	struct inside in = go_inside(fx);
	struct fake_msg msg;

	begin_on(fx, in.nodeid, run_write_a);
	msg = store_gets(fx, XS_WRITE, "/a");
	assert_int_equal(msg.hdr.tx_id, 5);
	answer(fx->base, &msg, "OK");
	kernel_hears_error(fx, 0);
	store_gets_nothing(fx);
	commit_inside(fx, &in, "T", 0);
}

static void inside_what_is_doubtful_ends_in_a_conflict(void **state)
{
	struct fs_fixture *fx = *state;
	struct inside in = go_inside(fx);

	begin_on(fx, in.nodeid, run_write_a);
	store_refuses(fx, XS_WRITE, "/a", "EIO");
	kernel_hears_error(fx, -ECANCELED);
	assert_int_equal(bodies, 1);
	commit_inside(fx, &in, "F", -ECANCELED);
}

static void inside_a_failure_behind_a_change_spoils_it(void **state)
{
	struct fs_fixture *fx = *state;
	struct inside in = go_inside(fx);

	begin_on(fx, in.nodeid, run_write_a_find_b);
	store_answers(fx, XS_WRITE, "/a", "OK");
	store_refuses(fx, XS_READ, "/b", "ENOENT");
	kernel_hears_error(fx, -ENOENT);
	commit_inside(fx, &in, "F", -ENOTRECOVERABLE);
}

static void inside_a_failure_before_any_change_does_no_harm(void **state)
{
	struct fs_fixture *fx = *state;
	struct inside in = go_inside(fx);

	begin_on(fx, in.nodeid, run_find_a);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	kernel_hears_error(fx, -ENOENT);
	commit_inside(fx, &in, "T", 0);
}

static void inside_one_operation_comes_after_the_other(void **state)
{
	struct fs_fixture *fx = *state;
	struct inside in = go_inside(fx);
	struct fake_msg msg;
	uint64_t first;

	begin_on(fx, in.nodeid, run_write_a);
	first = fx->unique;
	msg = store_gets(fx, XS_WRITE, "/a");
	begin_on(fx, in.nodeid, run_write_a);
	wait_for_turns(fx, in.tx);
	store_gets_nothing(fx);
	answer(fx->base, &msg, "OK");
	kernel_hears_of(fx, first, 0);
	store_answers(fx, XS_WRITE, "/a", "OK");
	kernel_hears_error(fx, 0);
}

static void inside_one_that_waits_for_its_turn_is_interrupted(void **state)
{
	struct fs_fixture *fx = *state;
	struct inside in = go_inside(fx);
	uint64_t first;

	begin_on(fx, in.nodeid, run_write_a);
	first = fx->unique;
	store_gets(fx, XS_WRITE, "/a");
	begin_on(fx, in.nodeid, run_write_a);
	wait_for_turns(fx, in.tx);
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	store_gets_nothing(fx);
	assert_int_equal(bodies, 1);
	kernel_interrupts(fx, first);
	grace_is_over(fx);
	kernel_hears_of(fx, first, -EINTR);
}

static void inside_the_end_waits_for_the_step_that_is_under_way(void **state)
{
	struct fs_fixture *fx = *state;
	struct inside in = go_inside(fx);
	struct fake_msg msg;
	struct op *op;
	uint64_t step;

	begin_on(fx, in.nodeid, run_write_a);
	step = fx->unique;
	msg = store_gets(fx, XS_WRITE, "/a");
	op = kernel_asks(fx, in.file->inode->nodeid);
	op->handle = in.file;
	transaction_end(in.tx, op, true);
	store_gets_nothing(fx);
	answer(fx->base, &msg, "OK");
	kernel_hears_of(fx, step, 0);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
}

static void inside_the_end_refuses_those_that_wait_for_their_turn(void **state)
{
	struct fs_fixture *fx = *state;
	struct inside in = go_inside(fx);
	struct fake_msg msg;
	uint64_t first, second;
	struct op *op;

	begin_on(fx, in.nodeid, run_write_a);
	first = fx->unique;
	msg = store_gets(fx, XS_WRITE, "/a");
	begin_on(fx, in.nodeid, run_write_a);
	second = fx->unique;
	wait_for_turns(fx, in.tx);
	op = kernel_asks(fx, in.file->inode->nodeid);
	op->handle = in.file;
	transaction_end(in.tx, op, false);
	kernel_hears_of(fx, second, -ESTALE);
	answer(fx->base, &msg, "OK");
	kernel_hears_of(fx, first, 0);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	kernel_hears_error(fx, 0);
	assert_int_equal(bodies, 1);
}

static void inside_one_that_is_over_nothing_begins(void **state)
{
	struct fs_fixture *fx = *state;
	struct inside in = go_inside(fx);
	struct op *op = kernel_asks(fx, in.nodeid);
	uint64_t unique = fx->unique;

	commit_inside(fx, &in, "T", 0);
	op_run(op, run_write_a);
	kernel_hears_of(fx, unique, -ESTALE);
	assert_int_equal(bodies, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_change_is_made_in_a_transaction_and_committed),
		TEST(what_was_found_stands_and_is_aborted),
		TEST(what_is_nobody_elses_doing_stands),
		TEST(an_error_of_our_own_stands),
		TEST(that_an_inode_was_removed_is_found),
		TEST(that_an_inode_was_replaced_is_found_as_its_removal),
		TEST(a_quota_that_the_commit_exceeds_is_told),
		TEST(a_quota_of_transactions_is_told),
		TEST(a_transaction_without_a_number_is_none),
		TEST(a_conflict_of_the_commit_is_tried_again),
		TEST(a_mixture_of_states_is_tried_again),
		TEST(what_another_client_may_have_caused_is_tried_again),
		TEST(a_doubtful_answer_is_believed_in_the_end),
		TEST(another_doubt_is_counted_anew),
		TEST(behind_a_conflict_doubts_are_counted_anew),
		TEST(when_its_time_is_over_the_store_is_busy),
		TEST(an_interruption_in_the_body_aborts),
		TEST(a_commit_that_was_on_its_way_is_not_aborted),
		TEST(a_commit_that_never_left_is_aborted),
		TEST(a_lost_connection_is_not_tried_again),
		TEST(for_a_removal_the_parent_is_asked_for_first),
		TEST(inside_there_is_no_other_transaction),
		TEST(inside_what_is_doubtful_ends_in_a_conflict),
		TEST(inside_a_failure_behind_a_change_spoils_it),
		TEST(inside_a_failure_before_any_change_does_no_harm),
		TEST(inside_one_operation_comes_after_the_other),
		TEST(inside_one_that_waits_for_its_turn_is_interrupted),
		TEST(inside_the_end_waits_for_the_step_that_is_under_way),
		TEST(inside_the_end_refuses_those_that_wait_for_their_turn),
		TEST(inside_one_that_is_over_nothing_begins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
