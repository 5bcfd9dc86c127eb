/* SPDX-License-Identifier: MIT */
/*
 * The machine's connection to its server: a transport whose far side is the test, either a stream of bytes or the
 * shared page of a ring, which the arithmetic of ring/page.c serves.  Under fs->lock.
 */
#ifndef TESTS_FAULTS_WIRE_H
#define TESTS_FAULTS_WIRE_H

#include "ring/page.h"
#include "ring/transport.h"
#include "ring/wire.h"

/* A message as the server got it; the body is terminated. */
struct wire_msg {
	struct xsd_sockmsg hdr;
	char body[WIRE_PAYLOAD_MAX + 1];
};

/* Bytes under way. */
struct wire_bytes {
	char *data;
	size_t pos, len, size;
};

struct wire {
	struct transport transport; /* first; freed by wire_free() only */
	bool paged;        /* the bytes go through the page */
	size_t piece;      /* most bytes that one recv() gives */
	bool refuses;      /* the server does not accept a connection */
	bool deaf;         /* it reads nothing */
	bool confused;     /* it has lost its place in the page, until that is made anew */
	bool send_fails;   /* what is sent finds the connection closed */
	bool hung_up;      /* the server has closed this connection: it reads nothing, and */
	bool eof;          /* the connection ends after everything there is to receive */

	/* Private. */
	bool connected, connected_anew;
	struct wire_bytes requests, replies;
	struct xenstore_domain_interface page;
};

void wire_init(struct wire *w, bool paged, size_t piece);
void wire_free(struct wire *w);

/* Returns whether a connection was made since the last call. */
bool wire_is_new(struct wire *w);

/* Takes the next complete message.  Returns false if there is none. */
bool wire_take(struct wire *w, struct wire_msg *msg);

/* Sends bytes to the channel. */
void wire_send(struct wire *w, const void *data, size_t len);

/* Moves what fits into the page.  Returns whether anything moved. */
bool wire_flush(struct wire *w);

#endif
