/* SPDX-License-Identifier: MIT */
/* See raw.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ring/wire.h"
#include "src/tools/raw.h"

static int connect_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int raw_open(struct raw *raw, const char *path)
{
	struct stat st;

	*raw = (struct raw){ .fd = -1 };
	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISSOCK(st.st_mode))
		raw->fd = connect_socket(path);
	else if ((raw->fd = TEMP_FAILURE_RETRY(open(path, O_RDWR | O_CLOEXEC))) < 0)
		raw->fd = -errno;
	return raw->fd < 0 ? raw->fd : 0;
}

void raw_close(struct raw *raw)
{
	if (raw->fd >= 0)
		close(raw->fd);
	raw->fd = -1;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(write(fd, data, len));

		if (n < 0)
			return -errno;
		data += n;
		len -= n;
	}
	return 0;
}

static int read_all(int fd, char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(read(fd, data, len));

		if (n <= 0)
			return n ? -errno : -EIO;
		data += n;
		len -= n;
	}
	return 0;
}

static int send_request(struct raw *raw, uint32_t type, uint32_t tx, const char *path,
			const void *data, size_t len)
{
	char message[sizeof(struct xsd_sockmsg) + WIRE_PAYLOAD_MAX];
	size_t path_size = strlen(path) + 1;
	struct xsd_sockmsg header = {
		.type = type, .req_id = ++raw->id, .tx_id = tx, .len = path_size + len,
	};
	char *to;

	if (path_size + len > WIRE_PAYLOAD_MAX)
		return -E2BIG;
	to = mempcpy(message, &header, sizeof(header));
	to = mempcpy(to, path, path_size);
	if (len)
		to = mempcpy(to, data, len);
	return write_all(raw->fd, message, to - message);
}

/* Receives the answer; *body belongs to the caller. */
static int receive_reply(struct raw *raw, uint32_t type, char **body)
{
	struct xsd_sockmsg header;
	int err = read_all(raw->fd, (char *)&header, sizeof(header));

	if (err)
		return err;
	if (header.len > WIRE_REPLY_MAX || header.req_id != raw->id)
		return -EPROTO;
	*body = malloc(header.len + 1);
	if (!*body)
		return -ENOMEM;
	err = read_all(raw->fd, *body, header.len);
	if (!err && header.type == XS_ERROR)
		err = wire_error_parse(*body, header.len, NULL);
	else if (!err && header.type != type)
		err = -EPROTO;
	if (err)
		return err;
	(*body)[header.len] = '\0';
	return header.len;
}

int raw_call(struct raw *raw, uint32_t type, uint32_t tx, const char *path, const void *data,
	     size_t len, char **reply)
{
	char *body = NULL;
	int n = send_request(raw, type, tx, path, data, len);

	if (!n)
		n = receive_reply(raw, type, &body);
	if (reply && n >= 0) {
		*reply = body;
		return n;
	}
	if (reply)
		*reply = NULL;
	free(body);
	return n;
}

int raw_start(struct raw *raw, uint32_t *tx)
{
	char *reply;
	uint64_t number;
	int n = raw_call(raw, XS_TRANSACTION_START, 0, "", NULL, 0, &reply);

	if (n < 0)
		return n;
	n = wire_number_parse(reply, strlen(reply), UINT32_MAX, &number) ? -EPROTO : 0;
	free(reply);
	*tx = number;
	return n;
}

int raw_commit(struct raw *raw, uint32_t tx)
{
	int n = raw_call(raw, XS_TRANSACTION_END, tx, "T", NULL, 0, NULL);

	return n < 0 ? n : 0;
}

void raw_abort(struct raw *raw, uint32_t tx)
{
	raw_call(raw, XS_TRANSACTION_END, tx, "F", NULL, 0, NULL);
}
