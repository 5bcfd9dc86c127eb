/* SPDX-License-Identifier: MIT */
/* The names about which readers of inotify are to be told something: each once, in order, and none lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/failing_malloc.h"
#include "tests/inotify_fixture.h"

/* More names than the queue keeps. */
#define MANY 10000

static void add(struct fs_fixture *fx, const char *name)
{
	queue_add(&fx->fs, fx->fs.inodes.root, name, &(struct news){ .foreign = true });
}

/* Fails the test unless that is the next name.  Returns how it is flagged: its `dir` may be gone. */
static struct news take_news(struct fs_fixture *fx, const struct inode *dir, const char *name)
{
	struct news *news = queue_take(&fx->fs), copy;

	assert_non_null(news);
	assert_string_equal(news->name, name);
	assert_ptr_equal(news->dir, dir);
	copy = *news;
	news_free(&fx->fs, news);
	return copy;
}

static struct news take_name(struct fs_fixture *fx, const char *name)
{
	return take_news(fx, fx->fs.inodes.root, name);
}

static void take_none(struct fs_fixture *fx)
{
	assert_null(queue_take(&fx->fs));
	assert_int_equal(in.queue.count, 0);
}

/* ---- names ---- */

static void names_come_in_their_order(void **state)
{
	struct fs_fixture *fx = *state;

	add(fx, "b");
	add(fx, "a");
	add(fx, "c");
	take_name(fx, "b");
	take_name(fx, "a");
	take_name(fx, "c");
	take_none(fx);
}

static void a_name_is_there_once_and_keeps_its_place(void **state)
{
	struct fs_fixture *fx = *state;
	struct news news;

	queue_add(&fx->fs, fx->fs.inodes.root, "a", &(struct news){ .deep = true });
	add(fx, "b");
	add(fx, "a");
	queue_add(&fx->fs, fx->fs.inodes.root, "b", &(struct news){ .lost = true });
	assert_int_equal(in.queue.count, 2);
	assert_int_equal(fx->fs.inotify_counters.merged, 2);
	news = take_name(fx, "a");
	assert_true(news.deep && news.foreign && !news.lost);
	news = take_name(fx, "b");
	assert_true(!news.deep && news.foreign && news.lost);
	take_none(fx);
}

static void what_was_taken_can_come_again(void **state)
{
	struct fs_fixture *fx = *state;

	add(fx, "a");
	take_name(fx, "a");
	add(fx, "a");
	take_name(fx, "a");
	take_none(fx);
	assert_int_equal(fx->fs.inotify_counters.merged, 0);
}

static void one_name_in_two_directories_is_two(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *dir = known_inode(fx, "d", INODE_DIR);

	add(fx, "a");
	queue_add(&fx->fs, dir, "a", &(struct news){ .foreign = true });
	take_name(fx, "a");
	take_news(fx, dir, "a");
	take_none(fx);
}

static void a_name_that_no_path_can_have_is_left_out(void **state)
{
	struct fs_fixture *fx = *state;
	char name[PATH_SIZE + 1];

	memset(name, 'a', PATH_SIZE);
	name[PATH_SIZE] = '\0';
	add(fx, name);
	take_none(fx);
	name[PATH_SIZE - 1] = '\0';
	add(fx, name);
	take_name(fx, name);
}

static void the_directory_lives_as_long_as_its_news(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *dir = known_inode(fx, "d", INODE_DIR);

	queue_add(&fx->fs, dir, "a", &(struct news){ .foreign = true });
	inode_forget(&fx->fs.inodes, dir->nodeid, 1);
	take_news(fx, dir, "a");
	take_none(fx);
}

/* ---- what is owed ---- */

static void what_is_owed_waits_for_its_time(void **state)
{
	struct fs_fixture *fx = *state;
	struct news news;

	queue_owe(&fx->fs, fx->fs.inodes.root, "a", &(struct news){ .lost = true, .tries = 7 });
	take_none(fx);
	queue_owed(&fx->fs);
	news = take_name(fx, "a");
	assert_true(news.lost && !news.foreign);
	assert_int_equal(news.tries, 7);
	queue_owed(&fx->fs);
	take_none(fx);
}

static void what_is_owed_joins_what_came_meanwhile(void **state)
{
	struct fs_fixture *fx = *state;
	struct news news;

	queue_owe(&fx->fs, fx->fs.inodes.root, "a", &(struct news){ .deep = true });
	add(fx, "a");
	queue_owed(&fx->fs);
	news = take_name(fx, "a");
	assert_true(news.deep && news.foreign);
	take_none(fx);
}

/* ---- everything ---- */

static void a_sweep_begins_when_the_queue_is_empty(void **state)
{
	struct fs_fixture *fx = *state;
	struct news news;

	add(fx, "a");
	queue_sweep(&fx->fs, false);
	take_name(fx, "a");
	assert_int_equal(fx->fs.inotify_counters.swept, 0);
	news = take_name(fx, "");
	assert_true(news.deep && !news.lost && !news.foreign);
	assert_int_equal(fx->fs.inotify_counters.swept, 1);
	take_none(fx);
}

static void after_a_loss_it_tells_in_any_case(void **state)
{
	struct fs_fixture *fx = *state;
	struct news news;

	queue_sweep(&fx->fs, true);
	queue_sweep(&fx->fs, false);
	news = take_name(fx, "");
	assert_true(news.deep && news.lost && news.foreign);
	/* Once. */
	queue_sweep(&fx->fs, false);
	news = take_name(fx, "");
	assert_true(news.deep && !news.lost && !news.foreign);
	take_none(fx);
}

static void only_nodes_among_the_children_are_looked_at(void **state)
{
	struct fs_fixture *fx = *state;

	known_inode(fx, "file", INODE_LEAF);
	known_inode(fx, "dir", INODE_DIR);
	known_inode(fx, ".special", INODE_SPECIAL);
	queue_add_children(&fx->fs, fx->fs.inodes.root, &(struct news){ .deep = true });
	assert_int_equal(in.queue.count, 2);
	assert_true(take_name(fx, "dir").deep);
	assert_true(take_name(fx, "file").deep);
	take_none(fx);
}

/* ---- no memory ---- */

/* The name, and the table of names. */
#define ALLOCATIONS 3

static void without_memory_for_a_name_everything_is_compared(void **state)
{
	struct fs_fixture *fx = *state;

	for (unsigned n = 1; n <= ALLOCATIONS; n++) {
		malloc_countdown = n;
		queue_add(&fx->fs, fx->fs.inodes.root, "a", &(struct news){ .lost = n == 2 });
		assert_int_equal(malloc_countdown, 0);
		assert_int_equal(in.queue.count, 0);
		assert_int_equal(take_name(fx, "").lost, n == 2);
		take_none(fx);
	}
	malloc_countdown = ALLOCATIONS + 1;
	add(fx, "a");
	assert_int_equal(malloc_countdown, 1);
	malloc_countdown = 0;
	take_name(fx, "a");
}

static void without_memory_for_what_is_owed_everything_is_compared(void **state)
{
	struct fs_fixture *fx = *state;

	malloc_countdown = 1;
	queue_owe(&fx->fs, fx->fs.inodes.root, "a", &(struct news){ .lost = true });
	assert_true(TAILQ_EMPTY(&in.owed));
	assert_true(take_name(fx, "").lost);
	take_none(fx);
}

/* ---- events ---- */

static void an_event_is_about_its_name(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *dir = known_inode(fx, "d", INODE_DIR);
	uint64_t stirred = dir->told.stirred;
	struct news news;

	queue_note_event(&fx->fs, "/d/k", false);
	assert_true(in.work && in.urgent);
	assert_true(dir->told.stirred == stirred + 1);
	news = take_news(fx, dir, "k");
	assert_true(news.foreign && !news.deep && !news.lost);
	take_none(fx);
}

static void an_event_of_a_directory_is_about_what_is_below_too(void **state)
{
	struct fs_fixture *fx = *state;

	known_inode(fx, "d", INODE_DIR);
	queue_note_event(&fx->fs, "/d", false);
	assert_true(take_name(fx, "d").deep);
	take_none(fx);
}

static void what_the_kernel_does_not_know_has_no_readers(void **state)
{
	struct fs_fixture *fx = *state;

	queue_note_event(&fx->fs, "/unknown/k", false);
	queue_note_event(&fx->fs, "@releaseDomain", false);
	take_none(fx);
}

static void a_file_that_became_a_directory_is_looked_at(void **state)
{
	struct fs_fixture *fx = *state;

	known_inode(fx, "f", INODE_LEAF);
	queue_note_event(&fx->fs, "/f/k", false);
	assert_true(take_name(fx, "f").deep);
	take_none(fx);
}

static void our_own_write_is_not_urgent(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "k", INODE_LEAF);

	inode_wrote(inode);
	queue_note_event(&fx->fs, "/k", false);
	assert_true(in.work && !in.urgent);
	assert_null(queue_take(&fx->fs));
	queue_wait_over(&in.queue);
	assert_null(queue_take(&fx->fs));
	patience_ends();
	assert_false(take_name(fx, "k").foreign);
	take_none(fx);
}

static void what_changes_again_waits(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "k", INODE_LEAF);

	queue_note_event(&fx->fs, "/k", false);
	assert_true(take_name(fx, "k").foreign);
	/* However busy this machine is. */
	inode->told.reported_ms = inode_now_ms();
	queue_note_event(&fx->fs, "/k", false);
	assert_null(queue_take(&fx->fs));
	patience_ends();
	assert_true(take_name(fx, "k").foreign);
	/* Long after that it is told at once. */
	inode->told.reported_ms = 0;
	queue_note_event(&fx->fs, "/k", false);
	take_name(fx, "k");
	take_none(fx);
}

static void what_others_did_after_us_is_urgent(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "k", INODE_LEAF);

	inode_wrote(inode);
	queue_note_event(&fx->fs, "/k", false);
	inode_write_over(&fx->fs.inodes, inode, true);
	inode->told.reported_ms = 0;
	queue_note_event(&fx->fs, "/k", false);
	assert_true(in.urgent);
	assert_true(take_name(fx, "k").foreign);
	take_none(fx);
}

static void the_last_report_of_what_others_did_is_dated(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "k", INODE_LEAF);
	const uint64_t before = inode_now_ms();
	struct news news;

	queue_note_event(&fx->fs, "/k", false);
	/* One of our own comes after it. */
	inode_wrote(inode);
	queue_note_event(&fx->fs, "/k", false);
	news = take_name(fx, "k");
	assert_true(news.foreign && news.reported_ms >= before && news.reported_ms <= inode_now_ms());
	inode_wrote(inode);
	queue_note_event(&fx->fs, "/k", false);
	patience_ends();
	assert_true(take_name(fx, "k").reported_ms == 0);
	/* And it is the last one, also for what has to be put aside. */
	queue_owe(&fx->fs, fx->fs.inodes.root, "k", &(struct news){ .foreign = true, .reported_ms = 2 });
	queue_add(&fx->fs, fx->fs.inodes.root, "k", &(struct news){ .foreign = true, .reported_ms = 1 });
	queue_owed(&fx->fs);
	assert_true(take_name(fx, "k").reported_ms == 2);
	take_none(fx);
}

static void what_waits_at_the_end_is_freed(void **state)
{
	struct fs_fixture *fx = *state;

	inode_wrote(known_inode(fx, "k", INODE_LEAF));
	queue_note_event(&fx->fs, "/k", false);
	assert_int_equal(in.queue.count, 1);
}

static void nothing_to_tell_wakes_nobody(void **state)
{
	struct fs_fixture *fx = *state;

	queue_note_event(&fx->fs, "/unknown/k", false);
	assert_false(in.work);
}

static void after_a_gap_everything_is_told(void **state)
{
	struct fs_fixture *fx = *state;

	queue_note_event(&fx->fs, NULL, true);
	assert_true(in.work && in.urgent);
	assert_true(take_name(fx, "").lost);
	take_none(fx);
}

static void more_names_than_there_is_room_for_are_all_compared(void **state)
{
	struct fs_fixture *fx = *state;
	unsigned taken = 0;
	struct news *news;
	char path[16];

	for (unsigned i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "/k%u", i);
		queue_note_event(&fx->fs, path, false);
	}
	assert_true(in.queue.count < MANY);
	patience_ends();
	for (; (news = queue_take(&fx->fs)) && *news->name; taken++) {
		snprintf(path, sizeof(path), "k%u", taken);
		assert_string_equal(news->name, path);
		news_free(&fx->fs, news);
	}
	/* The last is the root. */
	assert_non_null(news);
	assert_true(news->deep);
	news_free(&fx->fs, news);
	take_none(fx);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, inotify_fixture_setup, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(names_come_in_their_order),
		TEST(a_name_is_there_once_and_keeps_its_place),
		TEST(what_was_taken_can_come_again),
		TEST(one_name_in_two_directories_is_two),
		TEST(a_name_that_no_path_can_have_is_left_out),
		TEST(the_directory_lives_as_long_as_its_news),
		TEST(what_is_owed_waits_for_its_time),
		TEST(what_is_owed_joins_what_came_meanwhile),
		TEST(a_sweep_begins_when_the_queue_is_empty),
		TEST(after_a_loss_it_tells_in_any_case),
		TEST(only_nodes_among_the_children_are_looked_at),
		TEST(without_memory_for_a_name_everything_is_compared),
		TEST(without_memory_for_what_is_owed_everything_is_compared),
		TEST(an_event_is_about_its_name),
		TEST(an_event_of_a_directory_is_about_what_is_below_too),
		TEST(what_the_kernel_does_not_know_has_no_readers),
		TEST(a_file_that_became_a_directory_is_looked_at),
		TEST(our_own_write_is_not_urgent),
		TEST(what_changes_again_waits),
		TEST(what_others_did_after_us_is_urgent),
		TEST(the_last_report_of_what_others_did_is_dated),
		TEST(what_waits_at_the_end_is_freed),
		TEST(nothing_to_tell_wakes_nobody),
		TEST(after_a_gap_everything_is_told),
		TEST(more_names_than_there_is_room_for_are_all_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
