/* SPDX-License-Identifier: MIT */
/*
 * A set of store paths given by shell patterns: those of a built-in table, and those that a mount
 * option adds.  Pure; constant once made.
 */
#ifndef FS_MODEL_PATTERNS_H
#define FS_MODEL_PATTERNS_H

#include <stdbool.h>

struct patterns {
	const char *const *builtin; /* the table, ending with NULL; NULL: the table is off */
	char *text;   /* the option's text, which `extra` points into */
	char **extra; /* the option's patterns, ending with NULL; NULL: no option was given */
};

/*
 * Makes the set from a table (borrowed) and the value of the option (NULL: none was given), for
 * which patterns_option_is_legal() must hold.  Returns 0 or -ENOMEM.
 */
int patterns_init(struct patterns *patterns, const char *const *builtin, const char *option);
void patterns_deinit(struct patterns *patterns);

/* Returns whether a pattern matches `path`, which is absolute.  A star matches one name,
 * or a part of one. */
bool patterns_have(const struct patterns *patterns, const char *path);

/* Returns whether a path below `path`, which is absolute and not "/", could match. */
bool patterns_have_below(const struct patterns *patterns, const char *path);

/* Returns whether there is no pattern at all. */
bool patterns_are_empty(const struct patterns *patterns);

/*
 * Returns whether `option` is a list of patterns separated by colons: absolute paths in which shell
 * patterns stand for names.  The word "none" in the list turns the table off.
 */
bool patterns_option_is_legal(const char *option);

#endif
