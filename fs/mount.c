/* SPDX-License-Identifier: MIT */
/* Finds out to whom a mount belongs before it is removed.  On the main thread, before and
 * after all others run. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/mount.h"
#include "fs/mountinfo.h"
#include "fs/orphan.h"

struct own_mount {
	uint64_t id;
	unsigned major, minor; /* the device number, which lives as long as the FUSE connection */
	int broken; /* a pipe without a reader, for which poll(2) reports POLLERR */
};

/* How many dead mounts may be stacked on each other: each start that fails after
 * a kill adds one. */
#define DEAD_MAX 1000

extern char **environ;

/* ---- looking -------------------------------------------------------------------------------- */

/* Opens the mount on top at `path`, and reports its mount and device.  A descriptor or -errno. */
static int top_open(const char *path, struct statx *st)
{
	int fd = open(path, O_PATH | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	/* Mount and device are known without asking, even for another user's filesystem. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, st) < 0)
		err = -errno;
	else if (!(st->stx_mask & STATX_MNT_ID))
		err = -ENOSYS;
	else
		return fd;
	close(fd);
	return err;
}

/* Returns whether an open mount belongs to a FUSE connection that is over. */
static bool is_dead(int fd)
{
	struct statx st;

	/* Forced, because attributes that the kernel remembers outlive the connection. */
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_MODE, &st) < 0 &&
	       (errno == ENOTCONN || errno == ECONNABORTED);
}

static bool is_connected(int fuse_fd)
{
	struct pollfd pfd = { .fd = fuse_fd };

	return poll(&pfd, 1, 0) == 0;
}

/* ---- removing ------------------------------------------------------------------------------- */

/* Unmounts with fusermount3, as the user that we are.  Returns 0 or -errno. */
static int fusermount(const char *point)
{
	char program[] = "fusermount3", unmount[] = "-u", lazy[] = "-z", quiet[] = "-q", end[] = "--";
	char path[PATH_MAX];
	char *argv[] = { program, unmount, lazy, quiet, end, path, NULL };
	posix_spawnattr_t attr;
	sigset_t none;
	int status, err;
	pid_t pid;

	snprintf(path, sizeof(path), "%s", point);
	sigemptyset(&none);
	err = posix_spawnattr_init(&attr);
	if (err)
		return -err;
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	err = posix_spawnp(&pid, program, NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (err)
		return -err;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/* Removes an open mount, which is at `point`.  Returns 0 or -errno. */
static int top_remove(int fd, const char *point)
{
	char link[32];
	int err;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	/* Lazily, because our own descriptor keeps it busy, and so does any process inside. */
	if (umount2(link, MNT_DETACH) == 0)
		return 0;
	err = -errno;
	return err == -EPERM ? fusermount(point) : err;
}

/* ---- our own mount -------------------------------------------------------------------------- */

int own_mount_new(struct own_mount **out, const char *mountpoint)
{
	struct mountinfo info;
	struct own_mount *m;
	struct statx st;
	int fds[2], fd, err;

	fd = top_open(mountpoint, &st);
	if (fd < 0)
		return fd;
	close(fd);
	/* libfuse has been seen to report success without a mount, when it had no memory; what is there then belongs
	 * to somebody else, and is perhaps the root of all. */
	err = mountinfo_find(&info, st.stx_mnt_id);
	if (err || !info.is_xsfs)
		return err ? err : -ENODEV;
	m = malloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	/* Now, because later there may be no descriptor left. */
	if (pipe2(fds, O_CLOEXEC) < 0) {
		free(m);
		return -errno;
	}
	close(fds[0]);
	m->id = st.stx_mnt_id;
	m->major = st.stx_dev_major;
	m->minor = st.stx_dev_minor;
	m->broken = fds[1];
	*out = m;
	return 0;
}

void own_mount_device(const struct own_mount *m, unsigned *major, unsigned *minor)
{
	*major = m->major;
	*minor = m->minor;
}

bool own_mount_is_readonly(const struct own_mount *m)
{
	struct mountinfo info;

	return !mountinfo_find(&info, m->id) && !strncmp(info.flags, "ro", 2) && strchr(",", info.flags[2]);
}

/* Opens our mount, if it is the topmost one at its place.  A descriptor; -ENOENT: it is not in this
 * namespace; -EBUSY: something is mounted over it. */
static int own_open(const struct own_mount *m, int fuse_fd, struct mountinfo *info)
{
	struct statx st;
	int fd, err;

	err = mountinfo_find(info, m->id);
	if (err)
		return err;
	if (!info->is_xsfs || info->major != m->major || info->minor != m->minor)
		return -ENOENT;
	fd = top_open(info->point, &st);
	if (fd < 0)
		return -EBUSY;
	if (st.stx_mnt_id != m->id || st.stx_dev_major != m->major || st.stx_dev_minor != m->minor)
		err = -EBUSY;
	else if (!is_connected(fuse_fd) && !(info->is_xsfs && is_dead(fd)))
		/* Our mount is gone, and another one was given its numbers. */
		err = -ENOENT;
	if (!err)
		return fd;
	close(fd);
	return err;
}

void own_mount_end(struct own_mount *m, int fuse_fd, struct logger *log)
{
	struct mountinfo info;
	int fd, err;

	fd = own_open(m, fuse_fd, &info);
	/* This ends the connection: nobody who still waits for an answer, including the program
	 * that removes the mount, must wait for ever. */
	dup2(m->broken, fuse_fd);
	close(m->broken);
	err = fd;
	if (fd >= 0) {
		err = top_remove(fd, info.point);
		close(fd);
	}
	if (err == -EBUSY && fd < 0)
		log_warning(log, "%s: something is mounted over it, so it stays below, dead",
			    info.point);
	else if (err < 0 && err != -ENOENT && err != -EINVAL)
		log_warning(log, "the mount cannot be removed: %s", strerror(-err));
	free(m);
}

/* ---- dead mounts ---------------------------------------------------------------------------- */

/* Opens a mount of xsfs that is on top at `path`.  A descriptor, or -ENOENT if there is none. */
static int xsfs_open(const char *path, struct mountinfo *info)
{
	struct statx st;
	int fd = top_open(path, &st);

	if (fd < 0)
		return -ENOENT;
	/* Cached entries below the root of a dead mount can still be opened. */
	if ((st.stx_attributes & STATX_ATTR_MOUNT_ROOT) &&
	    mountinfo_find(info, st.stx_mnt_id) == 0 && info->is_xsfs && mountinfo_is_whole(info))
		return fd;
	close(fd);
	return -ENOENT;
}

/* Opens a dead mount of xsfs that is on top at `path`.  A descriptor, or -ENOENT
 * if there is none. */
static int dead_open(const char *path, struct mountinfo *info)
{
	int fd = xsfs_open(path, info), answer;

	if (fd < 0)
		return fd;
	orphan_abort(info->minor);
	answer = server_ask(fd);
	if (answer == -ENOTCONN || answer == -ECONNABORTED)
		return fd;
	close(fd);
	return -ENOENT;
}

bool mount_is_silent(const char *path)
{
	struct mountinfo info;
	int fd = xsfs_open(path, &info), answer;

	if (fd < 0)
		return false;
	orphan_abort(info.minor);
	answer = server_ask(fd);
	close(fd);
	return answer == -ETIMEDOUT;
}

bool dead_mount_find(const char *path, char point[PATH_MAX])
{
	struct mountinfo info;
	int fd = dead_open(path, &info);

	if (fd < 0)
		return false;
	close(fd);
	if (point)
		strcpy(point, info.point);
	return true;
}

int dead_mount_remove(const char *path, struct logger *log)
{
	struct mountinfo info;
	int fd, err = 0;

	for (int i = 0; !err && i < DEAD_MAX; i++) {
		fd = dead_open(path, &info);
		if (fd < 0)
			break;
		err = top_remove(fd, info.point);
		close(fd);
		if (!err)
			log_info(log, "%s: removed the mount of an xsfs that was killed", path);
	}
	return err;
}
