/* SPDX-License-Identifier: MIT */
/* One mount of this process's mount namespace, as the kernel lists it.  Any thread. */
#ifndef FS_MOUNTINFO_H
#define FS_MOUNTINFO_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct mountinfo {
	uint64_t id;
	unsigned major, minor; /* the device number of its file system */
	bool whole;            /* it shows the root of its filesystem; a bind mount may not */
	bool is_xsfs;          /* the type is fuse.xsfs */
	char flags[256];       /* its own options, such as "ro,noatime", not its filesystem's */
	char super[256];       /* its filesystem's options, such as "rw,sync,user_id=0" */
	char point[PATH_MAX];  /* where it is now, as seen from this process's root directory */
};

/* Finds the mount with this id, which is that of statx(2).  Returns 0, -ENOENT, or
 * another -errno. */
int mountinfo_find(struct mountinfo *found, uint64_t id);

/* Calls `take` with each mount, in the kernel's order, until it returns true.  Returns whether it did. */
bool mountinfo_each(bool (*take)(const struct mountinfo *m, void *arg), void *arg);

#endif
