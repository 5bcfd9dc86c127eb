/* SPDX-License-Identifier: MIT */
/* Threads for work that waits. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "fs/op/lock.h"
#include "fs/op/pool.h"

struct pool {
	struct fs *fs;
	pthread_cond_t work_came;
	STAILQ_HEAD(, pool_work) queue;
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
	STAILQ_INIT(&pool->queue);
	pthread_cond_init(&pool->work_came, NULL);
	return pool;
}

static void *pool_thread(void *arg)
{
	struct pool *pool = arg;
	struct pool_work *work;

	fs_lock(pool->fs);
	for (;;) {
		work = STAILQ_FIRST(&pool->queue);
		if (!work && pool->ending)
			break;
		if (!work) {
			pool->idle++;
			fs_wait(pool->fs, &pool->work_came, NULL);
			pool->idle--;
			continue;
		}
		STAILQ_REMOVE_HEAD(&pool->queue, link);
		pool->queued--;
		work->queued = false;
		work->run(work);
	}
	fs_unlock(pool->fs);
	return NULL;
}

/* Starts one more thread, with all signals blocked: they are the main thread's. */
static int start_thread(struct pool *pool)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&pool->threads[pool->started], NULL, pool_thread, pool);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!err)
		pool->started++;
	return -err;
}

int pool_submit(struct pool *pool, struct pool_work *work)
{
	int err = 0;

	if (pool->queued >= pool->idle && pool->started < pool->max)
		err = start_thread(pool);
	if (pool->started > 0) {
		err = 0;
		work->queued = true;
		STAILQ_INSERT_TAIL(&pool->queue, work, link);
		pool->queued++;
		pthread_cond_signal(&pool->work_came);
	}
	return err;
}

bool pool_cancel(struct pool *pool, struct pool_work *work)
{
	if (!work->queued)
		return false;
	STAILQ_REMOVE(&pool->queue, work, pool_work, link);
	work->queued = false;
	pool->queued--;
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
