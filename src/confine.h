/* SPDX-License-Identifier: MIT */
/*
 * The daemon gives up what it does not need, so that a fault in it is worth less to who uses it: what it reads
 * comes from every guest and every user.  Only root's daemon: another user's has no rights to give up, and unmounts
 * by fusermount3, a program that must get its own.
 * For main.c, main thread.
 */
#ifndef SRC_CONFINE_H
#define SRC_CONFINE_H

#include <stdbool.h>

#include "ring/logger.h"

/*
 * Before any other thread and any child: keeps few capabilities, for good and for all children.  `own_ring`: those
 * that finding and mapping a ring take (store `ring`), too.  What cannot be given up stays, with a line in the log.
 */
void confine_capabilities(bool own_ring, struct logger *log);

/*
 * When the mount is there: from now on no thread starts a program, and the kernel answers ENOSYS to every system call
 * that serving a mount does not need.  ENOSYS because a C library that is newer than the list then does without.
 * Built without libseccomp it does the former only.  Returns 0 or -errno.
 */
int confine_calls(void);

#endif
