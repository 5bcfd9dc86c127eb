/* SPDX-License-Identifier: MIT */
/* Users' transactions: how one begins, what its file says, how it ends and who is told. */
#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/model/listing.h"
#include "fs/op/transaction.h"
#include "tests/failing_malloc.h"
#include "tests/fs_fixture.h"

#define READY (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

/* Begins a WRITE that asks for the end. */
static void ask_for_end(struct fs_fixture *fx, struct handle *file, bool commit)
{
	struct op *op = kernel_asks(fx, file->inode->nodeid);

	op->handle = file;
	op->size = 7;
	transaction_end(file->own, op, commit);
}

/* The same, which the store answers by OK, or refuses. */
static void end_by(struct fs_fixture *fx, struct handle *file, bool commit, const char *refusal)
{
	ask_for_end(fx, file, commit);
	if (refusal)
		store_refuses(fx, XS_TRANSACTION_END, commit ? "T" : "F", refusal);
	else
		store_answers(fx, XS_TRANSACTION_END, commit ? "T" : "F", "OK");
}

/* ---- its begin ---- */

static int start_error;

static void note_start(struct op *op, struct transaction *tx, int err)
{
	assert_null(tx);
	start_error = err;
	op_reply_error(op, err);
}

static void begin_in_vain(struct fs_fixture *fx)
{
	start_error = 0;
	transaction_start(kernel_asks(fx, INODE_ROOT_ID), note_start);
}

static void one_that_is_open_is_listed_and_found(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	struct listing *listing = listing_new();
	struct transaction *found;

	assert_int_equal(transactions_list(&fx->fs, listing), 0);
	assert_int_equal(listing->count, 1);
	found = transaction_find(&fx->fs, listing->names[0]);
	assert_ptr_equal(found, file->own);
	assert_null(transaction_find(&fx->fs, "another"));
	transaction_put(found);
	listing_put(listing);
}

static void no_two_have_one_name(void **state)
{
	struct fs_fixture *fx = *state;
	struct listing *listing = listing_new();

	open_transaction(fx, "5");
	open_transaction(fx, "6");
	assert_int_equal(transactions_list(&fx->fs, listing), 0);
	assert_int_equal(listing->count, 2);
	assert_string_not_equal(listing->names[0], listing->names[1]);
	listing_put(listing);
}

static void what_the_store_refuses_is_none(void **state)
{
	struct fs_fixture *fx = *state;

	begin_in_vain(fx);
	store_refuses(fx, XS_TRANSACTION_START, "", "EQUOTA");
	assert_int_equal(start_error, -EDQUOT);
	assert_int_equal(fx->fs.transactions->count, 0);
}

static void what_the_store_gives_no_number_is_none(void **state)
{
	struct fs_fixture *fx = *state;

	begin_in_vain(fx);
	store_answers(fx, XS_TRANSACTION_START, "", "many");
	assert_int_equal(start_error, -EIO);
	assert_int_equal(fx->fs.transactions->count, 0);
}

/* Whichever allocation fails: that of the transaction, of its END, of the START. */
static void without_memory_none_begins(void **state)
{
	struct fs_fixture *fx = *state;

	for (unsigned i = 1; i <= 3; i++) {
		struct op *op = kernel_asks(fx, INODE_ROOT_ID);

		start_error = 0;
		malloc_countdown = i;
		transaction_start(op, note_start);
		assert_int_equal(malloc_countdown, 0);
		assert_int_equal(start_error, -ENOMEM);
		kernel_hears_error(fx, -ENOMEM);
	}
	store_gets_nothing(fx);
}

/* ---- its file ---- */

static void assert_read(struct fs_fixture *fx, struct handle *file, size_t size, const char *expected,
			size_t len)
{
	struct op *op = kernel_asks(fx, file->inode->nodeid);
	const struct kernel_msg *msg;

	op->handle = file;
	op->size = size;
	transaction_read(file->own, op);
	msg = kernel_hears_error(fx, 0);
	assert_int_equal(msg->len, len);
	if (len)
		assert_memory_equal(msg->body, expected, len);
}

static void its_name_is_read_in_pieces_and_once(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	struct listing *listing = listing_new();
	const char *name;
	size_t len;

	transactions_list(&fx->fs, listing);
	name = listing->names[0];
	len = strlen(name);
	assert_read(fx, file, 1, name, 1);
	assert_read(fx, file, len - 1, name + 1, len - 1);
	assert_read(fx, file, 4096, "\n", 1);
	assert_read(fx, file, 4096, NULL, 0);
	listing_put(listing);
}

/* Polls it, and keeps that as `kh`. */
static unsigned poll_file(struct fs_fixture *fx, struct handle *file, uint64_t kh)
{
	struct op *op = kernel_polls(fx, file->inode->nodeid, kh);
	const struct kernel_msg *msg;
	struct fuse_poll_out out;

	op->handle = file;
	transaction_poll(file->own, op);
	msg = kernel_hears_error(fx, 0);
	memcpy(&out, msg->body, sizeof(out));
	return out.revents;
}

static void an_open_one_is_ready_and_no_more(void **state)
{
	struct fs_fixture *fx = *state;

	assert_int_equal(poll_file(fx, open_transaction(fx, "5"), 1), READY);
}

static void who_polls_it_hears_of_the_end(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");

	poll_file(fx, file, 3);
	end_by(fx, file, true, NULL);
	kernel_hears_error(fx, 0);
	kernel_hears_poll(fx, 3);
	assert_int_equal(poll_file(fx, file, 4), READY | POLLERR | POLLHUP);
}

static void who_polls_it_hears_of_a_conflict(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");

	poll_file(fx, file, 3);
	transaction_conflict(file->own);
	kernel_hears_poll(fx, 3);
	assert_int_equal(poll_file(fx, file, 4), READY | POLLPRI);
}

/* ---- its end ---- */

static void a_commit_is_answered_when_the_store_has_answered(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	const struct kernel_msg *msg;
	struct fuse_write_out out;
	struct fake_msg end;

	ask_for_end(fx, file, true);
	end = store_gets(fx, XS_TRANSACTION_END, "T");
	assert_int_equal(end.hdr.tx_id, 5);
	kernel_hears_nothing(fx);
	answer(fx->base, &end, "OK");
	msg = kernel_hears_error(fx, 0);
	memcpy(&out, msg->body, sizeof(out));
	assert_int_equal(out.size, 7);
}

static void a_conflict_cancels_a_commit(void **state)
{
	struct fs_fixture *fx = *state;

	end_by(fx, open_transaction(fx, "5"), true, "EAGAIN");
	kernel_hears_error(fx, -ECANCELED);
}

static void one_that_the_server_has_forgotten_is_canceled(void **state)
{
	struct fs_fixture *fx = *state;

	end_by(fx, open_transaction(fx, "5"), true, "ENOENT");
	kernel_hears_error(fx, -ECANCELED);
}

static void a_commit_may_exceed_a_quota(void **state)
{
	struct fs_fixture *fx = *state;

	end_by(fx, open_transaction(fx, "5"), true, "EQUOTA");
	kernel_hears_error(fx, -EDQUOT);
}

static void an_abort_succeeds(void **state)
{
	struct fs_fixture *fx = *state;

	end_by(fx, open_transaction(fx, "5"), false, NULL);
	kernel_hears_error(fx, 0);
}

static void an_abort_succeeds_where_a_commit_would_have_been_canceled(void **state)
{
	struct fs_fixture *fx = *state;

	end_by(fx, open_transaction(fx, "5"), false, "ENOENT");
	kernel_hears_error(fx, 0);
}

static void the_outcome_is_told_once(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");

	end_by(fx, file, true, NULL);
	kernel_hears_error(fx, 0);
	ask_for_end(fx, file, true);
	kernel_hears_error(fx, -ESTALE);
	store_gets_nothing(fx);
}

static void all_who_wait_for_the_outcome_are_told(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	uint64_t first;

	ask_for_end(fx, file, true);
	first = fx->unique;
	ask_for_end(fx, file, true);
	store_refuses(fx, XS_TRANSACTION_END, "T", "EAGAIN");
	kernel_hears_of(fx, first, -ECANCELED);
	kernel_hears_error(fx, -ECANCELED);
	store_gets_nothing(fx);
}

static void who_asks_for_the_abort_of_what_was_committed_is_too_late(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	uint64_t first;

	ask_for_end(fx, file, true);
	first = fx->unique;
	ask_for_end(fx, file, false);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_of(fx, first, 0);
	kernel_hears_error(fx, -ESTALE);
}

static void who_asks_for_the_commit_of_what_is_aborted_is_canceled(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	uint64_t first;

	ask_for_end(fx, file, false);
	first = fx->unique;
	ask_for_end(fx, file, true);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	kernel_hears_of(fx, first, 0);
	kernel_hears_error(fx, -ECANCELED);
}

static void who_was_interrupted_gets_the_outcome_when_he_asks_again(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	struct fake_msg end;

	ask_for_end(fx, file, true);
	end = store_gets(fx, XS_TRANSACTION_END, "T");
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	answer(fx->base, &end, "OK");
	kernel_hears_nothing(fx);
	ask_for_end(fx, file, true);
	kernel_hears_error(fx, 0);
}

static void one_that_failed_half_way_is_aborted_instead(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");

	transaction_spoil(file->own);
	ask_for_end(fx, file, true);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	kernel_hears_error(fx, -ENOTRECOVERABLE);
}

static void one_with_a_conflict_is_aborted_instead(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");

	transaction_spoil(file->own);
	transaction_conflict(file->own);
	ask_for_end(fx, file, true);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	kernel_hears_error(fx, -ECANCELED);
}

static void a_file_that_is_closed_aborts_it(void **state)
{
	struct fs_fixture *fx = *state;

	handle_free(open_transaction(fx, "5"));
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	assert_int_equal(fx->fs.transactions->count, 0);
}

static void a_file_that_is_closed_behind_the_end_ends_nothing(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");

	end_by(fx, file, true, NULL);
	handle_free(file);
	store_gets_nothing(fx);
}

static void from_its_end_on_it_is_over_and_not_listed(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	struct listing *listing = listing_new();

	assert_false(transaction_is_over(file->own));
	ask_for_end(fx, file, true);
	assert_true(transaction_is_over(file->own));
	assert_int_equal(transactions_list(&fx->fs, listing), 0);
	assert_int_equal(listing->count, 0);
	listing_put(listing);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
}

static bool is_connected_again(void *arg)
{
	struct fs_fixture *fx = arg;

	return stats(fx->base).reconnects > 0;
}

/* The store dies and is there again, with no transaction open. */
static void lose_the_connection(struct fs_fixture *fx)
{
	fake_store_eof(fx->base->store);
	wait_until(fx, is_connected_again, fx);
}

static void with_its_connection_it_is_over(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	struct listing *listing = listing_new();

	lose_the_connection(fx);
	assert_true(transaction_is_over(file->own));
	assert_int_equal(transactions_list(&fx->fs, listing), 0);
	assert_int_equal(listing->count, 0);
	listing_put(listing);
	ask_for_end(fx, file, true);
	kernel_hears_error(fx, -ECANCELED);
	/* On this connection its number may mean another. */
	store_gets_nothing(fx);
}

static void who_polls_it_hears_that_its_connection_was_lost(void **state)
{
	struct fs_fixture *fx = *state;

	poll_file(fx, open_transaction(fx, "5"), 3);
	lose_the_connection(fx);
	while (transactions_expire(&fx->fs) >= 0)
		;
	kernel_hears_poll(fx, 3);
}

static void a_connection_that_is_lost_with_the_commit_leaves_the_outcome_open(void **state)
{
	struct fs_fixture *fx = *state;

	ask_for_end(fx, open_transaction(fx, "5"), true);
	store_gets(fx, XS_TRANSACTION_END, "T");
	fake_store_eof(fx->base->store);
	kernel_hears_error(fx, -EIO);
}

static void the_end_of_the_mount_ends_all_that_are_open(void **state)
{
	struct fs_fixture *fx = *state;

	poll_file(fx, open_transaction(fx, "5"), 3);
	open_transaction(fx, "6");
	fs_fixture_shutdown(fx);
	kernel_hears_poll(fx, 3);
	assert_int_equal(fx->fs.transactions->count, 0);
}

/* ---- idleness ---- */

static void without_a_limit_it_is_never_idle(void **state)
{
	struct fs_fixture *fx = *state;

	open_transaction(fx, "5");
	assert_int_equal(transactions_expire(&fx->fs), -1);
}

static void what_is_used_has_its_time_before_it(void **state)
{
	struct fs_fixture *fx = *state;
	int wait_ms;

	fx->fs.config.tx_idle_s = 1000;
	open_transaction(fx, "5");
	wait_ms = transactions_expire(&fx->fs);
	assert_true(wait_ms > 0 && wait_ms <= 1000000);
	store_gets_nothing(fx);
}

static void what_is_not_used_for_too_long_is_aborted(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file;
	int wait_ms;

	fx->fs.config.tx_idle_s = 1;
	file = open_transaction(fx, "5");
	while ((wait_ms = transactions_expire(&fx->fs)) > 0)
		poll(NULL, 0, wait_ms);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	assert_int_equal(fx->fs.transactions->idle_ends, 1);
	assert_int_equal(transactions_expire(&fx->fs), -1);
	ask_for_end(fx, file, true);
	kernel_hears_error(fx, -ECANCELED);
}

/* ---- what it changed ---- */

/* Runs one request in the view of a transaction. */
static void done(struct op *op)
{
	op_reply_error(op, op_call_error(op, 0));
}

static void change_inside(struct fs_fixture *fx, struct handle *file, uint32_t type, const char *path)
{
	const struct view *view = transaction_view(file->own, false);
	struct inodes *inodes = &fx->fs.inodes;
	struct inode *inode = inode_intern(inodes, inodes->root, "inside", INODE_DIR, view, NULL);
	struct op *op;

	inode_remember(inode);
	inode_put(inodes, inode);
	op = kernel_asks(fx, inode->nodeid);
	op_call(op, type, view->tx_id, path, NULL, 0);
	op_submit(op, done);
	store_answers(fx, type, path, "OK");
	kernel_hears_error(fx, 0);
}

static void it_sees_what_it_has_changed(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");

	assert_int_equal(transaction_see(file->own, "/a"), SIGHT_OUTSIDE);
	change_inside(fx, file, XS_MKDIR, "/a");
	change_inside(fx, file, XS_RM, "/b");
	assert_int_equal(transaction_see(file->own, "/a"), SIGHT_THERE);
	assert_int_equal(transaction_see(file->own, "/b"), SIGHT_GONE);
}

static void a_directory_that_it_made_is_one_outside_when_it_is_committed(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");

	change_inside(fx, file, XS_MKDIR, "/a");
	empty_nodes_add(transaction_view(file->own, false)->empty_nodes, "/a");
	assert_false(empty_nodes_has(&fx->fs.empty_nodes, "/a"));
	end_by(fx, file, true, NULL);
	assert_true(empty_nodes_has(&fx->fs.empty_nodes, "/a"));
}

static void a_directory_that_it_removed_is_none_outside_when_it_is_committed(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file;

	empty_nodes_add(&fx->fs.empty_nodes, "/a");
	file = open_transaction(fx, "5");
	change_inside(fx, file, XS_RM, "/a");
	assert_true(empty_nodes_has(&fx->fs.empty_nodes, "/a"));
	end_by(fx, file, true, NULL);
	assert_false(empty_nodes_has(&fx->fs.empty_nodes, "/a"));
}

static void what_is_not_committed_changes_nothing_outside(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file;

	empty_nodes_add(&fx->fs.empty_nodes, "/a");
	file = open_transaction(fx, "5");
	change_inside(fx, file, XS_RM, "/a");
	change_inside(fx, file, XS_MKDIR, "/b");
	empty_nodes_add(transaction_view(file->own, false)->empty_nodes, "/b");
	end_by(fx, file, true, "EAGAIN");
	assert_true(empty_nodes_has(&fx->fs.empty_nodes, "/a"));
	assert_false(empty_nodes_has(&fx->fs.empty_nodes, "/b"));
}

static void it_begins_with_what_was_made_outside(void **state)
{
	struct fs_fixture *fx = *state;

	empty_nodes_add(&fx->fs.empty_nodes, "/a");
	assert_true(empty_nodes_has(transaction_view(open_transaction(fx, "5")->own, false)->empty_nodes, "/a"));
}

static void at_its_end_the_kernel_forgets_its_view(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	struct inode *root = known_inode(fx, "view", INODE_DIR);
	struct stale stale;

	transaction_set_root(file->own, root);
	assert_int_equal(fx->told, 0);
	end_by(fx, file, true, NULL);
	assert_int_equal(fx->told, 1);
	assert_true(inode_take_stale(&fx->fs.inodes, &stale));
	assert_ptr_equal(stale.inode, root);
	if (inode_told(&fx->fs.inodes, &stale))
		inode_put(&fx->fs.inodes, root);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fs_fixture_setup, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_that_is_open_is_listed_and_found),
		TEST(no_two_have_one_name),
		TEST(what_the_store_refuses_is_none),
		TEST(what_the_store_gives_no_number_is_none),
		TEST(without_memory_none_begins),
		TEST(its_name_is_read_in_pieces_and_once),
		TEST(an_open_one_is_ready_and_no_more),
		TEST(who_polls_it_hears_of_the_end),
		TEST(who_polls_it_hears_of_a_conflict),
		TEST(a_commit_is_answered_when_the_store_has_answered),
		TEST(a_conflict_cancels_a_commit),
		TEST(one_that_the_server_has_forgotten_is_canceled),
		TEST(a_commit_may_exceed_a_quota),
		TEST(an_abort_succeeds),
		TEST(an_abort_succeeds_where_a_commit_would_have_been_canceled),
		TEST(the_outcome_is_told_once),
		TEST(all_who_wait_for_the_outcome_are_told),
		TEST(who_asks_for_the_abort_of_what_was_committed_is_too_late),
		TEST(who_asks_for_the_commit_of_what_is_aborted_is_canceled),
		TEST(who_was_interrupted_gets_the_outcome_when_he_asks_again),
		TEST(one_that_failed_half_way_is_aborted_instead),
		TEST(one_with_a_conflict_is_aborted_instead),
		TEST(a_file_that_is_closed_aborts_it),
		TEST(a_file_that_is_closed_behind_the_end_ends_nothing),
		TEST(from_its_end_on_it_is_over_and_not_listed),
		TEST(with_its_connection_it_is_over),
		TEST(who_polls_it_hears_that_its_connection_was_lost),
		TEST(a_connection_that_is_lost_with_the_commit_leaves_the_outcome_open),
		TEST(the_end_of_the_mount_ends_all_that_are_open),
		TEST(without_a_limit_it_is_never_idle),
		TEST(what_is_used_has_its_time_before_it),
		TEST(what_is_not_used_for_too_long_is_aborted),
		TEST(it_sees_what_it_has_changed),
		TEST(a_directory_that_it_made_is_one_outside_when_it_is_committed),
		TEST(a_directory_that_it_removed_is_none_outside_when_it_is_committed),
		TEST(what_is_not_committed_changes_nothing_outside),
		TEST(it_begins_with_what_was_made_outside),
		TEST(at_its_end_the_kernel_forgets_its_view),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
