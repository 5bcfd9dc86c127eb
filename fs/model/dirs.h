/* SPDX-License-Identifier: MIT */
/*
 * Which paths are meant to be directories: the store cannot tell an empty directory from an empty
 * value, but Xen's documents can for the paths that they define.  A table, and the option dirs=.
 */
#ifndef FS_MODEL_DIRS_H
#define FS_MODEL_DIRS_H

#include "fs/model/patterns.h"

/* Makes the set of them from the value of the option, as patterns_init() does. */
int dirs_init(struct patterns *dirs, const char *option);

/* Returns the `i`th pattern of the table, NULL behind the last.  For tests. */
const char *dirs_builtin(unsigned i);

#endif
