/* SPDX-License-Identifier: MIT */
/* The file `abort` of fusectl, by the path where it is usually mounted or through a mount of our own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fs/connection.h"

#define USUAL_PLACE "/sys/fs/fuse/connections"

/* From linux/magic.h and linux/mount.h, which older headers lack or which clash with sys/mount.h. */
#define FUSECTL_MAGIC 0x65735543
#define FSOPEN_FLAGS 1 /* FSOPEN_CLOEXEC */
#define FSMOUNT_FLAGS 1 /* FSMOUNT_CLOEXEC */
#define FSCONFIG_CREATE 6 /* FSCONFIG_CMD_CREATE */

/* Returns the file's descriptor, or -errno. */
static int file_open(int dir, unsigned number)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "%u/abort", number);
	fd = openat(dir, path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Opens fusectl where it is usually mounted.  A descriptor, or -errno. */
static int usual_open(void)
{
	int fd = open(USUAL_PLACE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs st;

	if (fd < 0)
		return -errno;
	/* Without it the directory is one of sysfs. */
	if (fstatfs(fd, &st) == 0 && st.f_type == FUSECTL_MAGIC)
		return fd;
	close(fd);
	return -ENOENT;
}

/* Mounts fusectl nowhere, which takes root's rights but needs no place, and disturbs nobody.
 * A descriptor, or -errno. */
static int nowhere_open(void)
{
	int context = syscall(SYS_fsopen, "fusectl", FSOPEN_FLAGS), fd, err;

	if (context < 0)
		return -errno;
	fd = syscall(SYS_fsconfig, context, FSCONFIG_CREATE, NULL, NULL, 0);
	if (fd == 0)
		fd = syscall(SYS_fsmount, context, FSMOUNT_FLAGS, 0);
	err = -errno;
	close(context);
	return fd < 0 ? err : fd;
}

int connection_abort_open(unsigned number)
{
	int (*const ways[])(void) = { usual_open, nowhere_open };
	int fd = -ENOENT, dir;

	for (size_t i = 0; fd < 0 && i < sizeof(ways) / sizeof(ways[0]); i++) {
		dir = ways[i]();
		if (dir < 0) {
			fd = dir;
			continue;
		}
		fd = file_open(dir, number);
		close(dir);
	}
	return fd;
}
