/* SPDX-License-Identifier: MIT */
/*
 * Transactions of our own, for changes that need more than one step, for operations that run on the
 * pool; and what users' (transaction.h) have in common with them.
 */
#ifndef FS_TX_H
#define FS_TX_H

#include "fs/op.h"

/*
 * Runs `body` in a transaction: TRANSACTION_START, body, TRANSACTION_END.
 *
 * `body` uses op_call()/op_wait() with the given transaction id and returns 0 to commit or -errno
 * to abort.  It may run several times: a commit that conflicts with another client (EAGAIN) is
 * tried again after a short pause with jitter, until the mount's timeout; then -EBUSY.
 * In a view that is a transaction itself `body` runs in that one, one after the other, and is not
 * undone on failure: it must check before it changes.  If it fails after a change, that transaction
 * cannot be committed any more.
 * Returns 0, what `body` returned, -EINTR (then nothing was changed, or, if the commit was already
 * on its way, perhaps all of it), or the store's error.
 */
int tx_run(struct op *op, int (*body)(struct op *op, uint32_t tx_id));

/* Ends a transaction of a connection without effect.  Nobody waits for that; if even this cannot be
 * sent the server ends it with the connection.  Any thread. */
void tx_abort(struct fs *fs, uint32_t tx_id, uint32_t epoch);

/* Takes a transaction's id from the reply to a TRANSACTION_START.  Returns 0, or -EIO. */
int tx_id_parse(const struct request *start, uint32_t *tx_id);

#endif
