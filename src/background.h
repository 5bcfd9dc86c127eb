/* SPDX-License-Identifier: MIT */
/*
 * Going into the background: a forked child does all the work, its parent waits until the mount can
 * be used, or until that has failed, and reports the result.
 * For main.c, main thread, while there is no other.  Xen's handles must not cross a fork
 * (xenevtchn.h, xenforeignmemory.h), so the fork comes first.
 */
#ifndef SRC_BACKGROUND_H
#define SRC_BACKGROUND_H

struct background {
	int fd; /* leads to the waiting parent; -1: in the foreground, or released */
};

#define BACKGROUND_INIT { .fd = -1 }

/*
 * Forks.  Returns 0 in the child, which is still in the parent's session and has "/" as its directory,
 * or -errno.  The parent does not return: it exits with 0 once the child calls background_ready(),
 * else with the child's status, after the line of background_failed() on standard error.
 */
int background_fork(struct background *bg);

/*
 * Leaves the parent's session.  Call it when the mount is there and before system calls are
 * filtered, but not earlier: on an automount point, autofs lets only the process group in which
 * systemd runs mount(8) look at the directory, and keeps all others waiting until mount(8) has
 * ended.  No effect in the foreground.
 */
void background_mounted(struct background *bg);

/*
 * Releases the parent and leaves its terminal.  Returns 0, or -EPIPE if the parent is gone: the
 * caller of the program gave up, and nothing should remain mounted.  No effect in the foreground.
 */
int background_ready(struct background *bg);

/* Reports why the start failed: prints `line`, which has no newline, on standard error, the
 * parent's if there is one.  The caller then exits with a status of its own. */
void background_failed(struct background *bg, const char *line);

#endif
