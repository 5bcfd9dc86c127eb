/* SPDX-License-Identifier: MIT */
/* All special files. */
#ifndef FS_SPECIAL_SPECIAL_TABLE_H
#define FS_SPECIAL_SPECIAL_TABLE_H

#include "fs/special/special.h"

/* All of them, and NULL behind the last.  fs.c hands it to those who look for one, as fs->specials. */
extern const struct special *const special_table[];

#endif
