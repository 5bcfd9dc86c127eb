/* SPDX-License-Identifier: MIT */
/*
 * What a server does besides its tree of nodes: transactions and watches of each connection.  For fakestore.c, and
 * for the machine of faults/, which decide how its messages travel.  One thread.
 */
#ifndef TESTS_FAKE_SERVER_H
#define TESTS_FAKE_SERVER_H

#include "ring/wire.h"
#include "tests/fake_tree.h"

struct fake_peer;

struct fake_server {
	struct fake_tree *tree;
	unsigned lose;     /* so many values are not written, whatever the answer says */
	unsigned overlook; /* so many commits that conflict succeed, and undo what others did */

	/* An answer to the request `hdr` of a peer, and an event for it; `arg` is the peer's. */
	void (*answer)(void *arg, const struct xsd_sockmsg *hdr, uint32_t type, const void *body, size_t len);
	void (*event)(void *arg, const char *path, const char *token);
	/* Answers a request of a type that is not known here.  NULL: ENOSYS. */
	void (*unknown)(void *arg, const struct xsd_sockmsg *hdr, const char *body);

	TAILQ_HEAD(, fake_peer) peers;
};

/* Makes a server of an empty tree; the callbacks are to be set.  Ends the program without memory. */
struct fake_server *fake_server_new(void);

/* Frees it; there are no peers any more. */
void fake_server_free(struct fake_server *server);

/* A connection begins and ends; with it end its transactions and watches. */
struct fake_peer *fake_peer_new(struct fake_server *server, void *arg);
void fake_peer_free(struct fake_peer *peer);

/* Carries out a request; `body` has a NUL behind its hdr->len bytes. */
void fake_peer_request(struct fake_peer *peer, const struct xsd_sockmsg *hdr, const char *body);

/* Returns how many transactions, or watches, the peer has. */
unsigned fake_peer_transactions(const struct fake_peer *peer);
unsigned fake_peer_watches(const struct fake_peer *peer);

/* Changes the tree by a request of another client (XS_WRITE, XS_MKDIR, XS_RM), with events. */
void fake_server_change(struct fake_server *server, uint32_t type, const char *path, const char *value);

/* Sends an event to all watches of just this path. */
void fake_server_event(struct fake_server *server, const char *path);

#endif
