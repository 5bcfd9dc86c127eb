/* SPDX-License-Identifier: MIT */
/* The counters of file operations.  Under fs->lock. */
#include "fs/op/op_count.h"

static const char *const names[OP_KINDS] = {
	[OP_CREATE] = "create",
	[OP_FLUSH] = "flush",
	[OP_FSYNC] = "fsync",
	[OP_GETATTR] = "getattr",
	[OP_GETXATTR] = "getxattr",
	[OP_LISTXATTR] = "listxattr",
	[OP_LOOKUP] = "lookup",
	[OP_MKDIR] = "mkdir",
	[OP_MKNOD] = "mknod",
	[OP_OPEN] = "open",
	[OP_OPENDIR] = "opendir",
	[OP_POLL] = "poll",
	[OP_READ] = "read",
	[OP_READDIR] = "readdir",
	[OP_READLINK] = "readlink",
	[OP_RELEASE] = "release",
	[OP_REMOVEXATTR] = "removexattr",
	[OP_RENAME] = "rename",
	[OP_RMDIR] = "rmdir",
	[OP_SETATTR] = "setattr",
	[OP_SETXATTR] = "setxattr",
	[OP_UNLINK] = "unlink",
	[OP_WRITE] = "write",
	[OP_OWN_DOMID] = "own_domid",
	[OP_OWN_LOOK] = "own_look",
	[OP_OWN_TELL] = "own_tell",
};

const char *op_kind_name(enum op_kind kind)
{
	return names[kind];
}

void op_count_start(struct op_counters *counters, enum op_kind kind)
{
	counters->started[kind]++;
}

void op_count_error(struct op_counters *counters, int error)
{
	if (error)
		counters->errors_by[chan_error_index(error)]++;
}

void op_count_latency(struct op_counters *counters, enum op_kind kind, uint64_t ns)
{
	counters->latency[kind][chan_latency_bucket(ns)]++;
	counters->latency_ns[kind] += ns;
}
