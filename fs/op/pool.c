/* SPDX-License-Identifier: MIT */
/* Threads for work that waits, and whose turn it is. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "fs/op/lock.h"
#include "fs/op/pool.h"

/* A user who has work in the queue, or under way. */
struct pool_user {
	uid_t uid;
	unsigned running;
	TAILQ_HEAD(, pool_work) queue;
	TAILQ_ENTRY(pool_user) link;
};

struct pool {
	struct fs *fs;
	pthread_cond_t work_came;
	TAILQ_HEAD(, pool_user) users; /* whose turn it is comes first */
	unsigned idle;
	unsigned queued;
	unsigned started;
	unsigned max;
	bool ending;
	pthread_t threads[];
};

struct pool *pool_new(struct fs *fs, unsigned threads)
{
	struct pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));

	if (!pool)
		return NULL;
	pool->fs = fs;
	pool->max = threads;
	TAILQ_INIT(&pool->users);
	pthread_cond_init(&pool->work_came, NULL);
	return pool;
}

/* How many threads a user may have at a time. */
static unsigned pool_user_max(const struct pool *pool)
{
	return pool->max - pool->max / 4;
}

static struct pool_user *pool_user_intern(struct pool *pool, uid_t uid)
{
	struct pool_user *user;

	/* A user who is not here has no work: there are few. */
	TAILQ_FOREACH(user, &pool->users, link)
		if (user->uid == uid)
			return user;
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	TAILQ_INIT(&user->queue);
	TAILQ_INSERT_TAIL(&pool->users, user, link);
	return user;
}

static void pool_user_drop_idle(struct pool *pool, struct pool_user *user)
{
	if (user->running || !TAILQ_EMPTY(&user->queue))
		return;
	TAILQ_REMOVE(&pool->users, user, link);
	free(user);
}

static void work_remove(struct pool *pool, struct pool_work *work)
{
	TAILQ_REMOVE(&work->user->queue, work, link);
	work->user = NULL;
	pool->queued--;
}

/* Returns the user whose turn it is, and who is the last one then; NULL: there is no work, or its users have
 * all the threads that they may have. */
static struct pool_user *pool_user_next(struct pool *pool)
{
	struct pool_user *user;

	TAILQ_FOREACH(user, &pool->users, link) {
		if (TAILQ_EMPTY(&user->queue) || user->running >= pool_user_max(pool))
			continue;
		TAILQ_REMOVE(&pool->users, user, link);
		TAILQ_INSERT_TAIL(&pool->users, user, link);
		return user;
	}
	return NULL;
}

static void pool_user_run(struct pool *pool, struct pool_user *user)
{
	struct pool_work *work = TAILQ_FIRST(&user->queue);

	work_remove(pool, work);
	user->running++;
	work->run(work);
	user->running--;
	pool_user_drop_idle(pool, user);
}

static void *pool_thread(void *arg)
{
	struct pool *pool = arg;
	struct pool_user *user;

	fs_lock(pool->fs);
	for (;;) {
		user = pool_user_next(pool);
		if (user) {
			pool_user_run(pool, user);
			continue;
		}
		/* The threads that work for the remaining users will take the rest. */
		if (pool->ending)
			break;
		pool->idle++;
		fs_wait(pool->fs, &pool->work_came, NULL);
		pool->idle--;
	}
	fs_unlock(pool->fs);
	return NULL;
}

/* Starts one more thread. */
static int start_thread(struct pool *pool)
{
	int err = fs_thread_start(&pool->threads[pool->started], pool_thread, pool);

	if (!err)
		pool->started++;
	return err;
}

int pool_submit(struct pool *pool, struct pool_work *work)
{
	struct pool_user *user = pool_user_intern(pool, work->uid);
	int err = 0;

	if (!user)
		return -ENOMEM;
	if (pool->queued >= pool->idle && pool->started < pool->max)
		err = start_thread(pool);
	if (pool->started == 0) {
		pool_user_drop_idle(pool, user);
		return err;
	}
	work->user = user;
	TAILQ_INSERT_TAIL(&user->queue, work, link);
	pool->queued++;
	pthread_cond_signal(&pool->work_came);
	return 0;
}

bool pool_cancel(struct pool *pool, struct pool_work *work)
{
	struct pool_user *user = work->user;

	if (!user)
		return false;
	work_remove(pool, work);
	pool_user_drop_idle(pool, user);
	return true;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	fs_lock(pool->fs);
	pool->ending = true;
	pthread_cond_broadcast(&pool->work_came);
	fs_unlock(pool->fs);
	for (unsigned i = 0; i < pool->started; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->work_came);
	free(pool);
}
