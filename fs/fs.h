/* SPDX-License-Identifier: MIT */
/*
 * The filesystem as a whole: made from a channel and options, mounted, run, ended.
 * For src/, the one header of fs/ that it needs.
 */
#ifndef FS_FS_H
#define FS_FS_H

#include "fs/loop.h"
#include "fs/model/config.h"
#include "ring/chan.h"
#include "ring/logger.h"

struct fs;

/*
 * Makes the filesystem and its FUSE session.  `argc`, `argv`: libfuse's mount options as
 * fuse_session_new(3) takes them (program name first, "-o", "fsname=…", …).
 * Returns 0 or -errno (-EINVAL: libfuse did not like its options and has said so).
 * In the process that will run it; no thread is started yet.
 */
int fs_new(struct fs **out, const struct fs_config *config, int argc, char **argv);

/* Mounts at `mountpoint`, an absolute path.
 * Returns 0, -EIO (libfuse has said why) or another -errno. */
int fs_mount(struct fs *fs, const char *mountpoint);

/* Opens the file that aborts this mount, once it is mounted: a descriptor, or -errno, as
 * connection_abort_open() returns it (fs/connection.h). */
int fs_abort_open(const struct fs *fs);

/*
 * Serves until unmounted or fs_stop() is called: the calling thread becomes the I/O thread, which
 * services the channel; others are started and ended in here.  When it returns no operation is
 * pending, as any that were have been answered with an error, and the channel is shut down.
 * `extra`, `n_extra` (at most 4): further descriptors to poll.  All signals that are handled
 * through descriptors must be blocked already.
 * Returns 0, or -errno when reading /dev/fuse failed.
 */
int fs_run(struct fs *fs, const struct fs_extra_fd *extra, unsigned n_extra);

/* Makes fs_run() return soon.  I/O thread only (from the callback of an fs_extra_fd). */
void fs_stop(struct fs *fs);

/* Removes the mount if it is still there (fs/mount.h) and frees the filesystem. */
void fs_free(struct fs *fs);

#endif
