/* SPDX-License-Identifier: MIT */
/*
 * A walk through a subtree: its nodes come in the order of xenstore-ls, each before its children,
 * while the requests for those that follow are on their way.  For whoever turns a subtree into text.
 *
 * Nobody waits here.  walk_next() gives what has come, walk_go() asks for more, and the owner's
 * `ready` is called when one of them has something to do again.  Who does not call them stops the
 * walk: no more than a bounded number of nodes is asked for before the first of them is taken.
 *
 * Nodes that vanish meanwhile, or that the store does not let us read, are left out.
 */
#ifndef FS_SPECIAL_WALK_H
#define FS_SPECIAL_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fs;
struct view;
struct walk;

/* Whom a walk belongs to. */
struct walk_owner {
	/* walk_next() or walk_go() may have something to do.  On the I/O thread, or in walk_go(). */
	void (*ready)(struct walk_owner *owner, struct walk *walk);
	/* The walk will not call any more: it is freed. */
	void (*gone)(struct walk_owner *owner);
};

enum walk_step {
	WALK_NODE,  /* a node */
	WALK_LEAVE, /* behind the last child of a node that had some */
	WALK_WAIT,  /* the next has not come yet */
	WALK_END,   /* that was all */
};

struct walk_node {
	const char *path;
	const char *name; /* the last component of the path, "" for the root */
	const char *value;
	size_t value_len;
	unsigned depth;    /* 0: the node where the walk began */
	bool has_children; /* a WALK_LEAVE will follow */
};

/* Makes a walk from `path` (copied) as `view` shows it, with a reference.  Returns NULL when out of
 * memory; `gone` is not called then. */
struct walk *walk_new(struct fs *fs, const struct view *view, const char *path,
		      struct walk_owner *owner);

struct walk *walk_get(struct walk *walk);
void walk_put(struct walk *walk);

/* Asks for more; `ready` may be called. */
void walk_go(struct walk *walk);

/*
 * Takes the next step, and stores the node, whose strings are valid until the next call; for
 * WALK_LEAVE its depth only.
 * Returns an enum walk_step, or -errno for ever when the walk cannot go on: the node where it began
 * is not there or not readable, the store is lost, no memory; -ESTALE: its transaction is over.
 */
int walk_next(struct walk *walk, struct walk_node *node);

/* Returns where it began. */
const char *walk_path(const struct walk *walk);

/* Returns how many nodes could not be read so far. */
unsigned walk_unreadable(struct walk *walk);

/* Gives up: nothing more is asked for, and what is under way is abandoned.  The caller's reference
 * stays. */
void walk_stop(struct walk *walk);

#endif
