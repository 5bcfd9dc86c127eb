/* SPDX-License-Identifier: MIT */
/*
 * Times of change for nodes that have no inode: a bounded set of paths, from which the one longest
 * untouched is dropped first.  For inode_stat.c; no I/O.
 */
#ifndef FS_MODEL_RECENT_H
#define FS_MODEL_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* The most paths that are remembered. */
#define RECENT_MAX 4096

struct recent_entry;

struct recent {
	struct recent_entry *entries; /* longest untouched first */
};

/* Frees everything in it.  A struct of zeros is empty. */
void recent_deinit(struct recent *recent);

/* The node at the first `len` bytes of `path` changed, and, with `below`, perhaps everything below
 * it.  Without memory this is not remembered. */
void recent_add(struct recent *recent, const char *path, size_t len, const struct timespec *at,
		bool below);

/* Returns when `path` changed last, as far as remembered, or 0. */
struct timespec recent_find(const struct recent *recent, const char *path);

/* Returns whether `a` is later than `b`. */
static inline bool time_is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

#endif
