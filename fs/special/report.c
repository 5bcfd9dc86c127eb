/* SPDX-License-Identifier: MIT */
/*
 * `.xsfs/stats` and `.xsfs/requests`: the state of the channel and of the filesystem, as text.
 * Made without asking the store, so that they can be read while it is silent.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/model/text.h"
#include "fs/op/transaction.h"
#include "fs/special/figures.h"
#include "fs/special/special_files.h"

/* Returns the latency, in microseconds, below which `percent` of the requests were answered. */
static uint64_t percentile_us(const struct chan_stats *stats, unsigned percent)
{
	uint64_t all[CHAN_LATENCY_BUCKETS] = { 0 }, total = 0, seen = 0;

	for (unsigned type = 0; type < WIRE_TYPE_COUNT; type++)
		for (unsigned i = 0; i < CHAN_LATENCY_BUCKETS; i++)
			all[i] += stats->latency[type][i];
	for (unsigned i = 0; i < CHAN_LATENCY_BUCKETS; i++)
		total += all[i];
	for (unsigned i = 0; i < CHAN_LATENCY_BUCKETS && total; i++) {
		seen += all[i];
		if (seen * 100 >= total * percent)
			return chan_latency_bound(i) / 1000;
	}
	return 0;
}

static void line(FILE *out, const char *name, uint64_t value)
{
	fprintf(out, "%s %" PRIu64 "\n", name, value);
}

static void transport_line(void *arg, const char *name, uint64_t value)
{
	fprintf(arg, "transport_%s %" PRIu64 "\n", name, value);
}

static void print_stats(FILE *out, struct fs *fs, const struct figures *figures)
{
	const struct chan_stats *stats = &figures->chan;

	fprintf(out, "root %s\n", fs->inodes.root_path);
	fprintf(out, "transport %s\n", chan_transport_name(fs->chan));
	if (fs->config.server_dir)
		fprintf(out, "socket %s/socket\n", fs->config.server_dir);
	fprintf(out, "state %s\n", figures_state_name(stats->state));
	for (const struct figure *figure = figures_list; figure->stat; figure++)
		line(out, figure->stat, figure_value(figures, figure));
	for (uint32_t type = 0; type < WIRE_TYPE_COUNT; type++)
		if (stats->requests[type])
			fprintf(out, "requests_%s %" PRIu64 "\n", wire_type_name(type),
				stats->requests[type]);
	line(out, "latency_p50_us", percentile_us(stats, 50));
	line(out, "latency_p99_us", percentile_us(stats, 99));
	chan_transport_stats(fs->chan, transport_line, out);
}

static int stats_text(struct fs *fs, char **text, size_t *size)
{
	struct figures *figures = figures_take(fs);
	FILE *out = figures ? open_memstream(text, size) : NULL;

	if (out)
		print_stats(out, fs, figures);
	free(figures);
	return text_close(out, text);
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
	/* A raw client's path may contain anything, and must stay on one line. */
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
	return text_close(out, text);
}

const struct special special_requests = {
	.name = "requests",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.mode = S_IFREG | 0444,
	.text = requests_text,
};
