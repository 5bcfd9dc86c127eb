/* SPDX-License-Identifier: MIT */
/*
 * A user's transaction: it lives as long as the open file that started it, and has views in which
 * everything happens inside of it.  For the operations of fs/.  (Those that we make for single
 * operations are tx.h's.)
 *
 *              commit, abort, close, idle             all steps done: END sent          answered
 *     OPEN ─────────────────────────────▶ ENDING ─────────────────────────▶ (same) ───────────▶ ENDED
 *
 * From ENDING on, or when its connection is lost, it is over: what happens in its views is ESTALE.
 *
 * An operation of several steps has its turn (transaction_enter()): nothing isolates those in one
 * transaction from each other, and the end is not to come in the middle of one.
 *
 * References: the open file's; one of each inode that shows it; that of the END on its way.
 * All of this is called with fs->lock held (fs_impl.h).
 */
#ifndef FS_OP_TRANSACTION_H
#define FS_OP_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "fs/model/changes.h"
#include "fs/op/capability.h"

struct fs;
struct inode;
struct listing;
struct op;
struct request;
struct transaction;
struct view;

struct transactions {
	LIST_HEAD(, transaction) open;
	uint64_t first_ms;      /* when the mount was made, in names */
	unsigned long last;     /* the number of the last one, in names */
	unsigned count;         /* that are open */
	unsigned long idle_ends;
};

/* Returns those of a mount, or NULL when out of memory.  And: frees them; NULL is allowed. */
struct transactions *transactions_new(void);
void transactions_free(struct transactions *transactions);

/*
 * Starts a transaction and calls `done` with it and 0, or with NULL and an error: as the store's,
 * or -EINTR.  Takes the operation until then.
 */
void transaction_start(struct op *op, void (*done)(struct op *op, struct transaction *tx, int err));

/* Shared with the transactions of single operations (tx.h). */

/* Ends a transaction of a connection without effect.  Nobody waits for that; if even this cannot be
 * sent the server ends it with the connection. */
void tx_abort(struct fs *fs, uint32_t tx_id, uint32_t epoch);

/* Takes a transaction's id from the reply to a TRANSACTION_START.  Returns 0, or -EIO. */
int tx_id_parse(const struct request *start, uint32_t *tx_id);

/* References, see above. */
struct transaction *transaction_get(struct transaction *tx);
void transaction_put(struct transaction *tx);

/* Its file is closed for good: aborts it if it has not ended, waits for nothing, and takes the
 * reference. */
void transaction_close(struct transaction *tx);

/*
 * Ends it, and answers the WRITE that asked for that, when the store has answered: 0; -ECANCELED
 * when there was a conflict, the connection was lost before, or it was aborted; -ENOTRECOVERABLE
 * when an operation in it had failed half way; -EDQUOT; or, where
 * the outcome is unknown, -EIO or -ETIMEDOUT.  -EINTR: it goes on, and who asks again gets the
 * outcome.  Who asks after it was told: -ESTALE.  Takes the operation.
 */
void transaction_end(struct transaction *tx, struct op *op, bool commit);

/* Answers a READ of its name, or a POLL.  Takes the operation. */
void transaction_read(struct transaction *tx, struct op *op);
void transaction_poll(struct transaction *tx, struct op *op);

/* Returns whether it is over. */
bool transaction_is_over(struct transaction *tx);

/* It is being used. */
void transaction_touch(struct transaction *tx);

/*
 * An operation of several steps begins, when those that are under way have ended, and ends.
 * Returns 0, -ESTALE or -EINTR.  Pool threads.
 */
int transaction_enter(struct transaction *tx, struct op *op) MAY_WAIT;
void transaction_leave(struct transaction *tx);

/* An operation of several steps was not completed: no commit any more. */
void transaction_spoil(struct transaction *tx);

/* What others have changed meanwhile was met in it: the commit will be -ECANCELED, and who polls the
 * transaction hears of that. */
void transaction_conflict(struct transaction *tx);

/* Returns what it has made of a node. */
enum sight transaction_see(struct transaction *tx, const char *path);

/* Returns the view of an open transaction, with a reference to that, or NULL. */
struct transaction *transaction_find(struct fs *fs, const char *name);

/* The kernel gets to know the root of its view, and is to forget it at the end. */
void transaction_set_root(struct transaction *tx, struct inode *root);

/* Returns its view: as the mount's root shows the store, or with every node a directory. */
const struct view *transaction_view(struct transaction *tx, bool uniform);

/* Returns whether a directory is the root of a transaction's view, but of the uniform one. */
bool transaction_is_root(const struct inode *dir);

/* Adds the names of the open ones.  Returns 0 or -ENOMEM. */
int transactions_list(struct fs *fs, struct listing *listing);

/* One as it stands. */
struct transaction_info {
	const char *name;
	uint32_t tx_id;
	uint64_t age_ms;
	uint64_t idle_ms;
};

/* Calls `fn` for each that is open. */
void transactions_for_each(struct fs *fs, void (*fn)(void *arg, const struct transaction_info *info),
			   void *arg);

/* Ends those that were not used for too long.  I/O thread.  Returns the milliseconds after which
 * to call it again, or -1. */
int transactions_expire(struct fs *fs) REQUIRES(fs_lock_held);

/* Ends all that are open, while those who poll them can still be told: the end is near.  The channel
 * is shut down.  I/O thread. */
void transactions_shutdown(struct fs *fs) REQUIRES(fs_lock_held);

#endif
