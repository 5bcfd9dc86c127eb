/* SPDX-License-Identifier: MIT */
/*
 * The channel's front: making one, submitting, sending, abandoning.
 * Everything here may be called on any thread, except where chan.h says otherwise.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "ring/chan_impl.h"
#include "ring/clock.h"

#define NSEC_PER_MSEC UINT64_C(1000000)

/* The pause between two attempts to connect for the first time, and for how long
 * to try at least. */
#define CONNECT_STEP_MS 10
#define CONNECT_PATIENCE_MS 2000

uint64_t chan_now(void)
{
	return clock_now_ns(CLOCK_MONOTONIC);
}

/* Connects for the first time.  A ring that has to be reset first answers -EAGAIN for a while. */
static int connect_first(struct transport *t, const struct chan_config *config)
{
	const struct timespec pause = { .tv_nsec = CONNECT_STEP_MS * NSEC_PER_MSEC };
	unsigned patience_ms = CONNECT_PATIENCE_MS;
	int err;

	if (!config->connect_later && config->timeout_ms > patience_ms)
		patience_ms = config->timeout_ms;
	for (unsigned ms = 0; ms < patience_ms; ms += CONNECT_STEP_MS) {
		err = t->ops->connect(t);
		if (err != -EAGAIN)
			return err;
		nanosleep(&pause, NULL);
	}
	return -EAGAIN;
}

int chan_new(struct chan **out, const struct chan_config *config)
{
	struct transport *t = config->transport;
	unsigned slots = config->in_flight_max;
	struct chan *chan = calloc(1, sizeof(*chan));
	int err = -ENOMEM;

	if (!chan)
		goto out_transport;
	if (slots == 0 || slots > t->in_flight_max)
		slots = t->in_flight_max;
	if (slots > TABLE_SLOTS_MAX)
		slots = TABLE_SLOTS_MAX;
	/* Ids start where the clock is, so that a predecessor's late replies on the same ring
	 * are not taken for ours. */
	err = table_init(&chan->table, slots, (uint32_t)(chan_now() / 1000));
	if (err)
		goto out_chan;
	chan->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (chan->wake_fd < 0) {
		err = -errno;
		goto out_table;
	}
	err = connect_first(t, config);
	if (err == -EAGAIN && !config->connect_later)
		err = -ETIMEDOUT;
	if (err && err != -EAGAIN)
		goto out_fd;

	chan->transport = t;
	chan->log = config->log;
	chan->timeout_ms = config->timeout_ms;
	chan->bulk_max = slots > 1 ? slots / 2 : 1;
	chan->state = err ? CHAN_CONNECTING : CHAN_CONNECTED;
	chan->epoch = 1;
	chan->connected_ns = chan_now();
	TAILQ_INIT(&chan->queue);
	TAILQ_INIT(&chan->bulk_queue);
	TAILQ_INIT(&chan->deadlines);
	pthread_mutex_init(&chan->lock, NULL);
	*out = chan;
	return 0;

out_fd:
	close(chan->wake_fd);
out_table:
	table_deinit(&chan->table);
out_chan:
	free(chan);
out_transport:
	t->ops->free(t);
	return err;
}

void chan_set_timeout(struct chan *chan, unsigned timeout_ms)
{
	pthread_mutex_lock(&chan->lock);
	chan->timeout_ms = timeout_ms;
	/* It sleeps for as long as the old one at most. */
	chan_wake_locked(chan);
	pthread_mutex_unlock(&chan->lock);
}

void chan_set_handlers(struct chan *chan, const struct chan_handlers *handlers)
{
	chan->handlers = *handlers;
}

void chan_free(struct chan *chan)
{
	chan_shutdown(chan);
	chan->transport->ops->free(chan->transport);
	close(chan->wake_fd);
	table_deinit(&chan->table);
	pthread_mutex_destroy(&chan->lock);
	free(chan);
}

void chan_wake_locked(struct chan *chan)
{
	const uint64_t one = 1;

	if (!atomic_load(&chan->sleeping))
		return;
	atomic_store(&chan->sleeping, false);
	atomic_store(&chan->signalled, true);
	chan->counters.wakeups_sent++;
	/* Cannot fail: the counter is far from its limit, as it is written once per sleep. */
	if (write(chan->wake_fd, &one, sizeof(one)) != sizeof(one))
		log_error(chan->log, "eventfd: %m");
}

void chan_wake(struct chan *chan)
{
	pthread_mutex_lock(&chan->lock);
	chan_wake_locked(chan);
	pthread_mutex_unlock(&chan->lock);
}

void chan_enqueue_locked(struct chan *chan, struct request *req)
{
	TAILQ_INSERT_TAIL(req->bulk ? &chan->bulk_queue : &chan->queue, req, queue_link);
	if (++chan->queued > chan->counters.queued_high)
		chan->counters.queued_high = chan->queued;
}

void chan_dequeue_locked(struct chan *chan, struct request *req)
{
	TAILQ_REMOVE(req->bulk ? &chan->bulk_queue : &chan->queue, req, queue_link);
	chan->queued--;
}

void chan_retire_locked(struct chan *chan, struct request *req)
{
	table_remove(&chan->table, req);
	chan->bulk_in_flight -= req->bulk;
	if (!req->abandoned)
		atomic_fetch_sub(&chan->live, 1);
}

/* The deadline list is sorted.  Almost all requests have the same timeout, so the place is
 * found at the end at once. */
static void set_deadline_locked(struct chan *chan, struct request *req)
{
	unsigned timeout_ms = req->timeout_ms ? req->timeout_ms : chan->timeout_ms;
	struct request *before;

	if (timeout_ms == 0 || timeout_ms == REQUEST_PATIENT)
		return;
	req->deadline_ns = req->submitted_ns + timeout_ms * NSEC_PER_MSEC;
	req->has_deadline = true;
	TAILQ_FOREACH_REVERSE(before, &chan->deadlines, request_list, deadline_link) {
		if (before->deadline_ns <= req->deadline_ns) {
			TAILQ_INSERT_AFTER(&chan->deadlines, before, req, deadline_link);
			return;
		}
	}
	TAILQ_INSERT_HEAD(&chan->deadlines, req, deadline_link);
}

/*
 * Returns the request to send next, or NULL.  Bulk requests get at most half of the slots, and a
 * quarter before all others, so that neither side starves.
 */
static struct request *next_locked(struct chan *chan)
{
	struct request *req = NULL;

	if (chan->table.free_count == 0)
		return NULL;
	if (chan->bulk_in_flight < (chan->bulk_max + 1) / 2)
		req = TAILQ_FIRST(&chan->bulk_queue);
	if (!req)
		req = TAILQ_FIRST(&chan->queue);
	if (!req && chan->bulk_in_flight < chan->bulk_max)
		req = TAILQ_FIRST(&chan->bulk_queue);
	return req;
}

/* Moves requests from the queues to the batch; each is in the table before its first byte can be
 * on the wire. */
static void fill_batch_locked(struct chan *chan)
{
	struct chan_batch *batch = &chan->batch;
	struct request *req;
	unsigned in_flight;

	while (batch->count < CHAN_BATCH && (req = next_locked(chan))) {
		chan_dequeue_locked(chan, req);
		table_insert(&chan->table, req);
		chan->bulk_in_flight += req->bulk;
		if (!req->abandoned) {
			req->state = REQUEST_SENT;
			atomic_fetch_add(&chan->live, 1);
		}
		batch->reqs[batch->count] = request_get(req);
		batch->iov[batch->count].iov_base = &req->msg;
		batch->iov[batch->count].iov_len = request_size(req);
		batch->count++;
	}
	in_flight = table_used(&chan->table);
	if (in_flight > chan->counters.in_flight_high)
		chan->counters.in_flight_high = in_flight;
}

/* Notes that `sent` bytes of the batch are on the wire.  Returns whether that was all of it. */
static bool drain_batch_locked(struct chan *chan, size_t sent)
{
	struct chan_batch *batch = &chan->batch;
	unsigned done = 0;

	chan->counters.bytes_sent += sent;
	while (done < batch->count && sent >= batch->iov[done].iov_len) {
		sent -= batch->iov[done].iov_len;
		request_put(batch->reqs[done++]);
	}
	batch->count -= done;
	if (batch->count == 0)
		return true;
	memmove(batch->reqs, batch->reqs + done, batch->count * sizeof(batch->reqs[0]));
	memmove(batch->iov, batch->iov + done, batch->count * sizeof(batch->iov[0]));
	batch->iov[0].iov_base = (char *)batch->iov[0].iov_base + sent;
	batch->iov[0].iov_len -= sent;
	return false;
}

/* The transport has no room for more.  Returns whether it soon has some for the rest of a message
 * whose beginning is on the wire.  Releases the lock while it looks. */
static bool linger_locked(struct chan *chan)
{
	const struct chan_batch *batch = &chan->batch;
	struct transport *t = chan->transport;
	bool room;

	/* With others in flight their replies are received meanwhile, and then there is room for more at once. */
	if (!t->ops->linger || batch->iov[0].iov_len == request_size(batch->reqs[0]) ||
	    table_used(&chan->table) > 1)
		return false;
	pthread_mutex_unlock(&chan->lock);
	room = t->ops->linger(t, true);
	pthread_mutex_lock(&chan->lock);
	return room;
}

void chan_send_locked(struct chan *chan)
{
	ssize_t sent;

	if (chan->sending || chan->blocked || chan->state != CHAN_CONNECTED || chan->lost)
		return;
	chan->sending = true;
	while (chan->state == CHAN_CONNECTED && !chan->lost) {
		fill_batch_locked(chan);
		if (chan->batch.count == 0)
			break;
		pthread_mutex_unlock(&chan->lock);
		sent = chan->transport->ops->send(chan->transport, chan->batch.iov,
						  chan->batch.count);
		pthread_mutex_lock(&chan->lock);
		if (sent < 0) {
			/* While shutting down this is expected. */
			if (!chan->lost && chan->state == CHAN_CONNECTED)
				chan->lost = sent;
			break;
		}
		if (!drain_batch_locked(chan, sent) && !linger_locked(chan)) {
			chan->blocked = true;
			break;
		}
	}
	chan->sending = false;
	/* Only the I/O thread reconnects, and only it can watch for room. */
	if (chan->blocked || chan->lost)
		chan_wake_locked(chan);
}

/* Returns why a request cannot be accepted, or 0. */
static int refusal_locked(const struct chan *chan, const struct request *req)
{
	if (req->abandoned)
		return req->error;
	if (chan->state == CHAN_SHUTDOWN)
		return -ESHUTDOWN;
	if (chan->state == CHAN_DEAD)
		return -EIO;
	if (req->msg.len > chan->transport->payload_max)
		return -EMSGSIZE;
	if (req->epoch && req->epoch != chan->epoch)
		return -ESTALE;
	return 0;
}

static void submit_locked(struct chan *chan, struct request *req, uint64_t now,
			  struct request_list *done)
{
	int err = refusal_locked(chan, req);

	assert(req->state == REQUEST_NEW);
	if (req->msg.type < WIRE_TYPE_COUNT)
		chan->counters.requests[req->msg.type]++;
	req->submitted_ns = now;
	request_get(req);
	if (err) {
		req->state = REQUEST_DONE;
		req->error = err;
		chan->counters.refused++;
		chan_count_end_locked(chan, err);
		TAILQ_INSERT_TAIL(done, req, queue_link);
		return;
	}
	req->state = REQUEST_QUEUED;
	set_deadline_locked(chan, req);
	chan_enqueue_locked(chan, req);
}

void chan_submit_all(struct chan *chan, struct request **reqs, unsigned n)
{
	struct request_list done = TAILQ_HEAD_INITIALIZER(done);
	uint64_t now = chan_now(), wakeups;
	struct request *first;

	pthread_mutex_lock(&chan->lock);
	for (unsigned i = 0; i < n; i++)
		submit_locked(chan, reqs[i], now, &done);
	wakeups = chan->counters.wakeups_sent;
	chan_send_locked(chan);
	/* The I/O thread will see the replies, but if it sleeps longer than the first deadline
	 * from now it would not see that one pass. */
	first = TAILQ_FIRST(&chan->deadlines);
	if (first && first->deadline_ns < chan->sleep_until_ns)
		chan_wake_locked(chan);
	if (chan->counters.wakeups_sent == wakeups)
		chan->counters.wakeups_saved++;
	pthread_mutex_unlock(&chan->lock);
	chan_finish_all(&done);
}

void chan_submit(struct chan *chan, struct request *req)
{
	chan_submit_all(chan, &req, 1);
}

int chan_batch_find_locked(const struct chan *chan, const struct request *req)
{
	if (chan->sending)
		return -1;
	for (unsigned i = 0; i < chan->batch.count; i++)
		if (chan->batch.reqs[i] == req)
			return i;
	return -1;
}

/* Takes a request back of which no byte is on the wire.  Returns false if one may be. */
static bool unsend_locked(struct chan *chan, struct request *req)
{
	struct chan_batch *batch = &chan->batch;
	int i = chan_batch_find_locked(chan, req);
	unsigned behind;

	if (i < 0 || batch->iov[i].iov_len < request_size(req))
		return false;
	behind = --batch->count - i;
	memmove(batch->reqs + i, batch->reqs + i + 1, behind * sizeof(batch->reqs[0]));
	memmove(batch->iov + i, batch->iov + i + 1, behind * sizeof(batch->iov[0]));
	chan_retire_locked(chan, req);
	/* As request.h says: an issuer that finds no id knows that the store
	 * never got the request. */
	req->msg.req_id = 0;
	request_put(req);
	return true;
}

void chan_give_up_locked(struct chan *chan, struct request *req, int error,
			 struct request_list *done)
{
	if (req->has_deadline) {
		TAILQ_REMOVE(&chan->deadlines, req, deadline_link);
		req->has_deadline = false;
	}
	if (req->state == REQUEST_QUEUED) {
		/* The channel's own reference goes to `done`. */
		chan_dequeue_locked(chan, req);
	} else if (!unsend_locked(chan, req)) {
		req->abandoned = true;
		atomic_fetch_sub(&chan->live, 1);
		chan->counters.abandoned++;
		request_get(req);
	}
	req->state = REQUEST_DONE;
	req->error = error;
	chan_count_end_locked(chan, error);
	TAILQ_INSERT_TAIL(done, req, queue_link);
}

void chan_finish_all(struct request_list *done)
{
	struct request *req;

	while ((req = TAILQ_FIRST(done))) {
		TAILQ_REMOVE(done, req, queue_link);
		request_finish(req);
		request_put(req);
	}
}

void chan_abandon(struct chan *chan, struct request *req, int error)
{
	struct request_list done = TAILQ_HEAD_INITIALIZER(done);

	pthread_mutex_lock(&chan->lock);
	if (req->state == REQUEST_QUEUED || req->state == REQUEST_SENT) {
		chan_give_up_locked(chan, req, error, &done);
	} else if (req->state == REQUEST_NEW) {
		/* Its issuer is just about to submit it, on another thread. */
		req->abandoned = true;
		req->error = error;
	}
	pthread_mutex_unlock(&chan->lock);
	chan_finish_all(&done);
}

bool chan_busy(struct chan *chan)
{
	return atomic_load_explicit(&chan->live, memory_order_relaxed) > 0;
}

uint32_t chan_epoch(struct chan *chan)
{
	uint32_t epoch;

	pthread_mutex_lock(&chan->lock);
	epoch = chan->epoch;
	pthread_mutex_unlock(&chan->lock);
	return epoch;
}

bool chan_is_connected(struct chan *chan)
{
	bool connected;

	pthread_mutex_lock(&chan->lock);
	connected = chan->state == CHAN_CONNECTED && !chan->lost;
	pthread_mutex_unlock(&chan->lock);
	return connected;
}

size_t chan_payload_max(const struct chan *chan)
{
	return chan->transport->payload_max;
}

const char *chan_transport_name(const struct chan *chan)
{
	return chan->transport->ops->name;
}
