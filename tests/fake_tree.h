/* SPDX-License-Identifier: MIT */
/*
 * A tiny store: a tree of nodes in memory that answers requests.  For fakestore.c, so that a whole
 * program can be mounted on a store that misbehaves on command.  One thread.
 *
 * It follows docs/misc/xenstore.txt as far as a client can tell.  It has no quotas, and enforces no
 * permissions: it only returns the ones that were set.
 */
#ifndef TESTS_FAKE_TREE_H
#define TESTS_FAKE_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct fake_node {
	TAILQ_ENTRY(fake_node) link; /* sorted by path */
	char *path;
	char *value;
	size_t value_len;
	char *perms;
	size_t perms_len;
};

struct fake_tree {
	TAILQ_HEAD(fake_nodes, fake_node) nodes;
	/* Paths that changed, for watches; the caller takes them by fake_tree_forget_changes(). */
	char **changes;
	size_t changes_count;
	uint64_t generation;
};

/* The answer to a request. */
struct fake_answer {
	const char *error; /* name of an errno, or NULL */
	char *body;        /* to be freed */
	size_t len;
};

/* Makes a tree of the root only, or a copy with no changes noted.  Ends the program without
 * memory. */
struct fake_tree *fake_tree_new(void);
struct fake_tree *fake_tree_copy(const struct fake_tree *t);

void fake_tree_free(struct fake_tree *t);

void fake_tree_forget_changes(struct fake_tree *t);

/* Answers DIRECTORY, READ, GET_PERMS, WRITE, MKDIR, RM, SET_PERMS and DIRECTORY_PART; everything
 * else is ENOSYS.  `body` has a NUL behind its `len` bytes. */
struct fake_answer fake_tree_answer(struct fake_tree *t, uint32_t type, const char *body,
				    size_t len);

/* Returns whether a change of `path` concerns a watch on `watched`. */
int fake_tree_concerns(const char *path, const char *watched);

#endif
