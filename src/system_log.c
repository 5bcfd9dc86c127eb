/* SPDX-License-Identifier: MIT */
/* See system_log.h. */
#include <stdio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "src/log_socket.h"
#include "src/system_log.h"

/* Room for a line and what goes before it. */
#define MESSAGE_MAX 8192

static struct log_socket log_socket = LOG_SOCKET_INIT("/dev/log");

void system_log_open(void)
{
	log_socket_open(&log_socket);
}

void system_log_close(void)
{
	log_socket_close(&log_socket);
}

bool system_log_send(int priority, const char *text)
{
	char message[MESSAGE_MAX], when[32];
	time_t now = time(NULL);
	struct tm tm;
	int len;

	/* As glibc writes it: the local time, and the months in English, as nothing here sets a locale. */
	localtime_r(&now, &tm);
	strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
	len = snprintf(message, sizeof(message), "<%d>%s xsfs[%d]: %s", LOG_DAEMON | priority, when, (int)getpid(), text);
	return len < (int)sizeof(message) && log_socket_send(&log_socket, message, len);
}
