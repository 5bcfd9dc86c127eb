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

/* Ends a transaction without effect.  Nobody waits for that; if even this cannot be sent the
 * server ends it with the connection. */
static void abort_tx(struct op *op, uint32_t tx_id, uint32_t epoch)
{
	struct request *req = request_new_path(XS_TRANSACTION_END, tx_id, "F", NULL, 0);

	if (!req) {
		log_error(op->fs->log, "out of memory: transaction %u stays open", tx_id);
		return;
	}
	req->epoch = epoch;
	/* However long the store is silent: it has to get this. */
	req->timeout_ms = UINT32_MAX;
	chan_submit(op->fs->chan, req);
	request_put(req);
}

/* Starts a transaction. */
static int start(struct op *op, uint32_t *tx_id, uint32_t *epoch)
{
	const struct request *req;
	int err, interrupted;
	uint64_t id;

	op_calls_clear(op);
	op_call(op, XS_TRANSACTION_START, 0, "", NULL, 0);
	*epoch = chan_epoch(op->fs->chan);
	if (op->n_calls)
		op->calls[0]->epoch = *epoch;
	interrupted = op_wait(op);
	err = op_call_error(op, 0);
	if (err)
		return err;
	req = op->calls[0];
	err = wire_number_parse(req->reply, strnlen(req->reply, req->reply_len), UINT32_MAX, &id);
	if (err)
		return -EIO;
	*tx_id = id;
	op->epoch = *epoch;
	/* The interruption and the answer may come together. */
	if (interrupted)
		abort_tx(op, *tx_id, *epoch);
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
		abort_tx(op, tx_id, epoch);
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
		abort_tx(op, tx_id, epoch);
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
