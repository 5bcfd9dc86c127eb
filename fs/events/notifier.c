/* SPDX-License-Identifier: MIT */
/* The thread that invalidates what the kernel caches. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/events/notifier.h"
#include "fs/events/untold.h"
#include "fs/op/fs_impl.h"
#include "fs/op/lock.h"

#define NSEC_PER_MSEC 1000000L

struct notifier {
	pthread_t thread;
	pthread_cond_t wake;
	uint64_t until_ms; /* asleep until then, by inode_now_ms(); 0: it is awake, or was signalled */
	bool ending;
	bool ended;
};

/* Makes the kernel ask for a name again without removing anything mounted there or disturbing
 * anybody whose current directory it is. */
static void expire_entry(struct fs *fs, fuse_ino_t parent, const char *name, size_t len)
{
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 16)
	fuse_lowlevel_notify_expire_entry(fs->se, parent, name, len);
#else
	fuse_lowlevel_notify_expire_entry(fs->se, parent, name, len, FUSE_LL_EXPIRE_ONLY);
#endif
}

void notifier_expire(struct fs *fs, uint64_t parent, const char *name)
{
	if (fs->can_expire)
		expire_entry(fs, parent, name, strlen(name));
	else
		notifier_forget(fs, parent, name);
}

void notifier_forget(struct fs *fs, uint64_t parent, const char *name)
{
	fuse_lowlevel_notify_inval_entry(fs->se, parent, name, strlen(name));
}

/* Gives the kernel a content for the sake of its size: that cannot be overtaken, as an answer with the size can. */
static bool give(struct fs *fs, const struct stale *stale)
{
	struct fuse_bufvec content = FUSE_BUFVEC_INIT(stale->content_size);

	content.buf[0].mem = stale->content;
	return !fuse_lowlevel_notify_store(fs->se, stale->inode->nodeid, 0, &content, 0);
}

/*
 * Invalidates one inode: its attributes, then its name, which makes the next walk ask us again.  In
 * this order because a lookup of the inode that is under way holds its directory, and so is over by
 * the time the name's turn comes.
 */
static void invalidate(struct fs *fs, struct stale *stale, bool over)
{
	size_t len = strlen(stale->name);

	/* First, so that only the size is left of it: who has written something else meanwhile must not read it, and who
	 * reads it is seen to do so. */
	stale->given = stale->content && give(fs, stale);
	/* From the start to the end: the content, too. */
	fuse_lowlevel_notify_inval_inode(fs->se, stale->inode->nodeid,
					 fs->inodes.track_shown && stale->inode->kind != INODE_DIR ? 0 : -1, 0);
	if (stale->parent == 0)
		return;
	/* Nothing of a finished transaction should stay, unless somebody is in it. */
	if (over)
		fuse_lowlevel_notify_inval_entry(fs->se, stale->parent, stale->name, len);
	else if (fs->can_expire)
		expire_entry(fs, stale->parent, stale->name, len);
	else if (stale->inode->kind != INODE_DIR)
		fuse_lowlevel_notify_inval_entry(fs->se, stale->parent, stale->name, len);
}

/* Tells the kernel everything that is due, with the lock released around each call. */
REQUIRES(fs_lock_held) static void invalidate_all(struct fs *fs)
{
	struct stale stale;
	bool over, last;

	while (!fs->notifier->ending && inode_take_stale(&fs->inodes, &stale)) {
		over = view_is_over(stale.inode->view);
		fs_unlock(fs);
		invalidate(fs, &stale, over);
		fs_lock(fs);
		fs->invalidations++;
		fs->contents_dropped += stale.paged;
		last = inode_told(&fs->inodes, &stale);
		untold_told(fs, stale.inode);
		if (last)
			inode_put(&fs->inodes, stale.inode);
	}
}

/* Sleeps for `wait_ms` milliseconds, or until a signal. */
REQUIRES(fs_lock_held) static void sleep_for(struct fs *fs, uint64_t wait_ms)
{
	/* One more, because the clock that these milliseconds are counted by is coarse. */
	const struct timespec until = fs_time_after((wait_ms + 1) * NSEC_PER_MSEC);

	fs_wait(fs, &fs->notifier->wake, &until);
}

/* Sleeps until the next thing to tell is due, or until notifier_wake() knows of an earlier one. */
REQUIRES(fs_lock_held) static void wait_for_work(struct fs *fs)
{
	struct notifier *n = fs->notifier;
	uint64_t due_ms = inode_stale_due(&fs->inodes), now_ms = inode_now_ms();

	if (due_ms <= now_ms)
		return;
	n->until_ms = due_ms;
	if (due_ms == INODE_NEVER)
		fs_wait(fs, &n->wake, NULL);
	else
		sleep_for(fs, due_ms - now_ms);
	n->until_ms = 0;
}

static void *notifier_thread(void *arg)
{
	struct fs *fs = arg;
	struct notifier *n = fs->notifier;

	fs_lock(fs);
	while (!n->ending) {
		invalidate_all(fs);
		/* Not when notifier_end() has signalled before the sleep. */
		if (!n->ending)
			wait_for_work(fs);
	}
	n->ended = true;
	fs_unlock(fs);
	return NULL;
}

int notifier_start(struct fs *fs)
{
	struct notifier *n = calloc(1, sizeof(*n));
	int err;

	if (!n)
		return -ENOMEM;
	fs_cond_init(&n->wake);
	fs->notifier = n;
	err = fs_thread_start(&n->thread, notifier_thread, fs);
	if (err) {
		fs->notifier = NULL;
		pthread_cond_destroy(&n->wake);
		free(n);
	}
	return err;
}

void notifier_wake(struct fs *fs)
{
	struct notifier *n = fs->notifier;

	/* Waking it costs more than an event: not for what it knows, or will find by itself. */
	if (n && inode_stale_due(&fs->inodes) < n->until_ms) {
		n->until_ms = 0;
		fs_signal(fs, &n->wake);
	}
}

void notifier_let_go(struct fs *fs, struct handle *reader)
{
	inode_size_let_go(&fs->inodes, reader);
	notifier_wake(fs);
}

bool notifier_end(struct fs *fs)
{
	struct notifier *n = fs->notifier;
	bool ended;

	if (!n)
		return true;
	fs_lock(fs);
	n->ending = true;
	pthread_cond_signal(&n->wake);
	ended = n->ended;
	fs_unlock(fs);
	if (!ended)
		return false;
	pthread_join(n->thread, NULL);
	fs->notifier = NULL;
	pthread_cond_destroy(&n->wake);
	free(n);
	return true;
}
