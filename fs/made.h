/* SPDX-License-Identifier: MIT */
/*
 * The directories that mkdir made and that have no children yet: the store cannot tell them from
 * files.  A bounded set of paths; the one longest in it goes first.  Any thread.
 */
#ifndef FS_MADE_H
#define FS_MADE_H

#include <pthread.h>
#include <stdbool.h>

/* The most paths that are remembered. */
#define MADE_MAX 16384

struct made_entry;

struct made {
	pthread_mutex_t lock;
	struct made_entry *entries; /* in the order of their making */
};

void made_init(struct made *made);
void made_deinit(struct made *made);

/* Remembers a path.  Without memory it does not: the directory is then taken for a file once the
 * kernel has forgotten it. */
void made_add(struct made *made, const char *path);

/* Forgets a path. */
void made_remove(struct made *made, const char *path);

/* Returns whether a path is remembered. */
bool made_has(struct made *made, const char *path);

/* `from` was renamed to `to`: moves what is remembered at and below it. */
void made_rename(struct made *made, const char *from, const char *to);

/* Forgets `path` and all below. */
void made_remove_below(struct made *made, const char *path);

/* Remembers what `from` does, too. */
void made_copy(struct made *made, struct made *from);

#endif
