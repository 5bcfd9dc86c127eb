/* SPDX-License-Identifier: MIT */
/* Event streams: which events they report, in which lines, and how reads, polls and
 * subscriptions wait. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/events/stream.h"
#include "tests/events_fixture.h"
#include "tests/failing_malloc.h"

/* Paths about which a read asks the store at a time. */
#define BATCH 32

/* The watch on everything, which all streams of a privileged mount share. */
static struct token root;

static int begin(void **state)
{
	events_fixture_setup(state);
	root = watch_the_root(*state);
	return 0;
}

static void event(struct fs_fixture *fx, const char *path)
{
	store_tells(fx, path, &root);
}

/* ---- streams ---- */

static struct handle *open_stream(struct fs_fixture *fx)
{
	struct inode *inode = known_inode(fx, ".watch", INODE_SPECIAL);
	struct handle *file = handle_new(&fx->fs.handles, inode, O_RDWR);
	struct stream *stream;

	assert_non_null(file);
	assert_int_equal(stream_new(&fx->fs, 0, NULL, &stream), 0);
	handle_set_own(file, stream, stream_close);
	return file;
}

static void subscribed(struct op *op, int error)
{
	op_reply_error(op, error);
}

static void subscribe_to(struct fs_fixture *fx, struct handle *file, const char *first, const char *second)
{
	struct op *op = kernel_asks(fx, file->inode->nodeid);
	char *const paths[] = { (char *)first, (char *)second };

	op->handle = file;
	stream_subscribe(file->own, op, paths, !!first + !!second, subscribed);
}

/* Returns a stream that reports `path`, which the watch on everything covers. */
static struct handle *stream_of(struct fs_fixture *fx, const char *path)
{
	struct handle *file = open_stream(fx);

	subscribe_to(fx, file, path, NULL);
	kernel_hears_error(fx, 0);
	return file;
}

/* Begins a read.  Returns its number. */
static uint64_t begin_read(struct fs_fixture *fx, struct handle *file, size_t size)
{
	struct op *op = kernel_asks(fx, file->inode->nodeid);

	op->handle = file;
	op->size = size;
	stream_read(op);
	return fx->unique;
}

static void assert_lines_of(struct fs_fixture *fx, uint64_t unique, const char *lines)
{
	const struct kernel_msg *msg = kernel_hears_of(fx, unique, 0);

	assert_int_equal(msg->len, strlen(lines));
	assert_memory_equal(msg->body, lines, msg->len);
}

static void assert_lines(struct fs_fixture *fx, const char *lines)
{
	assert_lines_of(fx, fx->unique, lines);
}

/* Fails the test unless a read that may not wait has nothing. */
static void assert_nothing_to_read(struct fs_fixture *fx, struct handle *file)
{
	struct op *op = kernel_asks(fx, file->inode->nodeid);

	op->handle = file;
	op->size = 4096;
	op->flags = O_NONBLOCK;
	stream_read(op);
	kernel_hears_error(fx, -EAGAIN);
}

static unsigned poll_stream(struct fs_fixture *fx, struct handle *file, uint64_t kh)
{
	struct op *op = kernel_polls(fx, file->inode->nodeid, kh);
	const struct kernel_msg *msg;
	struct fuse_poll_out out;

	op->handle = file;
	stream_poll(op);
	msg = kernel_hears_error(fx, 0);
	memcpy(&out, msg->body, sizeof(out));
	return out.revents;
}

/* ---- lines ---- */

static void who_waits_is_told_what_became_of_the_node(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	begin_read(fx, file, 4096);
	kernel_hears_nothing(fx);
	event(fx, "/a/b");
	store_answers(fx, XS_READ, "/a/b", "1");
	assert_lines(fx, "changed /a/b\n");
}

static void a_node_that_is_not_there_any_more_was_deleted(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	event(fx, "/a/b");
	begin_read(fx, file, 4096);
	store_refuses(fx, XS_READ, "/a/b", "ENOENT");
	assert_lines(fx, "deleted /a/b\n");
}

static void a_node_that_may_not_be_read_has_changed(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	event(fx, "/a/b");
	begin_read(fx, file, 4096);
	store_refuses(fx, XS_READ, "/a/b", "EACCES");
	assert_lines(fx, "changed /a/b\n");
}

static void who_does_not_read_costs_the_store_nothing(void **state)
{
	struct fs_fixture *fx = *state;

	stream_of(fx, "/a");
	for (unsigned i = 0; i < 100; i++)
		event(fx, "/a/b");
	store_gets_nothing(fx);
}

static void many_events_on_a_path_are_one_line(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	event(fx, "/a/b");
	event(fx, "/a/c");
	event(fx, "/a/b");
	begin_read(fx, file, 4096);
	store_answers(fx, XS_READ, "/a/b", "1");
	store_answers(fx, XS_READ, "/a/c", "1");
	assert_lines(fx, "changed /a/b\nchanged /a/c\n");
	assert_nothing_to_read(fx, file);
}

static void what_is_elsewhere_is_not_told(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	event(fx, "/b");
	assert_nothing_to_read(fx, file);
}

static void of_what_is_above_the_own_path_is_told(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a/b");

	event(fx, "/a");
	begin_read(fx, file, 4096);
	store_refuses(fx, XS_READ, "/a/b", "ENOENT");
	assert_lines(fx, "deleted /a/b\n");
}

static void each_stream_is_told(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *one = stream_of(fx, "/a"), *other = stream_of(fx, "/a");

	event(fx, "/a");
	begin_read(fx, one, 4096);
	store_answers(fx, XS_READ, "/a", "1");
	assert_lines(fx, "changed /a\n");
	begin_read(fx, other, 4096);
	store_answers(fx, XS_READ, "/a", "1");
	assert_lines(fx, "changed /a\n");
}

static void what_would_not_be_one_line_is_not_passed_on(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/");

	event(fx, "/a\nchanged /b");
	assert_nothing_to_read(fx, file);
}

static void a_line_is_read_in_pieces(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	event(fx, "/a");
	begin_read(fx, file, 3);
	store_answers(fx, XS_READ, "/a", "1");
	assert_lines(fx, "cha");
	/* What was begun is not asked for again, whatever happens. */
	event(fx, "/a");
	begin_read(fx, file, 4096);
	assert_lines(fx, "nged /a\n");
	store_gets_nothing(fx);
}

static void many_paths_are_asked_for_in_batches(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/");
	char path[16];

	for (unsigned i = 0; i < BATCH + 1; i++) {
		snprintf(path, sizeof(path), "/k%u", i);
		event(fx, path);
	}
	begin_read(fx, file, 4096);
	for (unsigned i = 0; i < BATCH; i++) {
		snprintf(path, sizeof(path), "/k%u", i);
		store_answers(fx, XS_READ, path, "1");
	}
	kernel_hears_error(fx, 0);
	store_gets_nothing(fx);
	begin_read(fx, file, 4096);
	store_answers(fx, XS_READ, "/k32", "1");
	assert_lines(fx, "changed /k32\n");
}

static void too_many_paths_are_an_overflow_and_then_it_goes_on(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/");
	uint64_t overflows;
	char path[1000];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	for (unsigned i = 0; i < STREAM_QUEUE_MAX / sizeof(path) + 1; i++) {
		snprintf(path + 990, sizeof(path) - 990, "%u", i);
		event(fx, path);
	}
	assert_int_equal(streams_count(&fx->fs, &overflows), 1);
	assert_int_equal(overflows, 1);
	begin_read(fx, file, 4096);
	assert_lines(fx, "overflow\n");
	store_gets_nothing(fx);
	event(fx, "/a");
	begin_read(fx, file, 4096);
	store_answers(fx, XS_READ, "/a", "1");
	assert_lines(fx, "changed /a\n");
}

static void when_events_may_have_been_lost_it_says_so(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	begin_read(fx, file, 4096);
	store_restarts(fx);
	store_watches(fx, "/");
	assert_lines(fx, "resync\n");
	assert_nothing_to_read(fx, file);
}

static void a_line_that_was_begun_comes_first(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	event(fx, "/a");
	begin_read(fx, file, 3);
	store_answers(fx, XS_READ, "/a", "1");
	assert_lines(fx, "cha");
	store_restarts(fx);
	store_watches(fx, "/");
	begin_read(fx, file, 4096);
	assert_lines(fx, "nged /a\n");
	begin_read(fx, file, 4096);
	assert_lines(fx, "resync\n");
}

/* ---- who waits ---- */

static void who_may_not_wait_tries_again(void **state)
{
	struct fs_fixture *fx = *state;

	assert_nothing_to_read(fx, stream_of(fx, "/a"));
}

static void a_read_that_is_interrupted_takes_nothing_along(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	begin_read(fx, file, 4096);
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	event(fx, "/a");
	store_gets_nothing(fx);
	begin_read(fx, file, 4096);
	store_answers(fx, XS_READ, "/a", "1");
	assert_lines(fx, "changed /a\n");
}

static void a_read_that_is_interrupted_while_it_asks_puts_its_paths_back(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	event(fx, "/a");
	begin_read(fx, file, 4096);
	store_gets(fx, XS_READ, "/a");
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	begin_read(fx, file, 4096);
	store_answers(fx, XS_READ, "/a", "1");
	assert_lines(fx, "changed /a\n");
}

static void one_read_asks_and_the_other_waits_for_its_turn(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");
	uint64_t first;

	first = begin_read(fx, file, 8);
	begin_read(fx, file, 4096);
	event(fx, "/a");
	store_answers(fx, XS_READ, "/a", "1");
	store_gets_nothing(fx);
	assert_lines_of(fx, first, "changed ");
	assert_lines(fx, "/a\n");
}

static void behind_an_interrupted_read_another_gets_its_turn(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");
	uint64_t first;

	first = begin_read(fx, file, 4096);
	begin_read(fx, file, 4096);
	event(fx, "/a");
	store_gets(fx, XS_READ, "/a");
	kernel_interrupts(fx, first);
	grace_is_over(fx);
	kernel_hears_of(fx, first, -EINTR);
	store_answers(fx, XS_READ, "/a", "1");
	assert_lines(fx, "changed /a\n");
}

static void while_one_read_asks_no_other_does(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/");
	struct fake_msg msg;
	uint64_t first;

	first = begin_read(fx, file, 4096);
	begin_read(fx, file, 4096);
	event(fx, "/a");
	msg = store_gets(fx, XS_READ, "/a");
	event(fx, "/b");
	store_gets_nothing(fx);
	answer(fx->base, &msg, "1");
	assert_lines_of(fx, first, "changed /a\n");
	store_answers(fx, XS_READ, "/b", "1");
	assert_lines(fx, "changed /b\n");
}

/* Lets `n` reads wait for one line, of which each gets one byte.  Returns how much of the stack their answers
 * took. */
static size_t stack_of_reads(struct fs_fixture *fx, struct handle *file, unsigned n)
{
	char path[1100] = "/a/";

	assert_true(n < sizeof(path));
	for (unsigned i = 0; i < n; i++)
		begin_read(fx, file, 1);
	memset(path + strlen(path), 'x', n);
	event(fx, path);
	fx->deepest = NULL;
	store_answers(fx, XS_READ, path, "1");
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(kernel_hears(fx)->len, 1);
	/* The rest of the line. */
	begin_read(fx, file, 4096);
	assert_int_equal(kernel_hears_error(fx, 0)->len, strlen("changed /a/\n"));
	return (char *)__builtin_frame_address(0) - fx->deepest;
}

static void however_many_reads_wait_the_stack_is_as_deep(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");
	size_t few = stack_of_reads(fx, file, 10), many = stack_of_reads(fx, file, 1000);

	assert_in_range(many, 1, few + 1024);
}

static void without_memory_to_ask_the_event_stays(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");
	struct op *op;

	event(fx, "/a");
	op = kernel_asks(fx, file->inode->nodeid);
	op->handle = file;
	op->size = 4096;
	malloc_countdown = 1;
	stream_read(op);
	malloc_countdown = 0;
	kernel_hears_error(fx, -ENOMEM);
	begin_read(fx, file, 4096);
	store_answers(fx, XS_READ, "/a", "1");
	assert_lines(fx, "changed /a\n");
}

static void who_polls_is_woken_by_an_event(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	assert_int_equal(poll_stream(fx, file, 5), POLLOUT | POLLWRNORM);
	event(fx, "/b");
	kernel_hears_nothing(fx);
	event(fx, "/a");
	kernel_hears_poll(fx, 5);
	assert_int_equal(poll_stream(fx, file, 6), POLLOUT | POLLWRNORM | POLLIN | POLLRDNORM);
}

static void what_was_read_is_no_longer_there_for_a_poll(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	event(fx, "/a");
	begin_read(fx, file, 4096);
	store_answers(fx, XS_READ, "/a", "1");
	kernel_hears_error(fx, 0);
	assert_int_equal(poll_stream(fx, file, 5), POLLOUT | POLLWRNORM);
}

static void at_the_end_of_the_mount_who_reads_is_answered(void **state)
{
	struct fs_fixture *fx = *state;

	begin_read(fx, stream_of(fx, "/a"), 4096);
	streams_shutdown(&fx->fs);
	kernel_hears_error(fx, -EIO);
}

static void at_the_end_of_the_mount_who_subscribes_is_answered(void **state)
{
	struct fs_fixture *fx = *state;

	subscribe_to(fx, open_stream(fx), "@releaseDomain", NULL);
	kernel_hears_nothing(fx);
	streams_shutdown(&fx->fs);
	kernel_hears_error(fx, -EIO);
}

/* ---- subscriptions ---- */

static void a_subscription_is_answered_when_its_watch_is_set(void **state)
{
	struct fs_fixture *fx = *state;

	subscribe_to(fx, open_stream(fx), "@releaseDomain", NULL);
	kernel_hears_nothing(fx);
	store_watches(fx, "@releaseDomain");
	kernel_hears_error(fx, 0);
}

static void of_a_special_path_the_store_is_not_asked(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_stream(fx);
	struct token token;

	subscribe_to(fx, file, "@releaseDomain", NULL);
	token = store_watches(fx, "@releaseDomain");
	kernel_hears_error(fx, 0);
	store_tells(fx, "@releaseDomain", &token);
	begin_read(fx, file, 4096);
	assert_lines(fx, "changed @releaseDomain\n");
	store_gets_nothing(fx);
}

static void special_paths_and_nodes_come_together(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_stream(fx);
	struct token token;

	subscribe_to(fx, file, "@releaseDomain", "/a");
	token = store_watches(fx, "@releaseDomain");
	kernel_hears_error(fx, 0);
	store_tells(fx, "@releaseDomain", &token);
	event(fx, "/a");
	begin_read(fx, file, 4096);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	assert_lines(fx, "changed @releaseDomain\ndeleted /a\n");
}

static void a_subscription_that_is_refused_is_none(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_stream(fx);

	subscribe_to(fx, file, "@releaseDomain", NULL);
	store_refuses(fx, XS_WATCH, "@releaseDomain", "E2BIG");
	kernel_hears_error(fx, -EDQUOT);
	assert_int_equal(stream_unsubscribe(file->own, "@releaseDomain"), -ENOENT);
}

static void of_several_subscriptions_those_stay_that_succeeded(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_stream(fx);

	subscribe_to(fx, file, "@releaseDomain", "/a");
	store_refuses(fx, XS_WATCH, "@releaseDomain", "E2BIG");
	kernel_hears_error(fx, -EDQUOT);
	assert_int_equal(stream_unsubscribe(file->own, "@releaseDomain"), -ENOENT);
	assert_int_equal(stream_unsubscribe(file->own, "/a"), 0);
}

static void a_second_subscription_to_a_path_is_no_error_and_no_second_line(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	subscribe_to(fx, file, "/a", NULL);
	kernel_hears_error(fx, 0);
	event(fx, "/a");
	begin_read(fx, file, 4096);
	store_answers(fx, XS_READ, "/a", "1");
	assert_lines(fx, "changed /a\n");
	assert_int_equal(stream_unsubscribe(file->own, "/a"), 0);
	assert_int_equal(stream_unsubscribe(file->own, "/a"), -ENOENT);
}

static void of_an_ended_subscription_nothing_is_told(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_of(fx, "/a");

	assert_int_equal(stream_unsubscribe(file->own, "/a"), 0);
	event(fx, "/a");
	assert_nothing_to_read(fx, file);
}

static void who_is_interrupted_while_he_subscribes_is_subscribed(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_stream(fx);
	struct fake_msg msg;

	subscribe_to(fx, file, "@releaseDomain", NULL);
	msg = store_gets(fx, XS_WATCH, "@releaseDomain");
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	answer(fx->base, &msg, "OK");
	for (unsigned i = 0; i < 2; i++)
		fake_store_event(fx->base->store, "@releaseDomain", msg.body + strlen(msg.body) + 1);
	pump(fx->base);
	kernel_hears_nothing(fx);
	begin_read(fx, file, 4096);
	assert_lines(fx, "changed @releaseDomain\n");
}

/* A subscriber that was interrupted while its watch is on the way to the store. */
static void interrupted_subscription(struct fs_fixture *fx, struct handle *file, const char *path)
{
	subscribe_to(fx, file, path, NULL);
	store_gets(fx, XS_WATCH, path);
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
}

static void for_the_watch_of_a_subscription_that_was_ended_nobody_waits(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_stream(fx);

	interrupted_subscription(fx, file, "@releaseDomain");
	assert_int_equal(stream_unsubscribe(file->own, "@releaseDomain"), 0);
	subscribe_to(fx, file, NULL, NULL);
	kernel_hears_error(fx, 0);
}

/* The kernel lets no second write to the file in, but that is its affair. */
static void who_waits_for_a_watch_that_is_taken_away_is_answered(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_stream(fx);

	subscribe_to(fx, file, "@releaseDomain", NULL);
	store_gets(fx, XS_WATCH, "@releaseDomain");
	kernel_hears_nothing(fx);
	assert_int_equal(stream_unsubscribe(file->own, "@releaseDomain"), 0);
	kernel_hears_error(fx, 0);
}

static void a_stream_that_is_closed_gives_its_watches_back(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_stream(fx);
	uint64_t overflows;

	subscribe_to(fx, file, "@releaseDomain", NULL);
	store_watches(fx, "@releaseDomain");
	kernel_hears_error(fx, 0);
	handle_free(file);
	store_gets(fx, XS_UNWATCH, "@releaseDomain");
	assert_int_equal(streams_count(&fx->fs, &overflows), 0);
}

/* A stream whose only watch could not be set again. */
static struct handle *stream_that_lost_its_watch(struct fs_fixture *fx)
{
	struct handle *file = open_stream(fx);

	subscribe_to(fx, file, "@releaseDomain", NULL);
	store_watches(fx, "@releaseDomain");
	kernel_hears_error(fx, 0);
	store_restarts(fx);
	/* In the order in which they were set first, or in the other one. */
	for (unsigned i = 0; i < 2; i++) {
		struct fake_msg msg;

		assert_true(fake_store_take(fx->base->store, &msg));
		if (msg.body[0] == '@')
			fake_store_error(fx->base->store, &msg, "E2BIG");
		else
			fake_store_reply(fx->base->store, &msg, "OK", 3);
		pump(fx->base);
	}
	return file;
}

static void of_a_lost_watch_it_is_told_behind_all_that_came_before(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_that_lost_its_watch(fx);

	begin_read(fx, file, 4096);
	assert_lines(fx, "resync\n");
	begin_read(fx, file, 4096);
	kernel_hears_error(fx, -EIO);
	assert_true(poll_stream(fx, file, 5) & POLLERR);
}

static void who_subscribes_again_goes_on(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = stream_that_lost_its_watch(fx);
	struct token token;

	begin_read(fx, file, 4096);
	assert_lines(fx, "resync\n");
	subscribe_to(fx, file, "@releaseDomain", NULL);
	token = store_watches(fx, "@releaseDomain");
	kernel_hears_error(fx, 0);
	store_tells(fx, "@releaseDomain", &token);
	begin_read(fx, file, 4096);
	assert_lines(fx, "changed @releaseDomain\n");
	assert_false(poll_stream(fx, file, 5) & POLLERR);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(who_waits_is_told_what_became_of_the_node),
		TEST(a_node_that_is_not_there_any_more_was_deleted),
		TEST(a_node_that_may_not_be_read_has_changed),
		TEST(who_does_not_read_costs_the_store_nothing),
		TEST(many_events_on_a_path_are_one_line),
		TEST(what_is_elsewhere_is_not_told),
		TEST(of_what_is_above_the_own_path_is_told),
		TEST(each_stream_is_told),
		TEST(what_would_not_be_one_line_is_not_passed_on),
		TEST(a_line_is_read_in_pieces),
		TEST(many_paths_are_asked_for_in_batches),
		TEST(too_many_paths_are_an_overflow_and_then_it_goes_on),
		TEST(when_events_may_have_been_lost_it_says_so),
		TEST(a_line_that_was_begun_comes_first),
		TEST(who_may_not_wait_tries_again),
		TEST(a_read_that_is_interrupted_takes_nothing_along),
		TEST(a_read_that_is_interrupted_while_it_asks_puts_its_paths_back),
		TEST(one_read_asks_and_the_other_waits_for_its_turn),
		TEST(behind_an_interrupted_read_another_gets_its_turn),
		TEST(while_one_read_asks_no_other_does),
		TEST(however_many_reads_wait_the_stack_is_as_deep),
		TEST(without_memory_to_ask_the_event_stays),
		TEST(who_polls_is_woken_by_an_event),
		TEST(what_was_read_is_no_longer_there_for_a_poll),
		TEST(at_the_end_of_the_mount_who_reads_is_answered),
		TEST(at_the_end_of_the_mount_who_subscribes_is_answered),
		TEST(a_subscription_is_answered_when_its_watch_is_set),
		TEST(of_a_special_path_the_store_is_not_asked),
		TEST(special_paths_and_nodes_come_together),
		TEST(a_subscription_that_is_refused_is_none),
		TEST(of_several_subscriptions_those_stay_that_succeeded),
		TEST(a_second_subscription_to_a_path_is_no_error_and_no_second_line),
		TEST(of_an_ended_subscription_nothing_is_told),
		TEST(who_is_interrupted_while_he_subscribes_is_subscribed),
		TEST(for_the_watch_of_a_subscription_that_was_ended_nobody_waits),
		TEST(who_waits_for_a_watch_that_is_taken_away_is_answered),
		TEST(a_stream_that_is_closed_gives_its_watches_back),
		TEST(of_a_lost_watch_it_is_told_behind_all_that_came_before),
		TEST(who_subscribes_again_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
