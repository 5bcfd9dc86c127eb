/* SPDX-License-Identifier: MIT */
/*
 * Removes mounts of xsfs, and nothing else: a process's own mount at its end, and before a start
 * those whose process was killed.
 *
 * umount2(2) takes a path and removes whatever is on top there, which may be somebody else's mount:
 * one over ours, or the next one once ours is gone.  So a mount is opened first (O_PATH), which
 * keeps it and its number from being reused, then compared, then removed through that descriptor.
 * One gap remains that Linux offers no means to close: if somebody mounts over it between the
 * comparison and umount2(2), that mount is removed in its place.  The gap is wider for a user who
 * is not root, because fusermount3(1) takes only the path; but that program removes only FUSE
 * mounts of the same user.
 *
 * The filesystems mounted there are not asked anything, except where stated.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "ring/logger.h"

struct own_mount;

/*
 * Stores in *out the facts needed to recognise the mount just made at `mountpoint`.
 * own_mount_end() frees it.  Returns 0 or -errno.
 */
int own_mount_new(struct own_mount **out, const char *mountpoint);

/* Stores the device number that the mount has in stat(2).  The minor is its FUSE connection's, too. */
void own_mount_device(const struct own_mount *m, unsigned *major, unsigned *minor);

/* Returns whether it is mounted read-only.  Nobody is asked for it but the kernel. */
bool own_mount_is_readonly(const struct own_mount *m);

/*
 * Ends the connection and removes our mount from this mount namespace, wherever it is by now.  If
 * something is mounted over it, it stays, and a warning says so.  `fuse_fd`, the session's
 * descriptor, is replaced by one for which libfuse believes the mount to be gone, so that
 * fuse_session_unmount() frees its memory and touches no path.
 * No request may be read any more.  Frees `m`.
 */
void own_mount_end(struct own_mount *m, int fuse_fd, struct logger *log);

/*
 * Returns whether the mount on top at `path` is one of xsfs whose process is gone.  `point`, if not
 * NULL, gets its absolute path.  A living xsfs is asked, and the call waits for its answer, ten seconds at
 * most.
 */
bool dead_mount_find(const char *path, char point[PATH_MAX]);

/*
 * Returns whether the mount on top at `path` is one of xsfs that does not answer, so that nothing that asks it
 * must be called.  If its process was killed and cannot end, it is made a dead one first (fs/orphan.h).
 */
bool mount_is_silent(const char *path);

/* Removes the dead mounts on top at `path`, an absolute path, and logs each.  Returns 0, or -errno
 * if one cannot be removed. */
int dead_mount_remove(const char *path, struct logger *log);

#endif
