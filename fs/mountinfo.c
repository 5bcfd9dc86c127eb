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
	unsigned long long id;
	bool good;

	good = type && sscanf(line, "%llu %*u %u:%u %ms %ms %ms", &id, &m->major, &m->minor, &root,
			      &point, &flags) == 6 && strlen(point) < sizeof(m->point);
	if (good && sscanf(type, " - %*s %*s %ms", &super) != 1)
		good = false;
	if (good) {
		unescape(point);
		strcpy(m->point, point);
		snprintf(m->flags, sizeof(m->flags), "%s", flags);
		snprintf(m->super, sizeof(m->super), "%s", super);
		m->id = id;
		m->whole = !strcmp(root, "/");
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
