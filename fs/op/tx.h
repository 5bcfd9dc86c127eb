/* SPDX-License-Identifier: MIT */
/*
 * Our own transactions, for changes that take more than one step, made by operations that run on
 * the pool; and the parts that they share with users' transactions (transaction.h).
 */
#ifndef FS_OP_TX_H
#define FS_OP_TX_H

#include "fs/op/op.h"

/*
 * Which answers are believed.  A transaction that fails is not committed, so the store never says
 * whether it saw one state of the tree or a mixture: xenstored shows each node as it was when the
 * transaction first asked for it, and answers EIO or EINVAL to a removal that no longer fits.  In a
 * fresh transaction the same request may succeed.  So there are three ways for a body to fail:
 *
 *   tx_finding()        It saw one node in a state in which the operation is not possible: it is
 *                       not there, it is there already, it has children.  That was true at that
 *                       moment, and is the operation's result.
 *                       Not so -ENOENT while a rename of this mount's own moves the directory in which
 *                       the operation works: that is tried again at the new place.  Nor while another
 *                       operation of this mount makes the file: the transaction may have begun
 *                       before that was in the store.
 *   -EAGAIN             What it saw does not fit together, such as a directory that names a node
 *                       which is not there: somebody changed it in between.  That is a conflict
 *                       like that of a commit.
 *   any other -errno    EIO, EINVAL, ENOENT and EEXIST of the store are doubtful, as another client
 *                       may be the cause, and are tried again a few times before they are
 *                       believed.  All others, such as EACCES or EDQUOT, are nobody else's doing,
 *                       and stand.
 */

/*
 * Runs `body` in a transaction: TRANSACTION_START, body, TRANSACTION_END.
 *
 * `body` uses op_call()/op_wait() with the given transaction id and returns 0 to commit or an error
 * to abort, see above.  It may run several times: after a conflict or a doubtful answer it is tried
 * again in a new transaction, after a short pause with jitter, as long as the operation is not
 * older than the mount's timeout; then -EBUSY.
 * In the view of a user's transaction `body` runs in that transaction, one body after the other,
 * and is not undone on failure: it must check before it changes anything.  If it fails after a
 * change, the transaction can no longer be committed.  After a conflict or a doubtful answer it
 * cannot be tried again there: the result is -ECANCELED, as the commit's will be.
 * Returns 0, what `body` returned, -EINTR (then nothing was changed, or, if the commit was already
 * on its way, perhaps all of it), or the store's error.
 */
int tx_run(struct op *op, int (*body)(struct op *op, uint32_t tx_id)) MAY_WAIT;

/* For bodies: `err`, which is not 0, was found in the store and is the result of the operation.
 * Returns it. */
int tx_finding(struct op *op, int err);

/* For bodies: returns the result of call `i` of the round, a request that only reads, as
 * op_call_error(); a missing node is a finding. */
int tx_read_error(struct op *op, unsigned i);

/* For bodies: inode_path().  That the inode was removed or replaced is a finding: -ENOENT. */
int tx_path(struct op *op, const struct inode *inode, const char *name, char *path);

/*
 * For bodies: adds a READ of the parent of `path` to the round.  It must precede all requests for a
 * node that will be removed.  xenstored then has the parent as it was before the node was looked
 * at, with the node in it.  If somebody else removes the node in the meantime, the removal here
 * still succeeds and the commit conflicts; without the READ the answer to the removal would be EIO
 * or EINVAL.  The removal reads the parent anyway, so this makes no additional conflicts.
 */
void tx_call_parent(struct op *op, uint32_t tx_id, const char *path);

#endif
