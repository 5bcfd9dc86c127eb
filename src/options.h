/* SPDX-License-Identifier: MIT */
/*
 * The command line as given by a user, mount(8) or fstab, checked.
 * For main.c; pure, except for uid= and gid=, which look names up.  Main thread.
 */
#ifndef SRC_OPTIONS_H
#define SRC_OPTIONS_H

#include <stddef.h>

#include "src/option_values.h"

/*
 * Parses the command line.  Returns 0, or -EINVAL with one line in `why` (of `size` bytes) that
 * says what is wrong and what would be right.  options_free() in both cases.
 */
int options_parse(struct options *options, int argc, char **argv, char *why, size_t size);

void options_free(struct options *options);

/* Returns the text of --help. */
const char *options_help(void);

/* The kinds of -o options. */
enum option_kind {
	OPTION_OURS,
	OPTION_ACCEPTED, /* for libfuse, the kernel or mount(8) */
	OPTION_UNKNOWN,
};

enum option_kind options_kind(const char *arg);

/* Sets our own option `arg`, "name=value", which there must be.  Returns NULL, or what a correct value would be. */
const char *options_set(struct options *options, const char *arg);

/* Returns the name of our own `i`th -o option ("format=", "allow_other"), or NULL past the end. */
const char *options_name(size_t i);

#endif
