/* SPDX-License-Identifier: MIT */
/* One mount of this process's mount namespace, as the kernel lists it.  Any thread. */
#ifndef FS_MOUNTINFO_H
#define FS_MOUNTINFO_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct mountinfo {
	uint64_t id, parent;   /* `parent`: the mount that it is mounted on */
	unsigned major, minor; /* the device number of its file system */
	char root[PATH_MAX];   /* what it shows of its filesystem: "/", but for some bind mounts */
	bool is_xsfs;          /* the type is fuse.xsfs */
	char flags[256];       /* its own options, such as "ro,noatime", not its filesystem's */
	char super[256];       /* its filesystem's options, such as "rw,sync,user_id=0" */
	char point[PATH_MAX];  /* where it is now, as seen from this process's root directory */
};

/* Finds the mount with this id, which is that of statx(2).  Returns 0, -ENOENT, or
 * another -errno. */
int mountinfo_find(struct mountinfo *found, uint64_t id);

/* Returns whether it shows its filesystem from the root on, which a bind mount may not. */
bool mountinfo_is_whole(const struct mountinfo *m);

/* Calls `take` with each mount, in the kernel's order, until it returns true.  Returns whether it did. */
bool mountinfo_each(bool (*take)(const struct mountinfo *m, void *arg), void *arg);

/* Returns whether something is mounted at `path` of the filesystem with this device number, or below it; also true
 * where that cannot be found out.  The path begins at the root of that filesystem, so it does not matter where and how
 * often that is mounted itself. */
bool mountinfo_is_mounted_on(unsigned major, unsigned minor, const char *path);

#endif
