/* SPDX-License-Identifier: MIT */
/* Where the loopback library and its command are: where the environment says, as in the build tree, or installed. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/loopback.h"

#define LIBRARY "libxsloop.so"
#define COMMAND "xsloop"

int loopback_library(char *path, size_t size)
{
	const char *told = getenv("XSFS_LOOP_LIB");
	int n = snprintf(path, size, "%s", told && *told ? told : PKGLIBDIR "/" LIBRARY);

	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	return access(path, R_OK) < 0 ? -errno : 0;
}

int loopback_command(char *path, size_t size)
{
	/* libtool puts a library that is not installed yet into a subdirectory. */
	static const char *const beside[] = { COMMAND, "../" COMMAND };
	const char *told = getenv("XSFS_LOOP_LIB");
	const char *slash = told ? strrchr(told, '/') : NULL;

	for (size_t i = 0; slash && i < sizeof(beside) / sizeof(beside[0]); i++) {
		snprintf(path, size, "%.*s/%s", (int)(slash - told), told, beside[i]);
		if (access(path, X_OK) == 0)
			return 0;
	}
	snprintf(path, size, "%s", PKGLIBEXECDIR "/" COMMAND);
	return access(path, X_OK) < 0 ? -errno : 0;
}

int loopback_preload(char **argv, char *why, size_t size)
{
	const char *now = getenv("LD_PRELOAD");
	char lib[PATH_MAX], self[PATH_MAX], list[2 * PATH_MAX];
	ssize_t n;
	int err;

#ifndef HAVE_XEN
	snprintf(why, size, "embedded: this xsfs was built without Xen's libraries");
	return -ENOSYS;
#endif
	if (now && strstr(now, LIBRARY))
		return 0;
	err = loopback_library(lib, sizeof(lib));
	if (err) {
		snprintf(why, size, "embedded: %s: %s (" LOOPBACK_PACKAGE ")", lib, strerror(-err));
		return err;
	}
	/* After those already listed, because a sanitizer's runtime must come first. */
	snprintf(list, sizeof(list), "%s%s%s", now ? now : "", now && *now ? ":" : "", lib);
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0 && setenv("LD_PRELOAD", list, 1) == 0) {
		self[n] = '\0';
		execv(self, argv);
	}
	err = -errno;
	snprintf(why, size, "embedded: cannot run again with %s: %s", lib, strerror(-err));
	return err;
}
