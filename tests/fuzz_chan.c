/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target for a whole channel, ring/chan.[ch], with its registry of watches and a raw client above: the
 * input decides what the program does and what the server sends, well-formed or not.  Whatever that is, each
 * request ends exactly once, and what the channel sends is what a server understands.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "ring/client.h"
#include "tests/fake_store.h"
#include "tests/fuzz.h"

#define CALLS_MAX 64
#define WATCHERS 4
#define PENDING_MAX 64

static const char *const paths[] = { "/", "/a", "/a/b", "@introduceDomain", "a", "" };
static const uint32_t types[] = { XS_READ, XS_DIRECTORY, XS_WRITE, XS_TRANSACTION_START, XS_GET_PERMS,
				  XS_DIRECTORY_PART, XS_RM, XS_MKDIR };

struct call {
	struct request *req;
	unsigned done;
};

struct interest {
	struct watcher watcher; /* first */
	bool added;
	bool told; /* armed has run */
};

struct model {
	struct fuzz in;
	struct fake_store *store;
	struct chan *chan;
	struct watches *watches;
	struct client *client;
	struct call calls[CALLS_MAX];
	unsigned n_calls;
	struct interest interests[WATCHERS];
	struct fake_msg pending[PENDING_MAX]; /* what the server got and did not answer */
	unsigned n_pending;
	char token[32]; /* of the last watch */
};

static void on_ready(void *arg)
{
	(void)arg;
}

/* What a server may get: fuzz_client.c says why. */
static void check_message(const struct fake_msg *msg)
{
	assert(strcmp(wire_type_name(msg->hdr.type), "UNKNOWN") != 0);
	assert(msg->hdr.type != XS_WATCH_EVENT && msg->hdr.type != XS_ERROR);
	assert(msg->hdr.len <= WIRE_PAYLOAD_MAX);
	assert(msg->hdr.type >= WIRE_GET_FEATURE || msg->hdr.type == XS_TRANSACTION_START ||
	       memchr(msg->body, '\0', msg->hdr.len));
}

static void pump(struct model *m)
{
	struct fake_msg *msg;

	do {
		while (chan_service(m->chan) > 0)
			;
	} while (!chan_may_sleep(m->chan));
	while (m->n_pending < PENDING_MAX && fake_store_take(m->store, &m->pending[m->n_pending])) {
		msg = &m->pending[m->n_pending++];
		check_message(msg);
		if (msg->hdr.type == XS_WATCH)
			snprintf(m->token, sizeof(m->token), "%s", msg->body + strlen(msg->body) + 1);
	}
}

/* ---- the program ---- */

static void completed(struct request *req)
{
	struct call *call = req->arg;

	assert(call->done++ == 0);
	assert(req->error <= 0);
	assert(!req->reply || req->reply_len <= WIRE_PAYLOAD_MAX);
	/* The channel puts a NUL behind it. */
	assert(!req->reply || req->reply[req->reply_len] == '\0');
}

static void submit(struct model *m)
{
	uint32_t type = types[fuzz_below(&m->in, sizeof(types) / sizeof(types[0]))];
	const char *path = paths[fuzz_below(&m->in, 4)];
	size_t len = fuzz_byte(&m->in) * 20;
	struct call *call = &m->calls[m->n_calls];
	static const char data[256 * 20];

	if (m->n_calls == CALLS_MAX)
		return;
	m->n_calls++;
	if (type == XS_TRANSACTION_START)
		path = "";
	call->req = request_new_path(type, 0, path, data, type == XS_WRITE ? len : 0);
	assert(call->req);
	call->req->arg = call;
	call->req->complete = completed;
	call->req->bulk = len & 1;
	call->req->keep_error = len & 2;
	call->req->timeout_ms = len & 4 ? 50 : 0;
	chan_submit(m->chan, call->req);
}

static void give_up(struct model *m)
{
	struct call *call = m->n_calls ? &m->calls[fuzz_below(&m->in, m->n_calls)] : NULL;

	if (!call)
		return;
	chan_abandon(m->chan, call->req, -EINTR);
	assert(call->done == 1);
}

static void armed(struct watcher *w, int error)
{
	struct interest *interest = (struct interest *)w;

	assert(interest->added && !interest->told);
	interest->told = true;
	interest->added = !error;
}

static void event(struct watcher *w, enum watch_event_type type, const char *path)
{
	struct interest *interest = (struct interest *)w;

	assert(interest->added && interest->told);
	assert((type == WATCH_CHANGED) == (path != NULL));
	if (type == WATCH_LOST)
		interest->added = false;
}

static void watch(struct model *m)
{
	struct interest *interest = &m->interests[fuzz_below(&m->in, WATCHERS)];

	if (interest->added) {
		watch_remove(m->watches, &interest->watcher);
		interest->added = false;
		return;
	}
	*interest = (struct interest){ .watcher = { .armed = armed, .event = event }, .added = true };
	assert(watch_add(m->watches, &interest->watcher, paths[fuzz_below(&m->in, 6)]) == 0);
}

/* The raw client writes a message, or any bytes. */
static void client_writes(struct model *m)
{
	struct xsd_sockmsg hdr = { .type = fuzz_byte(&m->in), .tx_id = fuzz_below(&m->in, 4) };
	char data[sizeof(hdr) + 256];
	size_t len = fuzz_bytes(&m->in, data + sizeof(hdr), 255);

	hdr.len = len;
	if (hdr.type == 255)
		memmove(data, data + sizeof(hdr), len);
	else
		memcpy(data, &hdr, sizeof(hdr));
	client_write(m->client, data, hdr.type == 255 ? len : sizeof(hdr) + len);
}

static void client_reads(struct model *m)
{
	char data[256];

	client_read(m->client, data, fuzz_byte(&m->in));
}

/* ---- the server ---- */

static void sends(struct model *m)
{
	char data[256];

	fake_store_send(m->store, data, fuzz_bytes(&m->in, data, sizeof(data)));
}

static void sends_header(struct model *m)
{
	struct xsd_sockmsg hdr = { .type = fuzz_byte(&m->in), .req_id = fuzz_byte(&m->in),
				   .tx_id = fuzz_below(&m->in, 3), .len = fuzz_uint(&m->in, 2) % 5000 };

	fake_store_send(m->store, &hdr, sizeof(hdr));
}

/* A plausible answer. */
static const char *usual(const struct fake_msg *msg)
{
	switch (msg->hdr.type) {
	case XS_TRANSACTION_START:
		return "7";
	case XS_READ:
		return "value";
	case XS_DIRECTORY:
		return "a";
	case XS_DIRECTORY_PART:
		return "1";
	default:
		return "OK";
	}
}

static void answers(struct model *m)
{
	static const char *const errors[] = { "ENOENT", "EAGAIN", "EQUOTA", "EWHAT", "" };
	unsigned i = m->n_pending ? fuzz_below(&m->in, m->n_pending) : 0;
	struct fake_msg msg = m->pending[i];
	unsigned how = fuzz_below(&m->in, 6);
	char data[256];
	size_t len;

	if (!m->n_pending)
		return;
	m->pending[i] = m->pending[--m->n_pending];
	if (how == 1) {
		fake_store_error(m->store, &msg, errors[fuzz_below(&m->in, 5)]);
	} else if (how == 2) {
		len = fuzz_bytes(&m->in, data, sizeof(data));
		fake_store_reply(m->store, &msg, data, len);
	} else {
		if (how == 3)
			msg.hdr.type = fuzz_byte(&m->in);
		fake_store_reply(m->store, &msg, usual(&msg), strlen(usual(&msg)) + 1);
		if (how == 4)
			fake_store_reply(m->store, &msg, "", 0);
		if (msg.hdr.type == XS_WATCH && how != 5)
			fake_store_event(m->store, msg.body, msg.body + strlen(msg.body) + 1);
	}
}

static void sends_event(struct model *m)
{
	char path[64];

	fuzz_string(&m->in, path, sizeof(path));
	fake_store_event(m->store, *path ? path : "/a", fuzz_below(&m->in, 4) ? m->token : "x");
}

/* The connection ends; the next one begins, or does not at once. */
static void ends(struct model *m)
{
	m->store->connect_error = fuzz_below(&m->in, 2) ? -ECONNREFUSED : 0;
	m->n_pending = 0;
	fake_store_eof(m->store);
	pump(m);
	fuzz_time_passes(fuzz_byte(&m->in));
	pump(m);
	m->store->connect_error = 0;
}

static void room(struct model *m)
{
	unsigned what = fuzz_byte(&m->in);

	m->store->recv_piece = what & 1 ? SIZE_MAX : 1 + what % 7;
	if (what & 2)
		fake_store_room(m->store, what & 4 ? SIZE_MAX : what);
	else
		fake_store_fill(m->store);
}

static void passes(struct model *m)
{
	fuzz_time_passes(4 * fuzz_byte(&m->in));
}

static void resyncs(struct model *m)
{
	client_resync(m->client);
}

static void (*const commands[])(struct model *m) = {
	answers, submit, give_up, watch, client_writes, client_reads, sends, sends_header, sends_event, ends,
	room, passes, resyncs,
};

/* ---- its life ---- */

static void begin(struct model *m, struct client_counters *counters)
{
	m->store = fake_store_new();
	m->store->resets_silence = fuzz_below(&m->in, 2);
	assert(chan_new(&m->chan, &(struct chan_config){
					  .transport = &m->store->transport,
					  .timeout_ms = 1000,
					  .in_flight_max = fuzz_below(&m->in, 8),
				  }) == 0);
	m->watches = watches_new(m->chan, NULL);
	assert(m->watches);
	m->client = client_new(&(struct client_config){ .chan = m->chan,
							.watches = m->watches,
							.domid = 0,
							.counters = counters,
							.ready = on_ready });
	assert(m->client);
}

static void end(struct model *m)
{
	client_close(m->client);
	pump(m);
	for (unsigned i = 0; i < WATCHERS; i++)
		if (m->interests[i].added)
			watch_remove(m->watches, &m->interests[i].watcher);
	chan_shutdown(m->chan);
	for (unsigned i = 0; i < m->n_calls; i++) {
		assert(m->calls[i].done == 1);
		request_put(m->calls[i].req);
	}
	assert(m->store->overlaps == 0);
	chan_free(m->chan);
	watches_free(m->watches);
	fake_store_free(m->store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client_counters counters = { 0 };
	struct model *m = calloc(1, sizeof(*m));

	assert(m);
	m->in = (struct fuzz){ data, data + size };
	begin(m, &counters);
	while (!fuzz_is_over(&m->in)) {
		commands[fuzz_below(&m->in, sizeof(commands) / sizeof(commands[0]))](m);
		pump(m);
	}
	end(m);
	assert(!counters.watches && !counters.transactions && !counters.clients);
	free(m);
	return 0;
}
