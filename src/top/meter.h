/* SPDX-License-Identifier: MIT */
/*
 * The statistics of a mount, `.xsfs/stats` of xsfs(5), as numbers, and as rates between two readings.
 *
 * No input or output.  Not locked; its owner is.
 */
#ifndef SRC_TOP_METER_H
#define SRC_TOP_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METER_LINES 192  /* of the file; more are ignored */
#define METER_NAME_SIZE 48
#define METER_HISTORY 512 /* readings whose rate is remembered */

struct meter_line {
	char name[METER_NAME_SIZE];
	uint64_t value;
	double rate; /* a second, since the reading before */
};

struct meter {
	struct meter_line lines[METER_LINES];
	size_t n;
	char state[16], transport[16]; /* words */
	int64_t time;                  /* of the last reading, milliseconds; 0: there was none */
	double requests;               /* of all types, a second */
	double history[METER_HISTORY]; /* the last rates, the newest at `next` - 1 */
	size_t next, filled;
};

/* Takes the text of a reading.  A number that is smaller than before (another mount) has no rate. */
void meter_take(struct meter *m, const char *text, int64_t now);

/* Returns a number, or the default where there is none of that name. */
uint64_t meter_value(const struct meter *m, const char *name, uint64_t otherwise);

/* Returns whether a line counts requests of a type, and that type's name. */
bool meter_is_request(const struct meter_line *line, const char **type);

/* Writes the last `n` rates, the newest last, and 0 before the first.  Returns the largest. */
double meter_history(const struct meter *m, double *rates, size_t n);

/* ---- histograms ----------------------------------------------------------------------------- */

#define METER_KINDS 96

/* Durations, as a histogram of `.xsfs/metrics` has them. */
struct meter_latency {
	char family[METER_NAME_SIZE]; /* "request" */
	char kind[METER_NAME_SIZE];   /* "READ" */
	double p50_us, p99_us;        /* half, and 99 of 100, took at most that; infinite in the last bucket */
	uint64_t count;
};

struct meter_latencies {
	struct meter_latency list[METER_KINDS];
	size_t n;
};

/* Takes all histograms of an OpenMetrics text that are called xsfs_FAMILY_duration_seconds. */
void meter_latencies(struct meter_latencies *l, const char *text);

/* Returns the one of that family and kind, or NULL. */
const struct meter_latency *meter_latency(const struct meter_latencies *l, const char *family,
					  const char *kind);

#endif
