/* SPDX-License-Identifier: MIT */
/* Polls on values: what counts as a change, which polls are woken, and what happens where no event
 * tells of a file. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/events/poll.h"
#include "fs/op/transaction.h"
#include "tests/events_fixture.h"

/* What is told of a change, of a node that is not there, and of both. */
#define NEWS (POLLPRI | POLLERR)
#define GONE POLLHUP
#define TOLD (NEWS | GONE)

/* A privileged mount whose watch on everything is set. */
static struct token root;

static int begin(void **state)
{
	events_fixture_setup(state);
	root = watch_the_root(*state);
	return 0;
}

/* A guest's, in which /a is outside of what its base covers. */
static int begin_as_guest(void **state)
{
	struct fs_fixture *fx;

	events_fixture_setup(state);
	fx = *state;
	fx->fs.config.privileged = false;
	fx->fs.config.self_domid = 7;
	cover_start(&fx->fs);
	root = store_watches(fx, "/local/domain/7");
	return 0;
}

static struct handle *open_value(struct fs_fixture *fx)
{
	return handle_new(&fx->fs.handles, known_inode(fx, "a", INODE_LEAF), O_RDONLY);
}

/* Begins a POLL that is to be notified as `kh`. */
static void begin_poll(struct fs_fixture *fx, struct handle *file, uint64_t kh)
{
	struct op *op = kernel_polls(fx, file->inode->nodeid, kh);

	op->handle = file;
	poll_value(op);
}

/* Returns those bits of TOLD with which the poll was answered. */
static unsigned poll_answer(struct fs_fixture *fx)
{
	const struct kernel_msg *msg = kernel_hears_error(fx, 0);
	struct fuse_poll_out out;

	memcpy(&out, msg->body, sizeof(out));
	return out.revents & TOLD;
}

static unsigned poll_it(struct fs_fixture *fx, struct handle *file, uint64_t kh)
{
	begin_poll(fx, file, kh);
	return poll_answer(fx);
}

/* A read that asked the store has reached the end of the value. */
static void read_all(struct fs_fixture *fx, struct handle *file)
{
	struct op *op = kernel_asks(fx, file->inode->nodeid);

	op->handle = file;
	op->events = file->inode->events;
	poll_seen(op, false);
	op_reply_error(op, 0);
	kernel_hears_error(fx, 0);
}

/* ---- news ---- */

static void what_was_not_read_is_news(void **state)
{
	struct fs_fixture *fx = *state;

	assert_int_equal(poll_it(fx, open_value(fx), 1), NEWS);
}

static void what_was_read_is_none(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	assert_int_equal(poll_it(fx, file, 1), 0);
	store_gets_nothing(fx);
}

static void an_event_wakes_who_polls_and_is_news(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	poll_it(fx, file, 8);
	kernel_hears_nothing(fx);
	store_tells(fx, "/a", &root);
	kernel_hears_poll(fx, 8);
	assert_int_equal(poll_it(fx, file, 9), NEWS);
}

static void who_was_woken_is_not_woken_again(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	poll_it(fx, file, 8);
	store_tells(fx, "/a", &root);
	store_tells(fx, "/a", &root);
	kernel_hears_poll(fx, 8);
	kernel_hears_nothing(fx);
}

static void who_polls_holds_back_no_change(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx), *other = open_value(fx);

	read_all(fx, file);
	inode_size_hold(file);
	inode_size_hold(other);
	poll_it(fx, file, 8);
	assert_int_equal(file->inode->holds, 1);
	poll_it(fx, other, 9);
	assert_int_equal(file->inode->holds, 0);
}

static void an_event_elsewhere_wakes_nobody(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	poll_it(fx, file, 8);
	store_tells(fx, "/b", &root);
	kernel_hears_nothing(fx);
	assert_int_equal(poll_it(fx, file, 9), 0);
}

static void what_changed_while_it_was_read_is_news(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);
	struct op *op = kernel_asks(fx, file->inode->nodeid);

	op->handle = file;
	op->events = file->inode->events;
	store_tells(fx, "/a", &root);
	poll_seen(op, false);
	op_reply_error(op, 0);
	kernel_hears_error(fx, 0);
	assert_int_equal(poll_it(fx, file, 1), NEWS);
}

static void each_open_file_has_its_own_news(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *one = open_value(fx), *other = open_value(fx);

	read_all(fx, one);
	assert_int_equal(poll_it(fx, one, 1), 0);
	assert_int_equal(poll_it(fx, other, 2), NEWS);
}

static void everybody_is_looked_at_anew_after_a_gap(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	poll_it(fx, file, 8);
	store_restarts(fx);
	store_watches(fx, "/");
	kernel_hears_poll(fx, 8);
	assert_int_equal(poll_it(fx, file, 9), NEWS);
}

static void with_an_open_file_its_poll_goes(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	poll_it(fx, file, 8);
	handle_free(file);
	store_tells(fx, "/a", &root);
	kernel_hears_nothing(fx);
}

/* ---- whether it is there ---- */

/* Polls twice without a read, by which the store is asked whether the node is there. */
static void poll_on(struct fs_fixture *fx, struct handle *file)
{
	assert_int_equal(poll_it(fx, file, 1) & NEWS, NEWS);
	store_gets_nothing(fx);
	assert_int_equal(poll_it(fx, file, 2) & NEWS, NEWS);
}

static void of_a_change_that_is_not_read_the_second_poll_asks_whether_it_is_there(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	poll_on(fx, file);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	assert_int_equal(poll_it(fx, file, 3), NEWS | GONE);
	store_gets_nothing(fx);
}

static void who_reads_after_each_change_causes_no_question_of_ours(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	for (uint64_t kh = 1; kh < 7; kh += 2) {
		assert_int_equal(poll_it(fx, file, kh), 0);
		store_tells(fx, "/a", &root);
		kernel_hears_poll(fx, kh);
		assert_int_equal(poll_it(fx, file, kh + 1), NEWS);
		read_all(fx, file);
	}
	store_gets_nothing(fx);
}

static void what_comes_back_is_not_gone(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	poll_on(fx, file);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	store_tells(fx, "/a", &root);
	kernel_hears_poll(fx, 2);
	poll_on(fx, file);
	store_answers(fx, XS_READ, "/a", "1");
	assert_int_equal(poll_it(fx, file, 3), NEWS);
}

static void an_old_answer_says_nothing_about_what_came_since(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);
	struct fake_msg old;

	poll_on(fx, file);
	old = store_gets(fx, XS_READ, "/a");
	store_tells(fx, "/a", &root);
	kernel_hears_poll(fx, 2);
	poll_on(fx, file);
	store_gets_nothing(fx);
	fake_store_error(fx->base->store, &old, "ENOENT");
	pump(fx->base);
	assert_int_equal(poll_it(fx, file, 3), NEWS);
	store_answers(fx, XS_READ, "/a", "1");
	assert_int_equal(poll_it(fx, file, 4), NEWS);
	store_gets_nothing(fx);
}

/* Else whoever polls in a loop fills the queue of a store that is slow. */
static void while_the_store_is_asked_it_is_not_asked_again(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx), *other = open_value(fx);
	struct fake_msg question;

	poll_on(fx, file);
	question = store_gets(fx, XS_READ, "/a");
	for (uint64_t kh = 3; kh < 9; kh++) {
		assert_int_equal(poll_it(fx, file, kh), NEWS);
		assert_int_equal(poll_it(fx, other, kh + 10), NEWS);
	}
	store_gets_nothing(fx);
	fake_store_error(fx->base->store, &question, "ENOENT");
	pump(fx->base);
	assert_int_equal(poll_it(fx, other, 30), NEWS | GONE);
}

/* As when it was not in time. */
static void without_an_answer_it_is_asked_again(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	poll_on(fx, file);
	store_refuses(fx, XS_READ, "/a", "EBUSY");
	assert_int_equal(poll_it(fx, file, 3), NEWS);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	assert_int_equal(poll_it(fx, file, 4), NEWS | GONE);
	store_gets_nothing(fx);
}

static void what_this_mount_removed_never_waits(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	inode_remove(&fx->fs.inodes, fx->fs.inodes.root, "a", &fx->fs.wakeups);
	assert_int_equal(poll_it(fx, file, 1), NEWS | GONE);
	store_gets_nothing(fx);
}

static void a_removal_wakes_who_polls(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	poll_it(fx, file, 8);
	inode_remove(&fx->fs.inodes, fx->fs.inodes.root, "a", &fx->fs.wakeups);
	kernel_hears_poll(fx, 8);
}

static void in_a_transaction_there_is_no_news(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *tx = open_transaction(fx, "5");
	struct inodes *inodes = &fx->fs.inodes;
	struct inode *inode = inode_intern(inodes, inodes->root, "in", INODE_LEAF,
					   transaction_view(tx->own, false), NULL);
	struct handle *file = handle_new(&fx->fs.handles, inode, O_RDONLY);

	inode_put(inodes, inode);
	assert_int_equal(poll_it(fx, file, 1), 0);
	store_gets_nothing(fx);
}

/* ---- where the base does not reach ---- */

static void outside_an_open_file_that_is_polled_has_a_watch(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);
	struct token token;

	read_all(fx, file);
	poll_it(fx, file, 3);
	token = store_watches(fx, "/a");
	/* What came before it was set is not known. */
	kernel_hears_poll(fx, 3);
	read_all(fx, file);
	assert_int_equal(poll_it(fx, file, 4), 0);
	store_tells(fx, "/a", &token);
	kernel_hears_poll(fx, 4);
	store_gets_nothing(fx);
}

static void outside_an_open_file_that_is_closed_gives_its_watch_back(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	poll_it(fx, file, 3);
	store_watches(fx, "/a");
	kernel_hears_poll(fx, 3);
	handle_free(file);
	store_gets(fx, XS_UNWATCH, "/a");
}

static void outside_a_file_that_is_moved_is_watched_at_its_new_place(void **state)
{
	struct fs_fixture *fx = *state;
	struct inodes *inodes = &fx->fs.inodes;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	poll_it(fx, file, 3);
	store_watches(fx, "/a");
	kernel_hears_poll(fx, 3);
	assert_int_equal(inode_rename(inodes, inodes->root, "a", inodes->root, "b", &fx->fs.wakeups), 0);
	read_all(fx, file);
	poll_it(fx, file, 4);
	store_gets(fx, XS_UNWATCH, "/a");
	store_watches(fx, "/b");
}

/* A poll whose watch the server has refused. */
static struct handle *unwatched_value(struct fs_fixture *fx, uint64_t kh)
{
	struct handle *file = open_value(fx);

	read_all(fx, file);
	assert_int_equal(poll_it(fx, file, kh), 0);
	store_refuses(fx, XS_WATCH, "/a", "E2BIG");
	return file;
}

static void without_a_watch_who_polls_waits_all_the_same(void **state)
{
	struct fs_fixture *fx = *state;

	unwatched_value(fx, 3);
	assert_int_equal(fx->fs.polls->count, 1);
	kernel_hears_nothing(fx);
}

/* Lets the time pass after which those are told that no event tells. */
static void a_second_passes(struct fs_fixture *fx)
{
	int wait_ms;

	while (wait_ms = polls_tell_unwatched(&fx->fs), STAILQ_EMPTY(&fx->fs.wakeups))
		poll(NULL, 0, wait_ms);
}

static void without_a_watch_who_polls_is_told_to_look_every_now_and_then(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = unwatched_value(fx, 3);

	a_second_passes(fx);
	kernel_hears_poll(fx, 3);
	assert_int_equal(poll_it(fx, file, 4) & NEWS, NEWS);
}

static void the_poll_behind_that_tries_for_the_watch_again(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = unwatched_value(fx, 3);

	a_second_passes(fx);
	kernel_hears_poll(fx, 3);
	begin_poll(fx, file, 4);
	store_watches(fx, "/a");
	assert_int_equal(fx->fs.polls->count, 0);
	assert_int_equal(polls_tell_unwatched(&fx->fs), -1);
}

static void without_a_watch_a_file_that_is_closed_is_told_nothing(void **state)
{
	struct fs_fixture *fx = *state;

	handle_free(unwatched_value(fx, 3));
	assert_int_equal(fx->fs.polls->count, 0);
	assert_int_equal(polls_tell_unwatched(&fx->fs), -1);
}

static void a_watch_that_is_lost_leaves_the_file_unwatched(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_value(fx);

	read_all(fx, file);
	poll_it(fx, file, 3);
	store_watches(fx, "/a");
	kernel_hears_poll(fx, 3);
	assert_int_equal(fx->fs.polls->count, 0);
	store_restarts(fx);
	for (unsigned i = 0; i < 2; i++) {
		struct fake_msg msg;

		assert_true(fake_store_take(fx->base->store, &msg));
		if (!strcmp(msg.body, "/a"))
			fake_store_error(fx->base->store, &msg, "E2BIG");
		else
			fake_store_reply(fx->base->store, &msg, "OK", 3);
		pump(fx->base);
	}
	assert_int_equal(fx->fs.polls->count, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
#define GUEST(f) cmocka_unit_test_setup_teardown(f, begin_as_guest, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_was_not_read_is_news),
		TEST(what_was_read_is_none),
		TEST(an_event_wakes_who_polls_and_is_news),
		TEST(who_was_woken_is_not_woken_again),
		TEST(who_polls_holds_back_no_change),
		TEST(an_event_elsewhere_wakes_nobody),
		TEST(what_changed_while_it_was_read_is_news),
		TEST(each_open_file_has_its_own_news),
		TEST(everybody_is_looked_at_anew_after_a_gap),
		TEST(with_an_open_file_its_poll_goes),
		TEST(of_a_change_that_is_not_read_the_second_poll_asks_whether_it_is_there),
		TEST(who_reads_after_each_change_causes_no_question_of_ours),
		TEST(what_comes_back_is_not_gone),
		TEST(an_old_answer_says_nothing_about_what_came_since),
		TEST(while_the_store_is_asked_it_is_not_asked_again),
		TEST(without_an_answer_it_is_asked_again),
		TEST(what_this_mount_removed_never_waits),
		TEST(a_removal_wakes_who_polls),
		TEST(in_a_transaction_there_is_no_news),
		GUEST(outside_an_open_file_that_is_polled_has_a_watch),
		GUEST(outside_an_open_file_that_is_closed_gives_its_watch_back),
		GUEST(outside_a_file_that_is_moved_is_watched_at_its_new_place),
		GUEST(without_a_watch_who_polls_waits_all_the_same),
		GUEST(without_a_watch_who_polls_is_told_to_look_every_now_and_then),
		GUEST(the_poll_behind_that_tries_for_the_watch_again),
		GUEST(without_a_watch_a_file_that_is_closed_is_told_nothing),
		GUEST(a_watch_that_is_lost_leaves_the_file_unwatched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
