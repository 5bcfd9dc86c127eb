/* SPDX-License-Identifier: MIT */
/*
 * The channel's I/O thread: it has messages received (chan_receive.c), expires deadlines, reconnects, and
 * decides when it may sleep.  Everything here runs on that one thread.
 */
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "ring/chan_impl.h"
#include "ring/spin.h"

#define NSEC_PER_MSEC UINT64_C(1000000)

/* Pauses between two attempts to connect: the first, which doubles up to the last. */
#define BACKOFF_FIRST_MS 10
#define BACKOFF_LAST_MS 1000

/* After this many deadlines in a row, with nothing received in between, the transport is asked
 * whether a new connection might help. */
#define SILENCES_MAX 3

/* How often to look at a dead ring. */
#define DEAD_RETRY_MS 250

/* Receiving has shown that the connection is gone; handle_lost() does the rest. */
static void set_lost(struct chan *chan, int err)
{
	pthread_mutex_lock(&chan->lock);
	if (!chan->lost)
		chan->lost = err;
	pthread_mutex_unlock(&chan->lock);
}

static int receive(struct chan *chan)
{
	int err, count = chan_receive(chan, &err);

	if (err)
		set_lost(chan, err);
	if (count)
		chan->silences = 0;
	return count;
}

/* Ends all requests of a queue except those for a future connection. */
static void fail_queue_locked(struct chan *chan, struct request_list *queue, int error,
			      bool only_stale, struct request_list *done)
{
	struct request *req, *next;

	for (req = TAILQ_FIRST(queue); req; req = next) {
		next = TAILQ_NEXT(req, queue_link);
		if (req->abandoned) {
			/* The end of a transaction that was lost with its connection. */
			chan_dequeue_locked(chan, req);
			request_put(req);
		} else if (!only_stale || req->epoch) {
			chan_give_up_locked(chan, req, only_stale ? -ESTALE : error, done);
		}
	}
}

/* Ends what is on the wire: its replies will never come. */
static void fail_in_flight_locked(struct chan *chan, int error, struct request_list *done)
{
	struct request *req;

	for (unsigned i = 0; i < chan->batch.count; i++)
		request_put(chan->batch.reqs[i]);
	chan->batch.count = 0;
	chan->blocked = false;
	for (unsigned i = 0; i < chan->table.size; i++) {
		req = chan->table.slots[i];
		if (!req)
			continue;
		if (!req->abandoned)
			chan_give_up_locked(chan, req, error, done);
		chan_retire_locked(chan, req);
		request_put(req);
	}
}

/* Postpones the next attempt to connect, twice as long as the last time. */
static void back_off(struct chan *chan, uint64_t now)
{
	chan->backoff_ms = chan->backoff_ms ? chan->backoff_ms * 2 : BACKOFF_FIRST_MS;
	if (chan->backoff_ms > BACKOFF_LAST_MS)
		chan->backoff_ms = BACKOFF_LAST_MS;
	chan->connect_at_ns = now + chan->backoff_ms * NSEC_PER_MSEC;
}

/*
 * The connection failed.  Everything in flight ends with -EIO; what is queued waits for the next
 * connection, unless it belongs to this one.  A thread that is just sending is allowed to finish:
 * it will wake us.
 */
static void handle_lost(struct chan *chan)
{
	struct request_list done = TAILQ_HEAD_INITIALIZER(done);
	uint64_t now;
	int err;

	pthread_mutex_lock(&chan->lock);
	err = chan->lost;
	if (!err || chan->sending) {
		pthread_mutex_unlock(&chan->lock);
		return;
	}
	chan->lost = 0;
	chan->state = CHAN_CONNECTING;
	if (++chan->epoch == 0)
		chan->epoch = 1;
	fail_in_flight_locked(chan, -EIO, &done);
	fail_queue_locked(chan, &chan->queue, -EIO, true, &done);
	fail_queue_locked(chan, &chan->bulk_queue, -EIO, true, &done);
	pthread_mutex_unlock(&chan->lock);

	log_warning(chan->log, "%s: connection lost: %s", chan->transport->ops->name,
		    strerror(-err));
	chan->transport->ops->disconnect(chan->transport);
	chan_rx_reset(&chan->rx);
	chan->rx.unknown_logged = false;
	chan->connect_logged = false;
	chan->silences = 0;
	/* A server that takes connections only to drop them must not keep us busy. */
	now = chan_now();
	if (now - chan->connected_ns >= BACKOFF_LAST_MS * NSEC_PER_MSEC)
		chan->backoff_ms = 0;
	back_off(chan, now);
	chan_finish_all(&done);
}

/* No connection is possible until the server's side acts, so nobody is kept waiting for one. */
static void set_dead(struct chan *chan)
{
	struct request_list done = TAILQ_HEAD_INITIALIZER(done);
	bool news;

	pthread_mutex_lock(&chan->lock);
	news = chan->state != CHAN_DEAD;
	chan->state = CHAN_DEAD;
	fail_queue_locked(chan, &chan->queue, -EIO, false, &done);
	fail_queue_locked(chan, &chan->bulk_queue, -EIO, false, &done);
	pthread_mutex_unlock(&chan->lock);
	if (news)
		log_error(chan->log, "%s: dead until the server's side resets it",
			  chan->transport->ops->name);
	chan_finish_all(&done);
}

static void set_connected(struct chan *chan)
{
	uint32_t epoch;

	pthread_mutex_lock(&chan->lock);
	chan->state = CHAN_CONNECTED;
	chan->counters.reconnects++;
	epoch = chan->epoch;
	pthread_mutex_unlock(&chan->lock);
	log_info(chan->log, "%s: connected again", chan->transport->ops->name);
	if (chan->handlers.connected)
		chan->handlers.connected(chan->handlers.arg, epoch);
}

static void reconnect(struct chan *chan)
{
	uint64_t now = chan_now();
	int err;

	if (atomic_load(&chan->dead_for_good)) {
		set_dead(chan);
		return;
	}
	if (now < chan->connect_at_ns)
		return;
	err = chan->transport->ops->connect(chan->transport);
	if (err == 0) {
		chan->connected_ns = now;
		set_connected(chan);
		return;
	}
	if (err == -ENOTCONN) {
		set_dead(chan);
		chan->connect_at_ns = now + DEAD_RETRY_MS * NSEC_PER_MSEC;
		return;
	}
	if (!chan->connect_logged && err != -EAGAIN)
		log_warning(chan->log, "%s: cannot connect yet: %s", chan->transport->ops->name,
			    strerror(-err));
	chan->connect_logged |= err != -EAGAIN;
	back_off(chan, now);
}

/*
 * Counts missed deadlines in a row: one counts if it was submitted after the previous one was over.
 * Many that expire together say no more about the server than a single one.  The request need not
 * have been sent: those that were given up on the wire may have taken all the room.
 */
static void count_silence(struct chan *chan, const struct request *req, uint64_t now)
{
	if (table_used(&chan->table) == 0 || (chan->silences && req->submitted_ns < chan->silent_ns))
		return;
	chan->silences++;
	chan->silent_ns = now;
}

static void expire_locked(struct chan *chan, struct request_list *done)
{
	struct request *req = TAILQ_FIRST(&chan->deadlines);
	uint64_t now;

	if (!req)
		return;
	now = chan_now();
	for (; req && req->deadline_ns <= now; req = TAILQ_FIRST(&chan->deadlines)) {
		chan->counters.timeouts++;
		count_silence(chan, req, now);
		/* While not connected, it waited for a connection. */
		chan_give_up_locked(chan, req, chan->state == CHAN_CONNECTED ? -ETIMEDOUT : -EIO,
				    done);
	}
}

static void drain_wake_fd(struct chan *chan)
{
	uint64_t count;

	pthread_mutex_lock(&chan->lock);
	atomic_store(&chan->signalled, false);
	if (read(chan->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_error(chan->log, "eventfd: %m");
	pthread_mutex_unlock(&chan->lock);
}

/* Drops a connection on which nothing arrives any more, if the transport expects a new
 * one to be better. */
static void end_silence(struct chan *chan)
{
	if (chan->silences < SILENCES_MAX)
		return;
	chan->silences = 0;
	if (chan->state == CHAN_CONNECTED && chan->transport->ops->silent &&
	    chan->transport->ops->silent(chan->transport))
		set_lost(chan, -ETIMEDOUT);
}

int chan_service(struct chan *chan)
{
	struct request_list done = TAILQ_HEAD_INITIALIZER(done);
	int received = 0;

	/* Only this thread sets the flag, and reading it is cheaper than a store that all
	 * processors see. */
	if (atomic_load_explicit(&chan->sleeping, memory_order_relaxed))
		atomic_store(&chan->sleeping, false);
	if (atomic_load(&chan->signalled))
		drain_wake_fd(chan);
	if (chan->state == CHAN_CONNECTED)
		received = receive(chan);
	else if (chan->state != CHAN_SHUTDOWN)
		reconnect(chan);
	pthread_mutex_lock(&chan->lock);
	chan->counters.bytes_received += chan->rx.received;
	chan->rx.received = 0;
	if (chan->lost) {
		pthread_mutex_unlock(&chan->lock);
		handle_lost(chan);
		pthread_mutex_lock(&chan->lock);
	}
	expire_locked(chan, &done);
	/* There may be room now; if not, that will be noted again. */
	chan->blocked = false;
	chan_send_locked(chan);
	pthread_mutex_unlock(&chan->lock);
	chan_finish_all(&done);
	end_silence(chan);
	return received;
}

/*
 * Returns until when to sleep at most.  With nothing outstanding that is the timeout of a request
 * made at this moment, so that the submitters of a busy channel need not wake its I/O thread
 * because of deadlines.  The thread of an idle channel sleeps for ever.
 */
static uint64_t sleep_until_locked(struct chan *chan)
{
	const struct request *first = TAILQ_FIRST(&chan->deadlines);
	bool idle = chan->completed == chan->counters.completed;

	chan->completed = chan->counters.completed;
	if (first)
		return first->deadline_ns;
	if (idle || chan->timeout_ms == 0)
		return UINT64_MAX;
	return chan_now() + chan->timeout_ms * NSEC_PER_MSEC;
}

bool chan_may_sleep(struct chan *chan)
{
	bool blocked, connected;

	pthread_mutex_lock(&chan->lock);
	if (chan->lost && !chan->sending) {
		pthread_mutex_unlock(&chan->lock);
		return false;
	}
	chan->sleep_until_ns = sleep_until_locked(chan);
	atomic_store(&chan->sleeping, true);
	blocked = chan->blocked;
	connected = chan->state == CHAN_CONNECTED && !chan->lost;
	pthread_mutex_unlock(&chan->lock);
	if (!connected || chan->rx.retry_ns)
		return true;
	if (chan->transport->ops->may_sleep(chan->transport, blocked))
		return true;
	atomic_store(&chan->sleeping, false);
	return false;
}

bool chan_is_asleep(struct chan *chan)
{
	return atomic_load(&chan->sleeping);
}

int chan_pollfds(struct chan *chan, struct pollfd *fds)
{
	bool blocked, connected;

	pthread_mutex_lock(&chan->lock);
	blocked = chan->blocked;
	connected = chan->state == CHAN_CONNECTED && !chan->lost;
	pthread_mutex_unlock(&chan->lock);
	fds[0] = (struct pollfd){ .fd = chan->wake_fd, .events = POLLIN };
	/* Without memory to receive into, a readable descriptor would only make the loop spin. */
	if (!connected || chan->rx.retry_ns)
		return 1;
	return 1 + chan->transport->ops->pollfds(chan->transport, blocked, fds + 1);
}

int chan_timeout(struct chan *chan)
{
	uint64_t now = chan_now(), until;

	pthread_mutex_lock(&chan->lock);
	until = chan->sleep_until_ns;
	if (atomic_load(&chan->dead_for_good) && chan->state == CHAN_CONNECTING)
		until = now;
	else if (chan->state == CHAN_CONNECTING ||
		 (chan->state == CHAN_DEAD && !atomic_load(&chan->dead_for_good)))
		until = chan->connect_at_ns < until ? chan->connect_at_ns : until;
	pthread_mutex_unlock(&chan->lock);
	if (chan->rx.retry_ns && chan->rx.retry_ns < until)
		until = chan->rx.retry_ns;
	if (until == UINT64_MAX)
		return -1;
	if (until <= now)
		return 0;
	until = (until - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	return until > INT32_MAX ? INT32_MAX : (int)until;
}

void chan_set_dead(struct chan *chan)
{
	pthread_mutex_lock(&chan->lock);
	atomic_store(&chan->dead_for_good, true);
	if (chan->state == CHAN_CONNECTED && !chan->lost)
		chan->lost = -EPIPE;
	chan_wake_locked(chan);
	pthread_mutex_unlock(&chan->lock);
}

/* Another thread may be sending or abandoning it. */
static bool is_done(struct chan *chan, const struct request *req)
{
	bool done;

	pthread_mutex_lock(&chan->lock);
	done = req->state == REQUEST_DONE;
	pthread_mutex_unlock(&chan->lock);
	return done;
}

int chan_wait(struct chan *chan, struct request *req)
{
	struct pollfd fds[CHAN_POLLFDS];
	struct spin spin;

	spin_init(&spin);
	while (!is_done(chan, req)) {
		if (chan_service(chan) > 0) {
			spin_hit(&spin);
			continue;
		}
		if (chan_busy(chan) && spin_again(&spin))
			continue;
		if (!chan_may_sleep(chan))
			continue;
		poll(fds, chan_pollfds(chan, fds), chan_timeout(chan));
		spin_restart(&spin);
	}
	return req->error;
}

void chan_shutdown(struct chan *chan)
{
	struct request_list done = TAILQ_HEAD_INITIALIZER(done);

	pthread_mutex_lock(&chan->lock);
	if (chan->state == CHAN_SHUTDOWN) {
		pthread_mutex_unlock(&chan->lock);
		return;
	}
	chan->state = CHAN_SHUTDOWN;
	chan->lost = 0;
	/* A sender is in a non-blocking call, which will be over in a moment. */
	while (chan->sending) {
		pthread_mutex_unlock(&chan->lock);
		sched_yield();
		pthread_mutex_lock(&chan->lock);
	}
	fail_in_flight_locked(chan, -ESHUTDOWN, &done);
	fail_queue_locked(chan, &chan->queue, -ESHUTDOWN, false, &done);
	fail_queue_locked(chan, &chan->bulk_queue, -ESHUTDOWN, false, &done);
	pthread_mutex_unlock(&chan->lock);
	chan->transport->ops->disconnect(chan->transport);
	chan_rx_reset(&chan->rx);
	chan_finish_all(&done);
}
