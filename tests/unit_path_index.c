/* SPDX-License-Identifier: MIT */
/* Which subscribers hear of an event, and which paths a queue keeps. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/events/path_index.h"
#include "fs/events/path_queue.h"
#include "tests/failing_malloc.h"

struct listener {
	struct path_user user;
	char heard[64]; /* the paths, each with a blank behind it */
};

static void hear(void *arg, struct path_user *user, const char *path)
{
	struct listener *l = (struct listener *)((char *)user - offsetof(struct listener, user));
	size_t len = strlen(l->heard);

	(void)arg;
	snprintf(l->heard + len, sizeof(l->heard) - len, "%s ", path);
}

static bool is_it(void *arg, struct path_user *user)
{
	return arg == user;
}

/* Listeners of "/", "/a", "/a/b", "/ab" and "@x" in an index. */
enum { ROOT, A, B, AB, SPECIAL, LISTENERS };

struct fixture {
	struct path_index index;
	struct listener listeners[LISTENERS];
};

static void listen_to_all(struct fixture *fx)
{
	static const char *const paths[LISTENERS] = { "/", "/a", "/a/b", "/ab", "@x" };

	*fx = (struct fixture){ 0 };
	path_index_init(&fx->index);
	for (unsigned i = 0; i < LISTENERS; i++)
		assert_int_equal(path_index_add(&fx->index, &fx->listeners[i].user, paths[i]), 0);
}

static void end_all(struct fixture *fx)
{
	for (unsigned i = 0; i < LISTENERS; i++)
		path_index_remove(&fx->index, &fx->listeners[i].user);
	assert_null(fx->index.entries);
}

static void assert_heard(struct fixture *fx, const char *event, const char *const *heard)
{
	path_index_visit(&fx->index, event, hear, NULL);
	for (unsigned i = 0; i < LISTENERS; i++)
		assert_string_equal(fx->listeners[i].heard, heard[i]);
	end_all(fx);
}

static void those_above_hear_of_the_path_itself(void **state)
{
	struct fixture fx;

	(void)state;
	listen_to_all(&fx);
	assert_heard(&fx, "/a/b/c", (const char *[]){ "/a/b/c ", "/a/b/c ", "/a/b/c ", "", "" });
}

static void those_below_hear_of_their_own_paths(void **state)
{
	struct fixture fx;

	(void)state;
	listen_to_all(&fx);
	assert_heard(&fx, "/a", (const char *[]){ "/a ", "/a ", "/a/b ", "", "" });
}

static void an_event_on_the_root_is_about_all_nodes(void **state)
{
	struct fixture fx;

	(void)state;
	listen_to_all(&fx);
	assert_heard(&fx, "/", (const char *[]){ "/ ", "/a ", "/a/b ", "/ab ", "" });
}

static void a_special_path_is_above_and_below_nothing(void **state)
{
	struct fixture fx;

	(void)state;
	listen_to_all(&fx);
	assert_heard(&fx, "@x", (const char *[]){ "", "", "", "", "@x " });
}

static void a_user_is_found_at_its_path_only(void **state)
{
	struct fixture fx;
	struct path_user *user = &fx.listeners[B].user;

	(void)state;
	listen_to_all(&fx);
	assert_ptr_equal(path_index_find(&fx.index, "/a/b", is_it, user), user);
	assert_null(path_index_find(&fx.index, "/a", is_it, user));
	assert_null(path_index_find(&fx.index, "/a/b/c", is_it, user));
	end_all(&fx);
}

/* Wherever an allocation fails, nothing is left of the path. */
static void without_memory_a_path_is_not_half_there(void **state)
{
	struct path_index index;
	struct path_user user = { 0 };
	int err = -ENOMEM;

	(void)state;
	path_index_init(&index);
	for (unsigned n = 0; err; n++) {
		malloc_countdown = n + 1;
		err = path_index_add(&index, &user, "/a/b/c");
		malloc_countdown = 0;
		if (err)
			assert_null(index.entries);
	}
	path_index_remove(&index, &user);
	assert_null(index.entries);
}

static void a_path_is_queued_once(void **state)
{
	struct path_queue queue;

	(void)state;
	path_queue_init(&queue, 1000);
	assert_true(path_queue_add(&queue, "/b"));
	assert_true(path_queue_add(&queue, "/a"));
	assert_true(path_queue_add(&queue, "/b"));
	assert_string_equal(path_queue_first(&queue), "/b");
	path_queue_pop(&queue);
	assert_string_equal(path_queue_first(&queue), "/a");
	path_queue_pop(&queue);
	assert_null(path_queue_first(&queue));
	assert_int_equal(queue.bytes, 0);
}

static void a_full_queue_forgets_all_and_says_so_once(void **state)
{
	struct path_queue queue;
	char path[16];
	unsigned overflows = 0;

	(void)state;
	path_queue_init(&queue, 1000);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/%u", i);
		overflows += !path_queue_add(&queue, path);
	}
	assert_int_equal(overflows, 1);
	assert_true(queue.overflow);
	assert_null(path_queue_first(&queue));
	queue.overflow = false;
	assert_true(path_queue_add(&queue, "/a"));
	assert_string_equal(path_queue_first(&queue), "/a");
	path_queue_clear(&queue);
}

static void without_memory_a_queue_overflows(void **state)
{
	struct path_queue queue;

	(void)state;
	path_queue_init(&queue, 1000);
	assert_true(path_queue_add(&queue, "/a"));
	malloc_countdown = 1;
	assert_false(path_queue_add(&queue, "/b"));
	malloc_countdown = 0;
	assert_true(queue.overflow);
	assert_null(path_queue_first(&queue));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(those_above_hear_of_the_path_itself),
		cmocka_unit_test(those_below_hear_of_their_own_paths),
		cmocka_unit_test(an_event_on_the_root_is_about_all_nodes),
		cmocka_unit_test(a_special_path_is_above_and_below_nothing),
		cmocka_unit_test(a_user_is_found_at_its_path_only),
		cmocka_unit_test(without_memory_a_path_is_not_half_there),
		cmocka_unit_test(a_path_is_queued_once),
		cmocka_unit_test(a_full_queue_forgets_all_and_says_so_once),
		cmocka_unit_test(without_memory_a_queue_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
