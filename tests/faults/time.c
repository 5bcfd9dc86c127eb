/* SPDX-License-Identifier: MIT */
/*
 * The wrapped functions behind time.h.  All conditions are one: a signal wakes every sleeper, which is allowed to a
 * condition variable, and each of them counts as awake from the signal on, not only when it runs.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "tests/faults/time.h"

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NEVER UINT64_MAX

#define SLEEPERS_MAX 1024

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int __real_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __real_pthread_cond_broadcast(pthread_cond_t *cond);

static atomic_uint_fast64_t skipped_ns;

/* Guards what follows. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static pthread_cond_t quiet = PTHREAD_COND_INITIALIZER; /* awake has become 0 */
static unsigned awake;      /* threads that do not sleep; the test's own does not count */
static unsigned generation; /* of signals */
static uint64_t due_ns[SLEEPERS_MAX]; /* CLOCK_MONOTONIC: until when each sleeps */
static unsigned sleepers;

static uint64_t ns_of(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int err = __real_clock_gettime(id, ts);
	uint64_t ns = ns_of(ts) + atomic_load(&skipped_ns);

	ts->tv_sec = ns / NSEC_PER_SEC;
	ts->tv_nsec = ns % NSEC_PER_SEC;
	return err;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	__wrap_clock_gettime(CLOCK_MONOTONIC, &ts);
	return ns_of(&ts);
}

static void wake_all_locked(void)
{
	awake += sleepers;
	sleepers = 0;
	generation++;
	__real_pthread_cond_broadcast(&woken);
}

static void wake_all(void)
{
	pthread_mutex_lock(&lock);
	wake_all_locked();
	pthread_mutex_unlock(&lock);
}

void time_skip(uint64_t ms)
{
	atomic_fetch_add(&skipped_ns, ms * NSEC_PER_MSEC);
	wake_all();
}

bool threads_wait(void)
{
	bool waited;

	pthread_mutex_lock(&lock);
	waited = awake > 0;
	while (awake > 0)
		__real_pthread_cond_wait(&quiet, &lock);
	pthread_mutex_unlock(&lock);
	return waited;
}

/* A thread sleeps, or ends. */
static void count_down_locked(void)
{
	if (--awake == 0)
		__real_pthread_cond_broadcast(&quiet);
}

int threads_due_ms(void)
{
	uint64_t first = NEVER, now = now_ns();

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < sleepers; i++)
		if (due_ns[i] < first)
			first = due_ns[i];
	pthread_mutex_unlock(&lock);
	if (first == NEVER)
		return -1;
	return first <= now ? 0 : (int)((first - now) / NSEC_PER_MSEC + 1);
}

static void sleep_until(pthread_mutex_t *mutex, uint64_t until)
{
	unsigned seen;

	pthread_mutex_lock(&lock);
	if (sleepers == SLEEPERS_MAX)
		abort();
	due_ns[sleepers++] = until;
	count_down_locked();
	seen = generation;
	pthread_mutex_unlock(mutex);
	while (seen == generation)
		__real_pthread_cond_wait(&woken, &lock);
	pthread_mutex_unlock(&lock);
	pthread_mutex_lock(mutex);
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
	(void)cond;
	sleep_until(mutex, NEVER);
	return 0;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	(void)cond;
	if (now_ns() < ns_of(until))
		sleep_until(mutex, ns_of(until));
	return now_ns() < ns_of(until) ? 0 : ETIMEDOUT;
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
	(void)cond;
	wake_all();
	return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
	return __wrap_pthread_cond_signal(cond);
}

struct start {
	void *(*run)(void *arg);
	void *arg;
};

static void *counted(void *arg)
{
	struct start start = *(struct start *)arg;
	void *result;

	free(arg);
	result = start.run(start.arg);
	pthread_mutex_lock(&lock);
	count_down_locked();
	pthread_mutex_unlock(&lock);
	return result;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	struct start *start = malloc(sizeof(*start));
	int err;

	if (!start)
		return EAGAIN;
	*start = (struct start){ run, arg };
	pthread_mutex_lock(&lock);
	awake++;
	pthread_mutex_unlock(&lock);
	err = __real_pthread_create(thread, attr, counted, start);
	if (err) {
		pthread_mutex_lock(&lock);
		awake--;
		pthread_mutex_unlock(&lock);
		free(start);
	}
	return err;
}
