/* SPDX-License-Identifier: MIT */
/* A user's transaction from its start to its end. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/error.h"
#include "fs/op/lock.h"
#include "fs/op/transaction_impl.h"
#include "ring/clock.h"

/* ---- the start ---- */

/* A round of requests in it was answered: remembers what they changed. */
static void remember_changes(struct transaction *tx, const struct op *op)
{
	const struct request *req;
	int err = 0;

	/* A long operation, such as a large rename, does not count as idle time. */
	transaction_touch(tx);
	for (unsigned i = 0; i < op->n_calls && tx->state != TX_ENDED; i++) {
		req = op->calls[i];
		if (!req->error && req->msg.tx_id == tx->tx_id)
			err |= changes_note(&tx->changes, req->msg.type, req->payload);
	}
	/* A change that is forgotten here would be shown as it is outside. */
	if (err && tx->health == TX_SOUND)
		tx->health = TX_SPOILED;
	if (err)
		log_error(tx->fs->log, "out of memory: transaction %s cannot be committed", tx->name);
}

static struct transaction *transaction_new(struct fs *fs, uint32_t epoch)
{
	struct transaction *tx = calloc(1, sizeof(*tx));

	if (!tx)
		return NULL;
	tx->end = request_new_path(XS_TRANSACTION_END, 0, "F", NULL, 0);
	if (!tx->end) {
		free(tx);
		return NULL;
	}
	tx->fs = fs;
	tx->epoch = epoch;
	tx->refs = 1;
	changes_init(&tx->changes);
	empty_nodes_init(&tx->empty_nodes);
	TAILQ_INIT(&tx->waiters);
	TAILQ_INIT(&tx->parked);
	return tx;
}

static void view_hook_get(const struct view *view)
{
	transaction_get(view->tx);
}

static void view_hook_put(const struct view *view)
{
	transaction_put(view->tx);
}

static bool view_hook_is_over(const struct view *view)
{
	return transaction_is_over(view->tx);
}

static void view_hook_touch(const struct view *view)
{
	transaction_touch(view->tx);
}

static void view_hook_answered(const struct view *view, const struct op *op)
{
	remember_changes(view->tx, op);
}

static const struct view_hooks view_hooks = {
	.get = view_hook_get,
	.put = view_hook_put,
	.is_over = view_hook_is_over,
	.touch = view_hook_touch,
	.answered = view_hook_answered,
};

static void set_started(struct transaction *tx, uint32_t tx_id)
{
	struct fs *fs = tx->fs;

	tx->tx_id = tx_id;
	tx->tree = (struct view){
		.hooks = &view_hooks,
		.layout = fs->config.layout,
		.tx_id = tx_id,
		.epoch = tx->epoch,
		.tx = tx,
		.owner = tx->owner,
		.empty_nodes = &tx->empty_nodes,
	};
	tx->nodes = tx->tree;
	tx->nodes.layout = FS_NODES;
	empty_nodes_copy(&tx->empty_nodes, &fs->empty_nodes);
	tx->started_ms = clock_now_ms(CLOCK_MONOTONIC);
	transaction_touch(tx);
	transaction_list_add(tx);
}

static void started(struct op *op)
{
	struct transaction *tx = op->tx;
	int err = op_call_error(op, 0);
	uint32_t tx_id;

	op->tx = NULL;
	if (!err)
		err = tx_id_parse(op->calls[0], &tx_id);
	if (err) {
		transaction_put(tx);
		op->tx_started(op, NULL, err);
		return;
	}
	set_started(tx, tx_id);
	op->tx_started(op, tx, 0);
}

void transaction_start(struct op *op, void (*done)(struct op *op, struct transaction *tx, int err))
{
	uint32_t epoch = chan_epoch(op->fs->chan);
	uid_t owner = op_user(op);
	int err = quota_charge(&op->fs->quotas, QUOTA_TRANSACTIONS, owner, 1);

	if (err) {
		done(op, NULL, err);
		return;
	}
	op->tx = transaction_new(op->fs, epoch);
	if (!op->tx) {
		quota_release(&op->fs->quotas, QUOTA_TRANSACTIONS, owner, 1);
		done(op, NULL, -ENOMEM);
		return;
	}
	op->tx->owner = owner;
	op->tx->charged = true;
	op->tx_started = done;
	op_call(op, XS_TRANSACTION_START, 0, "", NULL, 0);
	if (op->n_calls)
		op->calls[0]->epoch = epoch;
	op_submit(op, started);
}

/* ---- turns ---- */

/* Lets the operation that waits go on. */
static void waiter_settle(struct tx_waiter *waiter, bool admitted)
{
	waiter->state = admitted ? WAITER_ADMITTED : WAITER_REFUSED;
	pthread_cond_signal(&waiter->op->wake);
}

int transaction_enter(struct transaction *tx, struct op *op)
{
	struct tx_waiter waiter = { .op = op };
	if (tx->state != TX_OPEN)
		return -ESTALE;
	if (!tx->busy) {
		tx->busy = true;
		return 0;
	}
	TAILQ_INSERT_TAIL(&tx->waiters, &waiter, link);
	while (waiter.state == WAITER_WAITS && !op->interrupted)
		fs_wait(op->fs, &op->wake, NULL);
	/* An operation that got the turn and was interrupted notices that at its first step. */
	if (waiter.state == WAITER_ADMITTED)
		return 0;
	TAILQ_REMOVE(&tx->waiters, &waiter, link);
	return waiter.state == WAITER_REFUSED ? -ESTALE : -EINTR;
}

static void send_end(struct transaction *tx);

void transaction_leave(struct transaction *tx)
{
	struct tx_waiter *next = TAILQ_FIRST(&tx->waiters);

	if (tx->state == TX_ENDING) {
		tx->busy = false;
		send_end(tx);
		return;
	}
	tx->busy = next != NULL;
	if (next) {
		TAILQ_REMOVE(&tx->waiters, next, link);
		waiter_settle(next, true);
	}
}

/* ---- the end ---- */

/* The answer to an operation that asks for the end when the outcome is known. */
static int end_answer(struct transaction *tx, bool commit)
{
	tx->outcome_told = true;
	if (commit && !tx->commit)
		return tx->health == TX_SPOILED ? -ENOTRECOVERABLE : -ECANCELED;
	if (commit)
		return tx->outcome;
	if (!tx->commit || tx->outcome == -ECANCELED || tx->outcome == -EDQUOT)
		return 0;
	/* Too late: it was committed, or may have been. */
	return tx->outcome ? tx->outcome : -ESTALE;
}

static void reply_end(struct op *op, int err)
{
	if (err)
		op_reply_error(op, err);
	else
		op_reply_write(op, op->size);
}

/* Takes one that waits off the list, with what it is to be told. */
static struct op *take_parked(struct transaction *tx, int *err)
{
	struct op *op = TAILQ_FIRST(&tx->parked);

	if (op) {
		op_unpark(op);
		TAILQ_REMOVE(&tx->parked, op, parked_link);
		*err = end_answer(tx, op->commit);
	}
	return op;
}

/* A node that was removed inside is now removed outside too: our memory no longer makes it a directory. */
static void unmake(void *arg, const char *path)
{
	struct fs *fs = arg;

	empty_nodes_remove_below(&fs->empty_nodes, path);
	inodes_removed(&fs->inodes, path);
}

static void make(void *arg, const char *path)
{
	struct transaction *tx = arg;

	empty_nodes_take(&tx->fs->empty_nodes, path, &tx->empty_nodes);
}

static void set_outcome(struct transaction *tx, int err)
{
	struct inode *root;
	struct op *op;

	/* ESTALE: the connection was lost before, and the transaction with it; ENOENT: the server
	 * does not know it any more. */
	if (err == -EAGAIN || err == -ESTALE || err == -ENOENT)
		err = -ECANCELED;
	if (tx->commit && !err) {
		changes_for_each(&tx->changes, unmake, NULL, tx->fs);
		changes_for_each(&tx->changes, NULL, make, tx);
	}
	changes_deinit(&tx->changes);
	tx->state = TX_ENDED;
	tx->outcome = error_from_store(XS_TRANSACTION_END, err);
	while ((op = take_parked(tx, &err)))
		reply_end(op, err);
	wakeups_take(&tx->fs->wakeups, &tx->poll);
	root = tx->root;
	tx->root = NULL;
	if (root) {
		inode_drop(&tx->fs->inodes, root);
		inode_put(&tx->fs->inodes, root);
		tx->fs->tell_kernel(tx->fs);
	}
}

static void end_answered(struct request *req)
{
	struct transaction *tx = req->arg;

	/* An end that never reached the store leaves the transaction open there. */
	if (req->error == -ETIMEDOUT && req->msg.req_id == 0)
		tx_abort(tx->fs, tx->tx_id, tx->epoch);
	set_outcome(tx, req->error);
	transaction_put(tx);
}

/* No step is under way any more. */
static void send_end(struct transaction *tx)
{
	struct request *req = tx->end;

	/* The last step may have failed. */
	tx->commit &= tx->health == TX_SOUND;
	req->msg.tx_id = tx->tx_id;
	req->payload[0] = tx->commit ? 'T' : 'F';
	req->epoch = tx->epoch;
	req->arg = transaction_get(tx);
	req->complete = end_answered;
	chan_submit(tx->fs->chan, req);
}

/* The beginning of the end.  Returns whether the caller is to send it. */
static bool begin_end(struct transaction *tx, bool commit)
{
	struct tx_waiter *waiter;

	tx->state = TX_ENDING;
	tx->commit = commit;
	TAILQ_FOREACH(waiter, &tx->waiters, link)
		waiter_settle(waiter, false);
	return !tx->busy;
}

/* Ends it unless somebody else does.  Returns whether it did. */
static bool tx_end(struct transaction *tx, bool commit)
{
	bool open = tx->state == TX_OPEN;

	transaction_list_remove(tx);
	if (open && begin_end(tx, commit))
		send_end(tx);
	return open;
}

void transaction_close(struct transaction *tx)
{
	tx_end(tx, false);
	transaction_put(tx);
}

static void unpark_end(struct op *op)
{
	struct transaction *tx = op->handle->own;

	TAILQ_REMOVE(&tx->parked, op, parked_link);
	op_reply_error(op, -EINTR);
}

void transaction_end(struct transaction *tx, struct op *op, bool commit)
{
	int err = -EINPROGRESS;

	tx_end(tx, commit);
	if (tx->state == TX_ENDED) {
		err = tx->outcome_told ? -ESTALE : end_answer(tx, commit);
	} else {
		int refused;

		op->commit = commit;
		refused = op_park(op, unpark_end);
		if (refused)
			err = refused;
		else
			TAILQ_INSERT_TAIL(&tx->parked, op, parked_link);
	}
	if (err != -EINPROGRESS)
		reply_end(op, err);
}

/* When it is to be ended.  One that went with its connection is, so that who polls it hears. */
static uint64_t due_ms(struct transaction *tx)
{
	unsigned idle_s = tx->fs->config.tx_idle_s;

	if (transaction_is_over(tx))
		return 0;
	return idle_s ? tx->used_ms + idle_s * UINT64_C(1000) : UINT64_MAX;
}

int transactions_expire(struct fs *fs)
{
	struct transactions *all = fs->transactions;
	uint64_t now, due, first = UINT64_MAX;
	struct transaction *tx;
	bool idle;

	/* This is called all the time: the clock is left alone when there is nothing to do. */
	if (all->count == 0)
		return -1;
	now = clock_now_ms(CLOCK_MONOTONIC);
	LIST_FOREACH(tx, &all->open, link) {
		due = due_ms(tx);
		if (due <= now) {
			transaction_get(tx);
			break;
		}
		first = due < first ? due : first;
	}
	if (!tx)
		return first == UINT64_MAX ? -1 : (int)(first - now);
	idle = !transaction_is_over(tx);
	if (tx_end(tx, false) && idle) {
		all->idle_ends++;
		rate_log(&fs->rates.transactions, fs->log, LOGGER_WARNING,
			 "transaction %s was not used for %u s: aborted", tx->name, fs->config.tx_idle_s);
	}
	transaction_put(tx);
	return 0;
}

void transactions_shutdown(struct fs *fs)
{
	struct transactions *all = fs->transactions;
	struct transaction *tx;

	while ((tx = LIST_FIRST(&all->open))) {
		transaction_get(tx);
		tx_end(tx, false);
		transaction_put(tx);
	}
}

/* ---- its file ---- */

void transaction_read(struct transaction *tx, struct op *op)
{
	char line[NAME_SIZE + 1];
	size_t len = snprintf(line, sizeof(line), "%s\n", tx->name), begin, count;

	begin = tx->read;
	count = len - begin < op->size ? len - begin : op->size;
	tx->read += count;
	op_reply_buf(op, line + begin, count);
}

void transaction_poll(struct transaction *tx, struct op *op)
{
	unsigned revents = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

	op_keep_poll(op, &tx->poll);
	if (tx->health == TX_CONFLICTED)
		revents |= POLLPRI;
	if (transaction_is_over(tx))
		revents |= POLLERR | POLLHUP;
	op_reply_poll(op, revents);
}
