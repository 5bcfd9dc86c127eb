/* SPDX-License-Identifier: MIT */
/*
 * A clock that is ahead of its true time, for a test program linked with -Wl,--wrap=clock_gettime.
 * Set while there is no other thread that looks.
 */
#ifndef TESTS_SHIFTED_CLOCK_H
#define TESTS_SHIFTED_CLOCK_H

#include <time.h>

/* Which clock, and for how many seconds it is ahead. */
extern clockid_t shifted_clock;
extern time_t clock_shift;

#endif
