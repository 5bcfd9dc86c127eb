/* SPDX-License-Identifier: MIT */
/* The thread that invalidates what the kernel caches. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs_impl.h"
#include "fs/notifier.h"

struct notifier {
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

static void invalidate_all(struct fs *fs)
{
	char name[NAME_MAX * 4 + 1];
	struct inode *inode;
	uint64_t parent;

	while (!ending(fs->notifier) &&
	       (inode = inode_take_stale(&fs->inodes, &parent, name, sizeof(name)))) {
		invalidate(fs, inode, parent, name);
		inode_put(&fs->inodes, inode);
	}
}

static void *notifier_thread(void *arg)
{
	struct fs *fs = arg;
	struct notifier *n = fs->notifier;

	pthread_mutex_lock(&n->lock);
	while (!n->ending) {
		if (!n->work) {
			pthread_cond_wait(&n->changed, &n->lock);
			continue;
		}
		n->work = false;
		pthread_mutex_unlock(&n->lock);
		invalidate_all(fs);
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
