/* SPDX-License-Identifier: MIT */
/*
 * Values and names of the store, read through a mount.  Paths are those of mountpoint_key().
 * For the tools' main thread; nothing is kept.
 */
#ifndef SRC_TOOLS_TOOL_READ_H
#define SRC_TOOLS_TOOL_READ_H

#include <sys/types.h>

#include "src/tools/mountpoint.h"

/* Reads a value as it is in the store, whatever the format of the mount.  *value is the caller's to
 * free, and is followed by a NUL.  Returns its length, or -errno: -ENOENT if
 * there is no such node. */
ssize_t tool_value(const struct mountpoint *m, const char *path, char **value);

/* Returns a copy of a value, for the caller to free, followed by a NUL.  NULL: no memory. */
char *tool_value_copy(const char *data, size_t len);

/* Names, sorted: numbers by their value, then the others. */
struct tool_names {
	char **names;
	size_t n;
};

/* Compares two names in that order, like strcmp(). */
int tool_names_compare(const char *left, const char *right);

/* Adds a copy of a name.  Returns 0 or -ENOMEM. */
int tool_names_add(struct tool_names *names, const char *name);

/* Lists the children of a node.  Returns 0 or -errno; release `names` in either case. */
int tool_children(const struct mountpoint *m, const char *path, struct tool_names *names);
void tool_names_release(struct tool_names *names);

/* Returns whether a word is the number of a domain, and which. */
bool tool_domid(const char *word, unsigned *domid);

#endif
