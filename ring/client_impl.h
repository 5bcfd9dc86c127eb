/* SPDX-License-Identifier: MIT */
/*
 * The internals of a client, shared by client.c (messages and requests), client_tx.c (transactions) and
 * client_watch.c (watches and events).  For no other file.
 *
 * Lifetime.  The owner holds a reference until client_close(), and each request that is submitted
 * one more.  A watch belongs to the code that takes it out of the table of watches; a callback that
 * takes out its own watch holds a reference, because its report to the owner may make the owner
 * close the client.
 */
#ifndef RING_CLIENT_IMPL_H
#define RING_CLIENT_IMPL_H

#include <uthash.h>

#include "ring/client.h"

/* Something to read. */
struct client_out {
	struct xsd_sockmsg hdr;
	const char *body; /* hdr.len bytes */
	size_t memory;    /* how much it is counted as */
	bool event;
	TAILQ_ENTRY(client_out) link;
};

TAILQ_HEAD(client_outs, client_out);

/* A message of the client, and then its answer. */
struct client_call {
	struct client_out out; /* hdr has the client's own ids */
	struct client *client;
	struct request *req; /* with a reference; it holds the payload even if it is not sent */
	struct client_tx *start; /* for a TRANSACTION_START: the transaction to be */
	bool given_up;
	char text[12]; /* an id of the client's, as printed in the answer */
	LIST_ENTRY(client_call) link; /* while it is unanswered */
};

struct client_tx {
	uint32_t id;        /* the client's */
	uint32_t server_id;
	uint32_t epoch;     /* the connection to which it belongs */
	unsigned ending;    /* TRANSACTION_ENDs of the client that are under way */
	bool doomed;        /* a RESET_WATCHES came before the answer to its start */
	struct request *end; /* aborts it; made along with it, so that no memory is needed later */
	UT_hash_handle hh;
};

struct client_event {
	struct client_out out;
	UT_hash_handle hh;
	char text[]; /* path NUL token NUL, the key */
};

struct client_watch {
	struct watcher watcher;
	struct client *client;
	const char *path, *token;    /* as the client wrote them */
	struct client_call *call;    /* the WATCH, until it is answered */
	struct client_call *unwatch; /* the UNWATCH, if that came before */
	bool listed;                 /* is in the table */
	bool overflowed;             /* an event of its own path is due when there is room */
	TAILQ_ENTRY(client_watch) overflow_link;
	TAILQ_ENTRY(client_watch) ending_link; /* for the code that took it out of the table */
	size_t key_len;
	UT_hash_handle hh;
	char key[]; /* absolute path NUL token NUL */
};

TAILQ_HEAD(client_watch_list, client_watch);

struct client {
	struct client_config config;

	/* Used by writing. */
	struct xsd_sockmsg hdr; /* of the message that is coming in */
	size_t hdr_got;
	struct client_call *in; /* that message, once its header is complete */
	size_t in_got;          /* bytes of its payload received so far */

	bool closed;
	bool begun;         /* a message is coming in */
	unsigned refs;
	unsigned in_flight; /* messages that are unanswered */
	LIST_HEAD(, client_call) calls;
	struct client_tx *txs;
	uint32_t last_tx;

	struct client_outs outs;
	size_t out_got;      /* bytes of the first one that were read */
	size_t answer_bytes;
	size_t event_bytes;
	struct client_event *events; /* the events in outs, by text */

	struct client_watch *watches;
	struct client_watch_list overflowed;
};

/* Gives a reference back; the last one frees. */
void client_put(struct client *client);

/* Queues an answer: `len` bytes at `body`, which live as long as the call.  The call no longer
 * belongs to the caller; if the client is closed it is dropped. */
void client_answer(struct client_call *call, const char *body, size_t len);

/* The same with an XS_ERROR (0: OK). */
void client_answer_error(struct client_call *call, int error);

/* Tells the owner that there is something to read or room to write. */
void client_notify(struct client *client);

/* ---- client_tx.c -------------------------------------------------------------------------------- */

/* Returns the transaction with an id of the client's, or NULL. */
struct client_tx *client_tx_find(struct client *client, uint32_t id);

/* Makes a transaction that is yet to be started; NULL without memory.  Frees one; NULL is allowed. */
struct client_tx *client_tx_new(void);
void client_tx_free(struct client_tx *tx);

/*
 * The store has started a transaction, in the connection `epoch`, and answered with its number and a NUL.  Stores
 * an error if memory or the reply is at fault.  Returns a request for client_submit_end(), or NULL.
 */
struct request *client_started(struct client_call *call, uint32_t epoch, int *error);

/*
 * The store has answered a TRANSACTION_END.  Whatever the answer, the transaction is over, unless
 * the store never got the request or did not understand it.
 * Returns a request for client_submit_end(), or NULL.
 */
struct request *client_ended(struct client_call *call);

/* Submits the request that aborts a transaction, which nobody waits for; NULL is allowed. */
void client_submit_end(struct client *client, struct request *end);

/* Aborts the transactions that the client will not end itself.  If a TRANSACTION_START is under
 * way, its transaction is aborted when the answer comes. */
void client_abort_all(struct client *client);

/* ---- client_watch.c ----------------------------------------------------------------------------- */

/* A WATCH and an UNWATCH, whole. */
void client_watch(struct client_call *call);
void client_unwatch(struct client_call *call);

/* Removes all watches. */
void client_unwatch_all(struct client *client);

/* Queues an event for a watch that overflowed, if there is room now.  Returns 0 or -ENOMEM. */
int client_overflow(struct client *client);

/* Frees an event that was read. */
void client_event_free(struct client *client, struct client_event *event);

#endif
