/* SPDX-License-Identifier: MIT */
/*
 * `.xsfs/metrics`: the figures of the mount for monitoring, as OpenMetrics text.
 * Made without asking the store, like `.xsfs/stats`, with which it shares its list.
 *
 * The format is that of https://prometheus.io/docs/specs/om/open_metrics_spec/: the lines of a
 * family follow each other; the sample of a counter has the suffix _total, which its family lacks;
 * each bucket of a histogram also counts everything smaller.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/text.h"
#include "fs/special/figures.h"
#include "fs/special/special_files.h"

#define NSEC_PER_SEC UINT64_C(1000000000)

/* Whoever stores the data has a series for each bucket of a histogram, so only the powers of two
 * are shown, from 16 µs to 17 s: a quarter of the channel's buckets.  The first of these also
 * covers everything smaller. */
#define BUCKETS_PER_OCTAVE 4
#define FIRST_BUCKET 11

/* Begins a family. */
static void family(FILE *out, const char *name, const char *type, const char *unit, const char *help)
{
	fprintf(out, "# TYPE xsfs_%s %s\n", name, type);
	if (unit)
		fprintf(out, "# UNIT xsfs_%s %s\n", name, unit);
	fprintf(out, "# HELP xsfs_%s %s\n", name, help);
}

/* Prints the value of a label, escaped: the store may allow any name for the root. */
static void metrics_print_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

static void print_mount(FILE *out, struct fs *fs, const struct figures *figures)
{
	static const enum chan_state states[] = { CHAN_CONNECTED, CHAN_CONNECTING, CHAN_DEAD,
						  CHAN_SHUTDOWN };

	family(out, "mount", "info", NULL, "What is mounted, and over what.");
	fputs("xsfs_mount_info{version=\"" PACKAGE_VERSION "\",root=\"", out);
	metrics_print_escaped(out, fs->inodes.root_path);
	fprintf(out, "\",transport=\"%s\"} 1\n", chan_transport_name(fs->chan));
	family(out, "mount_time_seconds", "gauge", "seconds", "When it was mounted, since 1970.");
	fprintf(out, "xsfs_mount_time_seconds %lld.%09ld\n", (long long)fs->mounted_at.tv_sec,
		fs->mounted_at.tv_nsec);
	family(out, "connection_state", "stateset", NULL, "State of the connection to the store.");
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		fprintf(out, "xsfs_connection_state{xsfs_connection_state=\"%s\"} %d\n",
			figures_state_name(states[i]), states[i] == figures->chan.state);
}

static void print_list(FILE *out, const struct figures *figures)
{
	for (const struct figure *figure = figures_list; figure->stat; figure++) {
		bool counter = figure->type == FIGURE_COUNTER;

		if (!figure->metric)
			continue;
		family(out, figure->metric, counter ? "counter" : "gauge", figure->unit, figure->help);
		fprintf(out, "xsfs_%s%s %" PRIu64 "\n", figure->metric, counter ? "_total" : "",
			figure_value(figures, figure));
	}
}

/* Prints a sample with one label; zeros are left out, as most labels never occur. */
static void labelled(FILE *out, const char *name, const char *label, const char *of, uint64_t value)
{
	if (value)
		fprintf(out, "xsfs_%s_total{%s=\"%s\"} %" PRIu64 "\n", name, label, of, value);
}

static void print_errors(FILE *out, const char *name, const char *help,
			 const uint64_t by[CHAN_ERRNOS])
{
	family(out, name, "counter", NULL, help);
	for (int i = 0; i < CHAN_ERRNOS; i++) {
		const char *errno_name = i ? strerrorname_np(i) : "other";
		char number[16];

		snprintf(number, sizeof(number), "%d", i);
		labelled(out, name, "errno", errno_name ? errno_name : number, by[i]);
	}
}

/* Prints one histogram of a family, unless it is empty. */
static void print_histogram(FILE *out, const char *name, const char *label, const char *of,
			    const uint64_t buckets[CHAN_LATENCY_BUCKETS], uint64_t ns)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < CHAN_LATENCY_BUCKETS; i++)
		count += buckets[i];
	if (!count)
		return;
	count = 0;
	for (unsigned i = 0; i < CHAN_LATENCY_BUCKETS; i++) {
		count += buckets[i];
		/* The last bucket also counts everything longer. */
		if (i >= FIRST_BUCKET && (i - FIRST_BUCKET) % BUCKETS_PER_OCTAVE == 0 &&
		    i < CHAN_LATENCY_BUCKETS - 1)
			fprintf(out, "xsfs_%s_bucket{%s=\"%s\",le=\"%.15g\"} %" PRIu64 "\n", name, label,
				of, chan_latency_bound(i) / (double)NSEC_PER_SEC, count);
	}
	fprintf(out, "xsfs_%s_bucket{%s=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, label, of, count);
	fprintf(out, "xsfs_%s_count{%s=\"%s\"} %" PRIu64 "\n", name, label, of, count);
	fprintf(out, "xsfs_%s_sum{%s=\"%s\"} %" PRIu64 ".%09" PRIu64 "\n", name, label, of,
		ns / NSEC_PER_SEC, ns % NSEC_PER_SEC);
}

static void print_requests(FILE *out, const struct chan_stats *stats)
{
	family(out, "requests", "counter", NULL, "Requests to the store, by type.");
	for (uint32_t type = 0; type < WIRE_TYPE_COUNT; type++)
		labelled(out, "requests", "type", wire_type_name(type), stats->requests[type]);
	print_errors(out, "request_errors", "Requests that ended with an error, by errno.",
		     stats->errors_by);
	family(out, "request_duration_seconds", "histogram", "seconds",
	       "Time until the store answered a request, by type.");
	for (uint32_t type = 0; type < WIRE_TYPE_COUNT; type++)
		print_histogram(out, "request_duration_seconds", "type", wire_type_name(type),
				stats->latency[type], stats->latency_ns[type]);
}

static void print_operations(FILE *out, const struct figures *figures)
{
	family(out, "operations", "counter", NULL, "File operations, by kind.");
	for (unsigned i = 0; i < OP_KINDS; i++)
		labelled(out, "operations", "operation", op_kind_name(i), figures->ops.started[i]);
	print_errors(out, "operation_errors", "File operations that failed, by errno.",
		     figures->ops.errors_by);
	family(out, "operation_duration_seconds", "histogram", "seconds",
	       "Time from a file operation's start to the store's last answer for it, by kind.");
	for (unsigned i = 0; i < OP_KINDS; i++)
		print_histogram(out, "operation_duration_seconds", "operation", op_kind_name(i),
				figures->ops.latency[i], figures->ops.latency_ns[i]);
}

static void transport_sample(void *arg, const char *name, uint64_t value)
{
	fprintf(arg, "xsfs_transport{figure=\"%s\"} %" PRIu64 "\n", name, value);
}

static int metrics_text(struct fs *fs, char **text, size_t *size)
{
	struct figures *figures = figures_take(fs);
	FILE *out = figures ? open_memstream(text, size) : NULL;

	if (out) {
		print_mount(out, fs, figures);
		print_list(out, figures);
		print_requests(out, &figures->chan);
		print_operations(out, figures);
		family(out, "transport", "unknown", NULL, "What the transport counts.");
		chan_transport_stats(fs->chan, transport_sample, out);
		fputs("# EOF\n", out);
	}
	free(figures);
	return text_close(out, text);
}

const struct special special_metrics = {
	.name = "metrics",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.mode = S_IFREG | 0444,
	.text = metrics_text,
};
