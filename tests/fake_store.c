/* SPDX-License-Identifier: MIT */
/*
 * The in-memory store of fake_store.h: two byte queues and an eventfd that is readable while the
 * channel has something to do.  Any thread, under its own lock.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/fake_store.h"

static struct fake_store *to_fake(struct transport *t)
{
	return (struct fake_store *)t;
}

static void bytes_add(struct fake_bytes *b, const void *data, size_t len)
{
	if (!len)
		return;
	if (b->pos) {
		memmove(b->data, b->data + b->pos, b->len - b->pos);
		b->len -= b->pos;
		b->pos = 0;
	}
	if (b->len + len > b->size) {
		b->size = (b->len + len) * 2;
		b->data = realloc(b->data, b->size);
		if (!b->data)
			abort();
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static size_t bytes_take(struct fake_bytes *b, void *data, size_t len)
{
	if (len > b->len - b->pos)
		len = b->len - b->pos;
	if (len)
		memcpy(data, b->data + b->pos, len);
	b->pos += len;
	return len;
}

static size_t bytes_left(const struct fake_bytes *b)
{
	return b->len - b->pos;
}

/* Makes the descriptor readable if, and only if, there is something to do. */
static void update_fd_locked(struct fake_store *f)
{
	bool level = f->connected && (bytes_left(&f->replies) || f->eof ||
				      (f->want_room && (f->room || f->send_error)));
	uint64_t count = 1;

	if (level == f->level)
		return;
	f->level = level;
	if ((level ? write(f->fd, &count, sizeof(count)) : read(f->fd, &count, sizeof(count))) !=
	    sizeof(count))
		abort();
}

static void check_thread_locked(struct fake_store *f)
{
	if (f->has_io_thread && !pthread_equal(f->io_thread, pthread_self()))
		f->wrong_thread++;
}

static int fake_connect(struct transport *t)
{
	struct fake_store *f = to_fake(t);
	int err;

	pthread_mutex_lock(&f->lock);
	check_thread_locked(f);
	f->connects++;
	err = f->connect_error;
	if (!err)
		f->connected = true;
	update_fd_locked(f);
	pthread_mutex_unlock(&f->lock);
	return err;
}

static void fake_disconnect(struct transport *t)
{
	struct fake_store *f = to_fake(t);

	pthread_mutex_lock(&f->lock);
	check_thread_locked(f);
	if (atomic_load(&f->senders))
		f->overlaps++;
	f->disconnects++;
	f->connected = false;
	f->eof = false;
	f->send_error = 0;
	f->sent.pos = f->sent.len = 0;
	f->replies.pos = f->replies.len = 0;
	update_fd_locked(f);
	pthread_mutex_unlock(&f->lock);
}

static ssize_t fake_send(struct transport *t, const struct iovec *iov, int iovcnt)
{
	struct fake_store *f = to_fake(t);
	void (*hook)(struct fake_store *, void *);
	ssize_t total = 0;
	size_t len;
	void *arg;

	if (atomic_fetch_add(&f->senders, 1)) {
		pthread_mutex_lock(&f->lock);
		f->overlaps++;
		pthread_mutex_unlock(&f->lock);
	}
	pthread_mutex_lock(&f->lock);
	f->sends++;
	if (!f->connected)
		total = -ENOTCONN;
	else if (f->send_error)
		total = f->send_error;
	for (int i = 0; total >= 0 && i < iovcnt && f->room; i++) {
		len = iov[i].iov_len < f->room ? iov[i].iov_len : f->room;
		bytes_add(&f->sent, iov[i].iov_base, len);
		if (f->room != SIZE_MAX)
			f->room -= len;
		total += len;
	}
	hook = f->in_send;
	arg = f->in_send_arg;
	f->in_send = NULL;
	pthread_mutex_unlock(&f->lock);
	if (hook)
		hook(f, arg);
	atomic_fetch_sub(&f->senders, 1);
	return total;
}

static ssize_t fake_recv(struct transport *t, void *buf, size_t len)
{
	struct fake_store *f = to_fake(t);
	ssize_t n;

	pthread_mutex_lock(&f->lock);
	check_thread_locked(f);
	f->recvs++;
	if (len > f->recv_piece)
		len = f->recv_piece;
	n = bytes_take(&f->replies, buf, len);
	if (!f->connected)
		n = -ENOTCONN;
	else if (n == 0 && f->eof)
		n = -ECONNRESET;
	update_fd_locked(f);
	pthread_mutex_unlock(&f->lock);
	return n;
}

static bool fake_linger(struct transport *t, bool want_send)
{
	struct fake_store *f = to_fake(t);
	bool (*hook)(struct fake_store *, bool);

	pthread_mutex_lock(&f->lock);
	f->lingers++;
	if (!want_send)
		check_thread_locked(f);
	hook = f->in_linger;
	pthread_mutex_unlock(&f->lock);
	return hook && hook(f, want_send);
}

static bool fake_may_sleep(struct transport *t, bool want_send)
{
	struct fake_store *f = to_fake(t);
	bool level;

	pthread_mutex_lock(&f->lock);
	check_thread_locked(f);
	f->want_room = want_send;
	update_fd_locked(f);
	level = f->level;
	pthread_mutex_unlock(&f->lock);
	return !level;
}

static int fake_pollfds(struct transport *t, bool want_send, struct pollfd *fds)
{
	struct fake_store *f = to_fake(t);

	pthread_mutex_lock(&f->lock);
	check_thread_locked(f);
	f->polls++;
	f->want_room = want_send;
	update_fd_locked(f);
	pthread_mutex_unlock(&f->lock);
	fds[0] = (struct pollfd){ .fd = f->fd, .events = POLLIN };
	return 1;
}

static void fake_free(struct transport *t)
{
	to_fake(t)->freed = true;
}

static bool fake_silent(struct transport *t)
{
	struct fake_store *f = to_fake(t);
	bool reset;

	pthread_mutex_lock(&f->lock);
	check_thread_locked(f);
	f->silences++;
	reset = f->resets_silence;
	pthread_mutex_unlock(&f->lock);
	return reset;
}

static const struct transport_ops fake_ops = {
	.name = "fake",
	.connect = fake_connect,
	.disconnect = fake_disconnect,
	.send = fake_send,
	.recv = fake_recv,
	.linger = fake_linger,
	.may_sleep = fake_may_sleep,
	.pollfds = fake_pollfds,
	.silent = fake_silent,
	.free = fake_free,
};

struct fake_store *fake_store_new(void)
{
	struct fake_store *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->transport.ops = &fake_ops;
	f->transport.payload_max = WIRE_PAYLOAD_MAX;
	f->transport.in_flight_max = 16;
	f->room = SIZE_MAX;
	f->recv_piece = SIZE_MAX;
	f->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (f->fd < 0)
		abort();
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

void fake_store_free(struct fake_store *f)
{
	close(f->fd);
	pthread_mutex_destroy(&f->lock);
	free(f->sent.data);
	free(f->replies.data);
	free(f);
}

void fake_store_io_thread(struct fake_store *f)
{
	pthread_mutex_lock(&f->lock);
	f->io_thread = pthread_self();
	f->has_io_thread = true;
	pthread_mutex_unlock(&f->lock);
}

void fake_store_room(struct fake_store *f, size_t room)
{
	pthread_mutex_lock(&f->lock);
	f->room = room > SIZE_MAX - f->room ? SIZE_MAX : f->room + room;
	update_fd_locked(f);
	pthread_mutex_unlock(&f->lock);
}

void fake_store_fill(struct fake_store *f)
{
	pthread_mutex_lock(&f->lock);
	f->room = 0;
	update_fd_locked(f);
	pthread_mutex_unlock(&f->lock);
}

size_t fake_store_sent(struct fake_store *f)
{
	size_t len;

	pthread_mutex_lock(&f->lock);
	len = bytes_left(&f->sent);
	pthread_mutex_unlock(&f->lock);
	return len;
}

bool fake_store_take(struct fake_store *f, struct fake_msg *msg)
{
	size_t left;
	bool whole = false;

	pthread_mutex_lock(&f->lock);
	left = bytes_left(&f->sent);
	if (left >= sizeof(msg->hdr)) {
		memcpy(&msg->hdr, f->sent.data + f->sent.pos, sizeof(msg->hdr));
		if (msg->hdr.len > WIRE_PAYLOAD_MAX)
			abort();
		whole = left >= sizeof(msg->hdr) + msg->hdr.len;
	}
	if (whole) {
		bytes_take(&f->sent, &msg->hdr, sizeof(msg->hdr));
		bytes_take(&f->sent, msg->body, msg->hdr.len);
		msg->body[msg->hdr.len] = '\0';
	}
	pthread_mutex_unlock(&f->lock);
	return whole;
}

void fake_store_send(struct fake_store *f, const void *data, size_t len)
{
	pthread_mutex_lock(&f->lock);
	bytes_add(&f->replies, data, len);
	update_fd_locked(f);
	pthread_mutex_unlock(&f->lock);
}

/* Header and body together, so that no other thread's message comes between them. */
static void send_message(struct fake_store *f, const struct xsd_sockmsg *hdr, const void *body)
{
	pthread_mutex_lock(&f->lock);
	bytes_add(&f->replies, hdr, sizeof(*hdr));
	bytes_add(&f->replies, body, hdr->len);
	update_fd_locked(f);
	pthread_mutex_unlock(&f->lock);
}

void fake_store_reply(struct fake_store *f, const struct fake_msg *msg, const void *body,
		      size_t len)
{
	struct xsd_sockmsg hdr = msg->hdr;

	hdr.len = len;
	send_message(f, &hdr, body);
}

void fake_store_error(struct fake_store *f, const struct fake_msg *msg, const char *name)
{
	struct xsd_sockmsg hdr = msg->hdr;

	hdr.type = XS_ERROR;
	hdr.len = strlen(name) + 1;
	send_message(f, &hdr, name);
}

void fake_store_event(struct fake_store *f, const char *path, const char *token)
{
	struct xsd_sockmsg hdr = { .type = XS_WATCH_EVENT };
	char body[WIRE_EVENT_MAX];
	size_t path_size = strlen(path) + 1, token_size = strlen(token) + 1;

	memcpy(body, path, path_size);
	memcpy(body + path_size, token, token_size);
	hdr.len = path_size + token_size;
	send_message(f, &hdr, body);
}

void fake_store_eof(struct fake_store *f)
{
	pthread_mutex_lock(&f->lock);
	f->eof = true;
	update_fd_locked(f);
	pthread_mutex_unlock(&f->lock);
}
