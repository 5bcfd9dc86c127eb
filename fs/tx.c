/* SPDX-License-Identifier: MIT */
/* Transactions with bounded, jittered retries.  Pool threads. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/error.h"
#include "fs/tx.h"

/* First and longest pause between two tries, in nanoseconds. */
#define PAUSE_FIRST_NS 100000
#define PAUSE_LAST_NS 20000000

#define NSEC_PER_MSEC UINT64_C(1000000)

void tx_abort(struct fs *fs, uint32_t tx_id, uint32_t epoch)
{
	struct request *req = request_new_path(XS_TRANSACTION_END, tx_id, "F", NULL, 0);

	if (!req) {
		log_error(fs->log, "out of memory: transaction %u stays open", tx_id);
		return;
	}
	req->epoch = epoch;
	/* However long the store is silent: it has to get this. */
	req->timeout_ms = UINT32_MAX;
	chan_submit(fs->chan, req);
	request_put(req);
}

int tx_id_parse(const struct request *start, uint32_t *tx_id)
{
	uint64_t id;

	/* 0 would be none. */
	if (wire_number_parse(start->reply, strnlen(start->reply, start->reply_len), UINT32_MAX,
			      &id) || id == 0)
		return -EIO;
	*tx_id = id;
	return 0;
}

/* Starts a transaction. */
static int start(struct op *op, uint32_t *tx_id, uint32_t *epoch)
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
	/* The interruption and the answer may come together. */
	if (interrupted)
		tx_abort(op->fs, *tx_id, *epoch);
	return interrupted;
}

static int commit(struct op *op, uint32_t tx_id, uint32_t epoch)
{
	int err;

	op_calls_clear(op);
	op_call(op, XS_TRANSACTION_END, tx_id, "T", NULL, 0);
	if (op->n_calls)
		op->calls[0]->epoch = epoch;
	/* The answer counts, also when an interruption came with it. */
	op_wait(op);
	err = op_call_raw_error(op, 0);
	/* A request that has an id was on the wire, and the outcome is the store's.  One that was
	 * given up before leaves the transaction open. */
	if (err && (op->n_calls == 0 || op->calls[0]->msg.req_id == 0))
		tx_abort(op->fs, tx_id, epoch);
	return err;
}

static int run_once(struct op *op, int (*body)(struct op *op, uint32_t tx_id))
{
	uint32_t tx_id, epoch;
	int err;

	err = start(op, &tx_id, &epoch);
	if (err)
		return err;
	op_calls_clear(op);
	err = body(op, tx_id);
	if (err) {
		tx_abort(op->fs, tx_id, epoch);
		return err;
	}
	return commit(op, tx_id, epoch);
}

/* In a user's transaction.  What failed half way cannot be undone there without the rest. */
static int run_inside(struct op *op, struct transaction *tx,
		      int (*body)(struct op *op, uint32_t tx_id))
{
	int err = transaction_enter(tx, op);

	if (err)
		return err;
	op_calls_clear(op);
	op->wrote = false;
	err = body(op, op->inode->view->tx_id);
	if (err && op->wrote)
		transaction_spoil(tx);
	transaction_leave(tx);
	return err;
}

int tx_run(struct op *op, int (*body)(struct op *op, uint32_t tx_id))
{
	uint64_t pause = PAUSE_FIRST_NS, slept = 0, ns;
	unsigned int seed = (uintptr_t)op ^ op->started_ns;
	int err;

	if (op->inode->view->tx)
		return run_inside(op, op->inode->view->tx, body);
	for (;;) {
		err = run_once(op, body);
		if (err != -EAGAIN)
			return error_from_store(XS_TRANSACTION_END, err);
		atomic_fetch_add(&op->fs->tx_retries, 1);
		if (slept > op->fs->config.timeout_ms * NSEC_PER_MSEC)
			return -EBUSY;
		/* Half of the pause is chance, so that two who conflicted do not meet again. */
		ns = pause / 2 + rand_r(&seed) % (pause / 2);
		err = op_sleep(op, ns);
		if (err)
			return err;
		slept += ns;
		pause = pause * 2 > PAUSE_LAST_NS ? PAUSE_LAST_NS : pause * 2;
	}
}
