/* SPDX-License-Identifier: MIT */
/*
 * A second process that frees everybody if the daemon is killed.
 *
 * A killed process usually closes /dev/fuse, and the kernel then fails everything that waits for the
 * mount.  But it closes nothing before its last thread has ended, and the notifier's thread
 * (fs/events/notifier.h) may be in the kernel just then, waiting for a directory that is held by an
 * operation that waits for this process: neither would ever end.  So a child is told by the kernel that
 * the thread which made it has ended (PR_SET_PDEATHSIG), and aborts the connection.
 * A pipe, or a descriptor of the process, would tell it only when all threads have ended.
 *
 * It holds nothing of the daemon's, and may do next to nothing (confine_guard()).  Its name has no
 * "xsfs" in it, or `pkill -9 xsfs` would kill it as well.
 * For main.c, main thread.
 */
#ifndef SRC_GUARD_H
#define SRC_GUARD_H

#include <stdbool.h>
#include <sys/types.h>

#include "ring/logger.h"

struct guard {
	pid_t pid; /* 0: there is none */
	int fd;	   /* a pipe that breaks when the guard ends; -1: none */
};

#define GUARD_INIT { .fd = -1 }

/* Where the kernel shows a process's arguments, whose place the guard takes for its own line. */
struct guard_title {
	char *start;
	size_t size;
};

/* Finds that place.  Before anything else changes the arguments. */
void guard_title_find(struct guard_title *title, int argc, char **argv);

/*
 * Starts the guard, and returns when it is on guard.  `abort_fd`: from fs_abort_open().
 * `mountpoint`: for its line in ps(1).  `seccomp`: its system calls are filtered.
 * Call it before there are threads that work for the mount, on the thread that ends last.
 * Returns 0 or -errno.
 */
int guard_start(struct guard *g, int abort_fd, const struct guard_title *title, const char *mountpoint,
		bool seccomp);

/* Call it when `fd` is readable: somebody has killed the guard.  Says so, and sets `fd` to -1. */
void guard_ended(struct guard *g, struct logger *log);

/* Ends the guard, if there is one, and waits for it. */
void guard_stop(struct guard *g);

#endif
