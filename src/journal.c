/* SPDX-License-Identifier: MIT */
/* See journal.h. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "src/journal.h"

/* Room for a line, a path and the names of the fields. */
#define MESSAGE_MAX 16384

static const struct sockaddr_un address = {
	.sun_family = AF_UNIX,
	.sun_path = "/run/systemd/journal/socket",
};

static int journal_fd = -1;

struct message {
	char data[MESSAGE_MAX];
	size_t len;
	bool full;
};

static void add(struct message *m, const void *data, size_t len)
{
	m->full |= len > sizeof(m->data) - m->len;
	if (m->full)
		return;
	memcpy(m->data + m->len, data, len);
	m->len += len;
}

static void add_field(struct message *m, const char *name, const char *value)
{
	size_t len = strlen(value);
	uint64_t size = htole64(len);

	add(m, name, strlen(name));
	/* A value of several lines is preceded by its length. */
	if (strchr(value, '\n')) {
		add(m, "\n", 1);
		add(m, &size, sizeof(size));
	} else {
		add(m, "=", 1);
	}
	add(m, value, len);
	add(m, "\n", 1);
}

static void add_number(struct message *m, const char *name, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	add_field(m, name, text);
}

bool journal_has_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uint64_t device, inode;
	struct stat st;

	return stream && sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

bool journal_open(void)
{
	if (access(address.sun_path, F_OK) < 0)
		return false;
	if (journal_fd < 0)
		journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return journal_fd >= 0;
}

void journal_close(void)
{
	if (journal_fd >= 0)
		close(journal_fd);
	journal_fd = -1;
}

bool journal_send(int priority, const char *mount, const char *text)
{
	struct message m = { .len = 0 };
	ssize_t n;

	if (journal_fd < 0)
		return false;
	add_number(&m, "PRIORITY", priority);
	add_number(&m, "SYSLOG_FACILITY", LOG_FAC(LOG_DAEMON));
	add_field(&m, "SYSLOG_IDENTIFIER", "xsfs");
	if (*mount)
		add_field(&m, "XSFS_MOUNT", mount);
	add_field(&m, "MESSAGE", text);
	if (m.full)
		return false;
	do
		n = sendto(journal_fd, m.data, m.len, MSG_NOSIGNAL,
			   (const struct sockaddr *)&address, sizeof(address));
	while (n < 0 && errno == EINTR);
	return n >= 0;
}
