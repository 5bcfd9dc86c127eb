/* SPDX-License-Identifier: MIT */
/*
 * What the measurements share: time, processor time, medians, one thread of libxenstore to compare
 * with.  For bench_chan, bench_mount and bench_wake; any thread.
 *
 * They print a line for each round, `WHAT OPERATION BYTES WAY RATE BASE`, and `#` comments; results.py
 * makes a table of them.  RATE is requests a second, BASE the rate of libxenstore with one thread in
 * the same round; the way "lib-1" is that itself.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <xenstore.h>

/* Most rounds that are kept. */
#define ROUNDS_MAX 200

/* The rates that one way reached, round by round. */
struct rates {
	double of[ROUNDS_MAX];
	unsigned count;
};

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);

/* Says what went wrong on standard error and exits with status 1. */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Adds the rate of a round; beyond ROUNDS_MAX it is dropped. */
void rates_add(struct rates *rates, double rate);

/* Returns the median, 0 of none. */
double rates_median(const struct rates *rates);

/* Prints the results of all rounds. */
void report(const char *what, const char *operation, size_t bytes, const char *way,
	    const struct rates *rates, const struct rates *base);

/* Returns the processor time in nanoseconds that the threads of a process have used; 0 for one that
 * is not there. */
uint64_t cpu_ns(pid_t pid);

/* Fills in `size` bytes of a printable value. */
void value_fill(char *value, size_t size);

/* Reads or writes for `ns` nanoseconds, with one thread of libxenstore.  Returns requests a
 * second. */
double lib_rate(struct xs_handle *xs, bool write, const char *path, const char *value, size_t size,
		uint64_t ns);

#endif
