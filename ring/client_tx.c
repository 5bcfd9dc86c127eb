/* SPDX-License-Identifier: MIT */
/*
 * The transactions of a client: their ids are its own, and the store's follow them.  Each begins with the request
 * that can abort it, so that one is never left open for want of memory.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/client_impl.h"

void client_tx_free(struct client_tx *tx)
{
	if (!tx)
		return;
	request_put(tx->end);
	free(tx);
}

struct client_tx *client_tx_find(struct client *client, uint32_t id)
{
	struct client_tx *tx;

	HASH_FIND(hh, client->txs, &id, sizeof(id), tx);
	return tx;
}

struct client_tx *client_tx_new(void)
{
	struct client_tx *tx = calloc(1, sizeof(*tx));

	if (!tx)
		return NULL;
	tx->end = request_new(XS_TRANSACTION_END, 0, sizeof("F"));
	if (!tx->end) {
		free(tx);
		return NULL;
	}
	memcpy(tx->end->payload, "F", sizeof("F"));
	/* Sent after everything that the client did in the transaction, and with no deadline: if it
	 * were given up while queued, the transaction would stay open. */
	tx->end->bulk = true;
	tx->end->timeout_ms = REQUEST_PATIENT;
	return tx;
}

/* Makes the request that aborts a transaction, for client_submit_end(); frees the rest. */
static struct request *tx_abort(struct client_tx *tx)
{
	struct request *end = tx->end;

	end->msg.tx_id = tx->server_id;
	end->epoch = tx->epoch;
	tx->end = NULL;
	client_tx_free(tx);
	return end;
}

static void tx_remove(struct client *client, struct client_tx *tx)
{
	HASH_DEL(client->txs, tx);
	client->config.counters->transactions--;
}

void client_submit_end(struct client *client, struct request *end)
{
	if (!end)
		return;
	chan_submit(client->config.chan, end);
	request_put(end);
}

void client_abort_all(struct client *client)
{
	struct request_list ends = TAILQ_HEAD_INITIALIZER(ends);
	struct client_tx *tx, *next;
	struct client_call *call;
	struct request *end;

	LIST_FOREACH(call, &client->calls, link)
		if (call->start)
			call->start->doomed = true;
	HASH_ITER(hh, client->txs, tx, next) {
		if (tx->ending)
			continue;
		tx_remove(client, tx);
		end = tx_abort(tx);
		TAILQ_INSERT_TAIL(&ends, end, queue_link);
	}
	while ((end = TAILQ_FIRST(&ends))) {
		TAILQ_REMOVE(&ends, end, queue_link);
		client_submit_end(client, end);
	}
}

/* Returns an id that none of the client's transactions has. */
static uint32_t tx_next_id(struct client *client)
{
	do
		client->last_tx++;
	while (client->last_tx == 0 || client_tx_find(client, client->last_tx));
	return client->last_tx;
}

struct request *client_started(struct client_call *call, uint32_t epoch, int *error)
{
	struct client *client = call->client;
	struct client_tx *tx = call->start;
	const char *reply = call->req->reply;
	uint64_t server_id;

	if (wire_number_parse(reply, strlen(reply), UINT32_MAX, &server_id)) {
		*error = -EIO;
		return NULL;
	}
	call->start = NULL;
	tx->server_id = server_id;
	tx->epoch = epoch;
	tx->id = tx_next_id(client);
	snprintf(call->text, sizeof(call->text), "%" PRIu32, tx->id);
	if (client->closed || tx->doomed)
		return tx_abort(tx);
	HASH_ADD(hh, client->txs, id, sizeof(tx->id), tx);
	if (!tx->hh.tbl) {
		*error = -ENOMEM;
		return tx_abort(tx);
	}
	client->config.counters->transactions++;
	return NULL;
}

struct request *client_ended(struct client_call *call)
{
	struct client *client = call->client;
	struct client_tx *tx = client_tx_find(client, call->out.hdr.tx_id);
	const struct request *req = call->req;

	if (!tx)
		return NULL;
	tx->ending--;
	if (req->error == -ESTALE || (req->msg.req_id && req->error != -EINVAL)) {
		tx_remove(client, tx);
		client_tx_free(tx);
	} else if (client->closed && !tx->ending) {
		tx_remove(client, tx);
		return tx_abort(tx);
	}
	return NULL;
}
