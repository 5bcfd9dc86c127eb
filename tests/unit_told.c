/* SPDX-License-Identifier: MIT */
/* What the readers of inotify were told of names and values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/model/fnv.h"
#include "fs/model/inode.h"
#include "fs/model/kept_poll.h"
#include "fs/model/told.h"

static const struct view view = { .layout = 0 };
static struct inodes table;

static int begin(void **state)
{
	(void)state;
	static const struct inode_ops *const ops[INODE_KINDS];

	return inodes_init(&table, "/", &view, ops);
}

static int end(void **state)
{
	(void)state;
	inodes_deinit(&table);
	return 0;
}

static struct inode *intern(const char *name, enum inode_kind kind)
{
	struct inode *inode = inode_intern(&table, table.root, name, kind, &view, NULL);

	assert_non_null(inode);
	return inode;
}

static void a_value_counts_as_told_when_the_kernel_first_hears_it(void **state)
{
	(void)state;
	struct inode *file = intern("file", INODE_LEAF);

	assert_int_equal(file->told.value_state, TOLD_NOTHING);
	inode_saw_value(file, "1", 1);
	assert_int_equal(file->told.value_state, TOLD_KNOWN);
	/* What somebody sees later may be a change that is yet to be told. */
	inode_saw_value(file, "2", 1);
	assert_true(file->told.value == fnv_value("1", 1));
	told_value(file, "2", 1);
	assert_true(file->told.value == fnv_value("2", 1));
	inode_put(&table, file);
}

static void the_length_of_a_value_counts(void **state)
{
	(void)state;
	assert_true(fnv_value("", 0) != fnv_value("\0", 1));
	assert_true(fnv_value("a", 1) != fnv_value("a\0", 2));
}

static void names_have_the_kind_they_were_told_as(void **state)
{
	(void)state;
	static const char list[] = "a\0b\0c";
	struct inode *root = table.root, *dir;

	assert_false(root->told.names_known);
	told_name_add(root, "early", TOLD_FILE);
	told_names_first(root, list, sizeof(list));
	assert_true(root->told.names_known);
	assert_int_equal(told_name(root, "early"), TOLD_NOT);
	assert_int_equal(told_name(root, "b"), TOLD_UNSURE);
	told_name_add(root, "b", TOLD_FILE);
	assert_int_equal(told_name(root, "b"), TOLD_FILE);
	dir = intern("c", INODE_DIR);
	inode_remember(dir);
	assert_int_equal(told_name(root, "c"), TOLD_DIR);
	told_name_remove(root, "b");
	told_name_remove(root, "never");
	assert_int_equal(told_name(root, "b"), TOLD_NOT);
	assert_int_equal(told_name(root, "a"), TOLD_UNSURE);
	/* A later list is none of what was told. */
	told_names_first(root, "d", 2);
	assert_int_equal(told_name(root, "d"), TOLD_NOT);
	inode_put(&table, dir);
}

static void a_name_found_before_it_was_told_was_only_seen(void **state)
{
	(void)state;
	struct inode *file = intern("new", INODE_LEAF);

	told_names_first(table.root, "", 0);
	inode_remember(file);
	assert_int_equal(told_name(table.root, "new"), TOLD_SEEN);
	told_made(file);
	assert_int_equal(told_name(table.root, "new"), TOLD_FILE);
	inode_put(&table, file);
}

static void many_names_are_found(void **state)
{
	(void)state;
	const unsigned count = 1000;
	char name[16];

	told_names_first(table.root, "", 0);
	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		told_name_add(table.root, name, i % 2 ? TOLD_FILE : TOLD_DIR);
	}
	for (unsigned i = 0; i < count; i += 3) {
		snprintf(name, sizeof(name), "n%u", i);
		told_name_remove(table.root, name);
	}
	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(told_name(table.root, name), i % 3 == 0 ? TOLD_NOT : i % 2 ? TOLD_FILE : TOLD_DIR);
	}
}

static void what_is_done_here_is_our_own_for_a_while(void **state)
{
	(void)state;
	struct inode *file = intern("file", INODE_LEAF);

	assert_false(told_is_own(file, inode_now_ms()));
	told_own(file);
	assert_true(told_is_own(file, inode_now_ms()));
	assert_false(told_is_own(file, inode_now_ms() + 60000));
	inode_put(&table, file);
}

static void what_was_reported_of_our_own_stays_so_however_late_it_is_told(void **state)
{
	(void)state;
	struct inode *file = intern("file", INODE_LEAF);
	const uint64_t now = inode_now_ms() + 3600000;

	file->told.own_ms = now - 60000;
	assert_false(told_is_own(file, now));
	assert_true(told_is_own(file, file->told.own_ms));
	/* The event may come before the answer, however long that takes to be handled. */
	assert_true(told_is_own(file, file->told.own_ms - 30000));
	inode_put(&table, file);
}

static void a_write_that_failed_leaves_open_what_was_told(void **state)
{
	(void)state;
	struct inode *file = intern("file", INODE_LEAF);

	told_value(file, "1", 1);
	inode_wrote(file);
	inode_write_over(&table, file, true);
	assert_int_equal(file->told.value_state, TOLD_LOST);
	inode_put(&table, file);
}

static void whoever_gets_somewhere_stirs_all_above(void **state)
{
	(void)state;
	struct inode *file = intern("file", INODE_LEAF);
	uint64_t above = table.root->told.stirred, here = file->told.stirred;

	inode_remember(file);
	assert_true(file->told.stirred == here + 1);
	assert_true(table.root->told.stirred == above + 1);
	told_removed(table.root, "file");
	assert_true(table.root->told.changes == 1);
	inode_put(&table, file);
}

/* The kernel raises the events of the new name, whatever was told of the old one. */
static void a_rename_tells_of_the_new_name(void **state)
{
	(void)state;
	static const char list[] = "a\0b\0c";
	struct wakeups wakeups = STAILQ_HEAD_INITIALIZER(wakeups);
	struct inode *seen = intern("seen", INODE_LEAF), *untold = intern("untold", INODE_LEAF);

	told_names_first(table.root, list, sizeof(list));
	inode_remember(seen);
	assert_int_equal(told_name(table.root, "seen"), TOLD_SEEN);
	assert_int_equal(inode_rename(&table, table.root, "seen", table.root, "seen2", &wakeups), 0);
	assert_int_equal(told_name(table.root, "seen"), TOLD_NOT);
	assert_int_equal(told_name(table.root, "seen2"), TOLD_UNSURE);
	assert_int_equal(told_name(table.root, "untold"), TOLD_NOT);
	assert_int_equal(inode_rename(&table, table.root, "untold", table.root, "untold2", &wakeups), 0);
	assert_int_equal(told_name(table.root, "untold2"), TOLD_UNSURE);
	for (const char *name = list; name < list + sizeof(list); name += 2)
		assert_int_equal(told_name(table.root, name), TOLD_UNSURE);
	inode_forget(&table, seen->nodeid, 1);
	inode_put(&table, seen);
	inode_put(&table, untold);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_value_counts_as_told_when_the_kernel_first_hears_it),
		TEST(the_length_of_a_value_counts),
		TEST(names_have_the_kind_they_were_told_as),
		TEST(a_name_found_before_it_was_told_was_only_seen),
		TEST(many_names_are_found),
		TEST(what_is_done_here_is_our_own_for_a_while),
		TEST(what_was_reported_of_our_own_stays_so_however_late_it_is_told),
		TEST(a_write_that_failed_leaves_open_what_was_told),
		TEST(whoever_gets_somewhere_stirs_all_above),
		TEST(a_rename_tells_of_the_new_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
