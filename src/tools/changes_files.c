/* SPDX-License-Identifier: MIT */
/* See changes_files.h. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "src/tools/changes_files.h"

/* A mount, or a transaction in it. */
struct view {
	char tree[PATH_MAX + 64];
	char dir[PATH_MAX + 80]; /* the directory in which every node is a directory */
	size_t root; /* length of the mounted node's path, which file names omit; 0: all */
};

static void view_set(struct view *view, const struct mountpoint *m, const char *tx)
{
	snprintf(view->tree, sizeof(view->tree), *tx ? "%s/.xsfs/tx/%s" : "%s", m->dir, tx);
	snprintf(view->dir, sizeof(view->dir), "%s/.xsfs/nodes", view->tree);
	view->root = m->root[1] ? strlen(m->root) : 0;
}

/* Writes the directory of a node to `file`.  Returns where the node's path begins in it. */
static char *view_file(const struct view *view, const char *path, char file[MOUNTPOINT_FILE_SIZE])
{
	snprintf(file, MOUNTPOINT_FILE_SIZE, "%s%s", view->dir, path[1] ? path + view->root : "");
	return file + strlen(view->dir);
}

/* Makes a missing node.  If it will get a value, and the nodes above it exist as directories, it is
 * made as a file, because what mkdir() makes is shown as a directory. */
static int make_node(const struct view *view, const char *file, bool has_value)
{
	char leaf[MOUNTPOINT_FILE_SIZE];

	if (has_value) {
		snprintf(leaf, sizeof(leaf), "%s%s", view->tree, file + strlen(view->dir));
		if (mknod(leaf, S_IFREG | 0666, 0) == 0)
			return 0;
	}
	return mkdir(file, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

/* Makes a node and any missing ones above it. */
static int make(const struct view *view, const char *path, bool has_value)
{
	char file[MOUNTPOINT_FILE_SIZE];
	char *slash = view_file(view, path, file);
	int err = 0;

	if (access(file, F_OK) == 0)
		return 0;
	while (!err && (slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		if (access(file, F_OK) < 0)
			err = make_node(view, file, false);
		*slash = '/';
	}
	return err ? err : make_node(view, file, has_value);
}

static int apply_one(const struct view *view, const struct change *change)
{
	char file[MOUNTPOINT_FILE_SIZE];
	int err = make(view, change->path, change->value);

	view_file(view, change->path, file);
	if (!err && change->value &&
	    setxattr(file, "user.xenstore.value", change->value, change->len, 0) < 0)
		err = -errno;
	if (!err && change->perms &&
	    setxattr(file, "user.xenstore.perms", change->perms, strlen(change->perms), 0) < 0)
		err = -errno;
	return err;
}

/* Finds an entry: a child, or a `.value`, which always exists and may be empty. */
static int find_entry(const char *file, const struct stat *st, int type, struct FTW *ftw)
{
	(void)file;
	(void)type;
	return ftw->level > 0 && (S_ISDIR(st->st_mode) || st->st_size > 0);
}

static int remove_entry(const char *file, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(file) < 0 && errno != ENOENT ? -errno : 0;
}

static int prepare_base(const struct view *view, enum changes_base how, const char *base)
{
	char file[MOUNTPOINT_FILE_SIZE];
	int n = 0;

	if (how == CHANGES_MERGE)
		return 0;
	view_file(view, base, file);
	if (access(file, F_OK) < 0)
		return 0;
	if (how == CHANGES_NEW)
		n = nftw(file, find_entry, 16, FTW_PHYS);
	else
		n = nftw(file, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (n == -1 && errno)
		n = -errno;
	return n > 0 ? -EEXIST : n;
}

static int apply_all(const struct changes *changes, const struct view *view,
		     enum changes_base how, const char *base, const char **failed)
{
	int err = prepare_base(view, how, base);

	*failed = err ? base : NULL;
	for (size_t i = 0; i < changes->n && !err; i++) {
		err = apply_one(view, &changes->list[i]);
		if (err)
			*failed = changes->list[i].path;
	}
	return err;
}

/* ---- a transaction of our own --------------------------------------------------------------- */

/* Starts a transaction.  Returns its descriptor, or -errno. */
static int start(const struct mountpoint *m, char *name, size_t size)
{
	char file[PATH_MAX + 32];
	ssize_t n;
	int fd;

	snprintf(file, sizeof(file), "%s/.xsfs/transaction", m->dir);
	fd = TEMP_FAILURE_RETRY(open(file, O_RDWR | O_CLOEXEC));
	if (fd < 0)
		return -errno;
	n = TEMP_FAILURE_RETRY(read(fd, name, size - 1));
	if (n <= 0) {
		int err = n ? -errno : -EIO;

		close(fd);
		return err;
	}
	name[n] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return fd;
}

static int apply_once(const struct changes *changes, const struct mountpoint *m,
		      enum changes_base how, const char *base, const char **failed)
{
	struct view view;
	char name[64];
	int err, fd = start(m, name, sizeof(name));

	*failed = NULL;
	if (fd < 0)
		return fd;
	view_set(&view, m, name);
	err = apply_all(changes, &view, how, base, failed);
	if (!err && TEMP_FAILURE_RETRY(write(fd, "commit\n", 7)) < 0)
		err = errno == ECANCELED ? -EAGAIN : -errno;
	/* Without a commit this aborts. */
	close(fd);
	return err;
}

int changes_apply_files(const struct changes *changes, const struct mountpoint *m,
			bool transaction, enum changes_base how, const char *base,
			const char **failed)
{
	struct view view;
	int err;

	if (m->tx[0] || !transaction) {
		view_set(&view, m, m->tx);
		return apply_all(changes, &view, how, base, failed);
	}
	for (unsigned try = 0;; try++) {
		err = apply_once(changes, m, how, base, failed);
		if (err != -EAGAIN || try == CHANGES_TRIES)
			return err;
		changes_pause(try);
	}
}
