/* SPDX-License-Identifier: MIT */
/*
 * The common parts of the tools that use a mount: options, messages, the exit status, and how they
 * find the mount.  For their main thread.
 *
 * A tool is one struct tool.  Its functions return 0, a status, or -errno with one line in ->why;
 * main() ends with tool_end(), which prints that line.
 */
#ifndef SRC_TOOLS_TOOL_H
#define SRC_TOOLS_TOOL_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "src/tools/mountpoint.h"

/* Size of messages, which may name a path. */
#define TOOL_WHY_SIZE (PATH_MAX + 512)

/* The exit statuses of every tool. */
enum {
	TOOL_OK,
	TOOL_NO,    /* a missing key, a timeout, a conflict */
	TOOL_ERROR, /* wrong usage, no mount, the store failed */
};

struct tool {
	const char *name;  /* the program's, such as "xsfs-ls" */
	const char *usage; /* one line */
	const char *help;  /* what follows it in --help */
	const char *mount; /* -m, or NULL */
	bool json;
	struct mountpoint mountpoint;
	char why[TOOL_WHY_SIZE];
};

/* The options that every tool has, for getopt_long(); a tool without --json omits that one. */
#define TOOL_LETTERS "hm:V"
#define TOOL_OPTIONS                                 \
	{ "help", no_argument, NULL, 'h' },          \
	{ "mount", required_argument, NULL, 'm' },   \
	{ "version", no_argument, NULL, 'V' }
#define TOOL_JSON_LETTER "j"
#define TOOL_JSON_OPTION { "json", no_argument, NULL, 'j' }

/* Handles one of these options, as getopt_long() returned it; help and version are printed and end
 * the program.  Returns 0, or -EINVAL if it is not an option. */
int tool_option(struct tool *t, int option, char **argv);

/* Parses the options of a tool that has only these and --json; arguments begin at `optind` then.
 * Returns 0, or -EINVAL with a reason. */
int tool_options(struct tool *t, int argc, char **argv);

/* Returns -EINVAL with the usage as the reason. */
int tool_usage_error(struct tool *t);

/* Returns `err` with a reason: a text, or `what` followed by the text of the errno. */
int tool_complain(struct tool *t, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int tool_fail(struct tool *t, int err, const char *what);

/* Prints a line to standard error, as tool_end() does with the final one, and continues. */
void tool_warn(const struct tool *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Finds the mount; `word` as for mountpoint_find(), or NULL. */
int tool_find_mount(struct tool *t, const char *word);

/* Parses `key` by mountpoint_key(). */
int tool_key(struct tool *t, const char *key, char path[PATH_SIZE]);

/* Prints the reason if there is one, and checks that standard output was written.  Returns the exit
 * status for `status`, which is a status or -errno. */
int tool_end(struct tool *t, int status);

#endif
