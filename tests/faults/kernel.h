/* SPDX-License-Identifier: MIT */
/*
 * What the kernel asks of the machine's filesystem, one request for each call.  All return 0 or more, -errno, or
 * NO_ANSWER; an answer that no kernel would accept ends the program.
 */
#ifndef TESTS_FAULTS_KERNEL_H
#define TESTS_FAULTS_KERNEL_H

#include <linux/fuse.h>

#include "tests/faults/machine.h"

/* A file or directory as the kernel knows it. */
struct node {
	uint64_t nodeid;
	uint64_t size;
	uint32_t mode;
};

int kernel_lookup(struct machine *m, uint64_t parent, const char *name, struct node *node);

/* Looks all names of a path up, from the root. */
int kernel_walk(struct machine *m, const char *path, struct node *node);

int kernel_getattr(struct machine *m, uint64_t nodeid, struct node *node);
int kernel_touch(struct machine *m, uint64_t nodeid);
int kernel_truncate(struct machine *m, uint64_t nodeid, uint64_t fh, uint64_t size); /* fh 0: by name */
int kernel_open(struct machine *m, uint64_t nodeid, uint32_t flags, uint64_t *fh);
int kernel_create(struct machine *m, uint64_t parent, const char *name, uint32_t flags, struct node *node, uint64_t *fh);

/* Returns how many bytes there are in m->taken->body. */
int kernel_read(struct machine *m, uint64_t nodeid, uint64_t fh, uint64_t offset, uint32_t size);

int kernel_write(struct machine *m, uint64_t nodeid, uint64_t fh, uint64_t offset, const void *data, size_t len);
int kernel_flush(struct machine *m, uint64_t nodeid, uint64_t fh);
int kernel_fsync(struct machine *m, uint64_t nodeid, uint64_t fh);
int kernel_release(struct machine *m, uint64_t nodeid, uint64_t fh);
int kernel_opendir(struct machine *m, uint64_t nodeid, uint64_t *fh);

/* Reads all names but "." and "..", which the caller frees: each with a NUL, *len bytes in all. */
int kernel_readdir(struct machine *m, uint64_t nodeid, uint64_t fh, char **names, size_t *len);

int kernel_releasedir(struct machine *m, uint64_t nodeid, uint64_t fh);
int kernel_mknod(struct machine *m, uint64_t parent, const char *name);
int kernel_mkdir(struct machine *m, uint64_t parent, const char *name);
int kernel_unlink(struct machine *m, uint64_t parent, const char *name);
int kernel_rmdir(struct machine *m, uint64_t parent, const char *name);
int kernel_rename(struct machine *m, uint64_t parent, const char *name, uint64_t to, const char *new_name, uint32_t flags);
int kernel_getxattr(struct machine *m, uint64_t nodeid, const char *name); /* as kernel_read() */
int kernel_setxattr(struct machine *m, uint64_t nodeid, const char *name, const void *value, size_t len);
int kernel_listxattr(struct machine *m, uint64_t nodeid);
int kernel_readlink(struct machine *m, uint64_t nodeid);
int kernel_statfs(struct machine *m);

/* Returns the events that there are; `notify`: the caller will wait for more. */
int kernel_poll(struct machine *m, uint64_t nodeid, uint64_t fh, bool notify);

/* Says that the caller of a request is gone. */
void kernel_interrupt(struct machine *m, uint64_t unique);

#endif
