/* SPDX-License-Identifier: MIT */
/*
 * The tree of names that a transaction has made, written and removed.  With it, a lookup in
 * the transaction's view is answered from outside, without asking the store inside the
 * transaction: everything asked there counts as read, and so makes conflicts more likely.
 * Pure; the caller locks.
 */
#ifndef FS_MODEL_CHANGES_H
#define FS_MODEL_CHANGES_H

#include <stdint.h>

struct change;

struct changes {
	struct change *root; /* NULL: none yet */
};

/* The knowledge about a node in the transaction. */
enum sight {
	SIGHT_OUTSIDE,     /* nothing: it is as it is outside */
	SIGHT_OUTSIDE_DIR, /* the same, but something below it was changed: it is a directory */
	SIGHT_GONE,
	SIGHT_THERE,       /* it is there, with the children that it has outside */
	SIGHT_LEAF,        /* it is there without children */
	SIGHT_DIR,         /* it is there, with children */
};

void changes_init(struct changes *changes);
void changes_deinit(struct changes *changes);

/* Notes that a request of `type` on `path` succeeded; only XS_WRITE, XS_MKDIR and XS_RM count.
 * Returns 0 or -ENOMEM. */
int changes_note(struct changes *changes, uint32_t type, const char *path);

/* Returns what is known of `path`. */
enum sight changes_see(const struct changes *changes, const char *path);

/* Calls `removed` for each node that was removed together with everything below it, even if it was
 * made again since; then calls `there` for each node that was made or written and still exists. */
void changes_for_each(const struct changes *changes, void (*removed)(void *arg, const char *path),
		      void (*there)(void *arg, const char *path), void *arg);

#endif
