/* SPDX-License-Identifier: MIT */
/*
 * Counters of file operations: how many of each kind there were, how they ended, and how long the
 * store took for them.  Updated by op.c and shown by fs/special/figures.c, under fs->lock.  Nothing
 * here reads a clock, because every operation passes through.
 */
#ifndef FS_OP_OP_COUNT_H
#define FS_OP_OP_COUNT_H

#include <stdint.h>

#include "ring/chan.h"

enum op_kind {
	OP_CREATE,
	OP_FLUSH,
	OP_FSYNC,
	OP_GETATTR,
	OP_GETXATTR,
	OP_LISTXATTR,
	OP_LOOKUP,
	OP_MKDIR,
	OP_MKNOD,
	OP_OPEN,
	OP_OPENDIR,
	OP_POLL,
	OP_READ,
	OP_READDIR,
	OP_READLINK,
	OP_RELEASE, /* only if there is an empty value to write */
	OP_REMOVEXATTR,
	OP_RENAME,
	OP_RMDIR,
	OP_SETATTR,
	OP_SETXATTR,
	OP_UNLINK,
	OP_WRITE,
	/* Our own, on nobody's behalf. */
	OP_OWN_DOMID, /* asks which domain this is */
	OP_OWN_LOOK,  /* checks whether a polled node is still there */
	OP_OWN_TELL,  /* compares a node with what readers of inotify know */
	OP_KINDS
};

struct op_counters {
	uint64_t started[OP_KINDS];
	uint64_t errors_by[CHAN_ERRNOS]; /* by errno, see chan_error_index() */
	/* For operations that the store answered and that waited for nothing else: the number in
	 * each bucket of chan_latency_bucket(), and the sum in nanoseconds. */
	uint64_t latency[OP_KINDS][CHAN_LATENCY_BUCKETS];
	uint64_t latency_ns[OP_KINDS];
};

/* Returns the name of a kind, such as "getattr". */
const char *op_kind_name(enum op_kind kind);

/* Counts the start of an operation. */
void op_count_start(struct op_counters *counters, enum op_kind kind);

/* Counts an error, negative; 0 is none. */
void op_count_error(struct op_counters *counters, int error);

/* Counts the nanoseconds for which an operation kept the store busy. */
void op_count_latency(struct op_counters *counters, enum op_kind kind, uint64_t ns);

#endif
