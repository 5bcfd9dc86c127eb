/* SPDX-License-Identifier: MIT */
/* The machine's server: it carries requests out, or does to them what the fault wants.  Under fs->lock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/clock.h"
#include "tests/faults/machine_impl.h"
#include "tests/faults/memory.h"

#define NSEC_PER_MSEC UINT64_C(1000000)

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

void machine_send(struct machine *m, const void *data, size_t len, unsigned delay_ms)
{
	struct machine_packet *p = must(malloc(sizeof(*p) + len));

	p->due_ns = clock_now_ns(CLOCK_MONOTONIC) + delay_ms * NSEC_PER_MSEC;
	if (p->due_ns < m->busy_until_ns)
		p->due_ns = m->busy_until_ns;
	p->len = len;
	if (len)
		memcpy(p->data, data, len);
	TAILQ_INSERT_TAIL(&m->packets, p, link);
}

void machine_hang_up(struct machine *m)
{
	m->wire.hung_up = true;
	machine_send(m, NULL, 0, 0);
}

void machine_pieces(struct machine *m, const void *data, size_t len, size_t first, unsigned delay_ms)
{
	machine_send(m, data, first, 0);
	if (len > first)
		machine_send(m, (const char *)data + first, len - first, delay_ms);
	m->busy_until_ns = TAILQ_LAST(&m->packets, machine_packets)->due_ns;
}

void machine_message(struct machine *m, const struct xsd_sockmsg *hdr, const void *body, size_t len, unsigned delay_ms)
{
	char data[sizeof(*hdr) + WIRE_PAYLOAD_MAX];

	memcpy(data, hdr, sizeof(*hdr));
	if (len)
		memcpy(data + sizeof(*hdr), body, len);
	machine_send(m, data, sizeof(*hdr) + len, delay_ms);
}

static void server_answers(void *arg, const struct xsd_sockmsg *request, uint32_t type, const void *body, size_t len)
{
	struct machine *m = arg;
	struct xsd_sockmsg hdr = *request;

	hdr.type = type;
	hdr.len = len;
	if (m->muted)
		return;
	if (m->spoiling) {
		m->spoiling = false;
		m->fault->spoil(m, &hdr, body, len);
	} else {
		machine_message(m, &hdr, body, len, 0);
	}
}

static void server_tells(void *arg, const char *path, const char *token)
{
	struct xsd_sockmsg hdr = { .type = XS_WATCH_EVENT };
	char body[WIRE_EVENT_MAX];
	int len = snprintf(body, sizeof(body), "%s%c%s", path, '\0', token) + 1;

	hdr.len = len;
	machine_message(arg, &hdr, body, len, 0);
}

void machine_refuse(struct machine *m, const struct wire_msg *msg)
{
	static const struct wire_msg abort = { .body = "F" };

	/* Whatever the answer, a transaction is over after its end. */
	m->muted = true;
	if (m->peer && msg->hdr.type == XS_TRANSACTION_END)
		fake_peer_request(m->peer, &msg->hdr, abort.body);
	m->muted = false;
}

/* What the requests of .xsfs/control get. */
static void server_knows(void *arg, const struct xsd_sockmsg *hdr, const char *body)
{
	static const char path[] = "/local/domain/0";

	(void)body;
	if (hdr->type == XS_GET_DOMAIN_PATH)
		server_answers(arg, hdr, hdr->type, path, sizeof(path));
	else if (hdr->type == XS_IS_DOMAIN_INTRODUCED)
		server_answers(arg, hdr, hdr->type, "T", sizeof("T"));
	else
		server_answers(arg, hdr, XS_ERROR, "ENOSYS", sizeof("ENOSYS"));
}

void machine_carry_out(struct machine *m, const struct wire_msg *msg)
{
	/* Relative to the own domain's directory, which the tree does not know. */
	if (msg->hdr.type == XS_READ && !strcmp(msg->body, "domid"))
		server_answers(m, &msg->hdr, XS_READ, "0", 1);
	else if (m->peer)
		fake_peer_request(m->peer, &msg->hdr, msg->body);
}

void machine_drop_packets(struct machine *m)
{
	struct machine_packet *p;

	while ((p = TAILQ_FIRST(&m->packets))) {
		TAILQ_REMOVE(&m->packets, p, link);
		free(p);
	}
}

/* Sends what is due.  Returns whether there was anything. */
static bool send_due(struct machine *m)
{
	uint64_t now = clock_now_ns(CLOCK_MONOTONIC);
	struct machine_packet *p, *next;
	bool sent = false;

	for (p = TAILQ_FIRST(&m->packets); p; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->due_ns > now)
			continue;
		wire_send(&m->wire, p->data, p->len);
		m->wire.eof |= !p->len;
		TAILQ_REMOVE(&m->packets, p, link);
		free(p);
		sent = true;
	}
	return wire_flush(&m->wire) || sent;
}

static void serve_one(struct machine *m, const struct wire_msg *msg)
{
	const struct fault *fault = m->fault;
	unsigned number = m->requests++;
	bool strikes = m->armed && fault && !fault->memory && (fault->every ? number >= m->strike_at : number == m->strike_at);

	m->struck |= strikes;
	m->spoiling = strikes && fault->spoil;
	if (strikes && fault->instead)
		fault->instead(m, msg);
	else
		machine_carry_out(m, msg);
	m->spoiling = false;
}

bool machine_serve(struct machine *m)
{
	struct wire_msg msg;
	bool busy = false;

	if (wire_is_new(&m->wire)) {
		if (m->peer)
			fake_peer_free(m->peer);
		machine_drop_packets(m);
		m->busy_until_ns = 0;
		m->unanswered = 0;
		m->peer = fake_peer_new(m->server, m);
	}
	while (wire_take(&m->wire, &msg)) {
		serve_one(m, &msg);
		busy = true;
	}
	return send_due(m) || busy;
}

void machine_arm(struct machine *m, const struct fault *fault, unsigned strike_at)
{
	m->fault = fault;
	m->strike_at = strike_at;
	m->requests = 0;
	m->struck = false;
	m->armed = true;
	if (fault && fault->memory)
		memory_fail_at(strike_at + 1);
}

void machine_heal(struct machine *m)
{
	struct machine_packet *p;

	if (m->fault && m->fault->memory) {
		m->struck = memory_failed();
		/* An end that nobody could send. */
		m->unanswered += m->struck;
		memory_fail_at(0);
	}
	m->armed = false;
	m->fault = NULL;
	m->wire.refuses = m->wire.deaf = false;
	/* What nobody could send on is closed. */
	m->wire.eof |= m->wire.send_fails || m->wire.confused;
	m->busy_until_ns = 0;
	TAILQ_FOREACH(p, &m->packets, link)
		p->due_ns = 0;
}

struct fake_server *machine_server_new(const struct fake_tree *tree)
{
	struct fake_server *server = fake_server_new();

	fake_tree_free(server->tree);
	server->tree = fake_tree_copy(tree);
	server->answer = server_answers;
	server->event = server_tells;
	server->unknown = server_knows;
	return server;
}
