/* SPDX-License-Identifier: MIT */
/*
 * The channel: many requests, from any thread, share one connection to the store.
 * For fs/ and for every program that talks to a store; the one place where requests meet a
 * transport.
 *
 * Threads.  Any thread submits and abandons.  One thread at a time, the I/O thread, services the
 * channel: it alone reads from the transport, runs completions, expires deadlines, reconnects.
 * The channel has no thread of its own; the I/O thread is whoever calls
 *
 *     for (;;) {
 *             if (chan_service(chan) > 0)
 *                     continue;
 *             if (!chan_may_sleep(chan))
 *                     continue;
 *             n = chan_pollfds(chan, fds);
 *             poll(fds, n, chan_timeout(chan));
 *     }
 *
 * with its own descriptors in the same poll() if it has any.  A submitter writes to the transport
 * itself when nobody else does; nobody ever waits for another thread here.
 */
#ifndef RING_CHAN_H
#define RING_CHAN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "ring/logger.h"
#include "ring/request.h"
#include "ring/transport.h"

struct chan;

/* The most descriptors that chan_pollfds() fills in. */
#define CHAN_POLLFDS (TRANSPORT_POLLFDS + 1)

/* What the channel reports to its user, on the I/O thread and with no lock held.  The callee may
 * submit, but never wait. */
struct chan_handlers {
	/* A watch event.  The strings are the callee's to read until it returns. */
	void (*event)(void *arg, const char *path, const char *token);
	/* The connection was made anew: no watch is set and no transaction open on it. */
	void (*connected)(void *arg, uint32_t epoch);
	void *arg;
};

struct chan_config {
	struct transport *transport; /* taken, also on failure */
	struct logger *log;          /* borrowed for the channel's life; may be NULL */
	unsigned timeout_ms;         /* deadline of requests that name none; 0: no deadline */
	unsigned in_flight_max;      /* 0: as many as the transport allows */
	bool connect_later;          /* chan_new() need not wait for a server that is not there yet */
};

enum chan_state {
	CHAN_CONNECTED,
	CHAN_CONNECTING, /* lost; made anew as soon as that works */
	CHAN_DEAD,       /* lost, and only the server's side can bring it back */
	CHAN_SHUTDOWN,
};

/* Upper bounds of the latency buckets grow by about 19 % (2^(1/4)) each, from 1 µs. */
#define CHAN_LATENCY_BUCKETS 96

/* Errors are counted by errno up to this one; larger ones, and those that are not Linux's, as 0. */
#define CHAN_ERRNOS 134

/* Counters since the start; a consistent copy is made by chan_stats(). */
struct chan_stats {
	enum chan_state state;
	uint32_t epoch;
	uint64_t requests[WIRE_TYPE_COUNT]; /* submitted, by type */
	uint64_t completed;
	uint64_t errors;       /* of these, with an error */
	uint64_t errors_by[CHAN_ERRNOS]; /* the same by errno, see chan_error_index() */
	uint64_t refused;      /* of these, never sent for one of the reasons at chan_submit() */
	uint64_t eagain;       /* of these, TRANSACTION_ENDs that conflicted */
	uint64_t abandoned;    /* given up while on the wire */
	uint64_t timeouts;     /* of these, by their deadline */
	uint64_t late_replies; /* replies to these, swallowed */
	uint64_t unknown_replies;
	uint64_t events;
	uint64_t reconnects;
	uint64_t out_of_memory; /* how often the receiver had to stop for lack of memory */
	uint64_t bytes_sent;
	uint64_t bytes_received;
	uint64_t wakeups_sent;  /* wake-ups of the I/O thread by submitters */
	uint64_t wakeups_saved; /* submissions that did not need one */
	unsigned in_flight;
	unsigned in_flight_high;
	unsigned queued;
	unsigned queued_high;
	/* For requests that were answered, by type: the number in each latency bucket, and the sum
	 * in nanoseconds. */
	uint64_t latency[WIRE_TYPE_COUNT][CHAN_LATENCY_BUCKETS];
	uint64_t latency_ns[WIRE_TYPE_COUNT];
};

/* One request as it stands, for chan_for_each(). */
struct chan_request_info {
	uint32_t id; /* 0 while queued */
	uint32_t type;
	uint32_t tx_id;
	uint32_t len;
	const char *path; /* the payload's first string, or "" */
	uint64_t age_ns;
	bool sent;
	bool abandoned;
};

/*
 * Makes a channel and connects it.  A ring that has to be reset first gets `timeout_ms` for that;
 * after that time, with `connect_later`, the channel begins in CHAN_CONNECTING.
 *
 * Returns 0, or the errno of the first connection attempt (the transport is freed then), or
 * -ENOMEM.  Must be called in the process that uses it, after any fork().
 */
int chan_new(struct chan **out, const struct chan_config *config);

/* Sets the handlers.  Call it before the first chan_service(). */
void chan_set_handlers(struct chan *chan, const struct chan_handlers *handlers);

/* Changes the deadline of requests that name none: of those that are submitted from now on.  Any thread. */
void chan_set_timeout(struct chan *chan, unsigned timeout_ms);

/*
 * Ends everything that is queued or in flight with -ESHUTDOWN, refuses what comes later, and
 * disconnects.  I/O thread.
 */
void chan_shutdown(struct chan *chan);

/*
 * Declares the server gone for good, if the caller knows that (because it was the parent): all
 * requests end with -EIO, now and later.  Any thread.
 */
void chan_set_dead(struct chan *chan);

/* Shuts down, if that was not done, and frees.  No other thread may use the channel any more. */
void chan_free(struct chan *chan);

/*
 * Submits a request; the channel takes a reference of its own.
 *
 * `complete` runs exactly once, with no lock held: on the I/O thread, or, when the request ends
 * before it is on the wire (refused, abandoned), on the thread that caused that, possibly before
 * this returns.  Refusals arrive there as well:
 *   -EMSGSIZE   the payload is larger than the transport carries
 *   -EIO        the channel is dead
 *   -ESTALE     the request names an epoch that is over
 *   -ESHUTDOWN  the channel was shut down
 * Later ends: the store's own error; -ETIMEDOUT (the deadline), -EIO (the connection was lost
 * while it was in flight or until its deadline, or the reply was no errno we know).
 */
void chan_submit(struct chan *chan, struct request *req);

/* Submits `n` requests in one go, so that they travel together; otherwise like chan_submit(). */
void chan_submit_all(struct chan *chan, struct request **reqs, unsigned n);

/*
 * Gives a request up: it completes with `error` before this returns, unless it is done already
 * (`complete` has run then, or is running on another thread).
 * A request that is not submitted yet completes with the error when it is.
 * An id on the wire stays taken until its reply comes; a TRANSACTION_START that succeeds late is
 * ended by the channel.  Any thread; the caller holds a reference.
 */
void chan_abandon(struct chan *chan, struct request *req, int error);

/*
 * Does what can be done now: receives and completes, sends, expires, reconnects.
 * I/O thread.  Returns the number of messages received (a positive number: call again before
 * sleeping), or 0.
 */
int chan_service(struct chan *chan);

/* Returns whether the I/O thread may sleep in poll(); if not, chan_service() has work.  After true,
 * anything that comes makes one of the chan_pollfds() readable, until chan_service() is called. */
bool chan_may_sleep(struct chan *chan);

/* Returns whether chan_may_sleep() still holds: chan_service() was not called since, nor chan_wake().  I/O thread. */
bool chan_is_asleep(struct chan *chan);

/* Fills in at most CHAN_POLLFDS descriptors and returns how many.  I/O thread, after
 * chan_may_sleep() returned true. */
int chan_pollfds(struct chan *chan, struct pollfd *fds);

/* Returns for how many milliseconds poll() may sleep at most, -1: for ever.  I/O thread. */
int chan_timeout(struct chan *chan);

/* Returns whether a reply is outstanding, so that spinning may pay.  Any thread; a hint. */
bool chan_busy(struct chan *chan);

/*
 * Waits until `req`, which was submitted, is done, and services the channel meanwhile: for programs
 * whose only thread does everything.  Returns req->error.  I/O thread.
 */
int chan_wait(struct chan *chan, struct request *req);

/* Makes the I/O thread return from poll() if it sleeps there.  Any thread. */
void chan_wake(struct chan *chan);

/* Returns the number of the current connection, which grows with each one; never 0.  Any thread. */
uint32_t chan_epoch(struct chan *chan);

/* Returns whether there is a connection, as far as is known.  Any thread. */
bool chan_is_connected(struct chan *chan);

/* Returns the largest payload that the transport carries, in bytes.  Any thread. */
size_t chan_payload_max(const struct chan *chan);

/* Returns the transport's name.  Any thread. */
const char *chan_transport_name(const struct chan *chan);

/* Copies the counters.  Any thread. */
void chan_stats(struct chan *chan, struct chan_stats *stats);

/* Passes on the transport's own counters, see struct transport_ops.  Any thread. */
void chan_transport_stats(struct chan *chan,
			  void (*line)(void *arg, const char *name, uint64_t value), void *arg);

/* Returns the latency bucket to which a time of `ns` nanoseconds belongs.  Pure. */
unsigned chan_latency_bucket(uint64_t ns);

/* Returns the upper bound, in nanoseconds, of a latency bucket.  Pure. */
uint64_t chan_latency_bound(unsigned bucket);

/* Returns the index, below CHAN_ERRNOS, at which errors of errno `error` (negative) are counted.
 * Pure. */
static inline unsigned chan_error_index(int error)
{
	return error < 0 && error > -CHAN_ERRNOS ? -error : 0;
}

/* Calls `fn` for every request that is queued or in flight, under the channel's lock: `fn` must
 * not call back.  Any thread. */
void chan_for_each(struct chan *chan, void (*fn)(void *arg, const struct chan_request_info *info),
		   void *arg);

#endif
