/* SPDX-License-Identifier: MIT */
/*
 * A copy of a part of the store, kept right by events, that remembers for a while what changed.
 *
 * No input or output: the reader of the store brings documents (src/tools/document.h), the pages look.
 * Times are milliseconds of one clock of the caller's choice.  Not locked; its owner is.
 */
#ifndef SRC_TOP_MIRROR_H
#define SRC_TOP_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/model/name.h"
#include "src/tools/changes.h"
#include "src/tools/tool_domains.h"

/* The last thing that happened to a node. */
enum mirror_mark { MIRROR_CALM, MIRROR_NEW, MIRROR_CHANGED, MIRROR_GONE };

struct mirror_node {
	struct mirror_node *parent; /* NULL: the root */
	char *name;                 /* "" of the root */
	char *value;                /* `len` bytes, and a NUL */
	size_t len;
	char *was; /* the value before the last change, or NULL */
	size_t was_len;
	struct mirror_node **children; /* in the order of tool_names_compare(); also those that are gone */
	size_t n;
	enum mirror_mark mark;
	int64_t marked;  /* when that was */
	int64_t touched; /* when something was marked at or below it; 0: never */
	unsigned round;  /* the number of the last document that had it */
	bool open;       /* for the page of the tree: its children are shown */
};

struct mirror {
	struct mirror_node *root; /* "/" */
	size_t n;                 /* nodes, without those that are gone */
	size_t n_gone;            /* those that are gone and still remembered */
	uint64_t version;         /* another number after each change */
	unsigned round;
	bool quiet; /* nothing is marked: it was so before */
};

/* Returns 0 or -ENOMEM. */
int mirror_init(struct mirror *m);
void mirror_release(struct mirror *m);

/* Makes all at and below `path` what `nodes` says, which has `path` itself and parents before children;
 * without nodes it is gone.  Returns 0 or -ENOMEM, with a part of them taken. */
int mirror_take(struct mirror *m, const char *path, const struct changes *nodes, int64_t now);

/* Forgets the nodes that went before `time`.  Pointers to these end. */
void mirror_forget(struct mirror *m, int64_t time);

/* Returns the node of a path, or NULL.  One that is gone is not found. */
struct mirror_node *mirror_find(const struct mirror *m, const char *path);

/* The same, but also one that is gone and still remembered. */
struct mirror_node *mirror_find_shown(const struct mirror *m, const char *path);

/* Writes the path of a node. */
void mirror_path(const struct mirror_node *node, char path[PATH_SIZE]);

/* Returns the node behind this one in the order of the tree, open or not, or NULL after the last. */
struct mirror_node *mirror_next(const struct mirror_node *node);

/* Lets domains and devices be gathered from the copy. */
struct domains_source mirror_source(const struct mirror *m);

#endif
