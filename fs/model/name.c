/* SPDX-License-Identifier: MIT */
/* Names and paths of nodes.  Pure; any thread. */
#include <errno.h>
#include <string.h>

#include "fs/model/name.h"

#define LEGAL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_@"

bool name_is_legal(const char *name)
{
	return *name && name[strspn(name, LEGAL)] == '\0';
}

bool path_is_legal(const char *path)
{
	size_t len;

	if (*path != '/' || strlen(path) > XENSTORE_ABS_PATH_MAX)
		return false;
	if (path[1] == '\0')
		return true;
	while (*path) {
		path++; /* the slash */
		len = strspn(path, LEGAL);
		if (len == 0 || (path[len] && path[len] != '/'))
			return false;
		path += len;
	}
	return true;
}

const char *path_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	/* The root already ends in the slash that follows every other path. */
	if (len == 1 && top[0] == '/')
		return path[0] == '/' ? path + 1 : NULL;
	if (strncmp(path, top, len) != 0)
		return NULL;
	if (path[len] == '/')
		return path + len + 1;
	return path[len] == '\0' ? path + len : NULL;
}

bool path_related(const char *a, const char *b)
{
	return path_below(a, b) || path_below(b, a);
}

int path_append(char *buf, const char *name)
{
	size_t len = strlen(buf), name_len = strlen(name);

	if (len == 1)
		len = 0;
	if (len + 1 + name_len > XENSTORE_ABS_PATH_MAX)
		return -ENAMETOOLONG;
	buf[len] = '/';
	memcpy(buf + len + 1, name, name_len + 1);
	return 0;
}
