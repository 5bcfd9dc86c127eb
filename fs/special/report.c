/* SPDX-License-Identifier: MIT */
/*
 * `.xsfs/stats` and `.xsfs/requests`: what the channel and the filesystem are doing, as text.
 * Made without asking the store, so they can be read while it is silent.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/events/cover.h"
#include "fs/events/poll.h"
#include "fs/events/stream.h"
#include "fs/op/transaction.h"
#include "fs/special/raw.h"
#include "fs/special/special_files.h"

static const char *state_name(enum chan_state state)
{
	switch (state) {
	case CHAN_CONNECTED:
		return "connected";
	case CHAN_CONNECTING:
		return "connecting";
	case CHAN_DEAD:
		return "dead";
	case CHAN_SHUTDOWN:
		return "shutdown";
	}
	return "?";
}

/* Returns the latency, in microseconds, below which `percent` of the requests were answered. */
static uint64_t percentile_us(const struct chan_stats *stats, unsigned percent)
{
	uint64_t total = 0, seen = 0;

	for (unsigned i = 0; i < CHAN_LATENCY_BUCKETS; i++)
		total += stats->latency[i];
	if (total == 0)
		return 0;
	for (unsigned i = 0; i < CHAN_LATENCY_BUCKETS; i++) {
		seen += stats->latency[i];
		if (seen * 100 >= total * percent)
			return chan_latency_bound(i) / 1000;
	}
	return 0;
}

static void line(void *arg, const char *name, uint64_t value)
{
	fprintf(arg, "%s %" PRIu64 "\n", name, value);
}

static void transport_line(void *arg, const char *name, uint64_t value)
{
	fprintf(arg, "transport_%s %" PRIu64 "\n", name, value);
}

static void print_channel(FILE *out, const struct chan_stats *stats)
{
	fprintf(out, "state %s\n", state_name(stats->state));
	line(out, "connection", stats->epoch);
	for (uint32_t type = 0; type < WIRE_TYPE_COUNT; type++)
		if (stats->requests[type])
			fprintf(out, "requests_%s %" PRIu64 "\n", wire_type_name(type),
				stats->requests[type]);
	line(out, "completed", stats->completed);
	line(out, "errors", stats->errors);
	line(out, "transaction_conflicts", stats->eagain);
	line(out, "in_flight", stats->in_flight);
	line(out, "in_flight_high", stats->in_flight_high);
	line(out, "queued", stats->queued);
	line(out, "queued_high", stats->queued_high);
	line(out, "abandoned", stats->abandoned);
	line(out, "timeouts", stats->timeouts);
	line(out, "late_replies", stats->late_replies);
	line(out, "unknown_replies", stats->unknown_replies);
	line(out, "events", stats->events);
	line(out, "reconnects", stats->reconnects);
	line(out, "out_of_memory", stats->out_of_memory);
	line(out, "bytes_sent", stats->bytes_sent);
	line(out, "bytes_received", stats->bytes_received);
	line(out, "wakeups_sent", stats->wakeups_sent);
	line(out, "wakeups_saved", stats->wakeups_saved);
	line(out, "latency_p50_us", percentile_us(stats, 50));
	line(out, "latency_p99_us", percentile_us(stats, 99));
}

static void print_raw(FILE *out, struct client_counters *counters)
{
	line(out, "raw_clients", counters->clients);
	line(out, "raw_watches", counters->watches);
	line(out, "raw_transactions", counters->transactions);
	line(out, "raw_messages", counters->messages);
	line(out, "raw_events_merged", counters->events_merged);
}

static int stats_text(struct fs *fs, char **text, size_t *size)
{
	struct chan_stats stats;
	uint64_t overflows;
	unsigned streams;
	FILE *out = open_memstream(text, size);

	if (!out)
		return -ENOMEM;
	chan_stats(fs->chan, &stats);
	fprintf(out, "root %s\n", fs->inodes.root_path);
	fprintf(out, "transport %s\n", chan_transport_name(fs->chan));
	if (fs->config.server_dir)
		fprintf(out, "socket %s/socket\n", fs->config.server_dir);
	print_channel(out, &stats);
	chan_transport_stats(fs->chan, transport_line, out);
	line(out, "fuse_operations", fs->ops_started);
	line(out, "fuse_operations_now", fs->ops_now);
	line(out, "fuse_interrupted", fs->ops_interrupted);
	line(out, "transaction_retries", fs->tx_retries);
	streams = streams_count(fs, &overflows);
	line(out, "watches", watches_count(fs->cover->watches));
	line(out, "polls_unwatched", fs->polls->count);
	line(out, "streams", streams);
	line(out, "stream_overflows", overflows);
	line(out, "transactions", fs->transactions->count);
	line(out, "transactions_idle", fs->transactions->idle_ends);
	print_raw(out, &fs->raws->counters);
	line(out, "invalidations", fs->invalidations);
	line(out, "inodes", inodes_count(&fs->inodes));
	line(out, "open_files", fs->handles.count);
	return fclose(out) ? -ENOMEM : 0;
}

const struct special special_stats = {
	.name = "stats",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.mode = S_IFREG | 0444,
	.text = stats_text,
};

static void print_request(void *arg, const struct chan_request_info *info)
{
	const char *state = info->abandoned ? "abandoned" : info->sent ? "sent" : "queued";

	fprintf(arg, "%" PRIu32 " %" PRIu64 "ms %s tx=%" PRIu32 " %s ", info->id,
		info->age_ns / 1000000, state, info->tx_id, wire_type_name(info->type));
	/* A raw client's may be anything, and is to stay on its line. */
	for (const char *c = info->path; *c; c++)
		fputc(*c >= ' ' && *c <= '~' ? *c : '?', arg);
	fputc('\n', arg);
}

static void print_transaction(void *arg, const struct transaction_info *info)
{
	fprintf(arg, "0 %" PRIu64 "ms open tx=%" PRIu32 " transaction %s idle %" PRIu64 "ms\n",
		info->age_ms, info->tx_id, info->name, info->idle_ms);
}

static int requests_text(struct fs *fs, char **text, size_t *size)
{
	FILE *out = open_memstream(text, size);

	if (!out)
		return -ENOMEM;
	chan_for_each(fs->chan, print_request, out);
	transactions_for_each(fs, print_transaction, out);
	return fclose(out) ? -ENOMEM : 0;
}

const struct special special_requests = {
	.name = "requests",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.mode = S_IFREG | 0444,
	.text = requests_text,
};
