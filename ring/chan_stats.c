/* SPDX-License-Identifier: MIT */
/* Inspects a channel: its counters, the latencies, and the requests under way.  Any thread. */
#include <string.h>

#include "ring/chan_impl.h"

/*
 * Latency buckets: four to each power of two, from 1 µs.  The two bits below the leading one
 * select the quarter.
 */
unsigned chan_latency_bucket(uint64_t ns)
{
	uint64_t us = ns / 1000;
	unsigned log2, bucket;

	if (us < 4)
		return us;
	log2 = 63 - __builtin_clzll(us);
	bucket = (log2 - 1) * 4 + (us >> (log2 - 2) & 3);
	return bucket < CHAN_LATENCY_BUCKETS ? bucket : CHAN_LATENCY_BUCKETS - 1;
}

uint64_t chan_latency_bound(unsigned bucket)
{
	uint64_t us;

	if (bucket < 4)
		us = bucket + 1;
	else
		us = (UINT64_C(4) + bucket % 4 + 1) << (bucket / 4 - 1);
	return us * 1000;
}

void chan_count_end_locked(struct chan *chan, int error)
{
	chan->counters.completed++;
	if (!error)
		return;
	chan->counters.errors++;
	chan->counters.errors_by[chan_error_index(error)]++;
}

void chan_stats(struct chan *chan, struct chan_stats *stats)
{
	pthread_mutex_lock(&chan->lock);
	*stats = chan->counters;
	stats->state = chan->state;
	stats->epoch = chan->epoch;
	stats->in_flight = table_used(&chan->table);
	stats->queued = chan->queued;
	pthread_mutex_unlock(&chan->lock);
}

void chan_transport_stats(struct chan *chan,
			  void (*line)(void *arg, const char *name, uint64_t value), void *arg)
{
	if (chan->transport->ops->stats)
		chan->transport->ops->stats(chan->transport, line, arg);
}

static void describe(struct chan_request_info *info, const struct request *req, uint64_t now,
		     bool sent)
{
	/* The payload may lack a NUL (a TRANSACTION_END has one, a foreign message need not). */
	bool terminated = memchr(req->payload, '\0', req->msg.len) != NULL;

	*info = (struct chan_request_info){
		.id = sent ? req->msg.req_id : 0,
		.type = req->msg.type,
		.tx_id = req->msg.tx_id,
		.len = req->msg.len,
		.path = terminated ? req->payload : "",
		.age_ns = now - req->submitted_ns,
		.sent = sent,
		.abandoned = req->abandoned,
	};
}

static void for_each_queued_locked(const struct request_list *queue, uint64_t now,
				   void (*fn)(void *, const struct chan_request_info *), void *arg)
{
	struct chan_request_info info;
	const struct request *req;

	TAILQ_FOREACH(req, queue, queue_link) {
		describe(&info, req, now, false);
		fn(arg, &info);
	}
}

void chan_for_each(struct chan *chan, void (*fn)(void *arg, const struct chan_request_info *info),
		   void *arg)
{
	struct chan_request_info info;
	uint64_t now = chan_now();

	pthread_mutex_lock(&chan->lock);
	for (unsigned i = 0; i < chan->table.size; i++) {
		if (!chan->table.slots[i])
			continue;
		describe(&info, chan->table.slots[i], now, true);
		fn(arg, &info);
	}
	for_each_queued_locked(&chan->queue, now, fn, arg);
	for_each_queued_locked(&chan->bulk_queue, now, fn, arg);
	pthread_mutex_unlock(&chan->lock);
}
