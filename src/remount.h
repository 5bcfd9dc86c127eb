/* SPDX-License-Identifier: MIT */
/*
 * `mount -o remount`: mount(8) runs the program of a FUSE filesystem for it, which must then do
 * what the kernel would otherwise have been asked to do, and tell the daemon that serves the mount.
 * For main.c, before anything is started.
 */
#ifndef SRC_REMOUNT_H
#define SRC_REMOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "ring/logger.h"

/* Returns whether the command line asks for a remount.  mount(8) then adds the options that the
 * kernel shows for the mount, such as user_id=0, so this has to be known before
 * they are refused. */
bool remount_wanted(int argc, char **argv);

/*
 * Changes what the kernel keeps about the mount, ro or rw and the like, and those of our own options that
 * can change.  Logs which others were given and stay as they were.  Returns 0, or -errno with one line in `why`.
 */
int remount(int argc, char **argv, struct logger *log, char *why, size_t size);

/*
 * Sets the kernel's flag nosymfollow on a mount that is just made and not served yet: neither libfuse nor fusermount3
 * knows this word.  Returns 0, or -errno with one line in `why`.
 */
int remount_nosymfollow(const char *mountpoint, char *why, size_t size);

#endif
