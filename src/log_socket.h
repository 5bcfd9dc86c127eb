/* SPDX-License-Identifier: MIT */
/*
 * The datagram socket of a log daemon, to which lines go without waiting.  For journal.c and system_log.c.  Lines come
 * from any thread; it is opened and closed while there is no other.
 */
#ifndef SRC_LOG_SOCKET_H
#define SRC_LOG_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct log_socket {
	int fd; /* -1: not open */
	struct sockaddr_un address;
};

#define LOG_SOCKET_INIT(path) { .fd = -1, .address = { .sun_family = AF_UNIX, .sun_path = path } }

/* Opens it.  May be called again, and then does nothing.  Returns whether it is open. */
bool log_socket_open(struct log_socket *s);

/* Closes it, so that log_socket_open() opens it anew. */
void log_socket_close(struct log_socket *s);

/* Sends a message.  Never waits.  Returns false if it was not taken. */
bool log_socket_send(const struct log_socket *s, const void *data, size_t len);

#endif
