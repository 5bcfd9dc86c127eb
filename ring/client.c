/* SPDX-License-Identifier: MIT */
/*
 * Clients that speak the protocol themselves: from bytes to requests, from answers to bytes.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "ring/client_impl.h"

/* The payload that a type must have, lest a server choke on it: this many strings, each with its
 * NUL, followed by nothing or by anything. */
static const struct shape {
	unsigned char strings;
	bool exact;
} shapes[WIRE_TYPE_COUNT] = {
	[XS_CONTROL] = { 1, false },
	[XS_DIRECTORY] = { 1, true },
	[XS_READ] = { 1, true },
	[XS_GET_PERMS] = { 1, true },
	[XS_TRANSACTION_END] = { 1, true },
	[XS_INTRODUCE] = { 3, false },
	[XS_RELEASE] = { 1, true },
	[XS_GET_DOMAIN_PATH] = { 1, true },
	[XS_WRITE] = { 1, false },
	[XS_MKDIR] = { 1, true },
	[XS_RM] = { 1, true },
	[XS_SET_PERMS] = { 2, false },
	[XS_IS_DOMAIN_INTRODUCED] = { 1, true },
	[XS_RESUME] = { 1, true },
	[XS_SET_TARGET] = { 2, false },
	[XS_DIRECTORY_PART] = { 2, false },
};

/* Requests that are submitted together. */
struct client_batch {
	struct client *client;
	struct request *reqs[CLIENT_IN_FLIGHT];
	unsigned count;
	bool answered; /* there is something to read of which no completion tells */
};

/* ---- the ends of things ---- */

static void call_free(struct client_call *call)
{
	client_tx_free(call->start);
	request_put(call->req);
	free(call);
}

static void client_free(struct client *client)
{
	struct client_tx *tx, *next;

	HASH_ITER(hh, client->txs, tx, next) {
		HASH_DEL(client->txs, tx);
		client_tx_free(tx);
	}
	free(client);
}

void client_put(struct client *client)
{
	if (--client->refs == 0)
		client_free(client);
}

/* ---- answers ---- */

void client_answer(struct client_call *call, const char *body, size_t len)
{
	struct client *client = call->client;
	struct client_out *out = &call->out;

	LIST_REMOVE(call, link);
	client->in_flight--;
	if (client->closed) {
		call_free(call);
		return;
	}
	out->body = body;
	out->hdr.len = len;
	out->memory = sizeof(*call) + request_size(call->req) + len;
	client->answer_bytes += out->memory;
	TAILQ_INSERT_TAIL(&client->outs, out, link);
}

/* Returns the name in an XS_ERROR for an error made by the channel or the registry of watches. */
static const char *error_name(int error)
{
	switch (error) {
	case -EDQUOT:
		return "EQUOTA"; /* stands for oxenstored's word, wire_error_parse() */
	case -EMSGSIZE:
		return "E2BIG";
	case -ESTALE:
		return "ENOENT"; /* a transaction that was lost with its connection */
	default:
		return wire_error_name(error);
	}
}

void client_answer_error(struct client_call *call, int error)
{
	const char *name = error ? error_name(error) : "OK";

	if (error)
		call->out.hdr.type = XS_ERROR;
	client_answer(call, name, strlen(name) + 1);
}

void client_notify(struct client *client)
{
	if (!client->closed)
		client->config.ready(client->config.arg);
}

/* ---- requests ---- */

/* A request has ended. */
static void call_done(struct request *req)
{
	struct client_call *call = req->arg;
	struct client *client = call->client;
	uint32_t epoch = call->start ? chan_epoch(client->config.chan) : 0;
	struct request *end = NULL;
	int error = req->error;

	if (call->start && !error)
		end = client_started(call, epoch, &error);
	else if (req->msg.type == XS_TRANSACTION_END)
		end = client_ended(call);
	if (error && error == req->error && req->reply) {
		/* In the store's own words. */
		call->out.hdr.type = XS_ERROR;
		client_answer(call, req->reply, req->reply_len);
	} else if (error) {
		client_answer_error(call, error);
	} else if (call->text[0]) {
		client_answer(call, call->text, strlen(call->text) + 1);
	} else {
		client_answer(call, req->reply, req->reply_len);
	}
	client_submit_end(client, end);
	client_notify(client);
	client_put(client);
}

static void client_batch_flush(struct client_batch *batch)
{
	unsigned count = batch->count;

	batch->count = 0;
	if (count)
		chan_submit_all(batch->client->config.chan, batch->reqs, count);
}

/* Returns whether the payload has the strings that its type requires. */
static bool is_well_formed(const struct request *req)
{
	const struct shape *shape = &shapes[req->msg.type];
	struct wire_strings s = wire_strings_init(req->payload, req->msg.len);
	const char *string;

	for (unsigned i = 0; i < shape->strings; i++)
		if (wire_strings_next(&s, &string, NULL) != 1)
			return false;
	return !shape->exact || s.pos == s.end;
}

static bool is_known(uint32_t type)
{
	return type < WIRE_TYPE_COUNT && type != XS_WATCH_EVENT && type != XS_ERROR &&
	       strcmp(wire_type_name(type), "UNKNOWN") != 0;
}

/*
 * Prepares a message for the store, including its transaction.  Returns 0, or the reason why
 * it is not sent.
 */
static int prepare(struct client *client, struct client_call *call)
{
	struct request *req = call->req;
	struct client_tx *tx;
	int err = 0;

	if (!is_known(req->msg.type))
		return -ENOSYS;
	if (!is_well_formed(req))
		return -EINVAL;
	if (req->msg.type == XS_TRANSACTION_START) {
		call->start = client_tx_new();
		if (!call->start)
			return -ENOMEM;
	}
	if (call->out.hdr.tx_id) {
		tx = client_tx_find(client, call->out.hdr.tx_id);
		if (tx) {
			req->msg.tx_id = tx->server_id;
			req->epoch = tx->epoch;
			tx->ending += req->msg.type == XS_TRANSACTION_END;
		} else {
			err = -ENOENT;
		}
	}
	if (!err)
		client->refs++;
	return err;
}

static void answer_here(struct client_batch *batch, struct client_call *call, int error)
{
	client_answer_error(call, error);
	batch->answered = true;
}

/* Handles a complete message.  Takes the call. */
static void dispatch(struct client_batch *batch, struct client_call *call)
{
	struct client *client = batch->client;
	struct request *req = call->req;
	int err;

	client->config.counters->messages++;
	switch (req->msg.type) {
	case XS_WATCH:
	case XS_UNWATCH:
		batch->answered = true;
		if (req->msg.type == XS_WATCH)
			client_watch(call);
		else
			client_unwatch(call);
		return;
	case XS_RESET_WATCHES:
		/* The requests in the transactions come first. */
		client_batch_flush(batch);
		client_unwatch_all(client);
		client_abort_all(client);
		answer_here(batch, call, 0);
		return;
	}
	err = prepare(client, call);
	if (err) {
		answer_here(batch, call, err);
		return;
	}
	req->complete = call_done;
	req->arg = call;
	batch->reqs[batch->count++] = req;
	if (batch->count == CLIENT_IN_FLIGHT)
		client_batch_flush(batch);
}

/* ---- writing ---- */

/* Makes the call for a message whose header is complete; NULL when out of memory. */
static struct client_call *call_new(struct client *client, const struct xsd_sockmsg *hdr)
{
	/* oxenstored answers a message without payload only after another byte. */
	bool padded = hdr->type == XS_TRANSACTION_START && hdr->len == 0;
	struct client_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->req = request_new(hdr->type, 0, padded ? 1 : hdr->len);
	if (!call->req) {
		free(call);
		return NULL;
	}
	if (padded)
		call->req->payload[0] = '\0';
	call->req->bulk = true;
	call->req->keep_error = true;
	call->client = client;
	call->out.hdr = *hdr;
	return call;
}

static bool room(const struct client *client)
{
	return client->in_flight < CLIENT_IN_FLIGHT && client->answer_bytes < CLIENT_ANSWERS_MAX;
}

/* Begins a message if there is room for one.  Returns 0 or -EAGAIN. */
static int begin(struct client *client)
{
	if (!room(client))
		return -EAGAIN;
	client->begun = true;
	return 0;
}

/* Takes bytes of a header at *pos.  Returns 0, or the reason why it took none. */
static int take_header(struct client *client, const char **pos, const char *end)
{
	size_t had = client->hdr_got, n = WIRE_HEADER_SIZE - had;
	int err = had ? 0 : begin(client);

	if (err)
		return err;
	if (n > (size_t)(end - *pos))
		n = end - *pos;
	memcpy((char *)&client->hdr + had, *pos, n);
	client->hdr_got += n;
	if (client->hdr_got < WIRE_HEADER_SIZE) {
		*pos += n;
		return 0;
	}
	if (client->hdr.len > WIRE_PAYLOAD_MAX) {
		client->hdr_got = 0;
		client->begun = false;
		return -E2BIG;
	}
	client->in = call_new(client, &client->hdr);
	if (!client->in) {
		client->hdr_got = had;
		client->begun = had > 0;
		return -ENOMEM;
	}
	client->hdr_got = 0;
	client->in_got = 0;
	*pos += n;
	return 0;
}

/* Takes bytes of a payload at *pos.  Returns the call when it is complete, or NULL. */
static struct client_call *take_payload(struct client *client, const char **pos, const char *end)
{
	struct client_call *call = client->in;
	size_t n = call->out.hdr.len - client->in_got;

	if (n > (size_t)(end - *pos))
		n = end - *pos;
	memcpy(call->req->payload + client->in_got, *pos, n);
	client->in_got += n;
	*pos += n;
	if (client->in_got < call->out.hdr.len)
		return NULL;
	client->in = NULL;
	client->begun = false;
	client->in_flight++;
	LIST_INSERT_HEAD(&client->calls, call, link);
	return call;
}

ssize_t client_write(struct client *client, const void *buf, size_t len)
{
	const char *pos = buf, *end = pos + len;
	struct client_batch batch = { .client = client };
	struct client_call *call;
	int err = 0;

	while (pos < end && !err) {
		if (!client->in)
			err = take_header(client, &pos, end);
		call = client->in ? take_payload(client, &pos, end) : NULL;
		if (call)
			dispatch(&batch, call);
	}
	client_batch_flush(&batch);
	if (batch.answered)
		client_notify(client);
	return pos > (const char *)buf ? pos - (const char *)buf : err;
}

/* ---- reading ---- */

/* Frees a message that was read. */
static void out_free(struct client *client, struct client_out *out)
{
	TAILQ_REMOVE(&client->outs, out, link);
	client->out_got = 0;
	if (out->event) {
		client_event_free(client, (struct client_event *)out);
	} else {
		client->answer_bytes -= out->memory;
		call_free((struct client_call *)out);
	}
}

/* Copies at most `len` bytes of the first message. */
static size_t copy_out(struct client *client, struct client_out *out, char *buf, size_t len)
{
	size_t got = client->out_got, n;
	const char *from = (const char *)&out->hdr + got;

	n = WIRE_HEADER_SIZE - got;
	if (got >= WIRE_HEADER_SIZE) {
		from = out->body + (got - WIRE_HEADER_SIZE);
		n = out->hdr.len - (got - WIRE_HEADER_SIZE);
	}
	if (n > len)
		n = len;
	memcpy(buf, from, n);
	client->out_got += n;
	if (client->out_got == WIRE_HEADER_SIZE + out->hdr.len)
		out_free(client, out);
	return n;
}

ssize_t client_read(struct client *client, void *buf, size_t len)
{
	struct client_out *out;
	size_t done = 0;
	int err = 0;

	if (TAILQ_EMPTY(&client->outs))
		err = client_overflow(client);
	while (done < len && (out = TAILQ_FIRST(&client->outs)))
		done += copy_out(client, out, (char *)buf + done, len - done);
	if (done || len == 0)
		return done;
	return err ? err : -EAGAIN;
}

short client_poll(struct client *client)
{
	short events = 0;

	if (!TAILQ_EMPTY(&client->outs) || !TAILQ_EMPTY(&client->overflowed))
		events |= POLLIN;
	if (client->begun || room(client))
		events |= POLLOUT;
	return events;
}

/* ---- life ---- */

struct client *client_new(const struct client_config *config)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->config = *config;
	client->refs = 1;
	LIST_INIT(&client->calls);
	TAILQ_INIT(&client->outs);
	TAILQ_INIT(&client->overflowed);
	config->counters->clients++;
	return client;
}

/* Returns whether only the client would miss the request: it is a question, outside of
 * transactions, since what was read in a transaction being committed affects the commit. */
static bool is_question(const struct client_call *call)
{
	if (call->out.hdr.tx_id)
		return false;
	switch (call->req->msg.type) {
	case XS_DIRECTORY:
	case XS_READ:
	case XS_GET_PERMS:
	case XS_TRANSACTION_START:
	case XS_GET_DOMAIN_PATH:
	case XS_IS_DOMAIN_INTRODUCED:
	case XS_DIRECTORY_PART:
	case WIRE_GET_FEATURE:
	case WIRE_GET_QUOTA:
		return true;
	default:
		return false;
	}
}

/* Returns a question under way, with a reference; each one once. */
static struct request *next_question(struct client *client)
{
	struct request *req = NULL;
	struct client_call *call;

	LIST_FOREACH(call, &client->calls, link) {
		if (call->given_up || !is_question(call))
			continue;
		call->given_up = true;
		req = request_get(call->req);
		break;
	}
	return req;
}

void client_close(struct client *client)
{
	struct client_out *out;
	struct request *req;

	client->closed = true;
	client_unwatch_all(client);
	client_abort_all(client);
	/* A TRANSACTION_START that is answered nevertheless is ended by the channel. */
	while ((req = next_question(client))) {
		chan_abandon(client->config.chan, req, -EINTR);
		request_put(req);
	}
	if (client->in)
		call_free(client->in);
	while ((out = TAILQ_FIRST(&client->outs)))
		out_free(client, out);
	client->config.counters->clients--;
	client_put(client);
}
