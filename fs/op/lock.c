/* SPDX-License-Identifier: MIT */
/* The lock of the filesystem, its threads and their waits. */
#include <signal.h>

#include "fs/op/fs_impl.h"
#include "fs/op/lock.h"
#include "fs/op/wakeup.h"

#define NSEC_PER_SEC 1000000000

/* The capability stands in for fs->lock, which the analysis cannot follow: hence
 * NO_LOCK_ANALYSIS. */

void fs_lock_init(struct fs *fs)
{
	pthread_mutexattr_t attr;

	/* The lock is held for microseconds.  A thread that finds it taken therefore spins for a
	 * moment: sleeping and being woken would take longer than the work that it waits for. */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&fs->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	STAILQ_INIT(&fs->wakeups);
}

NO_LOCK_ANALYSIS void fs_lock(struct fs *fs)
{
	pthread_mutex_lock(&fs->lock);
}

NO_LOCK_ANALYSIS void fs_unlock(struct fs *fs)
{
	struct wakeups wakeups = STAILQ_HEAD_INITIALIZER(wakeups);

	STAILQ_CONCAT(&wakeups, &fs->wakeups);
	pthread_mutex_unlock(&fs->lock);
	wakeups_notify(&wakeups);
}

void fs_signal(struct fs *fs, pthread_cond_t *cond)
{
	if (fs->holding && fs->n_held < FS_HELD_MAX)
		fs->held[fs->n_held++] = cond;
	else
		pthread_cond_signal(cond);
}

void fs_hold_signals(struct fs *fs)
{
	fs->holding = true;
}

void fs_send_signals(struct fs *fs)
{
	fs->holding = false;
	while (fs->n_held > 0)
		pthread_cond_signal(fs->held[--fs->n_held]);
}

int fs_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

void fs_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

struct timespec fs_time_after(uint64_t ns)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += ns % NSEC_PER_SEC;
	at.tv_sec += ns / NSEC_PER_SEC + at.tv_nsec / NSEC_PER_SEC;
	at.tv_nsec %= NSEC_PER_SEC;
	return at;
}

NO_LOCK_ANALYSIS int fs_wait(struct fs *fs, pthread_cond_t *cond, const struct timespec *until)
{
	if (!STAILQ_EMPTY(&fs->wakeups)) {
		/* Polls collected so far must not wait that long.  What the caller waits for may
		 * have come in the meantime. */
		fs_unlock(fs);
		fs_lock(fs);
		return 0;
	}
	if (until)
		return pthread_cond_timedwait(cond, &fs->lock, until);
	return pthread_cond_wait(cond, &fs->lock);
}
