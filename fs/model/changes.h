/* SPDX-License-Identifier: MIT */
/*
 * Which nodes a transaction has made, written and removed: a tree of names.  With it a lookup in the
 * transaction's view is answered from outside and without asking the store within the transaction,
 * where all that is asked counts as read, and makes conflicts.
 * Pure; the caller locks.
 */
#ifndef FS_MODEL_CHANGES_H
#define FS_MODEL_CHANGES_H

#include <stdint.h>

struct change;

struct changes {
	struct change *root; /* NULL: none yet */
};

/* What is known of a node in the transaction. */
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

/* A request of `type` on `path` succeeded: XS_WRITE, XS_MKDIR and XS_RM are noted.
 * Returns 0 or -ENOMEM. */
int changes_note(struct changes *changes, uint32_t type, const char *path);

/* Returns what is known of `path`. */
enum sight changes_see(const struct changes *changes, const char *path);

/* Calls `removed` for each node that was removed with what was below it, whether it was made again
 * or not, and then `there` for each that was made or written and is still there. */
void changes_for_each(const struct changes *changes, void (*removed)(void *arg, const char *path),
		      void (*there)(void *arg, const char *path), void *arg);

#endif
