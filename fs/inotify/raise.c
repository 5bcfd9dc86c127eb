/* SPDX-License-Identifier: MIT */
/*
 * File operations on our own mount, on the teller's thread.
 *
 * They go through a mount of the teller's own, to which no path leads.  So unmounting the visible one is not refused,
 * nothing that is mounted on one of our directories is in the way, and it can be written to where the visible one is
 * read-only.  While there is such a mount the filesystem lives, so it is given up as soon as there is nothing to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fs/events/notifier.h"
#include "fs/inotify/inotify_impl.h"
#include "fs/op/lock.h"

/* How long mount(2) has for what it does between finding a directory and mounting there. */
#define MOUNTING_NS 20000000L

/* A name that no node can have, and that nothing in xsfs has. */
#define PROBE_NAME ".inotify-probe"

/* ---- a mount of the teller's own ---- */

#if defined(SYS_open_tree) && defined(SYS_mount_setattr) && defined(SYS_fspick) && defined(SYS_fsmount)

/* Clears or sets the flag "read-only" of a mount.  Returns 0 or -errno. */
static int set_readonly(int fd, const char *path, int flags, bool readonly)
{
	struct mount_attr attr = { 0 };

	if (readonly)
		attr.attr_set = MOUNT_ATTR_RDONLY;
	else
		attr.attr_clr = MOUNT_ATTR_RDONLY;
	return syscall(SYS_mount_setattr, fd, path, flags, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* Mounts what is served through `fuse_fd` once more.  The visible mount is not touched: who unmounts it at this moment
 * is not told that it is busy, as he would be if it were copied.  There is only one option: a new filesystem needs
 * more, so none is made by mistake.  Returns a descriptor of the mount, or -errno; -ENOTCONN: all others are gone. */
static int mount_again(int fuse_fd)
{
	char number[16];
	int fs_fd = syscall(SYS_fsopen, "fuse", FSOPEN_CLOEXEC), fd = -1, err;

	if (fs_fd < 0)
		return -errno;
	snprintf(number, sizeof(number), "%d", fuse_fd);
	if (syscall(SYS_fsconfig, fs_fd, FSCONFIG_SET_STRING, "fd", number, 0) == 0 &&
	    syscall(SYS_fsconfig, fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC,
			     MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	err = errno;
	close(fs_fd);
	return fd < 0 ? -err : fd;
}

/* Returns whether mount_again() will never succeed: a filter of system calls or a security module does not allow it; or
 * SELinux wants options of its own again (`-o context=`), and says so in the kernel's log each time. */
static bool is_refused(int err)
{
	return err == -EPERM || err == -EACCES || err == -EINVAL || err == -EBUSY || err == -ENOSYS;
}

/* Checks that a copy is one of our own mount, and makes it writable.  Returns 0 or -errno. */
static int prepare_copy(const struct inotify_place *place, int fd)
{
	struct statx st;

	/* Not synchronised, as it may be a mount of another server that does not answer. */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) < 0)
		return -errno;
	/* Something else is mounted over it. */
	if (st.stx_dev_major != place->major || st.stx_dev_minor != place->minor)
		return -EXDEV;
	return set_readonly(fd, "", AT_EMPTY_PATH, false);
}

/* Copies the visible mount, which is busy for a few microseconds then.  Returns a descriptor, or -errno. */
static int copy_mount(const struct inotify_place *place)
{
	int fd = syscall(SYS_open_tree, AT_FDCWD, place->mountpoint,
			 AT_NO_AUTOMOUNT | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = prepare_copy(place, fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* Returns a descriptor of a new mount of our filesystem, or -errno; -EXDEV: it is not mounted any more or, where it has
 * to be copied, not on top at its place. */
static int new_mount(struct inotify *in, int fuse_fd)
{
	int fd;

	if (!in->copies) {
		fd = mount_again(fuse_fd);
		if (!is_refused(fd))
			return fd == -ENOTCONN ? -EXDEV : fd;
		in->copies = true;
	}
	return copy_mount(&in->place);
}

/* Makes the filesystem itself writable, which the flags of its mounts restrict.  Returns 0 or -errno. */
static int make_writable(const char *mountpoint)
{
	int fd = syscall(SYS_fspick, AT_FDCWD, mountpoint, FSPICK_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_fsconfig, fd, FSCONFIG_SET_FLAG, "rw", NULL, 0) < 0 ||
	    syscall(SYS_fsconfig, fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		err = -errno;
	close(fd);
	return err;
}

int inotify_unlock(const char *mountpoint)
{
	/* The kernel has set this already, but what follows must not depend on that. */
	int err = set_readonly(AT_FDCWD, mountpoint, 0, true);

	return err ? err : make_writable(mountpoint);
}

#else

static int new_mount(struct inotify *in, int fuse_fd)
{
	(void)in;
	(void)fuse_fd;
	return -ENOSYS;
}

int inotify_unlock(const char *mountpoint)
{
	(void)mountpoint;
	return -ENOSYS;
}

#endif

/* Enters a new mount, unless the teller is in one.  Returns 0 or -errno. */
static int enter(struct fs *fs)
{
	struct inotify *in = fs->inotify;
	int fd, err = 0;

	if (in->inside)
		return 0;
	fd = new_mount(in, fuse_session_fd(fs->se));
	if (fd < 0)
		return fd;
	if (fchdir(fd) < 0)
		err = -errno;
	close(fd);
	in->inside = !err;
	return err;
}

void raise_pause(struct fs *fs)
{
	struct inotify *in = fs->inotify;

	if (in->inside && chdir("/") == 0)
		in->inside = false;
}

/* ---- operations ---- */

/* Writes the path of a directory in the mount, relative to the mount's root, to `path` (PATH_MAX). */
static bool path_in_mount(const struct inode *dir, char *path)
{
	char *start = path + PATH_MAX - 1;
	size_t len;

	*start = '\0';
	for (; dir->parent; dir = dir->parent) {
		len = strlen(dir->name);
		if (dir->removed || start - path < (ptrdiff_t)len + 2)
			return false;
		if (*start)
			*--start = '/';
		start -= len;
		memcpy(start, dir->name, len);
	}
	memmove(path, start, strlen(start) + 1);
	return true;
}

/* Opens a directory by its path in the mount.  What the kernel has to look up on the way is answered without the
 * store, too. */
static int open_dir(const char *path)
{
	int fd = open(*path ? path : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int modify(int dir, const char *name)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } };
	int fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), err = 0;

	/* Where even the owner may not write, at least this. */
	if (fd < 0 && errno == EACCES)
		return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	if (fd < 0)
		return -errno;
	/* To set this time alone counts as a change of the content. */
	if (futimens(fd, times) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int operate(const struct expected *e, int dir, const char *name)
{
	int rc = -1;

	switch (e->kind) {
	case RAISE_MODIFY:
		return modify(dir, name);
	case RAISE_ATTRIB:
		rc = utimensat(dir, name, NULL, AT_SYMLINK_NOFOLLOW);
		break;
	case RAISE_CREATE:
		rc = e->is_dir ? mkdirat(dir, name, 0700) : mknodat(dir, name, S_IFREG | 0600, 0);
		break;
	case RAISE_DELETE:
		rc = unlinkat(dir, name, e->is_dir ? AT_REMOVEDIR : 0);
		break;
	case RAISE_PROBE:
		rc = mkdirat(dir, name, 0700);
		break;
	}
	return rc < 0 ? -errno : 0;
}

/* Returns whether something is mounted on `name` in the directory with that path in the mount, or below it. */
static bool is_mounted_on(const struct inotify *in, const char *path, const char *name)
{
	char whole[PATH_MAX + PATH_SIZE + 3];

	snprintf(whole, sizeof(whole), "%s%s/%s", *path ? "/" : "", path, name);
	return in->place.is_mounted_on(in->place.major, in->place.minor, whole);
}

/* Returns whether it may succeed another time: not where it is mounted over, or not mounted any more.  Else the kernel
 * may have learnt meanwhile what it believes to be true for a while, there was no memory, or it is read-only at
 * present. */
static bool may_succeed(int err)
{
	return err != -EXDEV && err != -EBUSY && err != -ENOSYS && err != -INOTIFY_PROBE_ERROR;
}

/* Whoever remounts it read-only makes the filesystem itself so. */
static void note_readonly(struct fs *fs, bool readonly)
{
	struct inotify *in = fs->inotify;

	if (readonly == in->readonly)
		return;
	in->readonly = readonly;
	fs->inotify_counters.on = !readonly;
	if (readonly) {
		log_info(fs->log, "readers of inotify are not told what others change while the filesystem is remounted read-only");
	} else {
		log_info(fs->log, "readers of inotify are told again what others change");
		inotify_wake(fs);
	}
}

int raise_event(struct fs *fs, struct expected *expected)
{
	static const char *const names[] = {
		[RAISE_PROBE] = "probe",
		[RAISE_MODIFY] = "modify",
		[RAISE_ATTRIB] = "attrib",
		[RAISE_CREATE] = "create",
		[RAISE_DELETE] = "delete",
	};
	/* Somebody may have found the directory, to mount something there, and not have done so yet.  Who finds it after
	 * that has to ask, and then it is not made. */
	static const struct timespec mounting = { .tv_nsec = MOUNTING_NS };
	struct inotify *in = fs->inotify;
	uint64_t parent = expected->dir->nodeid;
	char name[PATH_SIZE], path[PATH_MAX];
	bool known = expected->inode && expected->inode->nlookup > 0, rofs;
	int dir, err;

	/* Copies, as the inode may get another name meanwhile. */
	strcpy(name, expected->name);
	if (!path_in_mount(expected->dir, path))
		return -ENXIO;
	in->expected = expected;
	fs_unlock(fs);
	err = enter(fs);
	dir = err ? err : open_dir(path);
	if (dir >= 0) {
		if (expected->kind == RAISE_CREATE || expected->kind == RAISE_DELETE)
			notifier_expire(fs, parent, name);
		if (expected->kind == RAISE_CREATE && known && expected->is_dir)
			nanosleep(&mounting, NULL);
		/* The kernel may know the name as something else, or have found it already; that it forgets it would
		 * unmount what somebody has mounted there.  No path would lead to what is mounted below a directory
		 * that is removed. */
		if (((expected->kind == RAISE_CREATE && known) || (expected->kind == RAISE_DELETE && expected->is_dir)) &&
		    is_mounted_on(in, path, name))
			err = -EBUSY;
		if (!err)
			err = operate(expected, dir, name);
		close(dir);
	} else {
		err = dir;
	}
	fs_lock(fs);
	in->expected = NULL;
	rofs = err == -EROFS;
	if (expected->kind != RAISE_PROBE && !expected->done && err && (expected->overtaken || may_succeed(err)))
		err = -EAGAIN;
	if (!err)
		fs->inotify_counters.raised++;
	if (rofs)
		note_readonly(fs, true);
	log_debug(fs->log, "inotify %s %s/%s: %s", names[expected->kind], path, name, err ? strerror(-err) : "ok");
	return err;
}

/* ---- the probe ---- */

REQUIRES(fs_lock_held) static int try_probe(struct fs *fs, struct expected *probe)
{
	struct inode *root = fs->inodes.root;

	*probe = (struct expected){
		.kind = RAISE_PROBE,
		.dir = root,
		.changes = root->told.changes,
		.name = PROBE_NAME,
		.is_dir = true,
	};
	return raise_event(fs, probe);
}

void raise_retry(struct fs *fs)
{
	struct expected probe;

	try_probe(fs, &probe);
	if (probe.done)
		note_readonly(fs, false);
}

const char *raise_probe(struct fs *fs)
{
	struct expected probe;
	int err = try_probe(fs, &probe);

	/* It is known by now, as the kernel begins with INIT. */
	if (err == -INOTIFY_PROBE_ERROR && !fs->can_close)
		return "this kernel cannot close a file without asking (Linux 5.16 can)";
	if (err == -INOTIFY_PROBE_ERROR && probe.done && !probe.refused)
		return NULL;
	if (err == -ENOSYS)
		return "this kernel cannot copy a mount (Linux 5.12 can)";
	if (err == -EROFS || err == -EPERM || err == -EACCES)
		return strerror(-err);
	return "requests of its own are not recognised";
}
