/* SPDX-License-Identifier: MIT */
/*
 * The lists of -o: options with commas between them.  A comma in double quotes is part of a security label,
 * as in context="system_u:object_r:xenfs_t:s0:c1,c2".  For options.c and remount.c; pure.
 */
#ifndef SRC_OPTION_LIST_H
#define SRC_OPTION_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Returns the list that argument *i contains (`-oLIST`) or announces (`-o LIST`, which moves *i to
 * the next argument); NULL for any other argument. */
const char *option_list_at(int argc, char **argv, int *i);

/* Returns the end of the option at `list`: a comma or the NUL. */
const char *option_list_end(const char *list);

/* Calls `take` with each option, of `len` bytes, until it returns true.  Returns whether it did. */
bool option_list_any(const char *list, bool (*take)(const char *option, size_t len, void *arg), void *arg);

/* Returns a copy of the argument in which quoted commas are escaped as libfuse expects, so that a
 * label with categories stays a single option; for the caller to free.  NULL: no memory. */
char *option_list_escape(const char *arg);

#endif
