/* SPDX-License-Identifier: MIT */
/* Sets of paths by shell patterns.  Any thread; pure. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/name.h"
#include "fs/model/patterns.h"

#define NONE "none"

/* Characters that a pattern may contain in addition to those of names. */
static bool is_pattern(const char *text, size_t len)
{
	const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			      "-_@/*?[]!^";

	return len > 1 && len < PATH_SIZE && text[0] == '/' && text[len - 1] != '/' &&
	       strspn(text, allowed) >= len && !memmem(text, len, "//", 2);
}

bool patterns_option_is_legal(const char *option)
{
	size_t len;

	for (;; option += len + 1) {
		len = strcspn(option, ":");
		if (!is_pattern(option, len) &&
		    !(len == strlen(NONE) && !strncmp(option, NONE, len)))
			return false;
		if (!option[len])
			return true;
	}
}

int patterns_init(struct patterns *patterns, const char *const *builtin, const char *option)
{
	char *pattern, *rest;
	size_t n = 0, max = 2;

	*patterns = (struct patterns){ .builtin = builtin };
	if (!option)
		return 0;
	for (const char *p = option; (p = strchr(p, ':')); p++)
		max++;
	patterns->text = rest = strdup(option);
	patterns->extra = calloc(max, sizeof(*patterns->extra));
	if (!patterns->text || !patterns->extra) {
		patterns_deinit(patterns);
		return -ENOMEM;
	}
	while ((pattern = strsep(&rest, ":"))) {
		if (!strcmp(pattern, NONE))
			patterns->builtin = NULL;
		else
			patterns->extra[n++] = pattern;
	}
	return 0;
}

void patterns_deinit(struct patterns *patterns)
{
	free(patterns->text);
	free(patterns->extra);
	*patterns = (struct patterns){ 0 };
}

static unsigned depth(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/*
 * A star matches one name, or a part of it, but never a slash.  fnmatch(3) takes a third of a
 * microsecond, so it comes last.
 */
static bool matches(const char *pattern, const char *path)
{
	const char *last = strrchr(pattern, '/');

	if (depth(pattern) != depth(path) ||
	    (!strpbrk(last, "*?[") && strcmp(last, strrchr(path, '/'))))
		return false;
	return fnmatch(pattern, path, FNM_PATHNAME | FNM_NOESCAPE) == 0;
}

/* Returns whether a pattern for deeper paths matches `path` with as many of its
 * names as `path` has. */
static bool leads_below(const char *pattern, const char *path)
{
	char top[PATH_SIZE];
	unsigned wanted = depth(path);
	const char *end = pattern;

	if (depth(pattern) <= wanted)
		return false;
	for (unsigned i = 0; i < wanted; i++)
		end = strchr(end + 1, '/');
	memcpy(top, pattern, end - pattern);
	top[end - pattern] = '\0';
	return fnmatch(top, path, FNM_PATHNAME | FNM_NOESCAPE) == 0;
}

static bool any(const struct patterns *patterns, const char *path,
		bool (*fits)(const char *pattern, const char *path))
{
	const char *const *p;

	for (p = patterns->builtin; p && *p; p++)
		if (fits(*p, path))
			return true;
	for (p = (const char *const *)patterns->extra; p && *p; p++)
		if (fits(*p, path))
			return true;
	return false;
}

bool patterns_have(const struct patterns *patterns, const char *path)
{
	return any(patterns, path, matches);
}

bool patterns_have_below(const struct patterns *patterns, const char *path)
{
	return any(patterns, path, leads_below);
}

bool patterns_are_empty(const struct patterns *patterns)
{
	return !patterns->builtin && (!patterns->extra || !patterns->extra[0]);
}
