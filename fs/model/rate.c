/* SPDX-License-Identifier: MIT */
/* At most one line a minute. */
#include "fs/model/rate.h"

#define EVERY_S 60

bool rate_allows(struct rate *rate, unsigned long *missed)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	*missed = rate->missed;
	if (rate->told_at && now.tv_sec - rate->told_at < EVERY_S) {
		rate->missed++;
		return false;
	}
	rate->told_at = now.tv_sec;
	rate->missed = 0;
	return true;
}
