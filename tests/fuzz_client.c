/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target for raw clients, ring/client.[ch]: the input is the bytes that a client writes, after
 * three bytes that control how they are cut and how the store answers.  fuzz_main.c replays inputs.
 * The invariants of every input are asserted: each message has one answer, nothing reaches the
 * store that could harm it, and nothing is left behind.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/client.h"
#include "tests/fake_store.h"
#include "tests/fuzz.h"

#define TX_MAX 64
#define WATCHES_MAX 512

/* The relevant parts of the store. */
struct model {
	struct fake_store *store;
	struct chan *chan;
	unsigned odd;        /* one in this many requests is refused; 0: none */
	unsigned requests;
	unsigned long long watches[WATCHES_MAX]; /* tokens; 0: none */
	bool open[TX_MAX];   /* transactions, by id; 0 is none */
	unsigned answers;    /* answers that the client got */
	char out[64];        /* the header being read by the client */
	size_t out_got;
	size_t skip;         /* bytes of a body to come */
};

static void on_ready(void *arg)
{
	(void)arg;
}

static void pump(struct model *m)
{
	do {
		while (chan_service(m->chan) > 0)
			;
	} while (!chan_may_sleep(m->chan));
}

static const char *answer_start(struct model *m, char *text, size_t size)
{
	for (unsigned id = 1; id < TX_MAX; id++) {
		if (m->open[id])
			continue;
		m->open[id] = true;
		snprintf(text, size, "%u", id);
		return text;
	}
	return NULL;
}

/* Replaces one token by another; 0 stands for a free place.  Returns whether it was there. */
static bool replace_watch(struct model *m, unsigned long long old, unsigned long long new)
{
	for (unsigned i = 0; i < WATCHES_MAX; i++) {
		if (m->watches[i] == old) {
			m->watches[i] = new;
			return true;
		}
	}
	return false;
}

static unsigned long long token_of(const struct fake_msg *msg)
{
	return strtoull(msg->body + strlen(msg->body) + 1, NULL, 10);
}

static void serve(struct model *m, const struct fake_msg *msg)
{
	const char *body = "OK", *token;
	char text[16];
	bool refused = m->odd && m->requests++ % m->odd == 0;
	uint32_t tx = msg->hdr.tx_id;

	/* Types that there are, with a string where one belongs, in transactions that there may be. */
	assert(strcmp(wire_type_name(msg->hdr.type), "UNKNOWN") != 0);
	assert(msg->hdr.type != XS_WATCH_EVENT && msg->hdr.type != XS_ERROR);
	assert(msg->hdr.type >= WIRE_GET_FEATURE || msg->hdr.type == XS_TRANSACTION_START ||
	       memchr(msg->body, '\0', msg->hdr.len));
	assert(msg->hdr.type != XS_RESET_WATCHES);
	assert(tx < TX_MAX);
	switch (msg->hdr.type) {
	case XS_TRANSACTION_START:
		body = refused ? NULL : answer_start(m, text, sizeof(text));
		break;
	case XS_TRANSACTION_END:
		if (strcmp(msg->body, "T") != 0 && strcmp(msg->body, "F") != 0)
			refused = true;
		else if (tx)
			m->open[tx] = false;
		break;
	case XS_WATCH:
		refused = refused || !replace_watch(m, 0, token_of(msg));
		break;
	case XS_UNWATCH:
		/* There may be none, if it was refused. */
		refused = !replace_watch(m, token_of(msg), 0);
		break;
	}
	if (refused || !body) {
		fake_store_error(m->store, msg, "EINVAL");
	} else {
		fake_store_reply(m->store, msg, body, strlen(body) + 1);
		token = msg->body + strlen(msg->body) + 1;
		if (msg->hdr.type == XS_WATCH)
			fake_store_event(m->store, msg->body, token);
	}
}

static void serve_all(struct model *m)
{
	struct fake_msg msg;

	pump(m);
	while (fake_store_take(m->store, &msg)) {
		serve(m, &msg);
		pump(m);
	}
}

/* Counts the answers in what the client reads. */
static void read_all(struct model *m, struct client *client)
{
	struct xsd_sockmsg hdr;
	char buf[4096];
	ssize_t n;

	for (;;) {
		n = client_read(client, buf,
				m->skip ? (m->skip < sizeof(buf) ? m->skip : sizeof(buf)) :
					  WIRE_HEADER_SIZE - m->out_got);
		if (n == -EAGAIN)
			break;
		assert(n > 0);
		if (m->skip) {
			m->skip -= n;
			continue;
		}
		memcpy(m->out + m->out_got, buf, n);
		m->out_got += n;
		if (m->out_got < WIRE_HEADER_SIZE)
			continue;
		m->out_got = 0;
		memcpy(&hdr, m->out, sizeof(hdr));
		assert(hdr.len <= WIRE_PAYLOAD_MAX);
		assert(hdr.type != XS_WATCH_EVENT || (hdr.req_id == 0 && hdr.tx_id == 0));
		m->answers += hdr.type != XS_WATCH_EVENT;
		m->skip = hdr.len;
	}
	assert(m->out_got == 0 && m->skip == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client_counters counters = { 0 };
	struct model m = { 0 };
	struct watches *ws;
	struct client *client;
	size_t piece;
	ssize_t n;
	bool leave;

	if (size < 3)
		return 0;
	piece = data[0] ? data[0] : size;
	m.odd = data[1] % 8;
	leave = data[2] & 1;
	data += 3;
	size -= 3;
	m.store = fake_store_new();
	assert(chan_new(&m.chan, &(struct chan_config){ .transport = &m.store->transport }) == 0);
	ws = watches_new(m.chan, NULL);
	client = client_new(&(struct client_config){ .chan = m.chan,
						     .watches = ws,
						     .domid = 0,
						     .counters = &counters,
						     .ready = on_ready });
	assert(ws && client);
	while (size) {
		n = client_write(client, data, size < piece ? size : piece);
		if (n == -EAGAIN) {
			serve_all(&m);
			read_all(&m, client);
			continue;
		}
		/* Too large: the message written last is dropped. */
		if (n < 0) {
			assert(n == -E2BIG);
			n = size < piece ? size : piece;
		}
		assert(n > 0);
		data += n;
		size -= n;
	}
	if (!leave) {
		serve_all(&m);
		read_all(&m, client);
		assert(m.answers == counters.messages);
	}
	client_close(client);
	serve_all(&m);
	for (unsigned i = 0; i < WATCHES_MAX; i++)
		assert(!m.watches[i]);
	for (unsigned id = 1; id < TX_MAX; id++)
		assert(!m.open[id]);
	assert(!counters.watches && !counters.transactions);
	chan_free(m.chan);
	watches_free(ws);
	fake_store_free(m.store);
	return 0;
}
