/* SPDX-License-Identifier: MIT */
/* The directory of an embedded store: its server's socket and files, seen by nobody else.  Main thread. */
#ifndef SRC_PRIVATE_DIR_H
#define SRC_PRIVATE_DIR_H

#include "ring/logger.h"

/*
 * Makes and locks a directory in $TMPDIR, /run or /tmp, after having removed those there whose owners were killed.
 * Returns a descriptor, which holds the lock, with its path in `path` (PATH_MAX bytes), or -errno.
 */
int private_dir_make(char *path, struct logger *log);

/* Removes a directory with all that is in it. */
void private_dir_remove(const char *path);

#endif
