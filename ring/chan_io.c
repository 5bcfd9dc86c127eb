/* SPDX-License-Identifier: MIT */
/*
 * The channel's I/O thread: it receives and completes, expires deadlines, reconnects, and decides
 * when it may sleep.  Everything here runs on that one thread.
 */
#include <assert.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "ring/chan_impl.h"
#include "ring/spin.h"

#define NSEC_PER_MSEC UINT64_C(1000000)

/* Messages to receive before returning to the caller. */
#define SERVICE_BATCH 64

/* How long to wait for memory before trying again to receive. */
#define OOM_RETRY_MS 10

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

static void rx_reset(struct chan_rx *rx)
{
	if (rx->body)
		request_discard_room(rx->req, rx->body);
	request_put(rx->req);
	rx->body = NULL;
	rx->req = NULL;
	rx->got = 0;
	rx->body_ready = false;
	rx->retry_ns = 0;
}

/*
 * Evaluates a complete header: decides where the body goes.  Returns 0, -ENOMEM (try again), or
 * -EPROTO if no sane server could have sent it.
 */
static int rx_header(struct chan *chan)
{
	struct chan_rx *rx = &chan->rx;
	struct request *req;
	bool wanted = false;
	int err = 0;

	if (rx->hdr.len > WIRE_REPLY_MAX)
		return -EPROTO;
	if (rx->hdr.type == XS_WATCH_EVENT) {
		/* The type comes first, because the ids of events mean nothing (uninitialised on
		 * /dev/xen/xenbus). */
		if (rx->hdr.len > WIRE_EVENT_MAX)
			return -EPROTO;
		rx->body_ready = true;
		return 0;
	}

	pthread_mutex_lock(&chan->lock);
	req = table_find(&chan->table, rx->hdr.req_id);
	if (req) {
		/* A reply of another type, or to a request that was not sent yet. */
		if ((rx->hdr.type != req->msg.type && rx->hdr.type != XS_ERROR) ||
		    chan_batch_find_locked(chan, req) >= 0)
			err = -EPROTO;
		else
			request_get(req);
		wanted = !req->abandoned;
	}
	pthread_mutex_unlock(&chan->lock);
	if (err)
		return err;
	if (wanted) {
		rx->body = request_reply_room(req, rx->hdr.len);
		if (!rx->body) {
			request_put(req);
			return -ENOMEM;
		}
	}
	rx->req = req;
	rx->body_ready = true;
	return 0;
}

static void rx_out_of_memory(struct chan *chan)
{
	struct chan_rx *rx = &chan->rx;

	if (!rx->oom_logged)
		log_error(chan->log, "out of memory for a reply of %u bytes; waiting", rx->hdr.len);
	rx->oom_logged = true;
	rx->retry_ns = chan_now() + OOM_RETRY_MS * NSEC_PER_MSEC;
	pthread_mutex_lock(&chan->lock);
	chan->counters.out_of_memory++;
	pthread_mutex_unlock(&chan->lock);
}

/* Returns where the next bytes of the body go, and how many fit there.  A swallowed body is kept as
 * far as it fits, because ending a late TRANSACTION_START takes its contents. */
static char *rx_target(struct chan_rx *rx, size_t *room)
{
	size_t done = rx->got - WIRE_HEADER_SIZE;

	*room = rx->hdr.len - done;
	if (rx->body)
		return rx->body + done;
	if (rx->hdr.len <= WIRE_EVENT_MAX)
		return rx->scratch + done;
	if (*room > WIRE_EVENT_MAX)
		*room = WIRE_EVENT_MAX;
	return rx->scratch;
}

/*
 * Makes the TRANSACTION_END that undoes a TRANSACTION_START for which nobody waits any more: *end,
 * likewise abandoned, or NULL if the reply names no transaction.  Returns 0 or -ENOMEM.
 */
static int make_end(struct chan *chan, const char *body, size_t len, struct request **end)
{
	uint64_t tx_id;

	*end = NULL;
	while (len > 0 && body[len - 1] == '\0')
		len--;
	if (wire_number_parse(body, len, UINT32_MAX, &tx_id)) {
		log_warning(chan->log, "TRANSACTION_START answered with no number");
		return 0;
	}
	*end = request_new(XS_TRANSACTION_END, tx_id, sizeof("F"));
	if (!*end)
		return -ENOMEM;
	memcpy((*end)->payload, "F", sizeof("F"));
	(*end)->state = REQUEST_DONE;
	(*end)->abandoned = true;
	(*end)->channels_own = true;
	(*end)->submitted_ns = chan_now();
	return 0;
}

/* Handles the reply to a request that was given up.  Returns 0 or -ENOMEM: call again. */
static int swallow_reply(struct chan *chan)
{
	struct chan_rx *rx = &chan->rx;
	struct request *req = rx->req, *end = NULL;

	/* Only the end of a reply too long for the scratch buffer was kept; a number
	 * is not that long. */
	if (rx->hdr.type == XS_TRANSACTION_START && rx->hdr.len <= WIRE_EVENT_MAX &&
	    make_end(chan, rx->body ? rx->body : rx->scratch, rx->hdr.len, &end))
		return -ENOMEM;
	pthread_mutex_lock(&chan->lock);
	chan->counters.late_replies += !req->channels_own;
	chan_retire_locked(chan, req);
	if (end) {
		chan->counters.requests[XS_TRANSACTION_END]++;
		chan_enqueue_locked(chan, end);
	}
	pthread_mutex_unlock(&chan->lock);
	request_put(req);
	return 0;
}

/* A reply to no request of ours: to a predecessor's on the same ring, or from a confused server. */
static void ignore_reply(struct chan *chan)
{
	struct chan_rx *rx = &chan->rx;

	pthread_mutex_lock(&chan->lock);
	chan->counters.unknown_replies++;
	pthread_mutex_unlock(&chan->lock);
	if (!rx->unknown_logged)
		log_warning(chan->log, "reply %s with unknown id %u ignored, as all further ones",
			    wire_type_name(rx->hdr.type), rx->hdr.req_id);
	rx->unknown_logged = true;
}

static void log_reply(struct chan *chan, const struct request *req, uint64_t ns)
{
	if (chan->log && chan->log->debug)
		log_debug(chan->log, "id %u tx %u %s %.*s: %s, %u bytes, %llu us", req->msg.req_id,
			  req->msg.tx_id, wire_type_name(req->msg.type), (int)req->msg.len,
			  req->payload, req->error ? strerror(-req->error) : "ok", req->reply_len,
			  (unsigned long long)(ns / 1000));
}

/* Returns the errno for which an XS_ERROR stands. */
static int reply_error(struct chan *chan)
{
	const struct chan_rx *rx = &chan->rx;
	const struct request *req = rx->req;
	bool known;
	int error = wire_error_parse(rx->body, rx->hdr.len, &known);

	if (!known)
		log_warning(chan->log, "%s %.*s: unknown error \"%.*s\"",
			    wire_type_name(req->msg.type), (int)req->msg.len, req->payload,
			    (int)rx->hdr.len, rx->body);
	return error;
}

/* The whole reply has arrived.  Whichever thread takes the request out of the table completes it.
 * Returns 0 or -ENOMEM: call again. */
static int complete_reply(struct chan *chan)
{
	struct chan_rx *rx = &chan->rx;
	struct request *req = rx->req;
	uint64_t now = chan_now(), ns = now - req->submitted_ns;
	int error = 0;

	if (!rx->body)
		return swallow_reply(chan);
	if (rx->hdr.type == XS_ERROR)
		error = reply_error(chan);

	pthread_mutex_lock(&chan->lock);
	if (req->abandoned) {
		/* It was given up while its body was being received. */
		pthread_mutex_unlock(&chan->lock);
		return swallow_reply(chan);
	}
	chan_retire_locked(chan, req);
	if (req->has_deadline)
		TAILQ_REMOVE(&chan->deadlines, req, deadline_link);
	req->has_deadline = false;
	req->error = error;
	req->answered_ns = now;
	if (!error || req->keep_error) {
		req->reply_len = rx->hdr.len;
		req->reply = rx->body;
		req->reply[req->reply_len] = '\0';
		rx->body = NULL;
	}
	req->state = REQUEST_DONE;
	chan_count_end_locked(chan, error);
	chan->counters.eagain += error == -EAGAIN && req->msg.type == XS_TRANSACTION_END;
	if (req->msg.type < WIRE_TYPE_COUNT) {
		chan->counters.latency[req->msg.type][chan_latency_bucket(ns)]++;
		chan->counters.latency_ns[req->msg.type] += ns;
	}
	pthread_mutex_unlock(&chan->lock);

	rx->oom_logged = false;
	log_reply(chan, req, ns);
	request_finish(req);
	request_put(req);
	return 0;
}

static int deliver_event(struct chan *chan)
{
	struct chan_rx *rx = &chan->rx;
	const char *path, *token;

	rx->scratch[rx->hdr.len] = '\0';
	if (wire_event_parse(rx->scratch, rx->hdr.len, &path, &token))
		return -EPROTO;
	pthread_mutex_lock(&chan->lock);
	chan->counters.events++;
	pthread_mutex_unlock(&chan->lock);
	log_debug(chan->log, "event %s token %s", path, token);
	if (chan->handlers.event)
		chan->handlers.event(chan->handlers.arg, path, token);
	return 0;
}

/* Receives what completes the current message.  Returns 1 when a message was handled, 0 when there
 * is no more for now, or the errno with which the connection failed. */
static int receive_one(struct chan *chan)
{
	struct chan_rx *rx = &chan->rx;
	struct transport *t = chan->transport;
	size_t room;
	ssize_t n;
	char *to;
	int err = 0;

	while (!rx->body_ready || rx->got < WIRE_HEADER_SIZE + rx->hdr.len) {
		if (rx->got == WIRE_HEADER_SIZE && !rx->body_ready) {
			err = rx_header(chan);
			if (err == -ENOMEM) {
				rx_out_of_memory(chan);
				return 0;
			}
			if (err)
				return err;
			continue;
		}
		if (rx->got < WIRE_HEADER_SIZE) {
			to = (char *)&rx->hdr + rx->got;
			room = WIRE_HEADER_SIZE - rx->got;
		} else {
			to = rx_target(rx, &room);
		}
		n = t->ops->recv(t, to, room);
		if (n == 0 && rx->got > 0 && t->ops->linger && t->ops->linger(t, false))
			continue;
		if (n <= 0)
			return n;
		rx->got += n;
		rx->received += n;
	}

	if (rx->hdr.type == XS_WATCH_EVENT)
		err = deliver_event(chan);
	else if (rx->req)
		err = complete_reply(chan);
	else
		ignore_reply(chan);
	if (err == -ENOMEM) {
		rx_out_of_memory(chan);
		return 0;
	}
	rx_reset(rx);
	return err ? err : 1;
}

static int receive(struct chan *chan)
{
	struct chan_rx *rx = &chan->rx;
	int count = 0, rc;

	if (rx->retry_ns && chan_now() < rx->retry_ns)
		return 0;
	rx->retry_ns = 0;
	/* A completion may shut the channel down. */
	while (count < SERVICE_BATCH && chan->state == CHAN_CONNECTED) {
		rc = receive_one(chan);
		if (rc < 0)
			set_lost(chan, rc);
		if (rc <= 0)
			break;
		count++;
	}
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
	rx_reset(&chan->rx);
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
	rx_reset(&chan->rx);
	chan_finish_all(&done);
}
