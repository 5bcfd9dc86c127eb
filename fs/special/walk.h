/* SPDX-License-Identifier: MIT */
/*
 * A walk through a subtree: its nodes come in the order of xenstore-ls, each before its children,
 * while the requests for those that follow are under way.  For code that turns a subtree into text.
 *
 * Nothing waits here.  walk_next() returns what has arrived, walk_go() requests more, and the
 * owner's `ready` is called when one of them has work to do again.  If the owner stops calling them
 * the walk stops: only a bounded number of nodes is requested before the first of them is taken.
 *
 * Nodes that vanish in the meantime, or that the store does not let us read, are left out.
 */
#ifndef FS_SPECIAL_WALK_H
#define FS_SPECIAL_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fs;
struct view;
struct walk;

/* The owner of a walk. */
struct walk_owner {
	/* walk_next() or walk_go() may have work to do.  Called on the I/O thread, or
	 * within walk_go(). */
	void (*ready)(struct walk_owner *owner, struct walk *walk);
	/* The walk will make no further calls: it is freed. */
	void (*gone)(struct walk_owner *owner);
};

enum walk_step {
	WALK_NODE,  /* a node */
	WALK_LEAVE, /* after the last child of a node that had some */
	WALK_WAIT,  /* the next step has not arrived yet */
	WALK_END,   /* there is nothing more */
};

struct walk_node {
	const char *path;
	const char *name; /* last component of the path, "" for the root */
	const char *value;
	size_t value_len;
	unsigned depth;    /* 0 for the node where the walk began */
	bool has_children; /* a WALK_LEAVE will follow */
};

/* Makes a walk that begins at `path` (copied) as `view` shows it, with a reference.  Returns NULL
 * when out of memory; `gone` is not called then. */
struct walk *walk_new(struct fs *fs, const struct view *view, const char *path,
		      struct walk_owner *owner);

struct walk *walk_get(struct walk *walk);
void walk_put(struct walk *walk);

/* Requests more nodes; may call `ready`. */
void walk_go(struct walk *walk);

/*
 * Takes the next step, and stores the node, whose strings are valid until the next call; for
 * WALK_LEAVE only its depth.
 * Returns an enum walk_step.  Once the walk cannot go on it returns -errno every time: the node
 * where it began does not exist or is not readable, the store is lost, memory is short; -ESTALE:
 * its transaction is over.
 */
int walk_next(struct walk *walk, struct walk_node *node);

/* Returns the path where the walk began. */
const char *walk_path(const struct walk *walk);

/* Returns how many nodes could not be read so far. */
unsigned walk_unreadable(struct walk *walk);

/* Stops the walk: nothing more is requested, and requests under way are abandoned.  The caller's
 * reference remains. */
void walk_stop(struct walk *walk);

#endif
