/* SPDX-License-Identifier: MIT */
/*
 * An index of paths and of the parties interested in them; it finds those at, above and below a
 * path.  Pure; the caller serialises.
 *
 * Paths form a tree: each name in one has an entry, which all paths that begin the same way share.
 * Special paths ("@releaseDomain") stand alone.
 */
#ifndef FS_EVENTS_PATH_INDEX_H
#define FS_EVENTS_PATH_INDEX_H

#include <stdbool.h>
#include <sys/queue.h>

struct path_entry;

struct path_index {
	struct path_entry *entries; /* by path */
};

/* One interested party, embedded in the object that it belongs to. */
struct path_user {
	struct path_entry *at;
	const char *path;
	LIST_ENTRY(path_user) link;
};

/* An index whose users have all been removed holds nothing to be freed. */
void path_index_init(struct path_index *index);

/* Adds a user of `path` (absolute or special; borrowed for as long as the user is in the index).
 * Returns 0 or -ENOMEM. */
int path_index_add(struct path_index *index, struct path_user *user, const char *path);

/* Removes a user.  From within path_index_visit(), only the one being visited. */
void path_index_remove(struct path_index *index, struct path_user *user);

/* Calls `fn` for each user of exactly that path until it returns true.  Returns
 * that user, or NULL. */
struct path_user *path_index_find(struct path_index *index, const char *path,
				  bool (*fn)(void *arg, struct path_user *user), void *arg);

/*
 * Something happened at `path`.  Calls `fn` for each user of it and of the paths above it, with
 * `path`, and for each user below it with that user's path.  `fn` must not add or remove users.
 */
void path_index_visit(struct path_index *index, const char *path,
		      void (*fn)(void *arg, struct path_user *user, const char *path), void *arg);

#endif
