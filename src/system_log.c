/* SPDX-License-Identifier: MIT */
/* See system_log.h. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "src/system_log.h"

/* Room for a line and what goes before it. */
#define MESSAGE_MAX 8192

static const struct sockaddr_un address = {
	.sun_family = AF_UNIX,
	.sun_path = "/dev/log",
};

static int log_fd = -1;

void system_log_open(void)
{
	if (log_fd < 0)
		log_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void system_log_close(void)
{
	if (log_fd >= 0)
		close(log_fd);
	log_fd = -1;
}

bool system_log_send(int priority, const char *text)
{
	char message[MESSAGE_MAX], when[32];
	time_t now = time(NULL);
	struct tm tm;
	ssize_t n;
	int len;

	/* As glibc writes it: the local time, and the months in English, as nothing here sets a locale. */
	localtime_r(&now, &tm);
	strftime(when, sizeof(when), "%b %e %H:%M:%S", &tm);
	len = snprintf(message, sizeof(message), "<%d>%s xsfs[%d]: %s", LOG_DAEMON | priority, when, (int)getpid(), text);
	if (log_fd < 0 || len >= (int)sizeof(message))
		return false;
	do
		n = sendto(log_fd, message, len, MSG_NOSIGNAL, (const struct sockaddr *)&address, sizeof(address));
	while (n < 0 && errno == EINTR);
	return n >= 0;
}
