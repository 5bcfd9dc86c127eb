/* SPDX-License-Identifier: MIT */
/* Operations of raw clients, which speak the store's protocol through .xsfs/xenbus. */
#include <fcntl.h>
#include <string.h>

#include "tests/faults/operations.h"

static int raw_open(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/.xsfs/xenbus", O_RDWR);
}

/* Reads so many bytes of a message. */
static int raw_take(struct machine *m, struct scene *s, void *to, size_t size)
{
	size_t got = 0;
	int n;

	while (got < size) {
		n = kernel_read(m, s->node.nodeid, s->files[0].fh, 0, size - got);
		if (n <= 0)
			return n ? n : WRONG;
		memcpy((char *)to + got, m->taken->body, n);
		got += n;
	}
	return 0;
}

/* Reads a message. */
static int raw_read(struct machine *m, struct scene *s, struct wire_msg *msg)
{
	int err = raw_take(m, s, &msg->hdr, sizeof(msg->hdr));

	if (err)
		return err;
	return msg->hdr.len < sizeof(msg->body) ? raw_take(m, s, msg->body, msg->hdr.len) : WRONG;
}

/* Sends a request, and reads its answer. */
static int raw_call(struct machine *m, struct scene *s, uint32_t type, const char *body, size_t len)
{
	struct xsd_sockmsg hdr = { .type = type, .req_id = 4711, .tx_id = s->tx_id, .len = len };
	struct wire_msg msg;
	char data[256];
	int err;

	memcpy(data, &hdr, sizeof(hdr));
	memcpy(data + sizeof(hdr), body, len);
	err = kernel_write(m, s->node.nodeid, s->files[0].fh, 0, data, sizeof(hdr) + len);
	if (!err)
		err = raw_read(m, s, &msg);
	if (err)
		return err;
	if (msg.hdr.req_id != 4711 || (msg.hdr.type != type && msg.hdr.type != XS_ERROR))
		return WRONG;
	if (msg.hdr.type == XS_ERROR)
		return wire_error_parse(msg.body, msg.hdr.len, NULL);
	if (type == XS_TRANSACTION_START)
		s->tx_id = 1;
	else
		say_bytes(m, msg.body, msg.hdr.len);
	return 0;
}

static int raw_get(struct machine *m, struct scene *s)
{
	return raw_call(m, s, XS_READ, "/a", sizeof("/a"));
}

static int raw_put(struct machine *m, struct scene *s)
{
	return raw_call(m, s, XS_WRITE, "/a\0raw", sizeof("/a\0raw") - 1);
}

static int raw_watch(struct machine *m, struct scene *s)
{
	struct wire_msg msg;
	int err = raw_call(m, s, XS_WATCH, "/d\0token", sizeof("/d\0token"));

	if (err)
		return err;
	/* Each watch fires once, after its answer. */
	err = raw_read(m, s, &msg);
	if (err)
		return err;
	return msg.hdr.type == XS_WATCH_EVENT && !memcmp(msg.body, "/d\0token", sizeof("/d\0token")) ? 0 : WRONG;
}

static int raw_watched(struct machine *m, struct scene *s)
{
	int err = raw_open(m, s);

	return err ? err : raw_watch(m, s);
}

static int raw_unwatch(struct machine *m, struct scene *s)
{
	return raw_call(m, s, XS_UNWATCH, "/d\0token", sizeof("/d\0token"));
}

static int raw_start(struct machine *m, struct scene *s)
{
	return raw_call(m, s, XS_TRANSACTION_START, "", 1);
}

static int raw_started(struct machine *m, struct scene *s)
{
	int err = raw_open(m, s);

	if (!err)
		err = raw_start(m, s);
	return err ? err : raw_put(m, s);
}

static int raw_commit(struct machine *m, struct scene *s)
{
	return raw_call(m, s, XS_TRANSACTION_END, "T", sizeof("T"));
}

static int raw_release(struct machine *m, struct scene *s)
{
	return scene_close(m, s);
}

const struct operation raw_operations[] = {
	{ "raw: READ", .prepare = raw_open, .run = raw_get },
	{ "raw: WRITE", .prepare = raw_open, .run = raw_put, .changes = true },
	{ "raw: WATCH", .prepare = raw_open, .run = raw_watch },
	{ "raw: UNWATCH", .prepare = raw_watched, .run = raw_unwatch },
	{ "raw: TRANSACTION_START", .prepare = raw_open, .run = raw_start },
	{ "raw: TRANSACTION_END", .prepare = raw_started, .run = raw_commit, .changes = true },
	{ "raw: release", .prepare = raw_started, .run = raw_release },
};
const unsigned raw_operations_count = sizeof(raw_operations) / sizeof(raw_operations[0]);
