/* SPDX-License-Identifier: MIT */
/*
 * Facts about nodes without a value that the store cannot tell, and so this mount remembers:
 * whether they are directories or files, and whether their `.value` exists in the uniform view.  A
 * bounded set of paths.  The path that has been in it longest is dropped first; that changes the
 * appearance of an empty node and nothing else: a directory becomes a file once the kernel has
 * forgotten it, a file at a path of dirs.h becomes a directory, and a removed `.value` is back,
 * empty.  The caller holds the filesystem's lock.
 */
#ifndef FS_MODEL_EMPTY_NODES_H
#define FS_MODEL_EMPTY_NODES_H

#include <stdbool.h>

/* The most paths that are remembered. */
#define EMPTY_NODES_MAX 16384

struct empty_node;

struct empty_nodes {
	struct empty_node *entries; /* in the order of their making */
};

void empty_nodes_init(struct empty_nodes *set);
void empty_nodes_deinit(struct empty_nodes *set);

/* mkdir made the node, so it is a directory whose value nobody wrote.  If memory is short, this
 * function and those below forget, as if the set had been full. */
void empty_nodes_add(struct empty_nodes *set, const char *path);

/* Forgets a path. */
void empty_nodes_remove(struct empty_nodes *set, const char *path);

/* Returns whether a node without children is a directory because mkdir made it. */
bool empty_nodes_has(struct empty_nodes *set, const char *path);

/* The node must stay a directory, or a file, whatever its value. */
void empty_nodes_as_dir(struct empty_nodes *set, const char *path);
void empty_nodes_as_file(struct empty_nodes *set, const char *path);

/* Returns whether the node must stay a file. */
bool empty_nodes_is_file(struct empty_nodes *set, const char *path);

/* The file `.value` of a node was removed.  That holds only while the value is empty. */
void empty_nodes_value_removed(struct empty_nodes *set, const char *path);

/* The value was written, or was seen not to be empty.  Returns whether `.value` did not exist
 * before, in the uniform view. */
bool empty_nodes_value_written(struct empty_nodes *set, const char *path);

/* Returns whether `.value` does not exist in the uniform view, given that the value is empty. */
bool empty_nodes_has_no_value(struct empty_nodes *set, const char *path);

/* `from` was renamed to `to`: moves all facts at and below it. */
void empty_nodes_rename(struct empty_nodes *set, const char *from, const char *to);

/* Forgets `path` and everything below it. */
void empty_nodes_remove_below(struct empty_nodes *set, const char *path);

/* Adds all facts that `from` has. */
void empty_nodes_copy(struct empty_nodes *set, struct empty_nodes *from);

/* Replaces the facts about `path` by those that `from` has. */
void empty_nodes_take(struct empty_nodes *set, const char *path, struct empty_nodes *from);

#endif
