/* SPDX-License-Identifier: MIT */
/*
 * The operations that a fault can meet in flight: nearly everything that can be asked of a mount.  Each knows what
 * it needs before, and says what it was told.
 */
#ifndef TESTS_FAULTS_OPERATIONS_H
#define TESTS_FAULTS_OPERATIONS_H

#include "tests/faults/kernel.h"

/* An answer that is no errno and not right. */
#define WRONG (-200000)

#define SCENE_FILES 4

/* What an operation has open. */
struct scene {
	struct node dir, node;
	struct {
		uint64_t nodeid, fh;
		bool is_dir;
	} files[SCENE_FILES];
	unsigned count;
	uint32_t tx_id; /* of a raw client */
};

struct operation {
	const char *name;
	/* Gets everything ready on the sound store, and returns 0. */
	int (*prepare)(struct machine *m, struct scene *s);
	/* Returns 0, -errno, NO_ANSWER or WRONG; says what the caller was told. */
	int (*run)(struct machine *m, struct scene *s);
	bool changes; /* the tree */
	bool later;   /* ... perhaps after the answer, whose success says nothing of it */
	bool stream;  /* its lines are hints: more may come than did happen */
	bool big;     /* on a tree with a directory that takes several requests */
};

extern const struct operation node_operations[], special_operations[], raw_operations[];
extern const unsigned node_operations_count, special_operations_count, raw_operations_count;

/* The tree on which they work. */
struct fake_tree *scene_tree(bool big);

/* Another client changes the tree. */
void scene_change(struct machine *m, uint32_t type, const char *path, const char *value);

/* Closes what is open.  Returns 0, or the first error. */
int scene_close(struct machine *m, struct scene *s);

/* Keeps an open file, the n-th, to be closed. */
void scene_keep(struct scene *s, uint64_t nodeid, uint64_t fh, bool is_dir);

/* Opens a file by its path, and keeps it. */
int scene_open(struct machine *m, struct scene *s, const char *path, uint32_t flags);

/* Says bytes, and a text as printf() does. */
void say_bytes(struct machine *m, const void *data, size_t len);
__attribute__((format(printf, 2, 3))) void say(struct machine *m, const char *format, ...);

/* Says the `n` bytes that were read, and returns 0; an error it returns. */
int say_read(struct machine *m, int n);

#endif
