/* SPDX-License-Identifier: MIT */
/*
 * Words with which a declaration says what it does to a lock, or needs of it, for clang's
 * -Wthread-safety.  Other compilers see nothing of them.
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
 * Stands for fs->lock, of which a process has one: in C the analysis cannot follow a member from one
 * pointer to another, as from op->fs to fs.  It is only named, and never defined.
 */
struct CAPABILITY("mutex") fs_lock_held {
	pthread_mutex_t none;
};
extern struct fs_lock_held fs_lock_held;

/* Of a function that waits, on a thread of the pool, with the lock released: what its caller knew of
 * anything that is not its own may be different afterwards. */
#define MAY_WAIT REQUIRES(fs_lock_held)

#endif
