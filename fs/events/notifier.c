/* SPDX-License-Identifier: MIT */
/* The thread that invalidates what the kernel caches. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "fs/events/notifier.h"
#include "fs/op/fs_impl.h"
#include "fs/op/lock.h"

#define NSEC_PER_MSEC 1000000L
#define NSEC_PER_SEC 1000000000L

struct notifier {
	pthread_t thread;
	pthread_mutex_t lock; /* a leaf, over the rest; not held while the kernel is told */
	pthread_cond_t changed;
	bool work;
	bool ending;
	bool ended;
};

/* Makes the kernel ask for a name again, without taking away what is mounted or stood in there. */
static void expire_entry(struct fs *fs, fuse_ino_t parent, const char *name, size_t len)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 16)
	fuse_lowlevel_notify_expire_entry(fs->se, parent, name, len);
#else
	fuse_lowlevel_notify_expire_entry(fs->se, parent, name, len, FUSE_LL_EXPIRE_ONLY);
#endif
}

/*
 * One inode: its attributes, then its name, which makes the next walk ask us again.  In this order:
 * a lookup of it that is on its way holds its directory, and so is over when the name's turn comes.
 */
static void invalidate(struct fs *fs, const struct stale *stale)
{
	size_t len = strlen(stale->name);

	fuse_lowlevel_notify_inval_inode(fs->se, stale->inode->nodeid, -1, 0);
	if (stale->parent == 0)
		return;
	/* Of a transaction that is over nothing is to stay, unless somebody is in it. */
	if (view_is_over(stale->inode->view))
		fuse_lowlevel_notify_inval_entry(fs->se, stale->parent, stale->name, len);
	else if (fs->can_expire)
		expire_entry(fs, stale->parent, stale->name, len);
	else if (stale->inode->kind != INODE_DIR)
		fuse_lowlevel_notify_inval_entry(fs->se, stale->parent, stale->name, len);
}

static bool ending(struct notifier *n)
{
	bool result;

	pthread_mutex_lock(&n->lock);
	result = n->ending;
	pthread_mutex_unlock(&n->lock);
	return result;
}

/* Tells what is due.  Returns the milliseconds until something else is, or -1. */
static int invalidate_all(struct fs *fs)
{
	struct stale stale;
	int wait_ms = -1;

	fs_lock(fs);
	while (!ending(fs->notifier) && inode_take_stale(&fs->inodes, &stale, &wait_ms)) {
		fs_unlock(fs);
		invalidate(fs, &stale);
		fs_lock(fs);
		fs->invalidations++;
		if (inode_told(&fs->inodes, stale.inode))
			inode_put(&fs->inodes, stale.inode);
	}
	fs_unlock(fs);
	return wait_ms;
}

/* Waits for work, for `wait_ms` milliseconds at most (-1: for ever). */
static void wait_locked(struct notifier *n, int wait_ms)
{
	struct timespec until;

	if (wait_ms < 0) {
		pthread_cond_wait(&n->changed, &n->lock);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	/* One more, as the clock that they are counted by is coarse. */
	until.tv_nsec += (wait_ms + 1) * NSEC_PER_MSEC;
	until.tv_sec += until.tv_nsec / NSEC_PER_SEC;
	until.tv_nsec %= NSEC_PER_SEC;
	pthread_cond_timedwait(&n->changed, &n->lock, &until);
}

static void *notifier_thread(void *arg)
{
	struct fs *fs = arg;
	struct notifier *n = fs->notifier;
	int wait_ms = -1;

	pthread_mutex_lock(&n->lock);
	while (!n->ending) {
		if (!n->work)
			wait_locked(n, wait_ms);
		n->work = false;
		pthread_mutex_unlock(&n->lock);
		wait_ms = invalidate_all(fs);
		pthread_mutex_lock(&n->lock);
	}
	n->ended = true;
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

int notifier_start(struct fs *fs)
{
	struct notifier *n = calloc(1, sizeof(*n));
	sigset_t all, old;
	int err;

	if (!n)
		return -ENOMEM;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->changed, NULL);
	fs->notifier = n;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&n->thread, NULL, notifier_thread, fs);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		fs->notifier = NULL;
		pthread_cond_destroy(&n->changed);
		pthread_mutex_destroy(&n->lock);
		free(n);
	}
	return -err;
}

void notifier_wake(struct fs *fs)
{
	struct notifier *n = fs->notifier;

	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	if (!n->work) {
		n->work = true;
		pthread_cond_signal(&n->changed);
	}
	pthread_mutex_unlock(&n->lock);
}

bool notifier_end(struct fs *fs)
{
	struct notifier *n = fs->notifier;
	bool ended;

	if (!n)
		return true;
	pthread_mutex_lock(&n->lock);
	n->ending = true;
	pthread_cond_signal(&n->changed);
	ended = n->ended;
	pthread_mutex_unlock(&n->lock);
	if (!ended)
		return false;
	pthread_join(n->thread, NULL);
	fs->notifier = NULL;
	pthread_cond_destroy(&n->changed);
	pthread_mutex_destroy(&n->lock);
	free(n);
	return true;
}
