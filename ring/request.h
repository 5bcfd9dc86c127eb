/* SPDX-License-Identifier: MIT */
/*
 * A request on its way to the store and back.  For all code that talks to the store.  It is made
 * here, sent and completed by chan.c, and evaluated by its issuer.
 *
 *            chan_submit            bytes on the wire            reply, error
 *    NEW ───────────────▶ QUEUED ───────────────────▶ SENT ───────────────────▶ DONE
 *                            │                          │                        ▲
 *                            └────── chan_abandon, deadline, connection lost ────┘
 *
 * The wire has no cancel.  A request that is given up while it is SENT completes at once, yet the
 * channel keeps it and its id (`abandoned`) until the reply arrives, and swallows that.  It may
 * still take effect in the store.
 *
 * References: one of the issuer's (request_new), one of the channel's (from chan_submit until
 * nothing of it is on the wire any more).  The last one frees.
 */
#ifndef RING_REQUEST_H
#define RING_REQUEST_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ring/wire.h"

struct gather;

enum request_state { REQUEST_NEW, REQUEST_QUEUED, REQUEST_SENT, REQUEST_DONE };

/* A reply of up to this many bytes needs no allocation of its own. */
#define REQUEST_INLINE_REPLY 120

/* No deadline: the request lasts until it is answered, abandoned, or its connection ends. */
#define REQUEST_PATIENT UINT_MAX

struct request {
	/* Set by the issuer before chan_submit(). */
	void (*complete)(struct request *req); /* or NULL; see chan_submit() */
	void *arg;                             /* the issuer's own */
	struct gather *gather;                 /* or NULL: counts this request's completion */
	unsigned timeout_ms;                   /* 0: the channel's default; REQUEST_PATIENT: for ever */
	uint32_t epoch;                        /* the connection it belongs to, 0: any */
	bool bulk;                             /* takes only a share of the slots in flight */
	bool keep_error;                       /* keep the bytes of an XS_ERROR as ->reply */

	/* The answer: stable once DONE.  `error` is 0 or -errno; `reply` is NULL on error (but for
	 * keep_error, where the store answered), else reply_len bytes and a NUL behind them, freed
	 * with the request. */
	int error;
	uint32_t reply_len;
	char *reply;
	uint64_t answered_ns; /* when the store answered, by CLOCK_MONOTONIC; 0: it did not */

	/* Owned by the channel, under its lock. */
	enum request_state state;
	bool abandoned;
	bool channels_own; /* no issuer ever waited for it */
	bool has_deadline;
	unsigned slot;
	uint64_t submitted_ns;
	uint64_t deadline_ns;
	TAILQ_ENTRY(request) queue_link;
	TAILQ_ENTRY(request) deadline_link;

	atomic_uint refs;
	char inline_reply[REQUEST_INLINE_REPLY + 1];

	/* The message as it goes on the wire: header, then msg.len bytes.  msg.req_id is the
	 * channel's; 0 in a request that is DONE: no byte of it was sent. */
	struct xsd_sockmsg msg;
	char payload[];
};

TAILQ_HEAD(request_list, request);

/* Several requests with one completion. */
struct gather {
	atomic_uint pending;
	uint64_t answered_ns; /* set before `complete` runs: that of the last request */
	/* Runs once, when the last request has completed, where that one's `complete` would. */
	void (*complete)(struct gather *g);
};

/*
 * Makes a request of `type` in transaction `tx_id` (0: none) with a payload of `len` bytes, which
 * the caller fills in at ->payload.  The caller owns a reference.
 * Returns NULL when out of memory.  Any thread.
 */
struct request *request_new(uint32_t type, uint32_t tx_id, size_t len);

/*
 * Makes a request whose payload is `path`, a NUL, and `len` bytes at `data`: the form of READ,
 * WRITE, MKDIR, RM, DIRECTORY, GET_PERMS, SET_PERMS, WATCH and UNWATCH.
 * Returns NULL when out of memory.  Any thread.
 */
struct request *request_new_path(uint32_t type, uint32_t tx_id, const char *path,
				 const void *data, size_t len);

/* Takes another reference.  Any thread. */
struct request *request_get(struct request *req);

/* Gives a reference back; the last one frees.  NULL is allowed.  Any thread. */
void request_put(struct request *req);

/* Returns the size of the request on the wire, in bytes. */
static inline size_t request_size(const struct request *req)
{
	return WIRE_HEADER_SIZE + req->msg.len;
}

/*
 * For chan_receive.c: returns room for a reply of `len` bytes and its NUL, inside the request if it is
 * short, or NULL when out of memory.  It becomes ->reply only when the request succeeds: until then
 * an issuer that has given up sees nothing of it.
 */
char *request_reply_room(struct request *req, size_t len);

/* For chan_receive.c: gives back such room that did not become ->reply. */
void request_discard_room(struct request *req, char *room);

/* For chan.c: runs `complete` and counts down the gather.  The request must be DONE. */
void request_finish(struct request *req);

#endif
