/* SPDX-License-Identifier: MIT */
/*
 * A directory is locked for as long as its owner lives, so that the next one can tell which are abandoned.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/private_dir.h"

#define PREFIX "xsfs-embedded."

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

void private_dir_remove(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Opens and locks a directory if it is ours and nobody uses it.  A descriptor, or -errno. */
static int directory_lock(const char *path)
{
	struct stat st;
	int fd, err;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_uid != geteuid())
		err = -EPERM;
	else
		err = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Removes directories left behind by servers whose xsfs was killed. */
static void directories_clean(const char *base, struct logger *log)
{
	struct dirent *entry;
	DIR *dir = opendir(base);

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		char path[PATH_MAX];
		int fd;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    snprintf(path, sizeof(path), "%s/%s", base, entry->d_name) >= PATH_MAX)
			continue;
		fd = directory_lock(path);
		if (fd < 0)
			continue;
		log_debug(log, "embedded: removing %s, whose owner is gone", path);
		private_dir_remove(path);
		close(fd);
	}
	closedir(dir);
}

int private_dir_make(char *path, struct logger *log)
{
	const char *base = getenv("TMPDIR");
	struct stat ours, there;
	int tries, fd;

	if (!base || *base != '/')
		base = access("/run", W_OK) == 0 ? "/run" : "/tmp";
	directories_clean(base, log);
	for (tries = 0; tries < 10; tries++) {
		if (snprintf(path, PATH_MAX, "%s/" PREFIX "XXXXXX", base) >= PATH_MAX)
			return -ENAMETOOLONG;
		if (!mkdtemp(path))
			return -errno;
		fd = directory_lock(path);
		/* Another start that cleaned up just now may have removed the directory
		 * before we locked it. */
		if (fd >= 0 && fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -EBUSY;
}
