/* SPDX-License-Identifier: MIT */
/*
 * The mounted filesystem, as the files of fs/ share it.  For fs/ only.
 *
 * Threads: the I/O thread (fs_run()'s caller: reads /dev/fuse, services the channel, runs
 * completions), further readers of /dev/fuse, the pool, the notifier, the teller of fs/inotify/.  Only
 * threads of the pool and the teller ever wait for the store.
 *
 * Lock discipline.  `lock` guards everything in fs/ that changes.  A thread that works on a FUSE
 * request, a completion, an event, a timer or a job of the pool holds it from beginning to end.
 * Every function of ring/ that may call back is called with it held, so a callback from ring/
 * always has it, whether it runs in chan_service(), or inside a chan_submit() or a chan_abandon()
 * on the caller's stack.  A caller therefore leaves its own data in order before it submits.
 * op_interrupted() is called out of calls of ours only, also by libfuse, and so with the lock held, too.
 *
 * The lock is released around system calls that may wait (poll, reading /dev/fuse, the kernel's
 * notifications) and around the pool's waits (lock.h).  Replies do not wait, and are sent under it.
 *
 *     fs->lock ─▶ chan.lock
 *     fs->lock ─▶ libfuse's lock of a request ─▶ chan.lock
 */
#ifndef FS_OP_FS_IMPL_H
#define FS_OP_FS_IMPL_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <time.h>

#include "fs/model/config.h"
#include "fs/model/dirs.h"
#include "fs/model/empty_nodes.h"
#include "fs/model/event.h"
#include "fs/model/handle.h"
#include "fs/model/inode.h"
#include "fs/model/kept_poll.h"
#include "fs/model/quota.h"
#include "fs/op/op_count.h"
#include "ring/chan.h"
#include "ring/logger.h"
#include "ring/rate.h"

struct cover;
struct inotify;
struct notifier;
struct own_mount;
struct polls;
struct pool;
struct protect;
struct raws;
struct op;
struct special;
struct streams;
struct transactions;
TAILQ_HEAD(op_list, op);

/* Lists of operations that have a request of the kernel, by its number.  The kernel counts in twos. */
#define OPS_BY_UNIQUE 1024

/* The most signals that are held: of the notifier and the teller, each of which may need a second one. */
#define FS_HELD_MAX 4
LIST_HEAD(op_bucket, op);

struct fs {
	pthread_mutex_t lock; /* lock.h */
	struct wakeups wakeups; /* polls that fs_unlock() notifies */
	bool holding;           /* fs_hold_signals() */
	unsigned n_held;
	pthread_cond_t *held[FS_HELD_MAX];

	/* Constant once running. */
	struct fs_config config;
	struct chan *chan;
	struct logger *log;
	struct fuse_session *se;
	struct own_mount *mount; /* NULL: not mounted */
	struct patterns dirs;
	const struct special *const *specials; /* all special files, NULL behind the last */
	struct view root_view;
	struct view nodes_view;
	struct timespec mounted_at;
	int64_t suspended_ms; /* loop_look_for_suspension() */
	uint32_t generation; /* makes nodeids differ from those of another mount */
	struct pool *pool;
	int wake_readers; /* eventfd, readable when the readers are to end */

	struct inodes inodes;
	struct empty_nodes empty_nodes;
	struct events events;

	/* Data of the floors above, which alone know what is in it. */
	struct transactions *transactions;
	struct cover *cover;
	struct polls *polls;
	struct streams *streams;
	struct raws *raws;
	struct protect *protect; /* NULL: nothing is protected */
	struct notifier *notifier;
	/* Tells the kernel that something it believes is no longer true: notifier_wake(). */
	void (*tell_kernel)(struct fs *fs);
	struct inotify *inotify; /* NULL: readers of inotify are not told */
	pid_t teller;            /* the thread that does it, by operations on our own mount; 0: there is none */
	/* The store has told of `path`; NULL: anything may have changed, and with `lost` changes were missed:
	 * inotify_note(). */
	void (*tell_readers)(struct fs *fs, const char *path, bool lost);
	/* Returns whether events tell of everything that happens at and below a
	 * path: cover_has(). */
	bool (*covers)(struct fs *fs, const char *path);
	bool caching;              /* the kernel may remember what events cover */
	bool can_expire;           /* the kernel can be told to ask for a name again */
	bool can_close;            /* it closes a file without asking, where it was told so */
	int root_listable;         /* what the store last said of the mount's root; -1: nothing */

	/* Where an interruption finds its operation, and the request that is being processed, 0: none. */
	struct op_bucket by_unique[OPS_BY_UNIQUE];
	uint64_t unique;

	/* Operations whose caller was interrupted, until the I/O thread handles them. */
	struct op_list interrupted;
	struct op_list astray; /* that wait for the end of a rename: op_ask() */
	unsigned untold_brief; /* how many of those below wait only briefly */
	struct op_list untold; /* operations that wait until the kernel has been told: untold.h */
	struct op_list parked; /* oldest first: those whose wait config.park_ms bounds */

	struct handles handles;
	struct quotas quotas;

	atomic_bool stop; /* also read without the lock */
	bool greeted;      /* the kernel's first request, INIT, was answered */
	atomic_int broken; /* -errno with which that failed: nothing can work any more; 0: it did not */
	bool store_died;  /* for good: nothing that somebody waits for will come */
	/* Of the log's lines about ... */
	struct {
		struct rate values;       /* empty values that were lost at close */
		struct rate listings;     /* directories that could not be listed, or not as they are */
		struct rate nodes;        /* nodes that a dump leaves out */
		struct rate unwatched;    /* keys that are polled, and have no watch */
		struct rate transactions; /* those that cannot be committed, or were not used */
	} rates;
	struct op_counters op_counters;
	struct poll_counters poll_counters;
	unsigned long ops_interrupted;
	unsigned long tx_retries;
	unsigned long invalidations;
	unsigned long contents_dropped;
	struct {
		bool on;
		uint64_t raised;  /* times that the kernel was made to raise events */
		uint64_t merged;  /* reports of the store that another one already stood for */
		uint64_t refused; /* requests of our own that came at a wrong time, and were not carried out */
		uint64_t swept;   /* times that everything known had to be compared */
	} inotify_counters;
	unsigned ops_now;
};

#endif
