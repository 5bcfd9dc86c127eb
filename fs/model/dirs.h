/* SPDX-License-Identifier: MIT */
/*
 * Which paths are meant to be directories: the store cannot tell an empty directory from an empty
 * value, but Xen's documents can for the paths that they define.  A table of patterns and those of
 * the option dirs=.  Pure; not changed once it is made.
 */
#ifndef FS_MODEL_DIRS_H
#define FS_MODEL_DIRS_H

#include <stdbool.h>

struct dirs {
	char *text;   /* what the patterns of the option point into */
	char **extra; /* those patterns, NULL behind the last */
	bool builtin; /* the table counts as well */
};

/*
 * Makes it from the value of the option (NULL: none was given), which dirs_option_is_legal().
 * Returns 0 or -ENOMEM.
 */
int dirs_init(struct dirs *dirs, const char *option);
void dirs_deinit(struct dirs *dirs);

/* Returns whether `path`, absolute, is meant to be a directory. */
bool dirs_has(const struct dirs *dirs, const char *path);

/*
 * Returns whether `option` is patterns with colons between them: absolute paths in which shell
 * patterns stand for names.  The word "none" among them turns the table off.
 */
bool dirs_option_is_legal(const char *option);

/* Returns the `i`th pattern of the table, NULL behind the last.  For tests. */
const char *dirs_builtin(unsigned i);

#endif
