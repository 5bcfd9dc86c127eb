/* SPDX-License-Identifier: MIT */
/* Datagrams to the service manager. */
#include <stdlib.h>
#include <string.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "src/service.h"

static int service_fd = -1;

void service_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;
	const struct timeval patience = { .tv_sec = 5 };
	int fd = -1;

	/* A path, or the name of an abstract socket with '@' in place of its NUL. */
	if (len > 1 && len < sizeof(address.sun_path) && (*path == '/' || *path == '@')) {
		memcpy(address.sun_path, path, len);
		if (*path == '@')
			address.sun_path[0] = '\0';
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	}
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address,
			       offsetof(struct sockaddr_un, sun_path) + len) < 0) {
		close(fd);
		fd = -1;
	}
	/* A manager that is busy must not miss READY=1; one that is stuck must not stop us. */
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	unsetenv("NOTIFY_SOCKET");
	service_fd = fd;
}

void service_tell(const char *lines)
{
	if (service_fd >= 0)
		send(service_fd, lines, strlen(lines), MSG_NOSIGNAL);
}
