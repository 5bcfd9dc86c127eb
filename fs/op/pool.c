/* SPDX-License-Identifier: MIT */
/* Threads for work that waits.  One lock, held for list operations only. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "fs/op/pool.h"

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work_came;
	STAILQ_HEAD(, pool_work) queue;
	unsigned idle;
	unsigned queued;
	unsigned started;
	unsigned max;
	bool ending;
	pthread_t threads[];
};

struct pool *pool_new(unsigned threads)
{
	struct pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->threads[0]));

	if (!pool)
		return NULL;
	pool->max = threads;
	STAILQ_INIT(&pool->queue);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work_came, NULL);
	return pool;
}

static void *pool_thread(void *arg)
{
	struct pool *pool = arg;
	struct pool_work *work;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		work = STAILQ_FIRST(&pool->queue);
		if (!work && pool->ending)
			break;
		if (!work) {
			pool->idle++;
			pthread_cond_wait(&pool->work_came, &pool->lock);
			pool->idle--;
			continue;
		}
		STAILQ_REMOVE_HEAD(&pool->queue, link);
		pool->queued--;
		work->queued = false;
		pthread_mutex_unlock(&pool->lock);
		work->run(work);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Starts one more thread, with all signals blocked: they are the main thread's. */
static int start_thread_locked(struct pool *pool)
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

	pthread_mutex_lock(&pool->lock);
	if (pool->queued >= pool->idle && pool->started < pool->max)
		err = start_thread_locked(pool);
	if (pool->started > 0) {
		err = 0;
		work->queued = true;
		STAILQ_INSERT_TAIL(&pool->queue, work, link);
		pool->queued++;
		pthread_cond_signal(&pool->work_came);
	}
	pthread_mutex_unlock(&pool->lock);
	return err;
}

bool pool_cancel(struct pool *pool, struct pool_work *work)
{
	bool queued;

	pthread_mutex_lock(&pool->lock);
	queued = work->queued;
	if (queued) {
		STAILQ_REMOVE(&pool->queue, work, pool_work, link);
		work->queued = false;
		pool->queued--;
	}
	pthread_mutex_unlock(&pool->lock);
	return queued;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->work_came);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->started; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->work_came);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
