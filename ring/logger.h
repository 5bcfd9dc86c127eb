/* SPDX-License-Identifier: MIT */
/*
 * How the lower layers log: through a callback handed down from src/.
 * For ring/ and fs/; the callback may be called on any thread.
 */
#ifndef RING_LOGGER_H
#define RING_LOGGER_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Severities, the syslog(3) levels of the same names. */
enum log_level { LOGGER_ERROR, LOGGER_WARNING, LOGGER_INFO, LOGGER_DEBUG };

struct logger {
	/* Writes one line; `fmt` has no newline. */
	void (*vlog)(struct logger *log, enum log_level level, const char *fmt, va_list ap);
	/* LOGGER_DEBUG lines are wanted: callers check this before expensive formatting.  It may change at any time. */
	atomic_bool debug;
};

/* Logs one line through `log`, which may be NULL (nothing is logged then).  Any thread. */
void logger_log(struct logger *log, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(log, ...) logger_log(log, LOGGER_ERROR, __VA_ARGS__)
#define log_warning(log, ...) logger_log(log, LOGGER_WARNING, __VA_ARGS__)
#define log_info(log, ...) logger_log(log, LOGGER_INFO, __VA_ARGS__)
#define log_debug(log, ...)                                                     \
	do {                                                                    \
		if ((log) && (log)->debug)                                      \
			logger_log(log, LOGGER_DEBUG, __VA_ARGS__);             \
	} while (0)

#endif
