/* SPDX-License-Identifier: MIT */
/* The time of the fuzz targets: that of the machine, and what the input has let pass. */
#include <stdatomic.h>
#include <time.h>

#include "tests/fuzz.h"

#define NSEC_PER_SEC 1000000000LL

static atomic_uint_fast64_t passed_ms;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int ret = __real_clock_gettime(clock, now);
	uint64_t ms = atomic_load(&passed_ms);

	now->tv_sec += ms / 1000;
	now->tv_nsec += ms % 1000 * 1000000;
	if (now->tv_nsec >= NSEC_PER_SEC) {
		now->tv_nsec -= NSEC_PER_SEC;
		now->tv_sec++;
	}
	return ret;
}

void fuzz_time_passes(uint64_t ms)
{
	atomic_fetch_add(&passed_ms, ms);
}
