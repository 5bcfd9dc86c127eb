/* SPDX-License-Identifier: MIT */
/* The thread that invalidates what the kernel caches. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs_impl.h"
#include "fs/notifier.h"

/* FUSE's longest name and its NUL. */
#define NAME_SIZE 1025

/* The most inodes that are told a second time, and how long after the first, in nanoseconds:
 * longer than inode.c's SETTLED_MS. */
#define AGAIN_MAX 4096
#define AGAIN_NS 25000000L

#define NSEC_PER_SEC 1000000000L

/*
 * Inodes to be told a second time.  A name that the kernel is just looking up again gets its time
 * of validity when the answer arrives there, perhaps after we took it away.
 */
struct again {
	struct inode *inodes[AGAIN_MAX];
	unsigned count;
};

struct notifier {
	struct again again; /* the thread's */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool work;
	bool ending;
	bool ended;
};

/*
 * One inode: its attributes, then its name, which makes the next walk ask us again.  In this order:
 * a lookup of it that is on its way holds its directory, and so is over when the name's turn comes.
 */
static void invalidate(struct fs *fs, struct inode *inode, uint64_t parent, const char *name)
{
	fuse_lowlevel_notify_inval_inode(fs->se, inode->nodeid, -1, 0);
	if (parent == 0)
		return;
	if (fs->can_expire)
		fuse_lowlevel_notify_expire_entry(fs->se, parent, name, strlen(name),
						  FUSE_LL_EXPIRE_ONLY);
	else if (inode->kind != INODE_DIR)
		fuse_lowlevel_notify_inval_entry(fs->se, parent, name, strlen(name));
	atomic_fetch_add(&fs->invalidations, 1);
}

static bool ending(struct notifier *n)
{
	bool result;

	pthread_mutex_lock(&n->lock);
	result = n->ending;
	pthread_mutex_unlock(&n->lock);
	return result;
}

/* Invalidates what is queued.  Those that may have to be told again are kept, with their
 * references; of more than can be kept the kernel's own time limit takes care. */
static void invalidate_all(struct fs *fs, struct again *again)
{
	char name[NAME_SIZE];
	struct inode *inode;
	uint64_t parent;
	bool twice;

	while (!ending(fs->notifier) &&
	       (inode = inode_take_stale(&fs->inodes, &parent, name, sizeof(name), &twice))) {
		invalidate(fs, inode, parent, name);
		if (twice && again->count < AGAIN_MAX)
			again->inodes[again->count++] = inode;
		else
			inode_put(&fs->inodes, inode);
	}
}

/* Queues for a second time what was kept. */
static void queue_again(struct fs *fs, struct again *again)
{
	while (again->count > 0) {
		struct inode *inode = again->inodes[--again->count];

		inode_set_stale(&fs->inodes, inode);
		inode_put(&fs->inodes, inode);
	}
}

/* Waits for work, but while something is to be told again only until that is due. */
static void wait_locked(struct notifier *n, bool any_again)
{
	struct timespec until;

	if (!any_again) {
		pthread_cond_wait(&n->changed, &n->lock);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += AGAIN_NS;
	until.tv_sec += until.tv_nsec / NSEC_PER_SEC;
	until.tv_nsec %= NSEC_PER_SEC;
	while (!n->ending &&
	       pthread_cond_timedwait(&n->changed, &n->lock, &until) != ETIMEDOUT)
		;
}

static void *notifier_thread(void *arg)
{
	struct fs *fs = arg;
	struct notifier *n = fs->notifier;
	struct again *again = &n->again;

	pthread_mutex_lock(&n->lock);
	while (!n->ending) {
		if (!n->work)
			wait_locked(n, again->count > 0);
		n->work = false;
		pthread_mutex_unlock(&n->lock);
		queue_again(fs, again);
		invalidate_all(fs, again);
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	queue_again(fs, again);
	pthread_mutex_lock(&n->lock);
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
