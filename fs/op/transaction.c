/* SPDX-License-Identifier: MIT */
/* Users' transactions: what there is of them, and what is known of each. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/listing.h"
#include "fs/op/transaction_impl.h"
#include "ring/clock.h"

/* ---- on the wire ---- */

void tx_abort(struct fs *fs, uint32_t tx_id, uint32_t epoch)
{
	struct request *req = request_new_path(XS_TRANSACTION_END, tx_id, "F", NULL, 0);

	if (!req) {
		log_error(fs->log, "out of memory: transaction %u stays open", tx_id);
		return;
	}
	req->epoch = epoch;
	/* However long the store is silent: it has to get this. */
	req->timeout_ms = REQUEST_PATIENT;
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

/* ---- references ---- */

struct transactions *transactions_new(void)
{
	struct transactions *transactions = calloc(1, sizeof(*transactions));

	if (!transactions)
		return NULL;
	transactions->first_ms = clock_now_ms(CLOCK_REALTIME);
	LIST_INIT(&transactions->open);
	return transactions;
}

void transactions_free(struct transactions *transactions)
{
	if (!transactions)
		return;
	free(transactions);
}

struct transaction *transaction_get(struct transaction *tx)
{
	tx->refs++;
	return tx;
}

void transaction_uncharge(struct transaction *tx)
{
	if (tx->charged)
		quota_release(&tx->fs->quotas, QUOTA_TRANSACTIONS, tx->owner, 1);
	tx->charged = false;
}

void transaction_put(struct transaction *tx)
{
	if (--tx->refs > 0)
		return;
	transaction_uncharge(tx);
	changes_deinit(&tx->changes);
	empty_nodes_deinit(&tx->empty_nodes);
	request_put(tx->end);
	kept_poll_free(tx->poll);
	free(tx);
}

/* ---- the list ---- */

void transaction_list_add(struct transaction *tx)
{
	struct transactions *all = tx->fs->transactions;

	/* Two mounts at the same place, one after the other, have different names as well: who has
	 * an old one is not to find himself in somebody else's transaction. */
	snprintf(tx->name, sizeof(tx->name), "%" PRIx64 "-%lu", all->first_ms, ++all->last);
	LIST_INSERT_HEAD(&all->open, tx, link);
	tx->listed = true;
	all->count++;
}

void transaction_list_remove(struct transaction *tx)
{
	if (!tx->listed)
		return;
	LIST_REMOVE(tx, link);
	tx->listed = false;
	tx->fs->transactions->count--;
	transaction_uncharge(tx);
}

struct transaction *transaction_find(struct fs *fs, const char *name)
{
	struct transaction *tx;

	LIST_FOREACH(tx, &fs->transactions->open, link) {
		if (!strcmp(tx->name, name) && !transaction_is_over(tx)) {
			transaction_get(tx);
			break;
		}
	}
	return tx;
}

int transactions_list(struct fs *fs, struct listing *listing)
{
	struct transaction *tx;
	int err = 0;

	LIST_FOREACH(tx, &fs->transactions->open, link)
		if (!err && !transaction_is_over(tx))
			err = listing_add(listing, tx->name);
	return err;
}

void transactions_for_each(struct fs *fs, void (*fn)(void *arg, const struct transaction_info *info),
			   void *arg)
{
	struct transaction_info info;
	struct transaction *tx;
	uint64_t now = clock_now_ms(CLOCK_MONOTONIC);

	LIST_FOREACH(tx, &fs->transactions->open, link) {
		info = (struct transaction_info){
			.name = tx->name,
			.tx_id = tx->tx_id,
			.age_ms = now - tx->started_ms,
			.idle_ms = now - tx->used_ms,
		};
		if (!transaction_is_over(tx))
			fn(arg, &info);
	}
}

/* ---- its use ---- */

bool transaction_is_over(struct transaction *tx)
{
	return tx->state != TX_OPEN || chan_epoch(tx->fs->chan) != tx->epoch;
}

void transaction_set_root(struct transaction *tx, struct inode *root)
{
	if (!tx->root && tx->state != TX_ENDED)
		tx->root = inode_ref(root);
}

const struct view *transaction_view(struct transaction *tx, bool uniform)
{
	return uniform ? &tx->nodes : &tx->tree;
}

bool transaction_is_root(const struct inode *dir)
{
	return dir->kind == INODE_DIR && dir->view_root && dir->view->tx &&
	       dir->view == &dir->view->tx->tree;
}

void transaction_touch(struct transaction *tx)
{
	tx->used_ms = clock_now_ms(CLOCK_MONOTONIC);
}

enum sight transaction_see(struct transaction *tx, const char *path)
{
	return changes_see(&tx->changes, path);
}

void transaction_spoil(struct transaction *tx)
{
	if (tx->health == TX_SOUND)
		tx->health = TX_SPOILED;
	rate_log(&tx->fs->rates.transactions, tx->fs->log, LOGGER_WARNING,
		 "transaction %s cannot be committed: an operation in it failed half way", tx->name);
}

void transaction_conflict(struct transaction *tx)
{
	tx->health = TX_CONFLICTED;
	wakeups_take(&tx->fs->wakeups, &tx->poll);
	log_debug(tx->fs->log, "transaction %s has a conflict", tx->name);
}
