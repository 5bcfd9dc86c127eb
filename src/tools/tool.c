/* SPDX-License-Identifier: MIT */
/* See tool.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "src/tools/tool.h"
#include "src/tools/usage.h"

int tool_option(struct tool *t, int option, char **argv)
{
	switch (option) {
	case 'h':
		printf("%s\n%s\n", t->usage, t->help);
		exit(tool_end(t, TOOL_OK));
	case 'V':
		printf("%s " PACKAGE_VERSION "\n", t->name);
		exit(tool_end(t, TOOL_OK));
	case 'j':
		t->json = true;
		return 0;
	case 'm':
		t->mount = optarg;
		return 0;
	default:
		usage_wrong_option(t->why, sizeof(t->why), argv[optind - 1], t->usage);
		return -EINVAL;
	}
}

int tool_options(struct tool *t, int argc, char **argv)
{
	static const struct option options[] = { TOOL_OPTIONS, TOOL_JSON_OPTION, { 0 } };
	int option, err = 0;

	opterr = 0;
	while (!err && (option = getopt_long(argc, argv, TOOL_LETTERS TOOL_JSON_LETTER, options,
					     NULL)) != -1)
		err = tool_option(t, option, argv);
	return err;
}

int tool_usage_error(struct tool *t)
{
	snprintf(t->why, sizeof(t->why), "%s", t->usage);
	return -EINVAL;
}

int tool_complain(struct tool *t, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->why, sizeof(t->why), fmt, ap);
	va_end(ap);
	return err;
}

int tool_fail(struct tool *t, int err, const char *what)
{
	return tool_complain(t, err, "%s: %s", what, strerror(-err));
}

void tool_warn(const struct tool *t, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: ", t->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int tool_find_mount(struct tool *t, const char *word)
{
	return mountpoint_find(&t->mountpoint, t->mount, word, t->why, sizeof(t->why));
}

int tool_key(struct tool *t, const char *key, char path[PATH_SIZE])
{
	return mountpoint_key(&t->mountpoint, key, path, t->why, sizeof(t->why));
}

int tool_end(struct tool *t, int status)
{
	if (ferror(stdout) || fflush(stdout) == EOF)
		status = tool_complain(t, -EIO, "standard output cannot be written");
	if (t->why[0])
		tool_warn(t, "%s", t->why);
	return status < 0 ? TOOL_ERROR : status;
}
