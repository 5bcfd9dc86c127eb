/* SPDX-License-Identifier: MIT */
/* The filesystem's life: it is made, mounted, run and ended.  On the caller's thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fs/connection.h"
#include "fs/events/dispatch.h"
#include "fs/events/notifier.h"
#include "fs/events/poll.h"
#include "fs/events/stream.h"
#include "fs/fs.h"
#include "fs/inotify/inotify.h"
#include "fs/loop.h"
#include "fs/mount.h"
#include "fs/mountinfo.h"
#include "fs/node/node.h"
#include "fs/node/protect.h"
#include "fs/op/fs_impl.h"
#include "fs/op/lock.h"
#include "fs/op/op.h"
#include "fs/op/pool.h"
#include "fs/op/transaction.h"
#include "fs/ops.h"
#include "fs/special/raw.h"
#include "fs/special/special_table.h"

/* Threads for operations of several round trips.  Each has at most one transaction open, and an
 * unprivileged domain may have ten in all. */
#define POOL_THREADS 8
#define POOL_THREADS_UNPRIVILEGED 4

#define READERS_MAX 64

static const struct inode_ops *const inode_ops[INODE_KINDS] = {
	[INODE_DIR] = &node_dir_ops,
	[INODE_LEAF] = &node_leaf_ops,
	[INODE_SPECIAL] = &special_ops,
};

/* Makes the parts that can fail; fs_free() frees as many of them as exist. */
static int parts_new(struct fs *fs, struct fuse_args *args)
{
	const struct fs_config *config = &fs->config;
	int err;

	fs->wake_readers = eventfd(0, EFD_CLOEXEC);
	if (fs->wake_readers < 0)
		return -errno;
	fs->transactions = transactions_new();
	fs->streams = streams_new();
	fs->polls = polls_new();
	fs->raws = raws_new();
	fs->pool = pool_new(fs, config->privileged ? POOL_THREADS : POOL_THREADS_UNPRIVILEGED);
	if (!fs->transactions || !fs->streams || !fs->polls || !fs->raws || !fs->pool)
		return -ENOMEM;
	err = dirs_init(&fs->dirs, config->dirs);
	if (!err)
		err = protect_new(&fs->protect, config->protect);
	if (!err)
		err = inodes_init(&fs->inodes, config->root, &fs->root_view, inode_ops);
	if (!err)
		err = cover_init(fs, &dispatch_handlers);
	if (err)
		return err;
	fs->se = fuse_session_new(args, &ops_table, sizeof(ops_table), fs);
	return fs->se ? 0 : -EINVAL;
}

/*
 * A store that counts what an unprivileged domain has (10 transactions, 128 watches, unless its administrator
 * says otherwise) leaves root, and our own operations, the rest.
 */
#define STORE_TRANSACTIONS_SHARE 2
#define STORE_TRANSACTIONS_USERS 4
#define STORE_WATCHES_SHARE 32
#define STORE_WATCHES_USERS 96

/*
 * What a user can send to the store at once, without waiting for any answer, and so before whatever others ask next:
 * the watches of all his streams, when he ends; and as the kernel closes all his files then, their empty values, for
 * each of which a server may need milliseconds in a large directory.
 */
#define WATCHES_SHARE 512
#define EMPTY_SHARE 32

static void shares_set(struct fs *fs)
{
	const struct fs_config *config = &fs->config;
	const bool counted = !config->privileged;
	const uint64_t shares[QUOTA_KINDS] = {
		[QUOTA_STREAMS] = config->streams,
		[QUOTA_WATCHED] = config->watched,
		[QUOTA_TRANSACTIONS] = counted && config->transactions > STORE_TRANSACTIONS_SHARE
					       ? STORE_TRANSACTIONS_SHARE : config->transactions,
		[QUOTA_WATCHES] = counted ? STORE_WATCHES_SHARE : WATCHES_SHARE,
		[QUOTA_EMPTY] = EMPTY_SHARE,
	};

	quotas_init(&fs->quotas, shares, fs->log);
	if (counted) {
		fs->quotas.kinds[QUOTA_TRANSACTIONS].users = STORE_TRANSACTIONS_USERS;
		fs->quotas.kinds[QUOTA_WATCHES].users = STORE_WATCHES_USERS;
	}
}

int fs_new(struct fs **out, const struct fs_config *config, int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fs *fs = calloc(1, sizeof(*fs));
	int err;

	if (!fs)
		return -ENOMEM;
	fs->config = *config;
	fs->chan = config->chan;
	fs->log = config->log;
	fs->specials = special_table;
	fs->root_view.layout = config->layout;
	fs->nodes_view.layout = FS_NODES;
	fs->root_view.empty_nodes = fs->nodes_view.empty_nodes = &fs->empty_nodes;
	/* A privileged domain may list everything. */
	fs->root_listable = config->privileged ? 1 : -1;
	clock_gettime(CLOCK_REALTIME, &fs->mounted_at);
	/* Nodeids start anew with each mount, so a file handle of another mount must not match. */
	if (getrandom(&fs->generation, sizeof(fs->generation), GRND_NONBLOCK) < 0)
		fs->generation = fs->mounted_at.tv_sec ^ fs->mounted_at.tv_nsec;
	fs_lock_init(fs);
	TAILQ_INIT(&fs->interrupted);
	TAILQ_INIT(&fs->parked);
	TAILQ_INIT(&fs->untold);
	TAILQ_INIT(&fs->astray);
	handles_init(&fs->handles, &fs->inodes, &fs->quotas, fs);
	shares_set(fs);
	empty_nodes_init(&fs->empty_nodes);
	events_init(&fs->events);
	fs->tell_kernel = notifier_wake;
	err = parts_new(fs, &args);
	fuse_opt_free_args(&args);
	if (err) {
		fs_free(fs);
		return err;
	}
	*out = fs;
	return 0;
}

/* misc devices and FUSE among them, by the kernel's admin-guide/devices.txt */
#define MISC_MAJOR 10
#define FUSE_MINOR 229

static bool is_fuse_device(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(MISC_MAJOR, FUSE_MINOR);
}

/* Makes libfuse believe that the mount is gone, as own_mount_end() does. */
static void session_forget_mount(struct fs *fs)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	close(fds[0]);
	dup2(fds[1], fuse_session_fd(fs->se));
	close(fds[1]);
}

/* Readers of inotify(7) are told where that is wanted.  It takes root's rights. */
static void start_telling(struct fs *fs, const char *mountpoint)
{
	const struct fs_config *config = &fs->config;
	bool wanted = config->inotify == FS_INOTIFY_ON ||
		      (config->inotify == FS_INOTIFY_AUTO && config->cache == FS_CACHE_META);
	struct inotify_place place = { .mountpoint = mountpoint, .is_mounted_on = mountinfo_is_mounted_on };
	int err;

	if (!wanted)
		return;
	/* A read after an event has to see the new value, and the kernel may still have the old one. */
	if (config->cache == FS_CACHE_FULL) {
		log_warning(fs->log, "-o inotify=on: readers of inotify are not told what others change: not with cache=full");
		return;
	}
	own_mount_device(fs->mount, &place.major, &place.minor);
	err = geteuid() == 0 ? 0 : -EPERM;
	if (!err && own_mount_is_readonly(fs->mount))
		err = inotify_unlock(mountpoint);
	if (!err)
		err = inotify_start(fs, &place);
	if (err)
		logger_log(fs->log, config->inotify == FS_INOTIFY_ON ? LOGGER_WARNING : LOGGER_INFO,
			   "readers of inotify are not told what others change: %s", strerror(-err));
}

int fs_mount(struct fs *fs, const char *mountpoint)
{
	int flags, err;

	if (fuse_session_mount(fs->se, mountpoint))
		return -EIO;
	/* libfuse (seen with 3.14) reports success, with descriptor 0, when memory is short and it has not mounted.
	 * What is at the mount point then is somebody else's, and we would remove that at our end. */
	if (!is_fuse_device(fuse_session_fd(fs->se))) {
		session_forget_mount(fs);
		return -ENOMEM;
	}
	err = own_mount_new(&fs->mount, mountpoint);
	if (err)
		return err;
	/* The readers must not block in read(): they poll, because they wait for more
	 * than one thing. */
	flags = fcntl(fuse_session_fd(fs->se), F_GETFL);
	if (flags < 0 || fcntl(fuse_session_fd(fs->se), F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	start_telling(fs, mountpoint);
	return 0;
}

int fs_abort_open(const struct fs *fs)
{
	unsigned major, minor;

	own_mount_device(fs->mount, &major, &minor);
	return connection_abort_open(minor);
}

/* Starts the further readers, with all signals blocked.  Returns how many there are; fewer than
 * requested is no reason to give up. */
static unsigned start_readers(struct fs *fs, pthread_t *readers)
{
	unsigned wanted = fs->config.threads > 1 ? fs->config.threads - 1 : 0, n = 0;

	while (n < wanted && n < READERS_MAX && !fs_thread_start(&readers[n], loop_reader, fs))
		n++;
	if (n < wanted)
		log_warning(fs->log, "%u of %u threads could be started", n + 1, wanted + 1);
	return n;
}

/* A watch, and a thread that passes its events on, keep what the kernel remembers correct. */
REQUIRES(fs_lock_held) static void start_caching(struct fs *fs)
{
	int err = notifier_start(fs);

	if (err)
		log_warning(fs->log, "nothing is cached: no thread: %s", strerror(-err));
	if (err || fs->config.cache == FS_CACHE_OFF)
		return;
	fs->caching = true;
	fs->inodes.track_stale = true;
	fs->inodes.track_shown = fs->config.cache == FS_CACHE_FULL;
	cover_start(fs);
}

int fs_run(struct fs *fs, const struct fs_extra_fd *extra, unsigned n_extra)
{
	pthread_t readers[READERS_MAX];
	unsigned n_readers;
	const uint64_t one = 1;
	int err;

	fs_lock(fs);
	start_caching(fs);
	if (fs->inotify)
		cover_start(fs);
	inotify_serve(fs);
	fs_unlock(fs);
	n_readers = start_readers(fs, readers);
	err = loop_run(fs, extra, n_extra);

	atomic_store(&fs->stop, true);
	if (write(fs->wake_readers, &one, sizeof(one)) != sizeof(one))
		log_error(fs->log, "eventfd: %m");
	for (unsigned i = 0; i < n_readers; i++)
		pthread_join(readers[i], NULL);
	/* Operations that wait for the store now end with an error.  So do those in the pool, which
	 * then has nothing left to wait for. */
	fs_lock(fs);
	chan_shutdown(fs->chan);
	fs_unlock(fs);
	pool_free(fs->pool);
	fs_lock(fs);
	fs->pool = NULL;
	loop_end_waiting(fs);
	fs_unlock(fs);
	/* The notifier may be waiting for a directory locked by an operation that waits for us. */
	while (!inotify_end(fs))
		loop_answer(fs);
	while (!notifier_end(fs))
		loop_answer(fs);
	return err;
}

void fs_stop(struct fs *fs)
{
	atomic_store(&fs->stop, true);
}

void fs_free(struct fs *fs)
{
	/* It is there still if it was never run. */
	while (!inotify_end(fs))
		loop_answer(fs);
	if (fs->mount)
		own_mount_end(fs->mount, fuse_session_fd(fs->se), fs->log);
	if (fs->se) {
		fuse_session_unmount(fs->se);
		fuse_session_destroy(fs->se);
	}
	if (fs->pool)
		pool_free(fs->pool);
	fs_lock(fs);
	handles_deinit(&fs->handles);
	fs_unlock(fs);
	cover_deinit(fs);
	if (fs->inodes.root)
		inodes_deinit(&fs->inodes);
	transactions_free(fs->transactions);
	raws_free(fs->raws);
	polls_free(fs->polls);
	streams_free(fs->streams);
	events_deinit(&fs->events);
	empty_nodes_deinit(&fs->empty_nodes);
	quotas_deinit(&fs->quotas);
	patterns_deinit(&fs->dirs);
	protect_free(fs->protect);
	if (fs->wake_readers >= 0)
		close(fs->wake_readers);
	pthread_mutex_destroy(&fs->lock);
	free(fs);
}
