/* SPDX-License-Identifier: MIT */
/* All special files. */
#ifndef FS_SPECIAL_SPECIAL_TABLE_H
#define FS_SPECIAL_SPECIAL_TABLE_H

#include "fs/special/special.h"

/* All special files, followed by NULL.  fs.c makes it available as fs->specials to code
 * that looks for one. */
extern const struct special *const special_table[];

#endif
