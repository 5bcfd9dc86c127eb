/* SPDX-License-Identifier: MIT */
/* See meter.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/top/meter.h"

#define REQUESTS "requests_"
#define LINE_SIZE 256

static const struct meter_line *find(const struct meter *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++)
		if (!strcmp(m->lines[i].name, name))
			return &m->lines[i];
	return NULL;
}

uint64_t meter_value(const struct meter *m, const char *name, uint64_t otherwise)
{
	const struct meter_line *line = find(m, name);

	return line ? line->value : otherwise;
}

bool meter_is_request(const struct meter_line *line, const char **type)
{
	*type = line->name + strlen(REQUESTS);
	return !strncmp(line->name, REQUESTS, strlen(REQUESTS));
}

/* Copies the next line of a text, as far as it fits, and moves the text behind it.  Returns whether there
 * is one. */
static bool next_line(const char **text, char line[LINE_SIZE])
{
	size_t len = strcspn(*text, "\n");

	if (!**text)
		return false;
	snprintf(line, LINE_SIZE, "%.*s", (int)(len < LINE_SIZE ? len : LINE_SIZE - 1), *text);
	*text += len + ((*text)[len] == '\n');
	return true;
}

/* Takes one line: a word of the channel, or a number. */
static void take_line(struct meter *m, const char *line)
{
	struct meter_line *to = &m->lines[m->n];

	if (!strncmp(line, "state ", 6))
		snprintf(m->state, sizeof(m->state), "%.15s", line + 6);
	else if (!strncmp(line, "transport ", 10))
		snprintf(m->transport, sizeof(m->transport), "%.15s", line + 10);
	else if (m->n < METER_LINES && sscanf(line, "%47s %" SCNu64, to->name, &to->value) == 2)
		m->n++;
}

/* A first reading, and one of another mount, has no rates. */
static void take_rates(struct meter *m, const struct meter *was, int64_t now)
{
	double seconds = (now - was->time) / 1000.0;
	const char *type;

	m->requests = 0;
	for (size_t i = 0; i < m->n; i++) {
		struct meter_line *line = &m->lines[i];
		uint64_t before = meter_value(was, line->name, 0);

		line->rate = was->time && seconds > 0 && line->value >= before ?
				     (line->value - before) / seconds : 0;
		if (meter_is_request(line, &type))
			m->requests += line->rate;
	}
}

void meter_take(struct meter *m, const char *text, int64_t now)
{
	static struct meter was; /* too large for a stack */
	char line[LINE_SIZE];

	was = *m;
	m->n = 0;
	while (next_line(&text, line))
		take_line(m, line);
	m->time = now;
	take_rates(m, &was, now);
	if (!was.time)
		return;
	m->history[m->next] = m->requests;
	m->next = (m->next + 1) % METER_HISTORY;
	if (m->filled < METER_HISTORY)
		m->filled++;
}

double meter_history(const struct meter *m, double *rates, size_t n)
{
	double largest = 0;

	for (size_t i = 0; i < n; i++) {
		size_t age = n - i; /* 1: the newest */

		rates[i] = age <= m->filled ? m->history[(m->next + METER_HISTORY - age) %
							 METER_HISTORY] : 0;
		if (rates[i] > largest)
			largest = rates[i];
	}
	return largest;
}

/* ---- histograms ----------------------------------------------------------------------------- */

#define BUCKETS 64

/* The buckets of one histogram, each with all that is smaller. */
struct buckets {
	double bound_us[BUCKETS];
	uint64_t count[BUCKETS];
	size_t n;
};

static double percentile_us(const struct buckets *b, unsigned percent)
{
	uint64_t total = b->n ? b->count[b->n - 1] : 0;

	for (size_t i = 0; i < b->n; i++)
		if (b->count[i] * 100 >= total * percent)
			return b->bound_us[i];
	return 0;
}

/* Understands xsfs_FAMILY_duration_seconds_bucket{LABEL="KIND",le="BOUND"} COUNT.  Returns whether it is that. */
static bool parse_bucket(const char *line, struct meter_latency *to, double *bound_us, uint64_t *count)
{
	static const char prefix[] = "xsfs_", suffix[] = "_duration_seconds_bucket{";
	const char *end = strstr(line, suffix);
	char bound[32];

	if (strncmp(line, prefix, strlen(prefix)) != 0 || !end)
		return false;
	line += strlen(prefix);
	snprintf(to->family, sizeof(to->family), "%.*s", (int)(end - line), line);
	if (sscanf(end + strlen(suffix), "%*[a-z]=\"%47[^\"]\",le=\"%31[^\"]\"} %" SCNu64, to->kind, bound,
		   count) != 3)
		return false;
	*bound_us = strtod(bound, NULL) * 1e6;
	return true;
}

static bool is_same(const struct meter_latency *left, const struct meter_latency *right)
{
	return !strcmp(left->family, right->family) && !strcmp(left->kind, right->kind);
}

static void finish(struct meter_latency *latency, struct buckets *b)
{
	latency->p50_us = percentile_us(b, 50);
	latency->p99_us = percentile_us(b, 99);
	latency->count = b->n ? b->count[b->n - 1] : 0;
	b->n = 0;
}

void meter_latencies(struct meter_latencies *l, const char *text)
{
	struct meter_latency next = { 0 };
	struct buckets b = { .n = 0 };
	double bound_us;
	char line[LINE_SIZE];
	uint64_t count;

	l->n = 0;
	while (next_line(&text, line)) {
		if (!parse_bucket(line, &next, &bound_us, &count))
			continue;
		/* The buckets of one follow each other. */
		if (l->n == 0 || !is_same(&l->list[l->n - 1], &next)) {
			if (l->n > 0)
				finish(&l->list[l->n - 1], &b);
			if (l->n == METER_KINDS)
				return;
			l->list[l->n++] = next;
		}
		if (b.n < BUCKETS) {
			b.bound_us[b.n] = bound_us;
			b.count[b.n++] = count;
		}
	}
	if (l->n > 0)
		finish(&l->list[l->n - 1], &b);
}

const struct meter_latency *meter_latency(const struct meter_latencies *l, const char *family,
					  const char *kind)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->list[i].family, family) && !strcmp(l->list[i].kind, kind))
			return &l->list[i];
	return NULL;
}
