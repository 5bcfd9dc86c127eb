/* SPDX-License-Identifier: MIT */
/*
 * A set of paths of the store, by shell patterns: those of a table, and those that a mount option adds.
 * Pure; not changed once it is made.
 */
#ifndef FS_MODEL_PATTERNS_H
#define FS_MODEL_PATTERNS_H

#include <stdbool.h>

struct patterns {
	const char *const *builtin; /* the table, NULL behind the last; NULL: it does not count */
	char *text;   /* the option's text, which `extra` points into */
	char **extra; /* the option's patterns, NULL behind the last; NULL: no option was given */
};

/*
 * Makes it from a table (borrowed) and the value of the option (NULL: none was given), which
 * patterns_option_is_legal().  Returns 0 or -ENOMEM.
 */
int patterns_init(struct patterns *patterns, const char *const *builtin, const char *option);
void patterns_deinit(struct patterns *patterns);

/* Returns whether a pattern matches `path`, which is absolute.  A star stands for one name, or for a
 * part of it. */
bool patterns_have(const struct patterns *patterns, const char *path);

/* Returns whether a path below `path`, which is absolute and not "/", could match. */
bool patterns_have_below(const struct patterns *patterns, const char *path);

/* Returns whether there is no pattern at all. */
bool patterns_are_empty(const struct patterns *patterns);

/*
 * Returns whether `option` is patterns with colons between them: absolute paths in which shell
 * patterns stand for names.  The word "none" among them turns the table off.
 */
bool patterns_option_is_legal(const char *option);

#endif
