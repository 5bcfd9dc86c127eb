/* SPDX-License-Identifier: MIT */
/* See store_request.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

#include "tests/store_request.h"

int store_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool transfer(int fd, void *data, size_t len, bool out)
{
	char *at = data;
	ssize_t n;

	while (len > 0) {
		n = out ? write(fd, at, len) : read(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= n;
	}
	return true;
}

static int error_of_name(const char *name)
{
	for (unsigned i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (!strcmp(xsd_errors[i].errstring, name))
			return xsd_errors[i].errnum;
	return EIO;
}

int store_request(int fd, uint32_t type, uint32_t tx, const void *body, size_t len, char *answer, size_t *answer_len)
{
	char message[sizeof(struct xsd_sockmsg) + 1024];
	struct xsd_sockmsg header = { .type = type, .req_id = 1, .tx_id = tx, .len = len };

	if (len > 1024)
		return E2BIG;
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), body, len);
	if (!transfer(fd, message, sizeof(header) + len, true))
		return EPIPE;
	/* Events of the watches that are set come in between. */
	do {
		if (!transfer(fd, &header, sizeof(header), false) || header.len > XENSTORE_PAYLOAD_MAX ||
		    !transfer(fd, answer, header.len, false))
			return EPIPE;
	} while (header.type == XS_WATCH_EVENT);
	answer[header.len] = '\0';
	*answer_len = header.len;
	return header.type == XS_ERROR ? error_of_name(answer) : 0;
}
