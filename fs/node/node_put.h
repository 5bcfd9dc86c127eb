/* SPDX-License-Identifier: MIT */
/*
 * Putting a value into the store, for node_write.c and node_create.c.  XS_WRITE creates what is
 * missing, and a removed node must not come back that way: see node_put_value() in node.h.
 */
#ifndef FS_NODE_NODE_PUT_H
#define FS_NODE_NODE_PUT_H

#include "fs/node/node.h"

/* Adds the write of a value, and remembers that the node has been given one, even
 * if it is empty. */
void node_call_write(struct op *op, uint32_t tx_id, const char *path, const char *value,
		       size_t len);

/* Runs the body of a write in a transaction.  The write is noted first, because its event may come
 * before its reply. */
int node_write_in_tx(struct op *op, int (*body)(struct op *op, uint32_t tx_id)) MAY_WAIT;

/* Returns whether the node may still be missing from the store.  A `.value` that was created
 * belongs to a node that exists. */
bool node_is_to_be_made(const struct op *op);

/*
 * For bodies of writes: tx_path() of op->inode.  While this mount removes or renames the
 * inode, or anything above it, that is -EAGAIN: the write happens afterwards, so that it
 * follows the file or finds it gone.
 */
int node_write_path(struct op *op, char *path);

/* Adds requests, in a transaction, for the value of the node and, if the node may be missing, for
 * its directory, which must then exist. */
int node_call_old(struct op *op, uint32_t tx_id, const char *path, bool may_create);

/* Sends them, along with anything added since.  Returns 0, with the node's value as call 0, or an
 * error; *missing: the node has to be made. */
int node_read_old(struct op *op, bool may_create, bool *missing) MAY_WAIT;

/* Returns whether something is known that may have removed the node of the inode, or nothing is
 * known of the node at all. */
bool node_may_be_gone(const struct op *op, struct inode *inode, const char *path);

/* Returns whether an open file of the inode has ended whose empty value comes before what is written now: it is yet to be
 * committed, and nothing else has been written since. */
bool node_awaits_empty(const struct inode *inode);

/* The store has something newer than the content that the handle remembers. */
void node_content_changed(struct op *op);

/*
 * node_put_value() of an empty value when an open file ends: in one request if the node, or
 * the directory of one that has to be made, is `known` to exist, else on the pool.
 * op->may_create and op->keep say whether a missing node is made, and whether one that exists
 * by now is left unchanged.
 */
void node_put_known(struct op *op, bool known, void (*put)(struct op *op, int err));

#endif
