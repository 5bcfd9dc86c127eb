/* SPDX-License-Identifier: MIT */
/* The connection of wire.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/memory.h"
#include "tests/faults/wire.h"

static struct wire *to_wire(struct transport *t)
{
	return (struct wire *)t;
}

static size_t bytes_left(const struct wire_bytes *b)
{
	return b->len - b->pos;
}

static void bytes_add(struct wire_bytes *b, const void *data, size_t len)
{
	if (!len)
		return;
	if (b->len + len > b->size) {
		b->size = (b->len + len) * 2;
		memory_own_begin();
		b->data = realloc(b->data, b->size);
		memory_own_end();
		if (!b->data)
			abort();
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static size_t bytes_take(struct wire_bytes *b, void *data, size_t len)
{
	if (len > bytes_left(b))
		len = bytes_left(b);
	if (len)
		memcpy(data, b->data + b->pos, len);
	b->pos += len;
	if (b->pos == b->len)
		b->pos = b->len = 0;
	return len;
}

/* ---- the server's side of the page ---- */

static void page_pull(struct wire *w)
{
	XENSTORE_RING_IDX cons = w->page.req_cons;
	char byte;

	for (; cons != w->page.req_prod; cons++) {
		byte = w->page.req[MASK_XENSTORE_IDX(cons)];
		bytes_add(&w->requests, &byte, 1);
	}
	w->page.req_cons = cons;
}

static bool page_push(struct wire *w)
{
	XENSTORE_RING_IDX prod = w->page.rsp_prod;
	bool moved = false;

	while (bytes_left(&w->replies) && prod - w->page.rsp_cons < XENSTORE_RING_SIZE) {
		bytes_take(&w->replies, &w->page.rsp[MASK_XENSTORE_IDX(prod)], 1);
		prod++;
		moved = true;
	}
	w->page.rsp_prod = prod;
	return moved;
}

bool wire_flush(struct wire *w)
{
	return w->paged && w->connected && page_push(w);
}

bool wire_is_new(struct wire *w)
{
	bool is_new = w->connected_anew;

	w->connected_anew = false;
	return is_new;
}

bool wire_take(struct wire *w, struct wire_msg *msg)
{
	struct wire_bytes *b = &w->requests;
	size_t size;

	if (w->deaf || w->confused || w->hung_up)
		return false;
	if (w->paged)
		page_pull(w);
	if (bytes_left(b) < sizeof(msg->hdr))
		return false;
	memcpy(&msg->hdr, b->data + b->pos, sizeof(msg->hdr));
	size = msg->hdr.len;
	if (size > WIRE_PAYLOAD_MAX)
		abort();
	if (bytes_left(b) < sizeof(msg->hdr) + size)
		return false;
	bytes_take(b, &msg->hdr, sizeof(msg->hdr));
	bytes_take(b, msg->body, size);
	msg->body[size] = '\0';
	return true;
}

void wire_send(struct wire *w, const void *data, size_t len)
{
	if (!w->connected || w->eof)
		return;
	bytes_add(&w->replies, data, len);
	wire_flush(w);
}

/* ---- the transport ---- */

static int connect_wire(struct transport *t)
{
	struct wire *w = to_wire(t);

	if (w->refuses)
		return -ECONNREFUSED;
	/* Indices need not begin at 0; here they soon wrap. */
	w->page.req_cons = w->page.req_prod = UINT32_MAX - 100;
	w->page.rsp_cons = w->page.rsp_prod = UINT32_MAX - 50;
	w->connected = w->connected_anew = true;
	w->confused = w->hung_up = false;
	return 0;
}

static void disconnect_wire(struct transport *t)
{
	struct wire *w = to_wire(t);

	w->connected = w->eof = w->send_fails = false;
	w->requests.pos = w->requests.len = w->replies.pos = w->replies.len = 0;
}

static ssize_t send_paged(struct wire *w, const struct iovec *iov, int count)
{
	ssize_t total = 0, n;
	bool notify;

	for (int i = 0; i < count; i++) {
		n = page_send(&w->page, iov[i].iov_base, iov[i].iov_len, &notify);
		if (n < 0)
			return n;
		total += n;
		if ((size_t)n < iov[i].iov_len)
			break;
	}
	return total;
}

static ssize_t send_wire(struct transport *t, const struct iovec *iov, int count)
{
	struct wire *w = to_wire(t);
	ssize_t total = 0;

	if (!w->connected || w->send_fails)
		return -EPIPE;
	if (w->paged)
		return send_paged(w, iov, count);
	if (w->deaf)
		return 0;
	for (int i = 0; i < count; i++) {
		bytes_add(&w->requests, iov[i].iov_base, iov[i].iov_len);
		total += iov[i].iov_len;
	}
	return total;
}

static ssize_t recv_wire(struct transport *t, void *buf, size_t len)
{
	struct wire *w = to_wire(t);
	bool notify;
	ssize_t n;

	if (!w->connected)
		return -ENOTCONN;
	if (len > w->piece)
		len = w->piece;
	n = w->paged ? page_recv(&w->page, buf, len, &notify) : (ssize_t)bytes_take(&w->replies, buf, len);
	wire_flush(w);
	return n == 0 && w->eof ? -ECONNRESET : n;
}

static bool may_sleep(struct transport *t, bool want_send)
{
	struct wire *w = to_wire(t);

	if (w->eof || (want_send && !w->deaf))
		return false;
	return w->paged ? !page_readable(&w->page) : !bytes_left(&w->replies);
}

static int no_fds(struct transport *t, bool want_send, struct pollfd *fds)
{
	(void)t;
	(void)want_send;
	(void)fds;
	return 0;
}

/* The test frees it. */
static void keep(struct transport *t)
{
	disconnect_wire(t);
}

static const struct transport_ops ops = {
	.name = "test",
	.connect = connect_wire,
	.disconnect = disconnect_wire,
	.send = send_wire,
	.recv = recv_wire,
	.may_sleep = may_sleep,
	.pollfds = no_fds,
	.free = keep,
};

void wire_init(struct wire *w, bool paged, size_t piece)
{
	*w = (struct wire){
		.transport = { .ops = &ops, .payload_max = WIRE_PAYLOAD_MAX, .in_flight_max = 16 },
		.paged = paged,
		.piece = piece,
	};
}

void wire_free(struct wire *w)
{
	free(w->requests.data);
	free(w->replies.data);
}
