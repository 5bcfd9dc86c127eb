/* SPDX-License-Identifier: MIT */
/*
 * The internals of a channel, shared by chan.c (any thread: submit, send, abandon),
 * chan_stats.c (any thread: count, look), chan_io.c (the I/O thread: expire, reconnect, sleep) and
 * chan_receive.c (the same thread: receive, complete).  For no other file.
 *
 * Lock discipline.  `lock` guards the states of all requests, the queues, the table, the deadline
 * list and the counters.  It is held for list operations only: never during a system call of the
 * transport, never while `complete` or a handler runs.  It is a leaf: nothing is locked under it.
 *
 * The send side of the transport belongs to the thread that set `sending`, under the lock.  Nobody
 * waits for it: a thread that finds it taken leaves its request in the queue, and the holder looks
 * at the queue again before giving it up.  Receiving never needs it, so a sender that is stuck in a
 * full ring's copy keeps no reply from being delivered.
 *
 * Once the transport has had no room (`blocked`), only the I/O thread tries again: it
 * polls for room.
 *
 * `sleeping` is set by the I/O thread before it polls; a thread that has something for it clears
 * the flag and writes the eventfd, once, under the lock.  `signalled` says that this was done: the
 * I/O thread reads the eventfd under the lock as well, or it could look before the write and find
 * the descriptor readable ever after.
 */
#ifndef RING_CHAN_IMPL_H
#define RING_CHAN_IMPL_H

#include <pthread.h>

#include "ring/chan.h"
#include "ring/rate.h"
#include "ring/table.h"

/* Messages handed to the transport at a time. */
#define CHAN_BATCH 16

/* Messages on their way into the transport; owned by the holder of `sending`. */
struct chan_batch {
	struct request *reqs[CHAN_BATCH]; /* a reference each, as they may complete meanwhile */
	struct iovec iov[CHAN_BATCH];
	unsigned count;
};

/* The message being received; owned by the I/O thread. */
struct chan_rx {
	struct xsd_sockmsg hdr;
	size_t got;           /* bytes of header and body so far */
	bool body_ready;      /* the header was evaluated and `body` is set */
	struct request *req;  /* that it answers, with a reference; NULL: an event or unknown */
	char *body;           /* room in req; NULL: scratch, because nobody waits for it */
	uint64_t received;    /* bytes not yet in the counters */
	uint64_t retry_ns;    /* when to try again after memory ran out; 0: it did not */
	bool oom_logged;
	bool unknown_logged;  /* an unknown reply was logged on this connection */
	struct rate errors;   /* of the lines about errors that nobody knows */
	char scratch[WIRE_EVENT_MAX + 1]; /* for events and for bodies to be swallowed */
};

struct chan {
	/* Constant after creation. */
	struct transport *transport;
	struct logger *log;
	unsigned timeout_ms;
	unsigned bulk_max;
	int wake_fd;
	struct chan_handlers handlers;

	pthread_mutex_t lock;
	enum chan_state state;
	uint32_t epoch;
	struct request_list queue;
	struct request_list bulk_queue;
	struct request_list deadlines; /* soonest first */
	struct table table;
	unsigned bulk_in_flight;
	unsigned queued;
	bool sending;
	bool blocked;   /* the transport took less than it was given */
	int lost;       /* errno with which the connection failed, until that is handled */
	uint64_t sleep_until_ns;
	struct chan_stats counters;
	atomic_bool dead_for_good; /* chan_set_dead() */
	atomic_bool sleeping;
	atomic_bool signalled; /* the eventfd was written and has not been read yet */
	atomic_uint live;      /* requests in flight that somebody waits for */

	struct chan_batch batch;

	/* Owned by the I/O thread. */
	struct chan_rx rx;
	bool connect_logged;
	unsigned backoff_ms;
	uint64_t connected_ns;  /* when the current connection was made */
	uint64_t connect_at_ns; /* when to try to connect next */
	uint64_t completed;     /* counters.completed when it last went to sleep */
	unsigned silences;      /* deadlines missed in a row, see expire_locked() */
	uint64_t silent_ns;     /* end of the last of these */
};

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t chan_now(void);

/* Sends what the queues and the transport allow, unless another thread is sending or the transport
 * has no room.  The lock must be held, and is released meanwhile. */
void chan_send_locked(struct chan *chan);

/* Makes the I/O thread look at the channel if it sleeps. */
void chan_wake_locked(struct chan *chan);

/*
 * Marks a request done with `error` and moves it to `done`, with a reference, for
 * chan_finish_all() after unlocking.  If a byte of it may be on the wire it stays in the table,
 * abandoned.
 */
void chan_give_up_locked(struct chan *chan, struct request *req, int error,
			 struct request_list *done);

/* Completes all requests of a list and drops the list's references.  The lock must not be held. */
void chan_finish_all(struct request_list *done);

/* Takes a request out of its queue. */
void chan_dequeue_locked(struct chan *chan, struct request *req);

/* Puts a request at the end of its queue. */
void chan_enqueue_locked(struct chan *chan, struct request *req);

/* Returns the index in the batch of a request that the transport has not taken completely; -1: it
 * is not there, or that is unknown because a thread is sending. */
int chan_batch_find_locked(const struct chan *chan, const struct request *req);

/* Counts a request that ended with 0 or -errno. */
void chan_count_end_locked(struct chan *chan, int error);

/* Takes a request in flight out of the table. */
void chan_retire_locked(struct chan *chan, struct request *req);

/*
 * Receives what there is, up to a batch of messages, completes the requests that they answer and delivers the
 * events.  I/O thread; the lock must not be held.  Returns the number of messages; *err: 0, or the -errno with
 * which the connection failed.
 */
int chan_receive(struct chan *chan, int *err);

/* Forgets the message that is being received. */
void chan_rx_reset(struct chan_rx *rx);

#endif
