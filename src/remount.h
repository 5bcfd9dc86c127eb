/* SPDX-License-Identifier: MIT */
/*
 * `mount -o remount`: mount(8) runs the program of a FUSE file system for it, which then has to do what
 * the kernel would be asked for otherwise.  The daemon that serves the mount is not told: what it
 * was given stays as it is.  For main.c, before anything is started.
 */
#ifndef SRC_REMOUNT_H
#define SRC_REMOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "ring/logger.h"

/* Returns whether the command line asks for a remount.  mount(8) then adds what the kernel shows of the
 * mount, such as user_id=0, so this has to be known before that is refused. */
bool remount_wanted(int argc, char **argv);

/*
 * Changes what the kernel keeps of the mount: ro or rw and the like.  Logs which of our own options
 * were given and stay as they were.  Returns 0, or -errno with one line in `why`.
 */
int remount(int argc, char **argv, struct logger *log, char *why, size_t size);

#endif
