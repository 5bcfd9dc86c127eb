/* SPDX-License-Identifier: MIT */
/* The internals of an operation, for op.c (its life), op_ask.c (its questions), op_interrupt.c (its interruption) and
 * reply.c (its replies) only. */
#ifndef FS_OP_OP_IMPL_H
#define FS_OP_OP_IMPL_H

#include "fs/op/op.h"

/* Gives a reference back. */
void op_put(struct op *op);

/* Each call of the round has this error, as it was not sent, or has no answer that counts. */
void op_fail_calls(struct op *op, int err);

/* From now on libfuse tells of an interruption of its request, which it must have. */
void op_arm(struct op *op);

/* Gets the operation ready for its reply: no interruption can find it afterwards. */
void op_disarm(struct op *op);

/* The operation is about to be answered with 0 or -errno: from now on no interruption finds it. */
void op_begin_reply(struct op *op, int error);

/* The operation was answered: frees it and everything that it holds. */
void op_end(struct op *op);

#endif
