/* SPDX-License-Identifier: MIT */
/* See tool_read.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "ring/wire.h"
#include "src/tools/tool_read.h"

ssize_t tool_value(const struct mountpoint *m, const char *path, char **value)
{
	char file[MOUNTPOINT_FILE_SIZE];
	ssize_t len;

	*value = NULL;
	mountpoint_node(m, path, file);
	for (size_t size = WIRE_PAYLOAD_MAX + 1;; size *= 2) {
		free(*value);
		*value = malloc(size);
		if (!*value)
			return -ENOMEM;
		len = TEMP_FAILURE_RETRY(
			getxattr(file, "user.xenstore.value", *value, size - 1));
		if (len >= 0 || errno != ERANGE)
			break;
	}
	if (len >= 0) {
		(*value)[len] = '\0';
		return len;
	}
	len = errno == ENOTDIR ? -ENOENT : -errno;
	free(*value);
	*value = NULL;
	return len;
}

char *tool_value_copy(const char *data, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy) {
		memcpy(copy, data, len);
		copy[len] = '\0';
	}
	return copy;
}

bool tool_domid(const char *word, unsigned *domid)
{
	uint64_t number;

	if (wire_number_parse(word, strlen(word), UINT16_MAX, &number))
		return false;
	*domid = number;
	return true;
}

int tool_names_compare(const char *left, const char *right)
{
	uint64_t l = 0, r = 0;
	bool l_number = !wire_number_parse(left, strlen(left), INT64_MAX, &l);
	bool r_number = !wire_number_parse(right, strlen(right), INT64_MAX, &r);

	if (l_number != r_number)
		return l_number ? -1 : 1;
	if (l_number && l != r)
		return l < r ? -1 : 1;
	return strcmp(left, right);
}

static int compare(const void *a, const void *b)
{
	return tool_names_compare(*(char *const *)a, *(char *const *)b);
}

int tool_names_add(struct tool_names *names, const char *name)
{
	char **more = names->names;

	/* Doubled at each power of two. */
	if ((names->n & (names->n - 1)) == 0)
		more = realloc(more, (names->n ? 2 * names->n : 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	names->names = more;
	more[names->n] = strdup(name);
	return more[names->n] ? (names->n++, 0) : -ENOMEM;
}

int tool_children(const struct mountpoint *m, const char *path, struct tool_names *names)
{
	char file[MOUNTPOINT_FILE_SIZE];
	struct dirent *entry;
	int err = 0;
	DIR *dir;

	*names = (struct tool_names){ 0 };
	mountpoint_node(m, path, file);
	dir = opendir(file);
	if (!dir)
		return errno == ENOTDIR ? -ENOENT : -errno;
	errno = 0;
	while (!err && (entry = readdir(dir))) {
		if (name_is_legal(entry->d_name))
			err = tool_names_add(names, entry->d_name);
		errno = 0;
	}
	if (!err)
		err = -errno;
	closedir(dir);
	if (names->n)
		qsort(names->names, names->n, sizeof(*names->names), compare);
	return err;
}

void tool_names_release(struct tool_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct tool_names){ 0 };
}
