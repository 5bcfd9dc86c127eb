/* SPDX-License-Identifier: MIT */
/* Parses the lists of -o. */
#include <stdlib.h>
#include <string.h>

#include "src/option_list.h"

const char *option_list_at(int argc, char **argv, int *i)
{
	if (strncmp(argv[*i], "-o", 2) != 0)
		return NULL;
	if (argv[*i][2])
		return argv[*i] + 2;
	return *i + 1 < argc ? argv[++*i] : "";
}

const char *option_list_end(const char *list)
{
	bool quoted = false;

	for (; *list && (quoted || *list != ','); list++)
		if (*list == '"')
			quoted = !quoted;
	return list;
}

bool option_list_any(const char *list, bool (*take)(const char *option, size_t len, void *arg), void *arg)
{
	const char *end;

	for (;; list = end + 1) {
		end = option_list_end(list);
		if (take(list, end - list, arg))
			return true;
		if (!*end)
			return false;
	}
}

char *option_list_escape(const char *arg)
{
	char *copy = malloc(2 * strlen(arg) + 1), *to = copy;
	bool quoted = false;

	for (; copy && *arg; arg++) {
		if (*arg == '"')
			quoted = !quoted;
		if (*arg == ',' && quoted)
			*to++ = '\\';
		*to++ = *arg;
	}
	if (copy)
		*to = '\0';
	return copy;
}
