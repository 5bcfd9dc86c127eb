/* SPDX-License-Identifier: MIT */
/*
 * Putting a value into the store, for node_write.c and node_create.c.  XS_WRITE makes what is missing, and
 * what was removed is not to come back that way: see node_put_value() in node.h.
 */
#ifndef FS_NODE_NODE_PUT_H
#define FS_NODE_NODE_PUT_H

#include "fs/node/node.h"

/* Adds the write of a value, and remembers that the node has been given one, be it empty. */
void node_call_write(struct op *op, uint32_t tx_id, const char *path, const char *value,
		       size_t len);

/* Runs the body of a write in a transaction.  It is noted first, as its event may come before its
 * reply. */
int node_write_in_tx(struct op *op, int (*body)(struct op *op, uint32_t tx_id)) MAY_WAIT;

/* Returns whether the node need not be in the store yet.  A `.value` that was created has a node. */
bool node_is_to_be_made(const struct op *op);

/*
 * For bodies of writes: tx_path() of op->inode.  While this mount removes or renames it, or something above
 * it, that is -EAGAIN: the write comes after that, so that it follows the file or finds that it is gone.
 */
int node_write_path(struct op *op, char *path);

/* Adds the questions, in a transaction, for the value of the node and, if it may be missing, for its
 * directory, which has to be there then. */
int node_call_old(struct op *op, uint32_t tx_id, const char *path, bool may_create);

/* Sends them, with what was added since.  Returns 0, with the node's value as call 0, or an error;
 * *missing: it has to be made. */
int node_read_old(struct op *op, bool may_create, bool *missing) MAY_WAIT;

/* Returns whether something is known that may have removed what the inode stands for, or nothing is
 * known of it at all. */
bool node_may_be_gone(const struct op *op, struct inode *inode, const char *path);

/* The store has something newer than what the handle remembers. */
void node_content_changed(struct op *op);

/*
 * node_put_value() of nothing for the end of an open file: in one request if the node, or the directory of
 * one that is to be made, is `known` to be there, else on the pool.  op->may_create and op->keep say
 * whether the node is to be made, and whether one that is there by now is left as it is.
 */
void node_put_known(struct op *op, bool known, void (*put)(struct op *op, int err));

#endif
