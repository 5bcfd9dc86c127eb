/* SPDX-License-Identifier: MIT */
/* Reads /proc/self/mountinfo, proc(5). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/mountinfo.h"

/* Decodes the escapes of mountinfo, such as \040, in place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; to++) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*to = (text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0');
			text += 4;
		} else {
			*to = *text++;
		}
	}
	*to = '\0';
}

/* Parses a line.  Returns whether it was well formed. */
static bool line_parse(struct mountinfo *m, const char *line)
{
	const char *type = strstr(line, " - ");
	char *root = NULL, *point = NULL, *flags = NULL, *super = NULL;
	unsigned long long id, parent;
	bool good;

	good = type && sscanf(line, "%llu %llu %u:%u %ms %ms %ms", &id, &parent, &m->major, &m->minor, &root, &point,
			      &flags) == 7 && strlen(root) < sizeof(m->root) && strlen(point) < sizeof(m->point);
	if (good && sscanf(type, " - %*s %*s %ms", &super) != 1)
		good = false;
	if (good) {
		unescape(root);
		unescape(point);
		strcpy(m->root, root);
		strcpy(m->point, point);
		snprintf(m->flags, sizeof(m->flags), "%s", flags);
		snprintf(m->super, sizeof(m->super), "%s", super);
		m->id = id;
		m->parent = parent;
		m->is_xsfs = !strncmp(type, " - fuse.xsfs ", 13);
	}
	free(root);
	free(point);
	free(flags);
	free(super);
	return good;
}

int mountinfo_find(struct mountinfo *found, uint64_t id)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	int err = -ENOENT;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return -errno;
	while (err && getline(&line, &size, file) > 0)
		if (line_parse(found, line) && found->id == id)
			err = 0;
	free(line);
	fclose(file);
	return err;
}

bool mountinfo_is_whole(const struct mountinfo *m)
{
	return !strcmp(m->root, "/");
}

bool mountinfo_each(bool (*take)(const struct mountinfo *m, void *arg), void *arg)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	struct mountinfo m;
	bool taken = false;
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return false;
	while (!taken && getline(&line, &size, file) > 0)
		taken = line_parse(&m, line) && take(&m, arg);
	free(line);
	fclose(file);
	return taken;
}

/* Returns the length of a path without a slash at its end: 0 for "/". */
static size_t stem(const char *path)
{
	return strcmp(path, "/") ? strlen(path) : 0;
}

/* Returns whether `m` is mounted on `below`, where that shows `path` of its filesystem, or below it. */
static bool is_on(const struct mountinfo *m, const struct mountinfo *below, const char *path)
{
	char at[2 * PATH_MAX];
	size_t len = stem(path);

	if (m->parent != below->id || strlen(m->point) < stem(below->point))
		return false;
	snprintf(at, sizeof(at), "%.*s%s", (int)stem(below->root), below->root, m->point + stem(below->point));
	return !strncmp(at, path, len) && (!at[len] || at[len] == '/');
}

/* Returns whether any of these lines, each with a NUL, up to `end`, is a mount like that, or cannot be read. */
static bool any_on(const char *lines, const char *end, const struct mountinfo *below, const char *path)
{
	struct mountinfo m;

	for (const char *line = lines; line < end; line += strlen(line) + 1)
		if (!line_parse(&m, line) || is_on(&m, below, path))
			return true;
	return false;
}

/* Reads the whole list at once, its lines as any_on() wants them.  Returns it, to be freed, or NULL. */
static char *read_lines(const char **end)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *text = NULL;
	size_t size = 0;
	ssize_t len;

	if (!file)
		return NULL;
	/* There is no NUL in it. */
	len = getdelim(&text, &size, '\0', file);
	fclose(file);
	if (len < 0) {
		free(text);
		return NULL;
	}
	*end = text + len;
	for (char *at = text; (at = strchr(at, '\n')); at++)
		*at = '\0';
	return text;
}

bool mountinfo_is_mounted_on(unsigned major, unsigned minor, const char *path)
{
	const char *end;
	char *lines = read_lines(&end);
	struct mountinfo m;
	bool found = !lines;

	for (const char *line = lines; !found && line < end; line += strlen(line) + 1)
		found = !line_parse(&m, line) || (m.major == major && m.minor == minor && any_on(lines, end, &m, path));
	free(lines);
	return found;
}
