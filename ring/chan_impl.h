/* SPDX-License-Identifier: MIT */
/*
 * The inside of a channel, shared by chan.c (any thread: submit, send, abandon), chan_stats.c (any
 * thread: count, look) and chan_io.c (the I/O thread: receive, expire, reconnect, sleep).  For
 * nobody else.
 *
 * Lock discipline.  `lock` guards the states of all requests, the queues, the table, the deadline
 * list and the counters.  It is held for list operations only: never during a system call of the
 * transport, never while `complete` or a handler runs.  It is a leaf: nothing is locked under it.
 *
 * The send side of the transport belongs to whoever set `sending`, under the lock.  Nobody waits
 * for it: who finds it taken leaves his request in the queue, and the holder looks at the queue
 * again before giving it up.  Receiving never needs it, so a sender that is stuck in a full ring's
 * copy keeps no reply from being delivered.
 *
 * Once the transport had no room (`blocked`), only the I/O thread tries again: it polls for room.
 *
 * `sleeping` is set by the I/O thread before it polls; whoever has news for it clears that and
 * writes the eventfd, once, under the lock.  `signalled` says that this was done: the I/O thread
 * reads the eventfd under the lock as well, or it could look before the write and find the
 * descriptor readable ever after.
 */
#ifndef RING_CHAN_IMPL_H
#define RING_CHAN_IMPL_H

#include <pthread.h>

#include "ring/chan.h"
#include "ring/table.h"

/* Messages handed to the transport at a time. */
#define CHAN_BATCH 16

/* Messages on their way into the transport; belongs to the holder of `sending`. */
struct chan_batch {
	struct request *reqs[CHAN_BATCH]; /* a reference each: they may complete meanwhile */
	struct iovec iov[CHAN_BATCH];
	unsigned count;
};

/* The message being received; belongs to the I/O thread. */
struct chan_rx {
	struct xsd_sockmsg hdr;
	size_t got;           /* bytes of header and body so far */
	bool body_ready;      /* the header was dealt with and there is somewhere for the body */
	struct request *req;  /* whose reply it is, with a reference; NULL: event or unknown */
	char *body;           /* room in req; NULL: scratch, as nobody waits for it */
	uint64_t received;    /* bytes not yet in the counters */
	uint64_t retry_ns;    /* no memory for it: try again then; 0: not stalled */
	bool oom_logged;
	bool unknown_logged;  /* on this connection */
	char scratch[WIRE_EVENT_MAX + 1]; /* events, and what is to be swallowed */
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
	bool blocked;   /* the transport took less than there was */
	int lost;       /* errno with which the connection failed, until that is dealt with */
	uint64_t sleep_until_ns;
	struct chan_stats counters;
	atomic_bool dead_for_good; /* chan_set_dead() */
	atomic_bool sleeping;
	atomic_bool signalled; /* the eventfd was written and not yet read */
	atomic_uint live;      /* requests in flight that somebody waits for */

	struct chan_batch batch;

	/* The I/O thread's alone. */
	struct chan_rx rx;
	bool connect_logged;
	unsigned backoff_ms;
	uint64_t connected_ns;  /* when the present connection was made */
	uint64_t connect_at_ns; /* when to try for the next */
	uint64_t completed;     /* counters.completed when it last went to sleep */
	unsigned silences;      /* deadlines in a row, see expire_locked() */
	uint64_t silent_ns;     /* when the last of these was over */
};

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t chan_now(void);

/* Sends what the queues and the transport allow, unless somebody else does that or the transport
 * has no room.  The lock is held, and given up meanwhile. */
void chan_send_locked(struct chan *chan);

/* Makes the I/O thread look at its channel if it sleeps. */
void chan_wake_locked(struct chan *chan);

/*
 * Marks a request done with `error` and moves it to `done`, with a reference, for
 * chan_finish_all() after unlocking.  If a byte of it may be on the wire it stays in the table,
 * abandoned.
 */
void chan_give_up_locked(struct chan *chan, struct request *req, int error,
			 struct request_list *done);

/* Completes all requests of a list and drops its references.  No lock is held. */
void chan_finish_all(struct request_list *done);

/* Takes a request out of its queue. */
void chan_dequeue_locked(struct chan *chan, struct request *req);

/* Puts a request at the end of its queue. */
void chan_enqueue_locked(struct chan *chan, struct request *req);

/* Returns where in the batch a request lies, at least in part not taken by the transport; -1: not
 * there, or not known because somebody is sending. */
int chan_batch_find_locked(const struct chan *chan, const struct request *req);

/* Counts a request that is over, with 0 or -errno. */
void chan_count_end_locked(struct chan *chan, int error);

/* Takes a request in flight out of the table. */
void chan_retire_locked(struct chan *chan, struct request *req);

#endif
