/* SPDX-License-Identifier: MIT */
/* The server of fake_server.h. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake_server.h"

struct fake_transaction {
	TAILQ_ENTRY(fake_transaction) link;
	uint32_t id;
	uint64_t base; /* generation of the tree that it started from */
	struct fake_tree *tree;
};

struct fake_watch {
	TAILQ_ENTRY(fake_watch) link;
	char *path, *token;
};

struct fake_peer {
	struct fake_server *server;
	void *arg;
	TAILQ_HEAD(, fake_transaction) transactions;
	TAILQ_HEAD(, fake_watch) watches;
	uint32_t last_transaction;
	TAILQ_ENTRY(fake_peer) link;
};

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

struct fake_server *fake_server_new(void)
{
	struct fake_server *server = must(calloc(1, sizeof(*server)));

	server->tree = fake_tree_new();
	TAILQ_INIT(&server->peers);
	return server;
}

void fake_server_free(struct fake_server *server)
{
	fake_tree_free(server->tree);
	free(server);
}

/* ---- what a peer has ---- */

static void transaction_free(struct fake_peer *peer, struct fake_transaction *t)
{
	TAILQ_REMOVE(&peer->transactions, t, link);
	fake_tree_free(t->tree);
	free(t);
}

static void watch_free(struct fake_peer *peer, struct fake_watch *w)
{
	TAILQ_REMOVE(&peer->watches, w, link);
	free(w->path);
	free(w->token);
	free(w);
}

static void forget_state(struct fake_peer *peer)
{
	struct fake_transaction *t;
	struct fake_watch *w;

	while ((t = TAILQ_FIRST(&peer->transactions)))
		transaction_free(peer, t);
	while ((w = TAILQ_FIRST(&peer->watches)))
		watch_free(peer, w);
}

struct fake_peer *fake_peer_new(struct fake_server *server, void *arg)
{
	struct fake_peer *peer = must(calloc(1, sizeof(*peer)));

	peer->server = server;
	peer->arg = arg;
	TAILQ_INIT(&peer->transactions);
	TAILQ_INIT(&peer->watches);
	TAILQ_INSERT_TAIL(&server->peers, peer, link);
	return peer;
}

void fake_peer_free(struct fake_peer *peer)
{
	forget_state(peer);
	TAILQ_REMOVE(&peer->server->peers, peer, link);
	free(peer);
}

unsigned fake_peer_transactions(const struct fake_peer *peer)
{
	const struct fake_transaction *t;
	unsigned n = 0;

	TAILQ_FOREACH(t, &peer->transactions, link)
		n++;
	return n;
}

unsigned fake_peer_watches(const struct fake_peer *peer)
{
	const struct fake_watch *w;
	unsigned n = 0;

	TAILQ_FOREACH(w, &peer->watches, link)
		n++;
	return n;
}

static struct fake_transaction *transaction_find(struct fake_peer *peer, uint32_t id)
{
	struct fake_transaction *t;

	TAILQ_FOREACH(t, &peer->transactions, link)
		if (t->id == id)
			return t;
	return NULL;
}

static struct fake_watch *watch_find(struct fake_peer *peer, const char *path, const char *token)
{
	struct fake_watch *w;

	TAILQ_FOREACH(w, &peer->watches, link)
		if (!strcmp(w->path, path) && !strcmp(w->token, token))
			return w;
	return NULL;
}

/* ---- answers and events ---- */

static void answer(struct fake_peer *peer, const struct xsd_sockmsg *hdr, const void *body, size_t len)
{
	peer->server->answer(peer->arg, hdr, hdr->type, body, len);
}

static void answer_ok(struct fake_peer *peer, const struct xsd_sockmsg *hdr)
{
	answer(peer, hdr, "OK", sizeof("OK"));
}

static void refuse(struct fake_peer *peer, const struct xsd_sockmsg *hdr, const char *name)
{
	peer->server->answer(peer->arg, hdr, XS_ERROR, name, strlen(name) + 1);
}

/* Tells all watches what has changed in the tree. */
static void fire(struct fake_server *server)
{
	struct fake_tree *changed = server->tree;
	struct fake_peer *peer;
	struct fake_watch *w;

	TAILQ_FOREACH(peer, &server->peers, link)
		TAILQ_FOREACH(w, &peer->watches, link)
			for (size_t i = 0; i < changed->changes_count; i++)
				if (fake_tree_concerns(changed->changes[i], w->path))
					server->event(peer->arg, changed->changes[i], w->token);
	fake_tree_forget_changes(changed);
}

void fake_server_event(struct fake_server *server, const char *path)
{
	struct fake_peer *peer;
	struct fake_watch *w;

	TAILQ_FOREACH(peer, &server->peers, link)
		TAILQ_FOREACH(w, &peer->watches, link)
			if (!strcmp(w->path, path))
				server->event(peer->arg, path, w->token);
}

void fake_server_change(struct fake_server *server, uint32_t type, const char *path, const char *value)
{
	char body[WIRE_PAYLOAD_MAX + 1];
	size_t path_size = strlen(path) + 1, value_len = strlen(value);

	memcpy(body, path, path_size);
	memcpy(body + path_size, value, value_len + 1);
	free(fake_tree_answer(server->tree, type, body, path_size + value_len).body);
	fire(server);
}

/* ---- requests ---- */

static void transaction_start(struct fake_peer *peer, const struct xsd_sockmsg *hdr)
{
	struct fake_transaction *t = must(calloc(1, sizeof(*t)));
	char id[12];

	t->id = ++peer->last_transaction;
	t->base = peer->server->tree->generation;
	t->tree = fake_tree_copy(peer->server->tree);
	TAILQ_INSERT_TAIL(&peer->transactions, t, link);
	answer(peer, hdr, id, snprintf(id, sizeof(id), "%" PRIu32, t->id) + 1);
}

/* Returns whether the transaction may be committed. */
static bool fits(struct fake_server *server, const struct fake_transaction *t)
{
	if (server->tree->generation == t->base)
		return true;
	if (!server->overlook)
		return false;
	server->overlook--;
	return true;
}

static void transaction_end(struct fake_peer *peer, struct fake_transaction *t, const struct xsd_sockmsg *hdr,
			    bool commit)
{
	struct fake_server *server = peer->server;
	bool changes = commit && t->tree->changes_count;
	struct fake_tree *old = server->tree;

	if (changes && !fits(server, t)) {
		transaction_free(peer, t);
		refuse(peer, hdr, "EAGAIN");
		return;
	}
	if (changes) {
		server->tree = t->tree;
		t->tree = old;
	}
	transaction_free(peer, t);
	answer_ok(peer, hdr);
	if (changes)
		fire(server);
}

static void watch_request(struct fake_peer *peer, const struct xsd_sockmsg *hdr, const char *body)
{
	const char *path, *token;
	struct fake_watch *w;

	if (wire_event_parse(body, hdr->len, &path, &token) || (*path != '/' && *path != '@')) {
		refuse(peer, hdr, "EINVAL");
		return;
	}
	w = watch_find(peer, path, token);
	if (!w != (hdr->type == XS_WATCH)) {
		refuse(peer, hdr, w ? "EEXIST" : "ENOENT");
		return;
	}
	if (hdr->type == XS_UNWATCH) {
		watch_free(peer, w);
		answer_ok(peer, hdr);
		return;
	}
	w = must(calloc(1, sizeof(*w)));
	w->path = must(strdup(path));
	w->token = must(strdup(token));
	TAILQ_INSERT_TAIL(&peer->watches, w, link);
	answer_ok(peer, hdr);
	peer->server->event(peer->arg, path, token);
}

static void tree_request(struct fake_peer *peer, struct fake_transaction *t, const struct xsd_sockmsg *hdr,
			 const char *body)
{
	struct fake_server *server = peer->server;
	struct fake_answer a;

	if (hdr->type == XS_WRITE && !t && server->lose) {
		server->lose--;
		answer_ok(peer, hdr);
		return;
	}
	a = fake_tree_answer(t ? t->tree : server->tree, hdr->type, body, hdr->len);
	if (a.error)
		refuse(peer, hdr, a.error);
	else if (a.len > WIRE_PAYLOAD_MAX)
		refuse(peer, hdr, "E2BIG");
	else
		answer(peer, hdr, a.body, a.len);
	free(a.body);
	if (!t)
		fire(server);
}

static void unknown_request(struct fake_peer *peer, const struct xsd_sockmsg *hdr, const char *body)
{
	if (peer->server->unknown)
		peer->server->unknown(peer->arg, hdr, body);
	else
		refuse(peer, hdr, "ENOSYS");
}

void fake_peer_request(struct fake_peer *peer, const struct xsd_sockmsg *hdr, const char *body)
{
	struct fake_transaction *t = transaction_find(peer, hdr->tx_id);

	if (hdr->tx_id && !t) {
		refuse(peer, hdr, "ENOENT");
		return;
	}
	switch (hdr->type) {
	case XS_TRANSACTION_START:
		if (t)
			refuse(peer, hdr, "EBUSY");
		else
			transaction_start(peer, hdr);
		break;
	case XS_TRANSACTION_END:
		if (t)
			transaction_end(peer, t, hdr, body[0] == 'T');
		else
			refuse(peer, hdr, "ENOENT");
		break;
	case XS_WATCH:
	case XS_UNWATCH:
		watch_request(peer, hdr, body);
		break;
	case XS_RESET_WATCHES:
		forget_state(peer);
		answer_ok(peer, hdr);
		break;
	case XS_DIRECTORY:
	case XS_READ:
	case XS_GET_PERMS:
	case XS_WRITE:
	case XS_MKDIR:
	case XS_RM:
	case XS_SET_PERMS:
	case XS_DIRECTORY_PART:
		tree_request(peer, t, hdr, body);
		break;
	default:
		unknown_request(peer, hdr, body);
	}
}
