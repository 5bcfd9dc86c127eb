/* SPDX-License-Identifier: MIT */
/* Transactions with bounded, jittered retries.  Pool threads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/model/error.h"
#include "fs/op/transaction.h"
#include "fs/op/tx.h"
#include "ring/clock.h"

/* The first and the longest pause between two tries, in nanoseconds. */
#define PAUSE_FIRST_NS 100000
#define PAUSE_LAST_NS 20000000

/* A doubtful answer is believed after this many tries in a row have got it: some 0.2 s. */
#define DOUBTS_MAX 16

#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_SEC UINT64_C(1000000000)

/* How to judge a try that failed. */
enum verdict {
	VERDICT_STANDS,   /* its error is the result of the operation */
	VERDICT_DOUBTFUL, /* another client may have caused it */
	VERDICT_CONFLICT, /* another client has caused it */
};

/* Starts a transaction. */
MAY_WAIT static int start(struct op *op, uint32_t *tx_id, uint32_t *epoch)
{
	int err, interrupted;

	op_calls_clear(op);
	op_call(op, XS_TRANSACTION_START, 0, "", NULL, 0);
	*epoch = chan_epoch(op->fs->chan);
	if (op->n_calls)
		op->calls[0]->epoch = *epoch;
	interrupted = op_wait(op);
	err = op_call_error(op, 0);
	if (!err)
		err = tx_id_parse(op->calls[0], tx_id);
	if (err)
		return err;
	op->epoch = *epoch;
	/* The interruption and the answer may come at the same time. */
	if (interrupted)
		tx_abort(op->fs, *tx_id, *epoch);
	return interrupted;
}

MAY_WAIT static int commit(struct op *op, uint32_t tx_id, uint32_t epoch)
{
	int err;

	op_calls_clear(op);
	op_call(op, XS_TRANSACTION_END, tx_id, "T", NULL, 0);
	if (op->n_calls)
		op->calls[0]->epoch = epoch;
	/* The answer counts, even if an interruption came with it. */
	op_wait(op);
	err = op_call_raw_error(op, 0);
	/* A request that has an id was on the wire, so the store decided the outcome.  One that was
	 * given up earlier leaves the transaction open. */
	if (err && (op->n_calls == 0 || op->calls[0]->msg.req_id == 0))
		tx_abort(op->fs, tx_id, epoch);
	return err;
}

/* ---- which answers are believed ---- */

int tx_finding(struct op *op, int err)
{
	op->finding = err;
	return err;
}

int tx_read_error(struct op *op, unsigned i)
{
	int err = op_call_error(op, i);

	return err == -ENOENT ? tx_finding(op, err) : err;
}

int tx_path(struct op *op, const struct inode *inode, const char *name, char *path)
{
	int err = inode_path(&op->fs->inodes, inode, name, path);

	return err == -ENOENT || err == -ESTALE ? tx_finding(op, -ENOENT) : err;
}

void tx_call_parent(struct op *op, uint32_t tx_id, const char *path)
{
	const char *end = strrchr(path, '/');
	char parent[PATH_SIZE] = "/";

	if (end > path) {
		memcpy(parent, path, end - path);
		parent[end - path] = '\0';
	}
	op_call(op, XS_READ, tx_id, parent, NULL, 0);
}

/* Returns whether the store refused any request of the last round. */
static bool was_refused(const struct op *op)
{
	for (unsigned i = 0; i < op->n_calls; i++)
		if (op_call_raw_error(op, i))
			return true;
	return false;
}

/* Returns when the inodes were last moved in which the operation works. */
static uint64_t last_moved(const struct op *op)
{
	uint64_t moved = inode_moved(op->inode), target = op->target ? inode_moved(op->target) : 0;

	return target > moved ? target : moved;
}

/* How things stood in this mount when a transaction began. */
struct since {
	uint64_t moved;   /* last_moved() */
	uint64_t written; /* of the operation's inode */
};

static struct since since_now(const struct op *op)
{
	return (struct since){ .moved = last_moved(op), .written = op->inode->written };
}

/* Judges the error of a body that ran in a transaction on connection `epoch`.  Where something was missing, the
 * body may have looked where it no longer is, or seen the store as it was before this mount itself made the file. */
static enum verdict judge(const struct op *op, uint32_t epoch, struct since since, int err)
{
	if (err == -EAGAIN)
		return VERDICT_CONFLICT;
	if (err == -ENOENT && (op_is_astray(op) || last_moved(op) != since.moved ||
			       op->inode->written != since.written))
		return VERDICT_CONFLICT;
	if (err == op->finding)
		return VERDICT_STANDS;
	/* The store did not say this: it is an error of ours, or the connection was lost. */
	if (!was_refused(op) || chan_epoch(op->fs->chan) != epoch)
		return VERDICT_STANDS;
	switch (err) {
	case -EIO:
	case -EINVAL:
	case -ENOENT:
	case -EEXIST:
		return VERDICT_DOUBTFUL;
	default:
		return VERDICT_STANDS;
	}
}

/* ---- running ---- */

MAY_WAIT static int run_once(struct op *op, int (*body)(struct op *op, uint32_t tx_id),
			     enum verdict *verdict)
{
	struct since since = since_now(op);
	uint32_t tx_id, epoch;
	int err;

	*verdict = VERDICT_STANDS;
	err = start(op, &tx_id, &epoch);
	if (err)
		return err;
	op_calls_clear(op);
	op->finding = 0;
	err = body(op, tx_id);
	if (err) {
		*verdict = judge(op, epoch, since, err);
		tx_abort(op->fs, tx_id, epoch);
		return err;
	}
	err = commit(op, tx_id, epoch);
	if (err == -EAGAIN)
		*verdict = VERDICT_CONFLICT;
	return error_from_store(XS_TRANSACTION_END, err);
}

/* Runs the body in a user's transaction.  A body that fails half-way cannot be undone there without
 * the rest, and a failure that others may have caused cannot be retried.  No rename of this view is under way
 * meanwhile, as there is one body at a time. */
MAY_WAIT static int run_inside(struct op *op, struct transaction *tx,
			       int (*body)(struct op *op, uint32_t tx_id))
{
	int err = transaction_enter(tx, op);

	if (err)
		return err;
	op_calls_clear(op);
	op->wrote = false;
	op->finding = 0;
	err = body(op, op->inode->view->tx_id);
	if (err && judge(op, op->inode->view->epoch, since_now(op), err) != VERDICT_STANDS) {
		transaction_conflict(tx);
		err = -ECANCELED;
	} else if (err && op->wrote) {
		transaction_spoil(tx);
	}
	transaction_leave(tx);
	return err;
}

/* Sleeps before the next try.  Half of the time is random, so that two clients in conflict do not
 * meet again.  Returns 0 or -EINTR. */
MAY_WAIT static int pause_before_retry(struct op *op, unsigned *seed, uint64_t *pause)
{
	uint64_t ns = *pause / 2 + rand_r(seed) % (*pause / 2);

	*pause = *pause * 2 > PAUSE_LAST_NS ? PAUSE_LAST_NS : *pause * 2;
	return op_sleep(op, ns);
}

int tx_run(struct op *op, int (*body)(struct op *op, uint32_t tx_id))
{
	uint64_t deadline = op->started_ns + op->fs->config.timeout_ms * NSEC_PER_MSEC;
	unsigned int seed = (uintptr_t)op ^ op->started_ns, doubts = 0;
	uint64_t pause = PAUSE_FIRST_NS;
	enum verdict verdict;
	int err, doubted = 0;

	if (op->inode->view->tx)
		return run_inside(op, op->inode->view->tx, body);
	for (;;) {
		err = run_once(op, body, &verdict);
		if (verdict == VERDICT_STANDS)
			return err;
		doubts = verdict == VERDICT_CONFLICT ? 0 : err == doubted ? doubts + 1 : 1;
		doubted = err;
		if (doubts == DOUBTS_MAX)
			return err;
		/* The deadline counts from the operation's start, so the time spent on earlier
		 * tries counts too. */
		if (clock_now_ns(CLOCK_MONOTONIC) >= deadline)
			return -EBUSY;
		op->fs->tx_retries++;
		err = pause_before_retry(op, &seed, &pause);
		if (!err)
			err = op_wait_for_rename(op);
		if (err)
			return err;
	}
}
