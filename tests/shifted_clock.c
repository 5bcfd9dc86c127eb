/* SPDX-License-Identifier: MIT */
/* See shifted_clock.h. */
#include "tests/shifted_clock.h"

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

clockid_t shifted_clock;
time_t clock_shift;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	int ret = __real_clock_gettime(clock, now);

	if (clock == shifted_clock)
		now->tv_sec += clock_shift;
	return ret;
}
