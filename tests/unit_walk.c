/* SPDX-License-Identifier: MIT */
/* Walks through a subtree: their order, what they leave out, how far they run ahead, and how they end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/op/transaction.h"
#include "fs/special/walk.h"
#include "tests/failing_malloc.h"
#include "tests/fs_fixture.h"

/* Nodes requested at a time, and nodes that may wait to be taken; the values of walk.c. */
#define IN_FLIGHT 32
#define AHEAD 512
/* How often a directory that keeps changing is listed anew. */
#define RESTARTS 8

/* A string with the NULs that are in it. */
#define NAMES(s) s, sizeof(s) - 1

static struct {
	struct walk_owner owner;
	unsigned ready, gone;
} own;

static void note_ready(struct walk_owner *owner, struct walk *walk)
{
	(void)owner;
	(void)walk;
	own.ready++;
}

static void note_gone(struct walk_owner *owner)
{
	(void)owner;
	own.gone++;
}

static int begin(void **state)
{
	memset(&own, 0, sizeof(own));
	own.owner = (struct walk_owner){ .ready = note_ready, .gone = note_gone };
	return fs_fixture_setup(state);
}

/* Begins a walk. */
static struct walk *walk_from(struct fs_fixture *fx, const char *path)
{
	struct walk *walk = walk_new(&fx->fs, &fx->fs.root_view, path, &own.owner);

	assert_non_null(walk);
	walk_go(walk);
	return walk;
}

static void end_walk(struct walk *walk)
{
	walk_stop(walk);
	walk_put(walk);
	assert_int_equal(own.gone, 1);
}

static void reply(struct fs_fixture *fx, const struct fake_msg *msg, const char *names, size_t len)
{
	fake_store_reply(fx->base->store, msg, names, len);
	pump(fx->base);
}

/* The store answers that a node has these children. */
static void store_has(struct fs_fixture *fx, const char *path, const char *value, const char *names,
		      size_t len)
{
	struct fake_msg msg;

	store_answers(fx, XS_READ, path, value);
	msg = store_gets(fx, XS_DIRECTORY, path);
	reply(fx, &msg, names, len);
}

static void store_has_leaf(struct fs_fixture *fx, const char *path, const char *value)
{
	store_has(fx, path, value, "", 0);
}

/* The store refuses both requests about a node. */
static void store_has_not(struct fs_fixture *fx, const char *path, const char *error)
{
	store_refuses(fx, XS_READ, path, error);
	store_refuses(fx, XS_DIRECTORY, path, error);
}

/* ---- steps ---- */

static void assert_node(struct walk *walk, const char *path, const char *value, unsigned depth,
			bool has_children)
{
	struct walk_node node;

	assert_int_equal(walk_next(walk, &node), WALK_NODE);
	assert_string_equal(node.path, path);
	assert_int_equal(node.value_len, strlen(value));
	assert_memory_equal(node.value, value, node.value_len);
	assert_int_equal(node.depth, depth);
	assert_int_equal(node.has_children, has_children);
}

static void assert_leave(struct walk *walk, unsigned depth)
{
	struct walk_node node;

	assert_int_equal(walk_next(walk, &node), WALK_LEAVE);
	assert_int_equal(node.depth, depth);
}

static void assert_step(struct walk *walk, int expected)
{
	struct walk_node node;

	assert_int_equal(walk_next(walk, &node), expected);
}

/* ---- the order ---- */

static void before_the_first_answer_it_waits(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_new(&fx->fs, &fx->fs.root_view, "/a", &own.owner);

	store_gets_nothing(fx);
	assert_step(walk, WALK_WAIT);
	walk_go(walk);
	assert_step(walk, WALK_WAIT);
	store_gets(fx, XS_READ, "/a");
	store_gets(fx, XS_DIRECTORY, "/a");
	end_walk(walk);
}

static void a_node_without_children_is_all(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/a");

	store_has_leaf(fx, "/a", "value");
	assert_true(own.ready > 0);
	assert_node(walk, "/a", "value", 0, false);
	assert_step(walk, WALK_END);
	end_walk(walk);
}

static void each_node_comes_before_its_children_and_they_before_the_next(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/");

	store_has(fx, "/", "", NAMES("a\0b\0"));
	assert_node(walk, "/", "", 0, true);
	walk_go(walk);
	store_has(fx, "/a", "1", NAMES("x\0"));
	store_has_leaf(fx, "/b", "2");
	assert_node(walk, "/a", "1", 1, true);
	assert_step(walk, WALK_WAIT);
	walk_go(walk);
	store_has_leaf(fx, "/a/x", "3");
	assert_node(walk, "/a/x", "3", 2, false);
	assert_leave(walk, 1);
	assert_node(walk, "/b", "2", 1, false);
	assert_leave(walk, 0);
	assert_step(walk, WALK_END);
	end_walk(walk);
}

static void what_is_answered_first_waits_for_its_turn(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/");
	struct fake_msg a[2];

	store_has(fx, "/", "", NAMES("a\0b\0"));
	assert_node(walk, "/", "", 0, true);
	walk_go(walk);
	a[0] = store_gets(fx, XS_READ, "/a");
	a[1] = store_gets(fx, XS_DIRECTORY, "/a");
	store_has_leaf(fx, "/b", "2");
	assert_step(walk, WALK_WAIT);
	reply(fx, &a[1], "", 0);
	assert_step(walk, WALK_WAIT);
	reply(fx, &a[0], "1", 1);
	assert_node(walk, "/a", "1", 1, false);
	assert_node(walk, "/b", "2", 1, false);
	end_walk(walk);
}

static void the_name_is_the_last_of_the_path(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/a/b");
	struct walk_node node;

	store_has_leaf(fx, "/a/b", "");
	assert_int_equal(walk_next(walk, &node), WALK_NODE);
	assert_string_equal(node.name, "b");
	assert_string_equal(walk_path(walk), "/a/b");
	end_walk(walk);
}

/* ---- what is left out ---- */

static void a_node_that_vanishes_is_left_out(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/");

	store_has(fx, "/", "", NAMES("a\0b\0"));
	assert_node(walk, "/", "", 0, true);
	walk_go(walk);
	store_has_not(fx, "/a", "ENOENT");
	store_has_leaf(fx, "/b", "2");
	assert_node(walk, "/b", "2", 1, false);
	assert_int_equal(walk_unreadable(walk), 0);
	end_walk(walk);
}

static void a_node_that_may_not_be_read_is_left_out_and_counted(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/");

	store_has(fx, "/", "", NAMES("a\0b\0"));
	assert_node(walk, "/", "", 0, true);
	walk_go(walk);
	store_has_not(fx, "/a", "EACCES");
	store_has_leaf(fx, "/b", "2");
	assert_node(walk, "/b", "2", 1, false);
	assert_int_equal(walk_unreadable(walk), 1);
	end_walk(walk);
}

static void a_name_that_no_node_can_have_is_left_out(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/");

	store_has(fx, "/", "", NAMES("a.b\0..\0c/d\0e\0"));
	assert_node(walk, "/", "", 0, true);
	walk_go(walk);
	store_has_leaf(fx, "/e", "1");
	assert_node(walk, "/e", "1", 1, false);
	assert_leave(walk, 0);
	end_walk(walk);
}

static void without_legal_names_a_node_has_no_children(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/");

	store_has(fx, "/", "", NAMES("a.b\0"));
	assert_node(walk, "/", "", 0, false);
	assert_step(walk, WALK_END);
	end_walk(walk);
}

/* ---- its end ---- */

static void without_the_node_where_it_begins_there_is_no_walk(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/a");

	store_has_not(fx, "/a", "ENOENT");
	assert_step(walk, -ENOENT);
	assert_step(walk, -ENOENT);
	walk_go(walk);
	store_gets_nothing(fx);
	end_walk(walk);
}

static void a_node_that_may_not_be_read_is_no_begin(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/a");

	store_has_not(fx, "/a", "EACCES");
	assert_step(walk, -EACCES);
	end_walk(walk);
}

static void a_lost_store_ends_it(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/");

	store_has(fx, "/", "", NAMES("a\0"));
	assert_node(walk, "/", "", 0, true);
	walk_go(walk);
	store_gets(fx, XS_READ, "/a");
	fake_store_eof(fx->base->store);
	pump(fx->base);
	assert_step(walk, -EIO);
	end_walk(walk);
}

static void stopped_it_asks_for_nothing_and_calls_nobody(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/a");

	store_gets(fx, XS_READ, "/a");
	store_gets(fx, XS_DIRECTORY, "/a");
	walk_stop(walk);
	assert_int_equal(own.ready, 0);
	walk_go(walk);
	store_gets_nothing(fx);
	assert_int_equal(own.gone, 0);
	walk_put(walk);
	assert_int_equal(own.gone, 1);
}

static void stopped_before_it_began_it_does_not_begin(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_new(&fx->fs, &fx->fs.root_view, "/a", &own.owner);

	walk_stop(walk);
	walk_go(walk);
	store_gets_nothing(fx);
	walk_put(walk);
}

static void it_lives_until_what_it_asked_for_is_answered(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/a");
	struct fake_msg msg;

	msg = store_gets(fx, XS_READ, "/a");
	walk_put(walk);
	assert_int_equal(own.gone, 0);
	reply(fx, &msg, "", 0);
	assert_int_equal(own.gone, 0);
	msg = store_gets(fx, XS_DIRECTORY, "/a");
	reply(fx, &msg, "", 0);
	assert_int_equal(own.gone, 1);
}

static void with_its_transaction_it_is_stale(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	struct walk *walk = walk_new(&fx->fs, transaction_view(file->own, false), "/a", &own.owner);
	struct fake_msg msg;

	walk_go(walk);
	msg = store_gets(fx, XS_READ, "/a");
	assert_int_equal(msg.hdr.tx_id, 5);
	fake_store_error(fx->base->store, &msg, "ENOENT");
	handle_free(file);
	store_refuses(fx, XS_DIRECTORY, "/a", "ENOENT");
	assert_step(walk, -ESTALE);
	end_walk(walk);
}

static bool is_connected_again(void *arg)
{
	struct fs_fixture *fx = arg;

	return stats(fx->base).reconnects > 0;
}

static void on_another_connection_it_asks_for_nothing_of_its_transaction(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_transaction(fx, "5");
	struct walk *walk = walk_new(&fx->fs, transaction_view(file->own, false), "/a", &own.owner);

	fake_store_eof(fx->base->store);
	wait_until(fx, is_connected_again, fx);
	walk_go(walk);
	store_gets_nothing(fx);
	assert_step(walk, -ESTALE);
	end_walk(walk);
}

static void without_memory_it_ends(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_new(&fx->fs, &fx->fs.root_view, "/a", &own.owner);

	malloc_countdown = 1;
	walk_go(walk);
	malloc_countdown = 0;
	assert_int_equal(own.ready, 1);
	assert_step(walk, -ENOMEM);
	end_walk(walk);
}

static void without_memory_there_is_none(void **state)
{
	struct fs_fixture *fx = *state;

	malloc_countdown = 1;
	assert_null(walk_new(&fx->fs, &fx->fs.root_view, "/a", &own.owner));
	malloc_countdown = 0;
	assert_int_equal(own.gone, 0);
}

/* ---- running ahead ---- */

/* Fills `names` with `n` names.  Returns their length. */
static size_t many_names(char *names, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += sprintf(names + len, "k%u", i) + 1;
	return len;
}

static unsigned asked(struct fs_fixture *fx)
{
	struct chan_stats st = stats(fx->base);

	return st.in_flight + st.queued;
}

static void only_so_many_are_asked_for_at_a_time(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/");
	char names[1000];

	store_has(fx, "/", "", names, many_names(names, 100));
	walk_go(walk);
	assert_int_equal(asked(fx), 2 * IN_FLIGHT);
	walk_go(walk);
	assert_int_equal(asked(fx), 2 * IN_FLIGHT);
	end_walk(walk);
}

static void more_is_asked_for_when_half_of_it_has_come(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/");
	char names[1000], path[16];

	store_has(fx, "/", "", names, many_names(names, 100));
	assert_node(walk, "/", "", 0, true);
	walk_go(walk);
	/* The first is not answered, so there is nothing to take: it is ready only to ask for more. */
	store_gets(fx, XS_READ, "/k0");
	store_gets(fx, XS_DIRECTORY, "/k0");
	own.ready = 0;
	for (unsigned i = 1; i < IN_FLIGHT / 2; i++) {
		snprintf(path, sizeof(path), "/k%u", i);
		store_has_leaf(fx, path, "");
	}
	assert_int_equal(own.ready, 0);
	walk_go(walk);
	assert_int_equal(asked(fx), 2 * (IN_FLIGHT / 2 + 1));
	snprintf(path, sizeof(path), "/k%u", IN_FLIGHT / 2);
	store_has_leaf(fx, path, "");
	assert_int_equal(own.ready, 1);
	walk_go(walk);
	assert_int_equal(asked(fx), 2 * IN_FLIGHT);
	end_walk(walk);
}

static void who_takes_nothing_stops_it(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_from(fx, "/");
	char *names = malloc(20000);
	struct fake_msg msg;
	unsigned nodes = 0;

	assert_non_null(names);
	msg = store_gets(fx, XS_READ, "/");
	reply(fx, &msg, "", 0);
	msg = store_gets(fx, XS_DIRECTORY, "/");
	/* As many as one reply holds. */
	reply(fx, &msg, names, many_names(names, 700));
	free(names);
	for (walk_go(walk); asked(fx) > 0; walk_go(walk)) {
		while (fake_store_take(fx->base->store, &msg)) {
			nodes += msg.hdr.type == XS_READ;
			reply(fx, &msg, "", 0);
		}
	}
	/* The root is one of them. */
	assert_int_equal(nodes, AHEAD - 1);
	/* What is taken makes room. */
	for (unsigned i = 0; i < 2 * IN_FLIGHT; i++)
		assert_step(walk, WALK_NODE);
	walk_go(walk);
	assert_int_equal(asked(fx), 2 * IN_FLIGHT);
	end_walk(walk);
}

/* ---- names in parts ---- */

static struct walk *walk_in_parts(struct fs_fixture *fx)
{
	struct walk *walk = walk_from(fx, "/");

	store_answers(fx, XS_READ, "/", "");
	store_refuses(fx, XS_DIRECTORY, "/", "E2BIG");
	return walk;
}

/* The store gets the question for a part at `offset`, and answers it. */
static void store_has_part(struct fs_fixture *fx, const char *offset, const char *names, size_t len)
{
	struct fake_msg msg = store_gets(fx, XS_DIRECTORY_PART, "/");

	assert_string_equal(msg.body + 2, offset);
	reply(fx, &msg, names, len);
}

static void names_that_do_not_fit_come_in_parts(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_in_parts(fx);

	store_has_part(fx, "0", NAMES("7\0a\0"));
	assert_step(walk, WALK_WAIT);
	store_has_part(fx, "2", NAMES("7\0b\0\0"));
	assert_node(walk, "/", "", 0, true);
	walk_go(walk);
	store_has_leaf(fx, "/a", "1");
	store_has_leaf(fx, "/b", "2");
	assert_node(walk, "/a", "1", 1, false);
	assert_node(walk, "/b", "2", 1, false);
	assert_leave(walk, 0);
	end_walk(walk);
}

static void names_that_change_under_it_are_listed_anew(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_in_parts(fx);

	store_has_part(fx, "0", NAMES("7\0a\0"));
	store_has_part(fx, "2", NAMES("8\0b\0\0"));
	store_has_part(fx, "0", NAMES("8\0b\0\0"));
	assert_node(walk, "/", "", 0, true);
	walk_go(walk);
	store_has_leaf(fx, "/b", "2");
	assert_node(walk, "/b", "2", 1, false);
	assert_leave(walk, 0);
	end_walk(walk);
}

static void names_that_keep_changing_are_taken_as_they_were_seen_last(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_in_parts(fx);

	for (unsigned i = 0; i < RESTARTS; i++) {
		store_has_part(fx, "0", NAMES("7\0a\0"));
		store_has_part(fx, "2", NAMES("8\0b\0\0"));
	}
	assert_node(walk, "/", "", 0, true);
	end_walk(walk);
}

static void a_server_that_has_no_parts_cannot_be_walked_there(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_in_parts(fx);

	store_refuses(fx, XS_DIRECTORY_PART, "/", "ENOSYS");
	assert_step(walk, -E2BIG);
	end_walk(walk);
}

static void a_part_that_leads_nowhere_is_an_error(void **state)
{
	struct fs_fixture *fx = *state;
	struct walk *walk = walk_in_parts(fx);

	/* Not the last, and yet without a name. */
	store_has_part(fx, "0", NAMES("7\0"));
	assert_step(walk, -EIO);
	end_walk(walk);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(before_the_first_answer_it_waits),
		TEST(a_node_without_children_is_all),
		TEST(each_node_comes_before_its_children_and_they_before_the_next),
		TEST(what_is_answered_first_waits_for_its_turn),
		TEST(the_name_is_the_last_of_the_path),
		TEST(a_node_that_vanishes_is_left_out),
		TEST(a_node_that_may_not_be_read_is_left_out_and_counted),
		TEST(a_name_that_no_node_can_have_is_left_out),
		TEST(without_legal_names_a_node_has_no_children),
		TEST(without_the_node_where_it_begins_there_is_no_walk),
		TEST(a_node_that_may_not_be_read_is_no_begin),
		TEST(a_lost_store_ends_it),
		TEST(stopped_it_asks_for_nothing_and_calls_nobody),
		TEST(stopped_before_it_began_it_does_not_begin),
		TEST(it_lives_until_what_it_asked_for_is_answered),
		TEST(with_its_transaction_it_is_stale),
		TEST(on_another_connection_it_asks_for_nothing_of_its_transaction),
		TEST(without_memory_it_ends),
		TEST(without_memory_there_is_none),
		TEST(only_so_many_are_asked_for_at_a_time),
		TEST(more_is_asked_for_when_half_of_it_has_come),
		TEST(who_takes_nothing_stops_it),
		TEST(names_that_do_not_fit_come_in_parts),
		TEST(names_that_change_under_it_are_listed_anew),
		TEST(names_that_keep_changing_are_taken_as_they_were_seen_last),
		TEST(a_server_that_has_no_parts_cannot_be_walked_there),
		TEST(a_part_that_leads_nowhere_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
