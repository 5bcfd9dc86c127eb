/* SPDX-License-Identifier: MIT */
/* The time of a clock as one number.  Any thread. */
#ifndef RING_CLOCK_H
#define RING_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Returns the time of `clock` in nanoseconds.  Those since 1970 fit until 2554. */
static inline uint64_t clock_now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

/* Returns it in milliseconds. */
static inline uint64_t clock_now_ms(clockid_t clock)
{
	return clock_now_ns(clock) / 1000000;
}

#endif
