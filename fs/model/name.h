/* SPDX-License-Identifier: MIT */
/*
 * Which names and paths a store can have.  Pure; any thread.
 * The rules: docs/misc/xenstore.txt ("Xenstore overview"), xen/io/xs_wire.h for the lengths.
 */
#ifndef FS_MODEL_NAME_H
#define FS_MODEL_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

/* Bytes of a buffer that holds any absolute path with its NUL. */
#define PATH_SIZE (XENSTORE_ABS_PATH_MAX + 1)

/* The file of a node's own value, in the directory that shows the node. */
#define NAME_OF_VALUE ".value"

/* Returns whether `name` can be the last component of a node's path: not empty, only letters,
 * digits and "-_@".  A dot is not legal, so none of xsfs's own names collides with a node. */
bool name_is_legal(const char *name);

/* Returns whether `path` is "/" or a slash followed by legal names between single slashes, and no
 * longer than the protocol allows. */
bool path_is_legal(const char *path);

/*
 * Returns the part of `path` after `top`, without the slash between them: "" if both are the
 * same.  NULL if `path` is neither `top` nor below it.  Both are absolute, or each is one
 * special path ("@…").
 */
const char *path_below(const char *path, const char *top);

/* Returns whether one of the paths is at or below the other. */
bool path_related(const char *a, const char *b);

/*
 * Appends "/name" to the path in `buf`, a buffer of PATH_SIZE ("/" itself gets only the name).
 * Returns 0, or -ENAMETOOLONG with the buffer unchanged.
 */
int path_append(char *buf, const char *name);

#endif
