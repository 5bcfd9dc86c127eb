/* SPDX-License-Identifier: MIT */
/* The table of operations that libfuse calls.  For fs.c. */
#ifndef FS_OPS_H
#define FS_OPS_H

#include "fs/op/fs_impl.h"

/* Each function runs on a thread that reads /dev/fuse and never waits. */
extern const struct fuse_lowlevel_ops ops_table;

#endif
