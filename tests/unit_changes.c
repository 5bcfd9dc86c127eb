/* SPDX-License-Identifier: MIT */
/* What is known of nodes in a transaction after its changes, and the empty
 * directories that it made. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <xen/io/xs_wire.h>

#include "fs/model/changes.h"
#include "fs/model/empty_nodes.h"
#include "tests/failing_malloc.h"

static struct changes changes;

static int begin(void **state)
{
	(void)state;
	changes_init(&changes);
	return 0;
}

static int end(void **state)
{
	(void)state;
	changes_deinit(&changes);
	return 0;
}

static void did(uint32_t type, const char *path)
{
	assert_int_equal(changes_note(&changes, type, path), 0);
}

#define SEES(path, sight) assert_int_equal(changes_see(&changes, path), sight)

static void nothing(void **state)
{
	(void)state;
	SEES("/", SIGHT_OUTSIDE);
	SEES("/a/b", SIGHT_OUTSIDE);
	did(XS_READ, "/a");
	did(XS_SET_PERMS, "/a");
	SEES("/a", SIGHT_OUTSIDE);
}

static void written(void **state)
{
	(void)state;
	did(XS_WRITE, "/a/b/c");
	SEES("/", SIGHT_DIR);
	SEES("/a", SIGHT_DIR);
	SEES("/a/b", SIGHT_DIR);
	/* It may have had children, and then still has. */
	SEES("/a/b/c", SIGHT_THERE);
	SEES("/a/b/c/d", SIGHT_OUTSIDE);
	SEES("/a/b/d", SIGHT_OUTSIDE);
	SEES("/a/bb", SIGHT_OUTSIDE);
	SEES("/b", SIGHT_OUTSIDE);
}

static void removed(void **state)
{
	(void)state;
	did(XS_RM, "/a/b");
	SEES("/a/b", SIGHT_GONE);
	SEES("/a/b/c", SIGHT_GONE);
	SEES("/a/b/c/d", SIGHT_GONE);
	/* That may have been its only child, and whoever removes it must not find a file. */
	SEES("/a", SIGHT_OUTSIDE_DIR);
	SEES("/a/c", SIGHT_OUTSIDE);
}

static void removed_and_made(void **state)
{
	(void)state;
	did(XS_RM, "/a");
	did(XS_MKDIR, "/a");
	SEES("/a", SIGHT_LEAF);
	SEES("/a/b", SIGHT_GONE);
	did(XS_WRITE, "/a/b/c");
	SEES("/a", SIGHT_DIR);
	SEES("/a/b", SIGHT_DIR);
	SEES("/a/b/c", SIGHT_LEAF);
	SEES("/a/b/d", SIGHT_GONE);
	SEES("/a/d", SIGHT_GONE);
	did(XS_RM, "/a/b/c");
	SEES("/a/b", SIGHT_LEAF);
	SEES("/a/b/c", SIGHT_GONE);
	did(XS_RM, "/a");
	SEES("/a", SIGHT_GONE);
	SEES("/a/b", SIGHT_GONE);
	/* Made on the way, below what was removed. */
	did(XS_WRITE, "/a/x/y");
	SEES("/a", SIGHT_DIR);
	SEES("/a/x", SIGHT_DIR);
	SEES("/a/b", SIGHT_GONE);
}

static void made_and_removed(void **state)
{
	(void)state;
	did(XS_WRITE, "/a/b");
	did(XS_RM, "/a/b");
	/* It was made on the way, or was there. */
	SEES("/a", SIGHT_DIR);
	SEES("/a/b", SIGHT_GONE);
	did(XS_WRITE, "/a");
	SEES("/a", SIGHT_DIR);
}

static void slashes_and_similar_names(void **state)
{
	(void)state;
	did(XS_WRITE, "/ab");
	SEES("/a", SIGHT_OUTSIDE);
	SEES("/abc", SIGHT_OUTSIDE);
	SEES("/ab", SIGHT_THERE);
	did(XS_RM, "/abc");
	SEES("/ab", SIGHT_THERE);
}

static char said[256];

static void say_removed(void *arg, const char *path)
{
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s-%s ", (char *)arg, path);
}

static void say_there(void *arg, const char *path)
{
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s+%s ", (char *)arg, path);
}

static void each(void **state)
{
	char arg[] = "";

	(void)state;
	said[0] = '\0';
	changes_for_each(&changes, say_removed, say_there, arg);
	assert_string_equal(said, "");
	did(XS_RM, "/a");
	did(XS_WRITE, "/a/b");
	did(XS_RM, "/c");
	changes_for_each(&changes, say_removed, say_there, arg);
	assert_string_equal(said, "-/a -/c +/ +/a +/a/b ");
}

static void many(void **state)
{
	char path[64];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(path, sizeof(path), "/a/%u/%u", i % 100, i);
		did(i % 3 ? XS_WRITE : XS_RM, path);
	}
	SEES("/a/7/7", SIGHT_THERE);
	SEES("/a/6/6", SIGHT_GONE);
	SEES("/a", SIGHT_DIR);
	did(XS_RM, "/a");
	SEES("/a/7/7", SIGHT_GONE);
}

static void made_below(void **state)
{
	struct empty_nodes made, copy;

	(void)state;
	empty_nodes_init(&made);
	empty_nodes_init(&copy);
	empty_nodes_add(&made, "/a");
	empty_nodes_add(&made, "/a/b");
	empty_nodes_add(&made, "/ab");
	empty_nodes_copy(&copy, &made);
	empty_nodes_remove_below(&made, "/a");
	assert_false(empty_nodes_has(&made, "/a"));
	assert_false(empty_nodes_has(&made, "/a/b"));
	assert_true(empty_nodes_has(&made, "/ab"));
	assert_true(empty_nodes_has(&copy, "/a"));
	assert_true(empty_nodes_has(&copy, "/a/b"));
	empty_nodes_deinit(&made);
	empty_nodes_deinit(&copy);
}

/* Directory, file, `.value`: each is remembered by itself. */
static void made_facts(void **state)
{
	struct empty_nodes made, tx;

	(void)state;
	empty_nodes_init(&made);
	empty_nodes_init(&tx);
	empty_nodes_add(&made, "/d");
	assert_true(empty_nodes_has_no_value(&made, "/d"));
	assert_true(empty_nodes_value_written(&made, "/d"));
	assert_false(empty_nodes_value_written(&made, "/d"));
	assert_false(empty_nodes_has_no_value(&made, "/d"));
	assert_true(empty_nodes_has(&made, "/d"));
	empty_nodes_value_removed(&made, "/v");
	assert_true(empty_nodes_has_no_value(&made, "/v"));
	assert_false(empty_nodes_has(&made, "/v"));
	assert_false(empty_nodes_is_file(&made, "/v"));
	empty_nodes_as_file(&made, "/f");
	empty_nodes_as_file(&made, "/f/g");
	empty_nodes_rename(&made, "/f", "/r");
	assert_true(empty_nodes_is_file(&made, "/r"));
	assert_true(empty_nodes_is_file(&made, "/r/g"));
	assert_false(empty_nodes_is_file(&made, "/f"));
	empty_nodes_add(&made, "/r");
	assert_false(empty_nodes_is_file(&made, "/r"));
	empty_nodes_as_dir(&made, "/e");
	assert_true(empty_nodes_has(&made, "/e"));
	assert_false(empty_nodes_has_no_value(&made, "/e"));

	/* A transaction has done this and that, and was committed. */
	empty_nodes_copy(&tx, &made);
	empty_nodes_value_written(&tx, "/v");
	empty_nodes_add(&tx, "/x");
	empty_nodes_value_removed(&tx, "/d");
	empty_nodes_take(&made, "/v", &tx);
	empty_nodes_take(&made, "/x", &tx);
	empty_nodes_take(&made, "/d", &tx);
	assert_false(empty_nodes_has_no_value(&made, "/v"));
	assert_true(empty_nodes_has(&made, "/x"));
	assert_true(empty_nodes_has_no_value(&made, "/x"));
	assert_true(empty_nodes_has(&made, "/d"));
	assert_true(empty_nodes_has_no_value(&made, "/d"));
	/* Nothing is left of what has no facts. */
	empty_nodes_value_written(&made, "/x");
	empty_nodes_remove(&made, "/x");
	empty_nodes_remove(&made, "/x");
	assert_false(empty_nodes_has(&made, "/x"));
	empty_nodes_deinit(&made);
	empty_nodes_deinit(&tx);
}

/* The set is full: what is renamed may be what would have to go. */
static void made_renamed_when_full(void **state)
{
	struct empty_nodes made;
	char path[32];

	(void)state;
	empty_nodes_init(&made);
	empty_nodes_add(&made, "/t");
	for (unsigned i = 0; i <= EMPTY_NODES_MAX; i++) {
		snprintf(path, sizeof(path), "/t/%u", i);
		empty_nodes_add(&made, path);
	}
	assert_false(empty_nodes_has(&made, "/t"));
	empty_nodes_rename(&made, "/t", "/u");
	for (unsigned i = 1; i <= EMPTY_NODES_MAX; i++) {
		snprintf(path, sizeof(path), "/t/%u", i);
		assert_false(empty_nodes_has(&made, path));
		path[1] = 'u';
		assert_true(empty_nodes_has(&made, path));
	}
	empty_nodes_deinit(&made);
}

/* Each allocation fails once: an error or a thing forgotten, never the end of the process. */
static void without_memory(void **state)
{
	unsigned failures, i, fail = 0;
	struct empty_nodes made;
	char path[32];

	(void)state;
	do {
		changes_deinit(&changes);
		changes_init(&changes);
		empty_nodes_init(&made);
		malloc_countdown = ++fail;
		failures = 0;
		for (i = 0; i < 400; i++) {
			snprintf(path, sizeof(path), "/a/%u", i);
			failures += changes_note(&changes, XS_WRITE, path) == -ENOMEM;
			empty_nodes_add(&made, path);
			failures += !empty_nodes_has(&made, path);
		}
		assert_in_range(failures, 0, 1);
		/* It fails no more where nothing was allocated any more. */
		failures = malloc_countdown == 0;
		malloc_countdown = 0;
		did(XS_WRITE, "/a/b");
		SEES("/a/b", SIGHT_THERE);
		empty_nodes_deinit(&made);
	} while (failures);
	/* 400 of each, and their tables, which grew. */
	assert_in_range(fail, 800, 850);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(nothing),
		TEST(written),
		TEST(removed),
		TEST(removed_and_made),
		TEST(made_and_removed),
		TEST(slashes_and_similar_names),
		TEST(each),
		TEST(many),
		TEST(made_below),
		TEST(made_facts),
		TEST(made_renamed_when_full),
		TEST(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
