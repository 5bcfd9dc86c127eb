/* SPDX-License-Identifier: MIT */
/*
 * Which paths are meant to be directories.  The store cannot tell an empty directory from an
 * empty value, but Xen's documents define what many paths are.  A built-in table, extended by
 * the option dirs=.
 */
#ifndef FS_MODEL_DIRS_H
#define FS_MODEL_DIRS_H

#include "fs/model/patterns.h"

/* Makes the set of these paths from the value of the option, as patterns_init() does. */
int dirs_init(struct patterns *dirs, const char *option);

/* Returns the `i`th pattern of the table, or NULL past the end.  For tests. */
const char *dirs_builtin(unsigned i);

#endif
