/* SPDX-License-Identifier: MIT */
/*
 * Nodes to be written, and writing them: all in one transaction, or one after the other.
 * For the tools' main thread.
 */
#ifndef SRC_TOOLS_CHANGES_H
#define SRC_TOOLS_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "src/tools/raw.h"

struct change {
	char *path;
	char *value; /* NULL: a missing node is made, an existing one keeps its value */
	size_t len;
	char *perms; /* as text, "n0,r1"; NULL: those that a new node gets */
};

struct changes {
	struct change *list; /* parents before children, which inherit their permissions */
	size_t n;
};

/* Adds a node; everything is copied.  `value` and `perms` may be NULL.  Returns 0 or -ENOMEM. */
int changes_add(struct changes *changes, const char *path, const char *value, size_t len,
		const char *perms);
void changes_release(struct changes *changes);

/* What happens to the node at the base of the changes. */
enum changes_base {
	CHANGES_MERGE,   /* existing nodes stay, and are overwritten */
	CHANGES_NEW,     /* it must be missing, or have neither value nor children: -EEXIST */
	CHANGES_REPLACE, /* it is removed first */
};

/*
 * Makes the changes.  `base` is the path that `how` is about.  In a transaction, a conflict is
 * retried up to a hundred times, with pauses.
 * Returns 0, -EAGAIN (conflicts each time), or -errno; *failed, if not NULL, is then the path
 * concerned, or NULL if the error is about all of them.
 */
int changes_apply(const struct changes *changes, struct raw *raw, bool transaction,
		  enum changes_base how, const char *base, const char **failed);

/* How often a transaction is retried, and the pause before that; `try` counts from 0. */
#define CHANGES_TRIES 100
void changes_pause(unsigned try);

#endif
