/* SPDX-License-Identifier: MIT */
/* How much room permission lists take.  For node_xattr.c and special_perms.c. */
#ifndef FS_PERMS_H
#define FS_PERMS_H

#include "ring/wire.h"

/* As many as a payload can carry: each entry is at least a letter, a digit and a NUL. */
#define PERMS_WIRE_MAX WIRE_PAYLOAD_MAX

/* The text has a comma for each NUL but the last, which becomes the string's own. */
#define PERMS_TEXT_MAX (WIRE_PAYLOAD_MAX + 1)

#endif
