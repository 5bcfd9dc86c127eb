/* SPDX-License-Identifier: MIT */
/* Whose work the pool does, and when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fs/op/lock.h"
#include "fs/op/pool.h"
#include "tests/fs_fixture.h"

#define THREADS 4
#define MOST 3 /* of them, for one user */
#define WORKS 12

/* A pool whose work waits until it is let go. */
struct pool_fixture {
	struct fs fs;
	struct pool *pool;
	pthread_cond_t changed;
	bool go[WORKS];
	unsigned begun[WORKS]; /* when it was, counted from 1; 0: not yet */
	unsigned n_begun;
	unsigned n_ended;
	struct job {
		struct pool_work work;
		struct pool_fixture *fx;
		unsigned n;
	} jobs[WORKS];
};

static void run(struct pool_work *work)
{
	struct job *job = (struct job *)work;
	struct pool_fixture *fx = job->fx;

	fx->begun[job->n] = ++fx->n_begun;
	pthread_cond_broadcast(&fx->changed);
	while (!fx->go[job->n])
		fs_wait(&fx->fs, &fx->changed, NULL);
	fx->n_ended++;
	pthread_cond_broadcast(&fx->changed);
}

static int set_up(void **state)
{
	struct pool_fixture *fx = calloc(1, sizeof(*fx));

	assert_non_null(fx);
	fs_lock_init(&fx->fs);
	fs_cond_init(&fx->changed);
	fx->pool = pool_new(&fx->fs, THREADS);
	assert_non_null(fx->pool);
	fs_lock(&fx->fs);
	*state = fx;
	return 0;
}

static int tear_down(void **state)
{
	struct pool_fixture *fx = *state;

	for (unsigned n = 0; n < WORKS; n++)
		fx->go[n] = true;
	pthread_cond_broadcast(&fx->changed);
	fs_unlock(&fx->fs);
	pool_free(fx->pool);
	pthread_cond_destroy(&fx->changed);
	free(fx);
	return 0;
}

static void submit(struct pool_fixture *fx, unsigned n, uid_t uid)
{
	fx->jobs[n] = (struct job){ .work = { .run = run, .uid = uid }, .fx = fx, .n = n };
	assert_int_equal(pool_submit(fx->pool, &fx->jobs[n].work), 0);
}

static void wait_for_count(struct pool_fixture *fx, const unsigned *count, unsigned value)
{
	const struct timespec until = fs_time_after(patience_s() * UINT64_C(1000000000));

	while (*count < value)
		assert_int_equal(fs_wait(&fx->fs, &fx->changed, &until), 0);
	assert_int_equal(*count, value);
}

static void let_go(struct pool_fixture *fx, unsigned n)
{
	fx->go[n] = true;
	pthread_cond_broadcast(&fx->changed);
}

static void one_user_never_has_all_threads(void **state)
{
	struct pool_fixture *fx = *state;

	for (unsigned n = 0; n < WORKS - 1; n++)
		submit(fx, n, 1);
	wait_for_count(fx, &fx->n_begun, MOST);
	submit(fx, WORKS - 1, 2);
	wait_for_count(fx, &fx->begun[WORKS - 1], MOST + 1);
}

static void users_take_turns(void **state)
{
	struct pool_fixture *fx = *state;

	for (unsigned n = 0; n < MOST; n++)
		submit(fx, n, 1);
	submit(fx, MOST, 2);
	wait_for_count(fx, &fx->n_begun, THREADS);
	/* A long queue of one user, then something of another: it is the next but one, at most. */
	for (unsigned n = THREADS; n < WORKS - 1; n++)
		submit(fx, n, 1);
	submit(fx, WORKS - 1, 3);
	let_go(fx, 0);
	wait_for_count(fx, &fx->n_begun, THREADS + 1);
	let_go(fx, 1);
	wait_for_count(fx, &fx->n_begun, THREADS + 2);
	assert_in_range(fx->begun[WORKS - 1], THREADS + 1, THREADS + 2);
}

static void the_work_of_one_user_is_done_in_its_order(void **state)
{
	struct pool_fixture *fx = *state;

	for (unsigned n = 0; n < WORKS; n++) {
		submit(fx, n, 1);
		fx->go[n] = true;
	}
	wait_for_count(fx, &fx->n_ended, WORKS);
	for (unsigned n = 1; n < WORKS; n++)
		assert_true(fx->begun[n] > fx->begun[n - 1]);
}

static void work_that_is_taken_out_is_not_done(void **state)
{
	struct pool_fixture *fx = *state;

	for (unsigned n = 0; n < MOST + 2; n++)
		submit(fx, n, 1);
	wait_for_count(fx, &fx->n_begun, MOST);
	assert_true(pool_cancel(fx->pool, &fx->jobs[MOST].work));
	assert_false(pool_cancel(fx->pool, &fx->jobs[MOST].work));
	assert_false(pool_cancel(fx->pool, &fx->jobs[0].work));
	for (unsigned n = 0; n < WORKS; n++)
		fx->go[n] = true;
	pthread_cond_broadcast(&fx->changed);
	wait_for_count(fx, &fx->n_ended, MOST + 1);
	assert_int_equal(fx->begun[MOST], 0);
}

static void what_is_queued_at_the_end_is_done(void **state)
{
	struct pool_fixture *fx = *state;

	for (unsigned n = 0; n < WORKS; n++) {
		submit(fx, n, n % 2);
		fx->go[n] = true;
	}
	fs_unlock(&fx->fs);
	pool_free(fx->pool);
	fx->pool = NULL;
	fs_lock(&fx->fs);
	assert_int_equal(fx->n_ended, WORKS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_user_never_has_all_threads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(users_take_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_work_of_one_user_is_done_in_its_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(work_that_is_taken_out_is_not_done, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_queued_at_the_end_is_done, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
