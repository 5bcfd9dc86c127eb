/* SPDX-License-Identifier: MIT */
/*
 * Which directories a host cannot do without: what they are for is told by Xen's documents.  A table, and
 * the option protect=.  fs/node/protect.h keeps them.
 */
#ifndef FS_MODEL_GUARDED_H
#define FS_MODEL_GUARDED_H

#include "fs/model/patterns.h"

/* Makes the set of them from the value of the option, as patterns_init() does. */
int guarded_init(struct patterns *guarded, const char *option);

/* Returns the `i`th pattern of the table, NULL behind the last.  For tests. */
const char *guarded_builtin(unsigned i);

#endif
