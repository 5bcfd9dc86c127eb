/* SPDX-License-Identifier: MIT */
/* The names in a directory, as one snapshot.  Pure; any thread, one at a time. */
#ifndef FS_LISTING_H
#define FS_LISTING_H

#include <stdbool.h>
#include <stddef.h>

struct listing {
	char **names; /* each owned */
	unsigned count;
	unsigned max;
};

/* Returns an empty listing, or NULL when out of memory. */
struct listing *listing_new(void);

/* Frees; NULL is allowed. */
void listing_free(struct listing *listing);

/* Empties it. */
void listing_clear(struct listing *listing);

/* Adds a name of ours.  Returns 0 or -ENOMEM. */
int listing_add(struct listing *listing, const char *name);

/*
 * Adds the names of a DIRECTORY reply, or of a part of one.  What cannot be the name of a node is
 * left out: the kernel is to see no slash and no dot that a store made up.
 * Returns 0, -ENOMEM, or -EPROTO if the last name has no end.
 */
int listing_add_names(struct listing *listing, const char *body, size_t len);

#endif
