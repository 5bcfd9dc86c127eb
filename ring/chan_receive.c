/* SPDX-License-Identifier: MIT */
/* Receiving, on the channel's I/O thread: which request a message answers, and what becomes of it. */
#include <string.h>

#include "ring/chan_impl.h"

#define NSEC_PER_MSEC UINT64_C(1000000)

/* Messages to receive before returning to the caller. */
#define RECEIVE_BATCH 64

/* How long to wait for memory before trying again to receive. */
#define OOM_RETRY_MS 10

void chan_rx_reset(struct chan_rx *rx)
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
	struct chan_rx *rx = &chan->rx;
	const struct request *req = rx->req;
	bool known;
	int error = wire_error_parse(rx->body, rx->hdr.len, &known);

	if (!known)
		rate_log(&rx->errors, chan->log, LOGGER_WARNING, "%s %.*s: unknown error \"%.*s\"",
			 wire_type_name(req->msg.type), (int)req->msg.len, req->payload, (int)rx->hdr.len, rx->body);
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
	chan_rx_reset(rx);
	return err ? err : 1;
}

int chan_receive(struct chan *chan, int *err)
{
	struct chan_rx *rx = &chan->rx;
	int count = 0, rc;

	*err = 0;
	if (rx->retry_ns && chan_now() < rx->retry_ns)
		return 0;
	rx->retry_ns = 0;
	/* A completion may shut the channel down. */
	while (count < RECEIVE_BATCH && chan->state == CHAN_CONNECTED) {
		rc = receive_one(chan);
		if (rc < 0)
			*err = rc;
		if (rc <= 0)
			break;
		count++;
	}
	return count;
}
