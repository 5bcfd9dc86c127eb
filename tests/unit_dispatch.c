/* SPDX-License-Identifier: MIT */
/* The effects of an event, and what the kernel is told about things that it believed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/events/dispatch.h"
#include "fs/events/notifier.h"
#include "fs/op/lock.h"
#include "tests/events_fixture.h"

/* How often the kernel is told of one change whose answer it may not have stored yet. */
#define ROUNDS 4

/* A mount that caches, with the thread that tells the kernel. */
static int begin(void **state)
{
	struct fs_fixture *fx;

	events_fixture_setup(state);
	fx = *state;
	fx->fs.caching = fx->fs.inodes.track_stale = true;
	fx->fs.tell_kernel = notifier_wake;
	assert_int_equal(notifier_start(&fx->fs), 0);
	return 0;
}

static int end(void **state)
{
	struct fs_fixture *fx = *state;

	fs_unlock(&fx->fs);
	while (!notifier_end(&fx->fs))
		poll(NULL, 0, 1);
	fs_lock(&fx->fs);
	return fs_fixture_teardown(state);
}

static const struct stat file_attr = { .st_mode = S_IFREG | 0600 };

/* The kernel believes the attributes of an inode, and its name. */
static void believe(struct fs_fixture *fx, struct inode *inode)
{
	op_reply_entry(kernel_asks(fx, INODE_ROOT_ID), inode, &file_attr);
	kernel_hears_error(fx, 0);
}

static void kernel_forgets_attributes(struct fs_fixture *fx, const struct inode *inode)
{
	const struct kernel_msg *msg = kernel_hears_of(fx, 0, FUSE_NOTIFY_INVAL_INODE);
	struct fuse_notify_inval_inode_out out;

	memcpy(&out, msg->body, sizeof(out));
	assert_int_equal(out.ino, inode->nodeid);
}

static void kernel_forgets_name(struct fs_fixture *fx, const char *name)
{
	const struct kernel_msg *msg = kernel_hears_of(fx, 0, FUSE_NOTIFY_INVAL_ENTRY);
	struct fuse_notify_inval_entry_out out;

	memcpy(&out, msg->body, sizeof(out));
	assert_int_equal(out.parent, INODE_ROOT_ID);
	assert_int_equal(out.namelen, strlen(name));
	assert_string_equal(msg->body + sizeof(out), name);
}

/* ---- events ---- */

static void an_event_is_remembered_for_answers_that_are_on_their_way(void **state)
{
	struct fs_fixture *fx = *state;
	struct token root = watch_the_root(fx);
	uint64_t seq = fx->fs.events.seq;

	assert_false(events_since(&fx->fs.events, seq, "/a"));
	store_tells(fx, "/a", &root);
	assert_true(events_since(&fx->fs.events, seq, "/a"));
	assert_false(events_since(&fx->fs.events, seq, "/b"));
}

static void an_event_reaches_its_inode(void **state)
{
	struct fs_fixture *fx = *state;
	struct token root = watch_the_root(fx);
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	uint64_t events = inode->events;

	store_tells(fx, "/a", &root);
	assert_int_equal(inode->events, events + 1);
}

static void after_a_gap_everything_may_have_changed(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	uint64_t seq = fx->fs.events.seq, events = inode->events;

	dispatch_resync(&fx->fs);
	assert_true(events_since(&fx->fs.events, seq, "/any/where"));
	assert_true(inode->events > events);
}

/* ---- what the kernel believed ---- */

static void the_kernel_is_told_of_what_it_believes(void **state)
{
	struct fs_fixture *fx = *state;
	struct token root = watch_the_root(fx);
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);

	believe(fx, inode);
	store_tells(fx, "/a", &root);
	kernel_forgets_attributes(fx, inode);
	kernel_forgets_name(fx, "a");
}

static void it_is_told_again_as_an_answer_may_still_be_on_its_way(void **state)
{
	struct fs_fixture *fx = *state;
	struct token root = watch_the_root(fx);
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);

	believe(fx, inode);
	store_tells(fx, "/a", &root);
	for (unsigned i = 0; i < ROUNDS; i++) {
		kernel_forgets_attributes(fx, inode);
		kernel_forgets_name(fx, "a");
	}
	assert_int_equal(fx->fs.invalidations, ROUNDS);
}

static void of_our_own_write_it_is_told_after_what_others_did(void **state)
{
	struct fs_fixture *fx = *state;
	struct token root = watch_the_root(fx);
	struct inode *ours = known_inode(fx, "a", INODE_LEAF);
	struct inode *theirs = known_inode(fx, "b", INODE_LEAF);

	believe(fx, ours);
	believe(fx, theirs);
	inode_wrote(ours);
	store_tells(fx, "/a", &root);
	store_tells(fx, "/b", &root);
	kernel_forgets_attributes(fx, theirs);
	kernel_forgets_name(fx, "b");
	/* Nobody else has to wake the thread for that. */
	kernel_forgets_attributes(fx, ours);
	kernel_forgets_name(fx, "a");
}

static void of_a_directory_only_the_attributes_are_taken_back(void **state)
{
	struct fs_fixture *fx = *state;
	struct token root = watch_the_root(fx);
	struct inode *inode = known_inode(fx, "d", INODE_DIR);

	believe(fx, inode);
	store_tells(fx, "/d", &root);
	/* Twice without its name, in which somebody may stand. */
	kernel_forgets_attributes(fx, inode);
	kernel_forgets_attributes(fx, inode);
}

static void what_it_never_believed_it_is_not_told(void **state)
{
	struct fs_fixture *fx = *state;
	struct token root = watch_the_root(fx);
	struct inode *told = known_inode(fx, "b", INODE_LEAF);

	known_inode(fx, "a", INODE_LEAF);
	believe(fx, told);
	store_tells(fx, "/a", &root);
	store_tells(fx, "/b", &root);
	/* The first that it hears is of the other. */
	kernel_forgets_attributes(fx, told);
}

static void when_a_watch_was_set_only_now_what_was_believed_before_is_taken_back(void **state)
{
	struct fs_fixture *fx = *state;
	struct token root = watch_the_root(fx);
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);

	(void)root;
	believe(fx, inode);
	dispatch_handlers.unseen(&fx->fs);
	kernel_forgets_attributes(fx, inode);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(an_event_is_remembered_for_answers_that_are_on_their_way),
		TEST(an_event_reaches_its_inode),
		TEST(after_a_gap_everything_may_have_changed),
		TEST(the_kernel_is_told_of_what_it_believes),
		TEST(it_is_told_again_as_an_answer_may_still_be_on_its_way),
		TEST(of_our_own_write_it_is_told_after_what_others_did),
		TEST(of_a_directory_only_the_attributes_are_taken_back),
		TEST(what_it_never_believed_it_is_not_told),
		TEST(when_a_watch_was_set_only_now_what_was_believed_before_is_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
