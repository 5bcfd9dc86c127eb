/* SPDX-License-Identifier: MIT */
/* Passes a log line to the callback that was handed down.  For ring/ and fs/, any thread. */
#include <stddef.h>

#include "ring/logger.h"

void logger_log(struct logger *log, enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!log)
		return;
	va_start(ap, fmt);
	log->vlog(log, level, fmt, ap);
	va_end(ap);
}
