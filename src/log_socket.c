/* SPDX-License-Identifier: MIT */
/* See log_socket.h. */
#include <errno.h>
#include <unistd.h>

#include "src/log_socket.h"

bool log_socket_open(struct log_socket *s)
{
	if (s->fd < 0)
		s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return s->fd >= 0;
}

void log_socket_close(struct log_socket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

bool log_socket_send(const struct log_socket *s, const void *data, size_t len)
{
	ssize_t n;

	if (s->fd < 0)
		return false;
	do
		n = sendto(s->fd, data, len, MSG_NOSIGNAL, (const struct sockaddr *)&s->address, sizeof(s->address));
	while (n < 0 && errno == EINTR);
	return n >= 0;
}
