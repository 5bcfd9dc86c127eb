/* SPDX-License-Identifier: MIT */
/* The turns of fuzz_turns.h.  Everything is guarded by fs->lock. */
#include <errno.h>
#include <pthread.h>

#include "fs/op/fs_impl.h"
#include "tests/fuzz_turns.h"

/* A thread in fs_wait(). */
struct sleeper {
	const pthread_cond_t *cond; /* for which it waits */
	bool timed;
	struct timespec until;
	bool woken; /* it may go on */
	bool goes;  /* it does */
	bool late;  /* because its time was over */
	TAILQ_ENTRY(sleeper) link;
};

static TAILQ_HEAD(, sleeper) sleepers = TAILQ_HEAD_INITIALIZER(sleepers);
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct fs *turns_fs; /* NULL: they run as they like */
static unsigned running;

int __real_fs_wait(struct fs *fs, pthread_cond_t *cond, const struct timespec *until);
int __wrap_fs_wait(struct fs *fs, pthread_cond_t *cond, const struct timespec *until);
int __real_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __real_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);

int __wrap_fs_wait(struct fs *fs, pthread_cond_t *cond, const struct timespec *until)
{
	struct sleeper self = { .cond = cond, .timed = until != NULL };

	if (!turns_fs || !STAILQ_EMPTY(&fs->wakeups))
		return __real_fs_wait(fs, cond, until);
	if (until)
		self.until = *until;
	TAILQ_INSERT_TAIL(&sleepers, &self, link);
	running--;
	__real_pthread_cond_broadcast(&changed);
	while (!self.goes)
		pthread_cond_wait(&changed, &fs->lock);
	TAILQ_REMOVE(&sleepers, &self, link);
	return self.late ? ETIMEDOUT : 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
	struct sleeper *s;

	TAILQ_FOREACH(s, &sleepers, link) {
		if (s->cond == cond && !s->woken) {
			s->woken = true;
			break;
		}
	}
	return __real_pthread_cond_signal(cond);
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
	struct sleeper *s;

	TAILQ_FOREACH(s, &sleepers, link)
		s->woken |= s->cond == cond;
	return __real_pthread_cond_broadcast(cond);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	int err = __real_pthread_create(thread, attr, start, arg);

	running += !err;
	return err;
}

void turns_begin(struct fs *fs)
{
	turns_fs = fs;
	running = 0;
}

static bool is_late(const struct sleeper *s)
{
	struct timespec now;

	if (!s->timed)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > s->until.tv_sec ||
	       (now.tv_sec == s->until.tv_sec && now.tv_nsec >= s->until.tv_nsec);
}

static void go(struct sleeper *s)
{
	s->goes = true;
	running++;
	__real_pthread_cond_broadcast(&changed);
}

/* Waits until nobody runs.  Returns one that may go on, or NULL. */
static struct sleeper *next(bool timers)
{
	struct sleeper *s;

	while (running)
		pthread_cond_wait(&changed, &turns_fs->lock);
	TAILQ_FOREACH(s, &sleepers, link) {
		s->late = timers && !s->woken && is_late(s);
		if (s->woken || s->late)
			break;
	}
	return s;
}

void turns_run(bool timers)
{
	struct sleeper *s;

	while ((s = next(timers)))
		go(s);
}

void turns_end_sleep(void)
{
	struct sleeper *s;

	do {
		turns_run(false);
		TAILQ_FOREACH(s, &sleepers, link)
			if (s->timed)
				break;
		if (s) {
			s->late = true;
			go(s);
		}
	} while (s);
}

void turns_end(void)
{
	struct sleeper *s;

	turns_run(false);
	turns_fs = NULL;
	/* What they wait for is looked at again: without a reason they go back to sleep. */
	TAILQ_FOREACH(s, &sleepers, link)
		s->goes = true;
	__real_pthread_cond_broadcast(&changed);
}
