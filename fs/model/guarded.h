/* SPDX-License-Identifier: MIT */
/*
 * Which directories a host cannot do without, according to Xen's documents.  A built-in table,
 * extended by the option protect=.  fs/node/protect.h enforces it.
 */
#ifndef FS_MODEL_GUARDED_H
#define FS_MODEL_GUARDED_H

#include "fs/model/patterns.h"

/* Makes the set of these directories from the value of the option, as patterns_init() does. */
int guarded_init(struct patterns *guarded, const char *option);

/* Returns the `i`th pattern of the table, or NULL past the end.  For tests. */
const char *guarded_builtin(unsigned i);

#endif
