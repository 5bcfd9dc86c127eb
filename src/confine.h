/* SPDX-License-Identifier: MIT */
/*
 * The daemon gives up what it does not need, so that a bug in it is worth less to an
 * attacker: its input comes from every guest and every user.  Only root's daemon does so:
 * another user's has no privileges to give up, and unmounts with fusermount3, a program
 * that must be able to gain its own.
 * For main.c, main thread.
 */
#ifndef SRC_CONFINE_H
#define SRC_CONFINE_H

#include <stdbool.h>

#include "ring/logger.h"

/*
 * Keeps only a few capabilities, for good and for all children.  Call it before there is any other
 * thread or child.  `own_ring`: also keeps those needed to find and map a ring (store `ring`).  If
 * some cannot be given up they stay, and the log says so.
 */
void confine_capabilities(bool own_ring, struct logger *log);

/*
 * Filters system calls; call it when the mount is there.  From now on no thread can start a
 * program, and the kernel answers ENOSYS to every system call that serving a mount does not need.
 * ENOSYS, because a C library newer than the list then does without.
 * Built without libseccomp it does the former only.  Returns 0 or -errno.
 */
int confine_calls(void);

/*
 * For the guard (src/guard.h), whoever runs it: no capabilities, and, if `seccomp`, no system calls but
 * those that it waits, writes and ends with.  What cannot be given up stays, silently.
 */
void confine_guard(bool seccomp);

#endif
