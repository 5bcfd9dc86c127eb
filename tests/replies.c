/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into xsfs by t_locks: looks whether a thread that replies to the kernel, or wakes a poll, holds a lock
 * of xsfs's own.  libfuse sends both with writev(2).
 *
 * $XSFS_REPLIES names a file that gets a line for each place in the program where a lock was taken that was held
 * then, and at the end "replies N".  Locks of libraries are their own business: only calls from the program count.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
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
static void *program; /* where it is loaded */
static atomic_ulong replies;
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
	real_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
}

static void say(const char *format, unsigned long number)
{
	const char *path = getenv("XSFS_REPLIES");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;

	if (fd < 0)
		return;
	dprintf(fd, format, number);
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

ssize_t writev(int fd, const struct iovec *iov, int n)
{
	find();
	atomic_fetch_add(&replies, 1);
	for (unsigned i = 0; i < n_held; i++)
		if (is_news(held[i].place))
			say("a reply under the lock that was taken at 0x%lx\n",
			    (unsigned long)((char *)held[i].place - (char *)program));
	return real_writev(fd, iov, n);
}

__attribute__((destructor)) static void end(void)
{
	say("replies %lu\n", atomic_load(&replies));
}
