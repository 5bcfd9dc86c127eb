/* SPDX-License-Identifier: MIT */
/* Open files: what was read through them, which empty values they still have to write, and which
 * close does that. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/model/handle.h"
#include "tests/failing_malloc.h"

#define PROCESS 4711
#define USER 1000
#define SHARE 2 /* how many empty values he may owe */

static const struct view view = { .layout = 0 };
static struct inodes table;
static struct quotas quotas;
static struct handles all;
static struct inode *inode;
static struct handle *handle;

static int begin(void **state)
{
	static const struct inode_ops *const ops[INODE_KINDS];
	const uint64_t shares[QUOTA_KINDS] = { [QUOTA_EMPTY] = SHARE };

	(void)state;
	quotas_init(&quotas, shares, NULL);
	if (inodes_init(&table, "/", &view, ops))
		return -1;
	handles_init(&all, &table, &quotas, NULL);
	inode = inode_intern(&table, table.root, "a", INODE_LEAF, &view, NULL);
	handle = handle_new(&all, inode, O_RDWR);
	return handle ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	handles_deinit(&all);
	inode_put(&table, inode);
	inodes_deinit(&table);
	/* Whatever was owed, nobody is charged with it any more. */
	assert_null(quotas.by_uid);
	quotas_deinit(&quotas);
	return 0;
}

static char *copy(const char *text)
{
	char *data = strdup(text);

	assert_non_null(data);
	return data;
}

static void take_snapshot(const char *text)
{
	handle_set_snapshot(handle, copy(text), strlen(text));
}

static bool extend_snapshot(const char *text)
{
	return handle_extend_snapshot(handle, copy(text), strlen(text));
}

static void assert_snapshot(size_t size, off_t off, const char *expected)
{
	char buf[64];
	ssize_t count = handle_read_snapshot(handle, buf, size, off);

	assert_int_equal(count, strlen(expected));
	assert_memory_equal(buf, expected, count);
}

/* Returns what a read of growing content is told at `off`: the number of bytes, or -1. */
static ssize_t read_growing(off_t off)
{
	char buf[64];

	return handle_read_growing(handle, buf, sizeof(buf), off);
}

/* ---- what was read ---- */

static void without_a_snapshot_the_store_is_asked(void **state)
{
	char buf[4];

	(void)state;
	assert_int_equal(handle_read_snapshot(handle, buf, sizeof(buf), 0), -1);
	assert_int_equal(read_growing(0), -1);
}

static void what_was_read_is_read_on_in_pieces(void **state)
{
	(void)state;
	take_snapshot("value");
	assert_snapshot(3, 0, "val");
	assert_snapshot(3, 3, "ue");
	assert_snapshot(3, 5, "");
	assert_snapshot(3, 99, "");
}

static void another_read_from_the_start_takes_another_snapshot(void **state)
{
	(void)state;
	take_snapshot("value");
	take_snapshot("x");
	assert_snapshot(9, 0, "x");
}

static void the_end_is_told_once(void **state)
{
	(void)state;
	take_snapshot("ab");
	assert_int_equal(read_growing(0), 2);
	assert_int_equal(read_growing(2), 0);
	assert_int_equal(read_growing(2), -1);
}

static void behind_what_was_added_the_end_is_told_again(void **state)
{
	(void)state;
	take_snapshot("ab");
	assert_int_equal(read_growing(2), 0);
	assert_true(extend_snapshot("abc"));
	assert_int_equal(read_growing(2), 1);
	assert_int_equal(read_growing(3), 0);
}

static void the_same_value_is_no_news_of_its_end(void **state)
{
	(void)state;
	take_snapshot("ab");
	assert_int_equal(read_growing(2), 0);
	assert_true(extend_snapshot("ab"));
	assert_int_equal(read_growing(2), -1);
}

static void another_value_does_not_continue_what_was_read(void **state)
{
	(void)state;
	take_snapshot("ab");
	assert_false(extend_snapshot("xbc"));
	assert_false(extend_snapshot("a"));
	assert_snapshot(9, 0, "ab");
}

static void where_nothing_was_read_any_value_is_the_first(void **state)
{
	(void)state;
	assert_true(extend_snapshot("abc"));
	assert_snapshot(9, 1, "bc");
}

static void what_was_written_is_not_read_from_a_snapshot(void **state)
{
	(void)state;
	take_snapshot("ab");
	handle_set_content(handle, copy("x"), 1);
	assert_null(handle->snapshot);
}

/* ---- what is owed ---- */

static void a_truncated_file_owes_an_empty_value(void **state)
{
	(void)state;
	assert_false(handle_reads_empty(handle));
	handle_empty(handle, PROCESS, USER);
	assert_true(handle_reads_empty(handle));
	assert_true(handle_ends_empty(handle));
	assert_true(handle_is_whole(handle));
}

static void a_truncate_drops_what_was_read_and_written(void **state)
{
	(void)state;
	take_snapshot("ab");
	handle_set_content(handle, copy("x"), 1);
	handle_empty(handle, PROCESS, USER);
	assert_null(handle->snapshot);
	assert_null(handle->content);
	assert_int_equal(handle->content_size, 0);
}

static void a_write_pays_it(void **state)
{
	(void)state;
	handle_empty(handle, PROCESS, USER);
	handle_set_content(handle, copy("x"), 1);
	assert_false(handle_reads_empty(handle));
	assert_false(handle_ends_empty(handle));
}

static void it_is_paid_once(void **state)
{
	(void)state;
	handle_empty(handle, PROCESS, USER);
	assert_true(handle_settle_empty(handle));
	assert_false(handle_settle_empty(handle));
	assert_false(handle_ends_empty(handle));
}

static void what_somebody_else_wrote_since_is_not_emptied(void **state)
{
	(void)state;
	handle_empty(handle, PROCESS, USER);
	inode_new_content(&table, inode);
	assert_false(handle_reads_empty(handle));
	assert_false(handle_ends_empty(handle));
}

static void emptied_again_it_is_owed_again(void **state)
{
	(void)state;
	handle_empty(handle, PROCESS, USER);
	inode_new_content(&table, inode);
	handle_empty(handle, PROCESS, USER);
	assert_true(handle_ends_empty(handle));
}

static void who_could_not_replace_the_old_value_keeps_it(void **state)
{
	(void)state;
	handle_empty(handle, PROCESS, USER);
	handle_refuse(handle);
	assert_true(handle_reads_empty(handle));
	assert_false(handle_ends_empty(handle));
	/* A write that succeeds makes up for it, and so does another truncate. */
	handle_empty(handle, PROCESS, USER);
	assert_true(handle_ends_empty(handle));
}

static void what_the_store_has_refused_to_make_is_not_tried_at_the_end(void **state)
{
	(void)state;
	inode_set_unwritten(&table, inode, true);
	handle_empty(handle, PROCESS, USER);
	inode_refuse(inode);
	assert_false(handle_ends_empty(handle));
}

static void who_emptied_it_is_known_while_it_is_owed(void **state)
{
	pid_t process = 0;

	(void)state;
	handle_empty(handle, PROCESS, USER);
	assert_int_equal(inode_emptiers(inode, &process, 1), 1);
	assert_int_equal(process, PROCESS);
	handle_set_content(handle, copy("x"), 1);
	assert_int_equal(inode_emptiers(inode, &process, 1), 0);
}

static void who_cut_it_is_known_while_it_is_owed(void **state)
{
	pid_t process = 0;

	(void)state;
	handle_empty(handle, 1, USER);
	handle_cut(handle, PROCESS, USER);
	assert_true(handle_ends_empty(handle));
	assert_int_equal(inode_emptiers(inode, &process, 1), 1);
	assert_int_equal(process, PROCESS);
}

static void a_refused_write_owes_nothing_where_nothing_was_owed(void **state)
{
	(void)state;
	handle_set_content(handle, copy("x"), 1);
	handle_refuse(handle);
	assert_int_equal(handle->state, HANDLE_WHOLE);
	assert_false(handle_reads_empty(handle));
	assert_false(handle_ends_empty(handle));
}

static void edited_it_is_no_longer_owed(void **state)
{
	pid_t process;

	(void)state;
	handle_empty(handle, PROCESS, USER);
	handle_edit(handle);
	assert_false(handle_is_whole(handle));
	assert_false(handle_reads_empty(handle));
	assert_int_equal(inode_emptiers(inode, &process, 1), 0);
}

static void a_closed_file_owes_nothing(void **state)
{
	pid_t process;

	(void)state;
	handle_empty(handle, PROCESS, USER);
	handle_free(handle);
	assert_int_equal(inode_emptiers(inode, &process, 1), 0);
}

/* ---- its end ---- */

static void the_second_close_of_the_same_process_is_the_last(void **state)
{
	(void)state;
	assert_false(handle_is_last_close(handle, 1));
	assert_false(handle_is_last_close(handle, 2));
	assert_false(handle_is_last_close(handle, 2));
	assert_true(handle_is_last_close(handle, 1));
}

static void where_the_next_close_is_to_write_any_is_the_last(void **state)
{
	(void)state;
	handle_cut(handle, PROCESS, USER);
	assert_true(handle_is_last_close(handle, 1));
}

static void an_open_file_holds_its_inode(void **state)
{
	(void)state;
	inode_put(&table, inode);
	assert_int_equal(inodes_count(&table), 2);
	handle_free(handle);
	assert_int_equal(inodes_count(&table), 1);
	assert_int_equal(all.count, 0);
	inode = NULL;
}

static unsigned closes, unpolls;

static void close_own(struct fs *fs, void *own)
{
	(void)fs;
	assert_ptr_equal(own, &closes);
	/* A file's polls end first: they may be about what it keeps. */
	assert_int_equal(unpolls, 1);
	closes++;
}

static void unpoll(struct fs *fs, struct handle *polled)
{
	(void)fs;
	assert_ptr_equal(polled, handle);
	unpolls++;
}

static void with_it_goes_what_its_file_keeps(void **state)
{
	(void)state;
	closes = unpolls = 0;
	handle_set_own(handle, &closes, close_own);
	handle->unpoll = unpoll;
	handle_free(handle);
	assert_int_equal(closes, 1);
}

/* ---- how many are owed ---- */

static uint64_t owed(void)
{
	return quotas.kinds[QUOTA_EMPTY].used;
}

static void a_user_owes_as_many_as_he_may(void **state)
{
	struct handle *second = handle_new(&all, inode, O_RDWR), *third = handle_new(&all, inode, O_RDWR);

	(void)state;
	assert_int_equal(0, handle_empty(handle, PROCESS, USER));
	assert_int_equal(0, handle_cut(second, PROCESS, USER));
	handle_set_content(third, strdup("kept"), 4);
	assert_int_equal(handle_empty(third, PROCESS, USER), -EDQUOT);
	assert_int_equal(handle_cut(third, PROCESS, USER), -EDQUOT);
	/* Nothing was changed by that. */
	assert_false(handle_reads_empty(third));
	assert_string_equal(third->content, "kept");
	assert_int_equal(quotas.kinds[QUOTA_EMPTY].refusals, 2);
	/* Others have theirs, and what is emptied in the store is owed by nobody. */
	assert_int_equal(0, handle_cut(third, PROCESS, USER + 1));
	handle_set_content(third, NULL, 0);
	assert_true(handle_is_whole(third));
	assert_false(handle_ends_empty(third));
	assert_null(third->content);
	assert_int_equal(owed(), 2);
}

static void what_is_emptied_again_is_owed_once(void **state)
{
	(void)state;
	for (int i = 0; i <= SHARE; i++) {
		assert_int_equal(0, handle_empty(handle, PROCESS, USER));
		assert_int_equal(0, handle_cut(handle, PROCESS, USER));
	}
	assert_int_equal(owed(), 1);
}

static void each_end_of_a_debt_gives_it_back(void **state)
{
	(void)state;
	assert_int_equal(0, handle_empty(handle, PROCESS, USER));
	handle_set_content(handle, NULL, 0);
	assert_int_equal(owed(), 0);
	assert_int_equal(0, handle_cut(handle, PROCESS, USER));
	handle_refuse(handle);
	assert_int_equal(owed(), 0);
	assert_int_equal(0, handle_empty(handle, PROCESS, USER));
	handle_edit(handle);
	assert_int_equal(owed(), 0);
	assert_int_equal(0, handle_empty(handle, PROCESS, USER));
	assert_true(handle_settle_empty(handle));
	assert_int_equal(owed(), 0);
	assert_int_equal(0, handle_empty(handle, PROCESS, USER));
	handle_free(handle);
	assert_int_equal(owed(), 0);
}

static void who_writes_the_last_value_gives_it_back(void **state)
{
	uid_t user;

	(void)state;
	assert_false(handle_take_charge(handle, &user));
	assert_int_equal(0, handle_empty(handle, PROCESS, USER));
	assert_true(handle_take_charge(handle, &user));
	assert_int_equal(user, USER);
	assert_true(handle_settle_empty(handle));
	assert_int_equal(owed(), 1);
	quota_release(&quotas, QUOTA_EMPTY, user, 1);
}

static void without_memory_nothing_is_owed(void **state)
{
	(void)state;
	malloc_countdown = 1;
	assert_int_equal(handle_empty(handle, PROCESS, USER), -ENOMEM);
	malloc_countdown = 0;
	assert_false(handle_reads_empty(handle));
	assert_int_equal(owed(), 0);
}

static void an_unmount_closes_what_nobody_closed(void **state)
{
	(void)state;
	closes = 0;
	unpolls = 1;
	handle_set_own(handle, &closes, close_own);
	assert_non_null(handle_new(&all, inode, O_RDONLY));
	handles_deinit(&all);
	assert_int_equal(closes, 1);
	handles_init(&all, &table, &quotas, NULL);
}

static void without_memory_nothing_is_open(void **state)
{
	(void)state;
	malloc_countdown = 1;
	assert_null(handle_new(&all, inode, O_RDONLY));
	malloc_countdown = 0;
	assert_int_equal(all.count, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(without_a_snapshot_the_store_is_asked),
		TEST(what_was_read_is_read_on_in_pieces),
		TEST(another_read_from_the_start_takes_another_snapshot),
		TEST(the_end_is_told_once),
		TEST(behind_what_was_added_the_end_is_told_again),
		TEST(the_same_value_is_no_news_of_its_end),
		TEST(another_value_does_not_continue_what_was_read),
		TEST(where_nothing_was_read_any_value_is_the_first),
		TEST(what_was_written_is_not_read_from_a_snapshot),
		TEST(a_truncated_file_owes_an_empty_value),
		TEST(a_truncate_drops_what_was_read_and_written),
		TEST(a_write_pays_it),
		TEST(it_is_paid_once),
		TEST(what_somebody_else_wrote_since_is_not_emptied),
		TEST(emptied_again_it_is_owed_again),
		TEST(who_could_not_replace_the_old_value_keeps_it),
		TEST(what_the_store_has_refused_to_make_is_not_tried_at_the_end),
		TEST(who_emptied_it_is_known_while_it_is_owed),
		TEST(who_cut_it_is_known_while_it_is_owed),
		TEST(a_refused_write_owes_nothing_where_nothing_was_owed),
		TEST(edited_it_is_no_longer_owed),
		TEST(a_closed_file_owes_nothing),
		TEST(the_second_close_of_the_same_process_is_the_last),
		TEST(where_the_next_close_is_to_write_any_is_the_last),
		TEST(an_open_file_holds_its_inode),
		TEST(with_it_goes_what_its_file_keeps),
		TEST(a_user_owes_as_many_as_he_may),
		TEST(what_is_emptied_again_is_owed_once),
		TEST(each_end_of_a_debt_gives_it_back),
		TEST(who_writes_the_last_value_gives_it_back),
		TEST(without_memory_nothing_is_owed),
		TEST(an_unmount_closes_what_nobody_closed),
		TEST(without_memory_nothing_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
