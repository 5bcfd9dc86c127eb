/* SPDX-License-Identifier: MIT */
/*
 * What the files of fs/ share: the mounted filesystem.  For fs/ only.
 *
 * Threads: the I/O thread (fs_run()'s caller: reads /dev/fuse, services the channel, runs
 * completions), further readers of /dev/fuse, the pool.  None but the pool's ever waits for the
 * store.  Locks: `interrupted_lock` and `handles_lock` are leaves; those of the parts stand in their
 * headers, all of them in HACKING.md.
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
#include "fs/model/event.h"
#include "fs/model/handle.h"
#include "fs/model/inode.h"
#include "fs/model/made.h"
#include "fs/op/pool.h"
#include "ring/chan.h"
#include "ring/logger.h"

struct cover;
struct notifier;
struct own_mount;
struct polls;
struct raws;
struct op;
struct special;
struct streams;
struct transactions;
TAILQ_HEAD(op_list, op);

struct fs {
	/* Constant once running. */
	struct fs_config config;
	struct chan *chan;
	struct logger *log;
	struct fuse_session *se;
	struct own_mount *mount; /* NULL: not mounted */
	struct dirs dirs;
	const struct special *const *specials; /* all special files, NULL behind the last */
	struct view root_view;
	struct view nodes_view;
	struct timespec mounted_at;
	uint32_t generation; /* of all nodeids: those of another mount are others */
	struct pool *pool;
	int wake_readers; /* eventfd, readable when the readers are to end */

	struct inodes inodes;
	struct made made;
	struct events events;

	/* What the files above keep, which alone know what is in it. */
	struct transactions *transactions;
	struct cover *cover;
	struct polls *polls;
	struct streams *streams;
	struct raws *raws;
	struct notifier *notifier;
	/* The kernel believes something that is no longer so: notifier_wake(). */
	void (*tell_kernel)(struct fs *fs);
	/* Whether events tell of all that happens at and below a path: cover_has(). */
	bool (*covers)(struct fs *fs, const char *path);
	bool caching;              /* the kernel may remember what events cover */
	bool can_expire;           /* the kernel can be told to ask for a name again */
	atomic_int root_listable; /* what the store said last of the mount's root; -1: nothing */

	/* Operations whose caller was interrupted, until the I/O thread deals with them. */
	pthread_mutex_t interrupted_lock;
	struct op_list interrupted;
	struct op_list parked; /* in the same order: where config.park_ms bounds their wait */
	atomic_bool any_interrupted; /* either list has one, or may have */

	struct handles handles;

	atomic_bool stop;
	atomic_ulong ops_started;
	atomic_ulong ops_interrupted;
	atomic_ulong tx_retries;
	atomic_ulong invalidations;
	atomic_uint ops_now;
};

#endif
