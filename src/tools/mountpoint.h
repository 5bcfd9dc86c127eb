/* SPDX-License-Identifier: MIT */
/*
 * Where xsfs is mounted, and which keys the user's words mean there.  For the tools that work
 * through a mount; on their main thread.
 */
#ifndef SRC_TOOLS_MOUNTPOINT_H
#define SRC_TOOLS_MOUNTPOINT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "fs/model/name.h"

/* Bytes of a buffer for a file below the mount. */
#define MOUNTPOINT_FILE_SIZE (PATH_MAX + PATH_SIZE)

/* Bytes of a buffer for the name of a transaction. */
#define MOUNTPOINT_TX_SIZE 64

struct mountpoint {
	char dir[PATH_MAX];    /* absolute, without symbolic links */
	char root[PATH_SIZE];  /* the node that is mounted there */
	char here[PATH_SIZE];  /* node of the current directory; "" if that is not on the mount */
	char tx[MOUNTPOINT_TX_SIZE]; /* the transaction that it, or the word, is in; "": none */
	bool uniform;          /* `here` is a directory of `.xsfs/nodes` */
};

/*
 * Finds the mount: `given` if not NULL; else the one on which `word` is a file, if that is an
 * absolute path and not NULL; else $XSFS_MOUNT; else the one that contains the current
 * directory; else the only one that exists.  Returns 0, or -errno with one line in `why` that
 * says what would be right.
 */
int mountpoint_find(struct mountpoint *m, const char *given, const char *word, char *why,
		    size_t size);

/*
 * Writes the absolute store path that the user means by `key` to `path`.  A key is such a path, or
 * one relative to the current directory's node; "."  and ".."  are understood.  The name of a file
 * in the mount means its node, unless it begins with two slashes.
 * Returns 0, or -EINVAL (not a path, or not part of the mount) or -ENAMETOOLONG with
 * one line in `why`.
 */
int mountpoint_key(const struct mountpoint *m, const char *key, char path[PATH_SIZE], char *why,
		   size_t size);

/* Writes to `file` the directory of the node `path` (from mountpoint_key()) in the layout in which
 * it is a directory whether or not it has children. */
void mountpoint_node(const struct mountpoint *m, const char *path, char file[MOUNTPOINT_FILE_SIZE]);

#endif
