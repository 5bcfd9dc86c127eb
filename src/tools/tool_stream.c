/* SPDX-License-Identifier: MIT */
/* See tool_stream.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ring/wire.h"
#include "src/tools/tool_stream.h"

struct stream_file {
	struct stream_file *next;
	int fd;
	size_t start, end; /* read into `buf` and not taken yet */
	char buf[2 * PATH_SIZE];
};

bool stream_is_special(const char *path)
{
	static const char *const events[] = { "@introduceDomain", "@releaseDomain" };
	uint64_t domid;
	const char *rest;

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (strncmp(path, events[i], strlen(events[i])) != 0)
			continue;
		rest = path + strlen(events[i]);
		if (!*rest)
			return true;
		return *rest == '/' && !wire_number_parse(rest + 1, strlen(rest + 1), UINT16_MAX, &domid);
	}
	return false;
}

int stream_open(struct stream *s, struct tool *t)
{
	*s = (struct stream){ .epoll = epoll_create1(EPOLL_CLOEXEC) };
	return s->epoll < 0 ? tool_fail(t, -errno, "waiting for events") : 0;
}

int stream_add_fd(struct stream *s, struct tool *t, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event))
		return tool_fail(t, -errno, "waiting for events");
	return 0;
}

void stream_close(struct stream *s)
{
	while (s->files) {
		struct stream_file *file = s->files;

		s->files = file->next;
		close(file->fd);
		free(file);
	}
	close(s->epoll);
	*s = (struct stream){ .epoll = -1 };
}

/* Takes an open file.  Returns it, or NULL with errno set and the file closed. */
static struct stream_file *add_file(struct stream *s, int fd)
{
	struct stream_file *file = calloc(1, sizeof(*file));
	struct epoll_event event = { .events = EPOLLIN };
	int err;

	if (!file || epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event)) {
		err = errno;
		free(file);
		close(fd);
		errno = err;
		return NULL;
	}
	file->fd = fd;
	file->next = s->files;
	s->files = file;
	return file;
}

/* Streams the subtree of the nearest node at or above `path` that exists. */
static int add_above(struct stream *s, struct tool *t, const char *path)
{
	char above[PATH_SIZE], file[MOUNTPOINT_FILE_SIZE + 8];
	char *last;
	int fd;

	strcpy(above, path);
	for (;;) {
		mountpoint_node(&t->mountpoint, above, file);
		strcat(file, "/.watch");
		fd = TEMP_FAILURE_RETRY(open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
		if (fd >= 0)
			return add_file(s, fd) ? 0 : tool_fail(t, -errno, file);
		if (errno != ENOENT || !strcmp(above, t->mountpoint.root))
			return tool_fail(t, -errno, file);
		last = strrchr(above, '/');
		last[last == above] = '\0';
	}
}

int stream_add(struct stream *s, struct tool *t, const char *path)
{
	char file[PATH_MAX + 16];
	size_t len = strlen(path);
	int fd;

	if (!s->watch) {
		snprintf(file, sizeof(file), "%s/.xsfs/watch", t->mountpoint.dir);
		fd = TEMP_FAILURE_RETRY(open(file, O_RDWR | O_NONBLOCK | O_CLOEXEC));
		if (fd < 0 && (errno == EROFS || errno == EACCES) && !stream_is_special(path))
			return add_above(s, t, path);
		if (fd >= 0)
			s->watch = add_file(s, fd);
		if (!s->watch)
			return tool_fail(t, -errno, file);
	}
	if (TEMP_FAILURE_RETRY(write(s->watch->fd, path, len)) == (ssize_t)len)
		return 0;
	if (errno == EOPNOTSUPP)
		return tool_complain(t, -errno, "%s: this server tells of all domains together only (one of Xen "
						"4.22 or newer can do more)", path);
	return tool_fail(t, -errno, path);
}

/* Parses a line without its newline. */
static void parse(const char *line, struct stream_event *event)
{
	const char *path = strchr(line, ' ');

	event->path = path ? path + 1 : "";
	if (!strncmp(line, "deleted ", 8))
		event->kind = STREAM_DELETED;
	else if (!strcmp(line, "overflow"))
		event->kind = STREAM_OVERFLOW;
	else
		event->kind = path ? STREAM_CHANGED : STREAM_RESYNC;
}

/* Reads more into the buffer.  Returns whether there was any, or -errno. */
static int fill(struct stream_file *file)
{
	ssize_t count;

	file->end -= file->start;
	memmove(file->buf, file->buf + file->start, file->end);
	file->start = 0;
	count = TEMP_FAILURE_RETRY(
		read(file->fd, file->buf + file->end, sizeof(file->buf) - file->end));
	if (count < 0 && errno == EAGAIN)
		return 0;
	if (count <= 0)
		return count ? -errno : -EIO;
	file->end += count;
	return 1;
}

static int next_of_file(struct stream_file *file, struct stream_event *event)
{
	for (;;) {
		char *line = file->buf + file->start;
		char *end = memchr(line, '\n', file->end - file->start);
		int n;

		if (end) {
			*end = '\0';
			file->start = end + 1 - file->buf;
			parse(line, event);
			return 1;
		}
		n = fill(file);
		if (n <= 0)
			return n;
	}
}

int stream_next(struct stream *s, struct tool *t, struct stream_event *event)
{
	for (struct stream_file *file = s->files; file; file = file->next) {
		int n = next_of_file(file, event);

		if (n < 0)
			return tool_fail(t, n, "the stream of events ended");
		if (n > 0)
			return 1;
	}
	return 0;
}

int stream_wait(struct stream *s, struct tool *t, int timeout_ms)
{
	struct epoll_event event;

	if (TEMP_FAILURE_RETRY(epoll_wait(s->epoll, &event, 1, timeout_ms)) < 0)
		return tool_fail(t, -errno, "waiting for events");
	return 0;
}
