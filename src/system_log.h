/* SPDX-License-Identifier: MIT */
/*
 * The system's log, /dev/log, without waiting: syslog(3) waits while the daemon behind it reads nothing, and whoever
 * logs may hold the filesystem's lock.  For log.c.  Lines come from any thread; it is opened
 * and closed while there is no other.
 */
#ifndef SRC_SYSTEM_LOG_H
#define SRC_SYSTEM_LOG_H

#include <stdbool.h>

/* Opens it.  May be called again, and then does nothing. */
void system_log_open(void);

/* Closes it, so that system_log_open() opens it anew. */
void system_log_close(void);

/* Sends a line of severity `priority` and facility "daemon" (as in syslog(3)).  Never waits.  Returns false if the line
 * was not taken. */
bool system_log_send(int priority, const char *text);

#endif
