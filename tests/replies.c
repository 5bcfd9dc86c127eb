/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into xsfs by t_locks: checks which of xsfs's own locks a thread holds
 *   - that replies to the kernel: the filesystem's, which is the one that the first reply was made under, and no other
 *   - that notifies the kernel, as it does to wake a poll: none
 *   - that waits in poll(2): none.
 * libfuse sends replies and notifications with writev(2).
 *
 * $XSFS_REPLIES names a file that gets a line for each place in the program where a lock was
 * taken that should not have been held, and at the end the numbers of replies, of those
 * without a lock, of notifications and of waits.  Locks of libraries are their own business:
 * only calls from the program count.
 *
 * For t_mount: with $XSFS_ABORTED in the environment the end of the mount is not told by ENODEV,
 * but by ECONNABORTED.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/uio.h>
#include <unistd.h>

#define HELD_MAX 16
#define PLACES_MAX 64

struct held {
	const pthread_mutex_t *mutex;
	void *place;
};

static int (*real_lock)(pthread_mutex_t *mutex);
static int (*real_unlock)(pthread_mutex_t *mutex);
static ssize_t (*real_writev)(int fd, const struct iovec *iov, int n);
static ssize_t (*real_read)(int fd, void *buf, size_t size);
static int (*real_poll)(struct pollfd *fds, nfds_t n, int timeout);
static void *program; /* where it is loaded */
static atomic_ulong replies, unlocked, notifications, waits;
static _Atomic(const pthread_mutex_t *) filesystem; /* its lock, once it is known */
static _Atomic(void *) told[PLACES_MAX];
static _Thread_local struct held held[HELD_MAX];
static _Thread_local unsigned n_held;

/* A lock may be taken before any constructor has run; all threads find the same. */
static void find(void)
{
	Dl_info info;

	if (real_lock)
		return;
	/* The program's headers lie in its first page. */
	if (dladdr((void *)getauxval(AT_PHDR), &info))
		program = info.dli_fbase;
	real_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
	real_writev = dlsym(RTLD_NEXT, "writev");
	real_read = dlsym(RTLD_NEXT, "read");
	real_poll = dlsym(RTLD_NEXT, "poll");
	real_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
}

static void say(const char *what, const char *how, unsigned long number)
{
	const char *path = getenv("XSFS_REPLIES");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;

	if (fd < 0)
		return;
	dprintf(fd, "%s%s%lu\n", what, how, number);
	close(fd);
}

/* Returns whether this is the first time. */
static bool is_news(void *place)
{
	void *none;

	for (unsigned i = 0; i < PLACES_MAX; i++) {
		none = NULL;
		if (atomic_compare_exchange_strong(&told[i], &none, place))
			return true;
		if (none == place)
			return false;
	}
	return false;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	void *place = __builtin_return_address(0);
	Dl_info info;
	int err;

	find();
	err = real_lock(mutex);
	if (!err && n_held < HELD_MAX && dladdr(place, &info) && info.dli_fbase == program)
		held[n_held++] = (struct held){ mutex, place };
	return err;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	find();
	for (unsigned i = n_held; i-- > 0;) {
		if (held[i].mutex == mutex) {
			held[i] = held[--n_held];
			break;
		}
	}
	return real_unlock(mutex);
}

/* This thread is about to do something during which it may hold only the lock `allowed`. */
static void look(const char *what, const pthread_mutex_t *allowed)
{
	for (unsigned i = 0; i < n_held; i++)
		if (held[i].mutex != allowed && is_news(held[i].place))
			say(what, " under the lock that was taken at byte ",
			    (unsigned long)((char *)held[i].place - (char *)program));
}

/* Returns the lock that replies are made under: that of the first. */
static const pthread_mutex_t *lock_of_replies(void)
{
	const pthread_mutex_t *none = NULL;

	if (n_held > 0)
		atomic_compare_exchange_strong(&filesystem, &none, held[0].mutex);
	return atomic_load(&filesystem);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	const struct fuse_out_header *header = iov[0].iov_base;

	find();
	if (header->unique) {
		atomic_fetch_add(&replies, 1);
		look("a reply", lock_of_replies());
		if (n_held == 0)
			atomic_fetch_add(&unlocked, 1);
	} else {
		atomic_fetch_add(&notifications, 1);
		look("a notification", NULL);
	}
	return real_writev(fd, iov, n);
}

ssize_t read(int fd, void *buf, size_t size)
{
	ssize_t n;

	find();
	n = real_read(fd, buf, size);
	if (n < 0 && errno == ENODEV && getenv("XSFS_ABORTED"))
		errno = ECONNABORTED;
	return n;
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	find();
	atomic_fetch_add(&waits, 1);
	/* To look at once, as the log does, is not to wait. */
	if (timeout != 0)
		look("poll()", NULL);
	return real_poll(fds, n, timeout);
}

__attribute__((destructor)) static void end(void)
{
	say("replies", " ", atomic_load(&replies));
	say("unlocked", " ", atomic_load(&unlocked));
	say("notifications", " ", atomic_load(&notifications));
	say("waits", " ", atomic_load(&waits));
}
