/* SPDX-License-Identifier: MIT */
/*
 * What this mount remembers of nodes without a value, because the store cannot tell it: whether they
 * are directories or files, and whether their `.value` exists in the uniform view.  A bounded set of
 * paths; the one longest in it goes first, which changes the look of an empty node and nothing else:
 * a directory becomes a file once the kernel has forgotten it, a file at a path of dirs.h a
 * directory, and a `.value` is there again, empty.  The caller holds the filesystem's lock.
 */
#ifndef FS_MODEL_MADE_H
#define FS_MODEL_MADE_H

#include <stdbool.h>

/* The most paths that are remembered. */
#define MADE_MAX 16384

struct made_entry;

struct made {
	struct made_entry *entries; /* in the order of their making */
};

void made_init(struct made *made);
void made_deinit(struct made *made);

/* mkdir made the node: a directory whose value nobody wrote.  Without memory that is not remembered,
 * here and below, as if the set had been full. */
void made_add(struct made *made, const char *path);

/* Forgets a path. */
void made_remove(struct made *made, const char *path);

/* Returns whether a node without children is a directory because mkdir made it. */
bool made_has(struct made *made, const char *path);

/* The node is to stay a directory, or a file, whatever its value. */
void made_as_dir(struct made *made, const char *path);
void made_as_file(struct made *made, const char *path);

/* Returns whether it is to stay a file. */
bool made_is_file(struct made *made, const char *path);

/* The file `.value` of a node was removed.  Only an empty value makes that true. */
void made_value_removed(struct made *made, const char *path);

/* The value was written, or seen not to be empty.  Returns whether `.value` did not exist before, in
 * the uniform view. */
bool made_value_written(struct made *made, const char *path);

/* Returns whether `.value` does not exist in the uniform view, if the value is empty. */
bool made_has_no_value(struct made *made, const char *path);

/* `from` was renamed to `to`: moves what is remembered at and below it. */
void made_rename(struct made *made, const char *from, const char *to);

/* Forgets `path` and all below. */
void made_remove_below(struct made *made, const char *path);

/* Remembers what `from` does, too. */
void made_copy(struct made *made, struct made *from);

/* Remembers of `path` what `from` does, and no more. */
void made_take(struct made *made, const char *path, struct made *from);

#endif
