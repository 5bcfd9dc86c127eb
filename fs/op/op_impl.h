/* SPDX-License-Identifier: MIT */
/* The internals of an operation, for op.c (its life) and reply.c (its replies) only. */
#ifndef FS_OP_OP_IMPL_H
#define FS_OP_OP_IMPL_H

#include "fs/op/op.h"

/* The operation is about to be answered with 0 or -errno: from now on no interruption finds it. */
void op_begin_reply(struct op *op, int error);

/* The operation was answered: frees it and everything that it holds. */
void op_end(struct op *op);

#endif
