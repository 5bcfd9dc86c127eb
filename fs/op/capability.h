/* SPDX-License-Identifier: MIT */
/*
 * Macros that state in a declaration how a function uses a lock, for clang's -Wthread-safety.  For
 * other compilers they expand to nothing.
 */
#ifndef FS_OP_CAPABILITY_H
#define FS_OP_CAPABILITY_H

#include <pthread.h>

#ifdef __clang__
#define CAPABILITY_ATTRIBUTE(x) __attribute__((x))
#else
#define CAPABILITY_ATTRIBUTE(x)
#endif

#define CAPABILITY(name) CAPABILITY_ATTRIBUTE(capability(name))
#define REQUIRES(x) CAPABILITY_ATTRIBUTE(requires_capability(x))
#define ACQUIRE(x) CAPABILITY_ATTRIBUTE(acquire_capability(x))
#define RELEASE(x) CAPABILITY_ATTRIBUTE(release_capability(x))
#define EXCLUDES(x) CAPABILITY_ATTRIBUTE(locks_excluded(x))
#define NO_LOCK_ANALYSIS CAPABILITY_ATTRIBUTE(no_thread_safety_analysis)

/*
 * Stands for fs->lock, of which a process has one: in C the analysis cannot see that members
 * reached through different pointers, such as op->fs and fs, are the same lock.  It is only named
 * in attributes and never defined.
 */
struct CAPABILITY("mutex") fs_lock_held {
	pthread_mutex_t none;
};
extern struct fs_lock_held fs_lock_held;

/* Marks a function that waits, on a thread of the pool, with the lock released: when it returns,
 * anything that does not belong to its caller alone may have changed. */
#define MAY_WAIT REQUIRES(fs_lock_held)

#endif
