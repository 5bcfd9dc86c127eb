/* SPDX-License-Identifier: MIT */
/* Redirects standard error into a pipe.  Main thread. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/capture.h"

/* More than fusermount3 ever prints. */
#define TEXT_MAX 4096

void capture_start(struct capture *c)
{
	int fds[2];

	c->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	/* Non-blocking, because nobody reads before the end. */
	if (c->stderr_fd >= 0 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		close(c->stderr_fd);
		c->stderr_fd = -1;
	}
	if (c->stderr_fd < 0)
		return;
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	c->read_fd = fds[0];
}

/* Copies the first line of `text`, without a leading "fuse: " or "fusermount3: ". */
static void first_line(const char *text, char *line, size_t size)
{
	static const char *const names[] = { "fuse: ", "fusermount3: " };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(text, names[i], strlen(names[i])))
			text += strlen(names[i]);
	snprintf(line, size, "%.*s", (int)strcspn(text, "\n"), text);
}

void capture_end(struct capture *c, bool show, char *line, size_t size)
{
	char text[TEXT_MAX];
	ssize_t n;

	line[0] = '\0';
	if (c->stderr_fd < 0)
		return;
	dup2(c->stderr_fd, STDERR_FILENO);
	close(c->stderr_fd);
	n = read(c->read_fd, text, sizeof(text) - 1);
	close(c->read_fd);
	if (n <= 0)
		return;
	text[n] = '\0';
	first_line(text, line, size);
	/* If this fails there is no other place to complain. */
	if (show && write(STDERR_FILENO, text, n) < 0)
		return;
}
