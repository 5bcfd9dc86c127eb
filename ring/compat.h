/* SPDX-License-Identifier: MIT */
/*
 * Stand-ins for what not every C library has: musl, for one, lacks some of glibc's.  config.h includes this, and so
 * every file has it; configure finds out what is missing.
 */
#ifndef RING_COMPAT_H
#define RING_COMPAT_H

#if !HAVE_DECL_PTHREAD_MUTEX_ADAPTIVE_NP
/* It only spins before it sleeps. */
#define PTHREAD_MUTEX_ADAPTIVE_NP PTHREAD_MUTEX_NORMAL
#endif

#if !HAVE_DECL_STATX
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int statx(int dir, const char *path, int flags, unsigned mask, struct statx *st)
{
	return syscall(SYS_statx, dir, path, flags, mask, st);
}
#endif

#if !HAVE_DECL_TEMP_FAILURE_RETRY
#include <errno.h>

/* Evaluates the call again while it fails with EINTR. */
#define TEMP_FAILURE_RETRY(call)                                                \
	({                                                                      \
		long result_;                                                   \
		do                                                              \
			result_ = (call);                                       \
		while (result_ == -1 && errno == EINTR);                        \
		result_;                                                        \
	})
#endif

#if !HAVE_DECL_STRERRORNAME_NP
#include <stddef.h>

/* Knows no names: the caller has to do with numbers. */
static inline const char *strerrorname_np(int err)
{
	(void)err;
	return NULL;
}
#endif

#endif
