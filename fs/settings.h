/* SPDX-License-Identifier: MIT */
/*
 * Options of a running mount that can be changed, and how the daemon is told: by an ioctl(2) on `.xsfs/options`,
 * which, other than a write, also works while the mount is read-only.
 * For src/remount.c, which asks, and ops.c.
 */
#ifndef FS_SETTINGS_H
#define FS_SETTINGS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

enum fs_setting {
	FS_SETTING_TIMEOUT = 1 << 0,
	FS_SETTING_TX_IDLE = 1 << 1,
	FS_SETTING_DEBUG = 1 << 2,
	FS_SETTINGS_ALL = (1 << 3) - 1,
};

struct fs_settings {
	uint32_t which;      /* those of enum fs_setting that change; the others' members are not looked at */
	uint32_t timeout_ms; /* as in struct fs_config */
	uint32_t tx_idle_s;  /* as in struct fs_config */
	uint32_t debug;      /* 1: debugging lines are logged; 0: not */
};

/*
 * The ioctl.  Errors: EPERM for anybody but root and the mounter; EINVAL for a setting that this daemon does not
 * know; ENOTTY for another file, and from a daemon that knows none.
 */
#define FS_SETTINGS_IOCTL _IOW('x', 1, struct fs_settings)

/* The FUSE operation, for ops.c: replies.  With fs->lock held. */
void settings_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg, struct fuse_file_info *fi,
		    unsigned flags, const void *in, size_t in_size, size_t out_size);

#endif
