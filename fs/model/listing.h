/* SPDX-License-Identifier: MIT */
/*
 * The names in a directory, as one snapshot.  Pure.  While it is being filled it belongs to one
 * thread; afterwards it is shared by references and no longer changes.
 */
#ifndef FS_MODEL_LISTING_H
#define FS_MODEL_LISTING_H

#include <stdbool.h>
#include <stddef.h>

struct listing {
	char **names;  /* each owned; in the order of the store */
	char **sorted; /* the first names, sorted, for listing_has(); NULL before listing_sort() */
	unsigned n_sorted;
	unsigned count;
	unsigned max;
	size_t bytes;  /* memory used, approximately */
	unsigned refs;
};

/* Returns an empty listing with a reference, or NULL when out of memory. */
struct listing *listing_new(void);

/* Takes another reference. */
struct listing *listing_get(struct listing *listing);

/* Gives a reference back; the last one frees.  NULL is allowed. */
void listing_put(struct listing *listing);

/* Prepares for listing_has().  Returns 0 or -ENOMEM. */
int listing_sort(struct listing *listing);

/* Returns whether a listing had `name` when it was sorted. */
bool listing_has(const struct listing *listing, const char *name);

/* Empties it. */
void listing_clear(struct listing *listing);

/* Adds one of xsfs's own names.  Returns 0 or -ENOMEM. */
int listing_add(struct listing *listing, const char *name);

/*
 * Adds the names of a DIRECTORY reply, or of a part of one.  Anything that cannot be the name of a
 * node is left out: the kernel must never see a slash or a dot that a store made up.
 * Returns 0, -ENOMEM, or -EPROTO if the last name has no end.
 */
int listing_add_names(struct listing *listing, const char *body, size_t len);

#endif
