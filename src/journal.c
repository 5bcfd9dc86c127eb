/* SPDX-License-Identifier: MIT */
/* See journal.h. */
#include <endian.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "src/journal.h"
#include "src/log_socket.h"

/* Room for a line, a path and the names of the fields. */
#define MESSAGE_MAX 16384

static struct log_socket journal = LOG_SOCKET_INIT("/run/systemd/journal/socket");

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
	return access(journal.address.sun_path, F_OK) == 0 && log_socket_open(&journal);
}

void journal_close(void)
{
	log_socket_close(&journal);
}

bool journal_send(int priority, const char *mount, const char *text)
{
	struct message m = { .len = 0 };

	add_number(&m, "PRIORITY", priority);
	add_number(&m, "SYSLOG_FACILITY", LOG_FAC(LOG_DAEMON));
	add_field(&m, "SYSLOG_IDENTIFIER", "xsfs");
	if (*mount)
		add_field(&m, "XSFS_MOUNT", mount);
	add_field(&m, "MESSAGE", text);
	return !m.full && log_socket_send(&journal, m.data, m.len);
}
