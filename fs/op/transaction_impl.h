/* SPDX-License-Identifier: MIT */
/* The inside of a user's transaction, for transaction.c and transaction_life.c.  For nobody else. */
#ifndef FS_OP_TRANSACTION_IMPL_H
#define FS_OP_TRANSACTION_IMPL_H

#include "fs/op/op.h"
#include "fs/op/transaction.h"

#define NAME_SIZE 40

enum state { TX_OPEN, TX_ENDING, TX_ENDED };

/* The prospects of a commit, as known before the end.  They only get worse. */
enum tx_health {
	TX_SOUND,      /* nothing speaks against it */
	TX_SPOILED,    /* an operation failed half way: no commit */
	TX_CONFLICTED, /* others have changed what it has seen: no commit, and that is the answer */
};

/* An operation that waits for its turn; on its thread's stack. */
struct tx_waiter {
	struct op *op;
	enum { WAITER_WAITS, WAITER_ADMITTED, WAITER_REFUSED } state;
	TAILQ_ENTRY(tx_waiter) link;
};

struct transaction {
	/* Constant. */
	struct fs *fs;
	char name[NAME_SIZE];
	uint32_t tx_id;
	uint32_t epoch;
	struct view tree;
	struct view nodes;
	uid_t owner; /* who started it */
	uint64_t started_ms;

	struct empty_nodes empty_nodes; /* as seen inside */
	unsigned refs;
	uint64_t used_ms; /* CLOCK_MONOTONIC: when it was used last */
	LIST_ENTRY(transaction) link;
	bool listed;
	bool charged; /* to the owner's share */

	struct changes changes;
	enum state state;
	bool busy;            /* somebody has the turn */
	enum tx_health health;
	bool commit;          /* how it ends */
	bool outcome_told;    /* somebody got the outcome */
	int outcome;          /* of the end, when it has come */
	struct request *end;  /* made at the start, so that it cannot fail */
	size_t read;          /* bytes of the line that were */
	TAILQ_HEAD(, tx_waiter) waiters;
	struct op_list parked; /* WRITEs that wait for the outcome */
	struct kept_poll *poll;
	struct inode *root;    /* with a reference, until it has ended; NULL: not known */
};

/* Takes it off its owner's share, unless that was done. */
void transaction_uncharge(struct transaction *tx);

/* Gives it a name and puts it on the list of those that are open; takes it off, if it is on. */
void transaction_list_add(struct transaction *tx);
void transaction_list_remove(struct transaction *tx);

#endif
