/* SPDX-License-Identifier: MIT */
/*
 * Removes mounts of xsfs, and nothing else: at the end of a process its own one, and before a start
 * those whose process was killed.
 *
 * umount2(2) takes a path and removes whatever lies on top there, which may be somebody else's: a
 * mount over ours, or the next one after ours has gone.  So a mount is opened first (O_PATH), which
 * keeps it and its number from being reused, then compared, then removed by way of that descriptor.
 * A gap is left that Linux offers no means to close: what somebody mounts over it between
 * the comparison and umount2(2) is removed in its place.  It is wider for a user who is not root,
 * as fusermount3(1) takes the path alone; that removes only FUSE mounts of the same user.
 *
 * No file system that is mounted there is asked anything, except where it says so.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "ring/logger.h"

struct own_mount;

/*
 * Stores in *out what is needed to find again what has just been mounted at `mountpoint`;
 * own_mount_end() frees it.  Returns 0 or -errno.
 */
int own_mount_new(struct own_mount **out, const char *mountpoint);

/*
 * Ends the connection and removes our mount from this mount namespace, wherever it is now.  It stays,
 * and a warning says so, where something lies over it.  `fuse_fd`, the session's descriptor, is
 * replaced by one for which libfuse believes the mount to be gone, so that fuse_session_unmount()
 * frees what it has and touches no path.
 * Nobody reads requests any more.  Frees `m`.
 */
void own_mount_end(struct own_mount *m, int fuse_fd, struct logger *log);

/*
 * Whether a mount of xsfs lies on top at `path` whose process is gone.  `point`, if not NULL, gets its
 * absolute path.  An xsfs that lives is asked, and the call waits for its answer.
 */
bool dead_mount_find(const char *path, char point[PATH_MAX]);

/* Removes those that lie on top at `path`, an absolute path, and logs each.  Returns 0, or -errno if one
 * cannot be removed. */
int dead_mount_remove(const char *path, struct logger *log);

#endif
