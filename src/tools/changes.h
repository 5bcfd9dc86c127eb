/* SPDX-License-Identifier: MIT */
/*
 * Nodes that are to be written, and the writing: all in one transaction, or one after the other.
 * For the tools' main thread.
 */
#ifndef SRC_TOOLS_CHANGES_H
#define SRC_TOOLS_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "src/tools/raw.h"

struct change {
	char *path;
	char *value; /* NULL: the node is made if it is missing, and keeps the value that it has */
	size_t len;
	char *perms; /* as text, "n0,r1"; NULL: those of a new node */
};

struct changes {
	struct change *list; /* parents before children: these inherit permissions */
	size_t n;
};

/* Adds a node; everything is copied.  `value` and `perms` may be NULL.  Returns 0 or -ENOMEM. */
int changes_add(struct changes *changes, const char *path, const char *value, size_t len,
		const char *perms);
void changes_release(struct changes *changes);

/* What becomes of the node that all is at or below. */
enum changes_base {
	CHANGES_MERGE,   /* what is there stays, and is written over */
	CHANGES_NEW,     /* it must be missing, or have neither value nor children: -EEXIST */
	CHANGES_REPLACE, /* it is removed first */
};

/*
 * Makes the changes.  `base` is the path that `how` is about.  In a transaction a conflict is tried
 * again, with pauses, up to a hundred times.
 * Returns 0, -EAGAIN (conflicts each time), or -errno with *failed, if not NULL, the path that it is
 * about, or NULL if it is about all.
 */
int changes_apply(const struct changes *changes, struct raw *raw, bool transaction,
		  enum changes_base how, const char *base, const char **failed);

/* How often a transaction is tried again, and the pause before that; `try` counts from 0. */
#define CHANGES_TRIES 100
void changes_pause(unsigned try);

#endif
