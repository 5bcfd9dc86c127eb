/* SPDX-License-Identifier: MIT */
/* Counts the lines of a minute. */
#include "ring/rate.h"

#define MINUTE_S 60

bool rate_allows(struct rate *rate, unsigned most, unsigned long *missed)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	*missed = 0;
	if (!rate->since || now.tv_sec - rate->since >= MINUTE_S) {
		*missed = rate->missed;
		*rate = (struct rate){ .since = now.tv_sec };
	}
	if (rate->told >= most) {
		rate->missed++;
		return false;
	}
	rate->told++;
	return true;
}

void rate_log(struct rate *rate, struct logger *log, enum log_level level, const char *fmt, ...)
{
	unsigned long missed;
	va_list ap;

	if (!log || !rate_allows(rate, RATE_LINES, &missed))
		return;
	if (missed)
		logger_log(log, level, "%lu lines like the next one were left out", missed);
	va_start(ap, fmt);
	log->vlog(log, level, fmt, ap);
	va_end(ap);
}
