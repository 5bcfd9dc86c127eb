/* SPDX-License-Identifier: MIT */
/*
 * The names of a directory that do not fit into one reply: put together from the replies to
 * DIRECTORY_PART.  Pure; the caller asks the store and serialises.
 */
#ifndef FS_MODEL_NAME_PARTS_H
#define FS_MODEL_NAME_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The times that it starts over because the directory changes meanwhile. */
#define NAME_PARTS_RESTARTS 8

/* The most bytes that the names may take: a store that never sends the last part must not use up the memory. */
#define NAME_PARTS_MAX ((size_t)16 << 20)

/* Zeroed at first. */
struct name_parts {
	char *names; /* each with a NUL behind it, as in the reply to DIRECTORY */
	size_t len;
	size_t max;
	size_t offset; /* of the part to ask for next */
	uint64_t generation;
	bool changed;
	unsigned restarts;
};

enum name_parts_state {
	NAME_PARTS_MORE,     /* ask for the one at `offset` */
	NAME_PARTS_DONE,
	NAME_PARTS_CHANGING, /* the names are as they were seen last: the directory keeps changing */
};

/*
 * Adds the body of a reply.  Returns a state, -EIO for a reply that makes no sense, -E2BIG when there are
 * more than NAME_PARTS_MAX bytes, or -ENOMEM.
 */
int name_parts_add(struct name_parts *parts, const char *body, size_t len);

/* Frees the names. */
void name_parts_deinit(struct name_parts *parts);

#endif
