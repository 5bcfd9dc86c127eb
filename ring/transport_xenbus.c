/* SPDX-License-Identifier: MIT */
/*
 * The transport over the kernel's xenbus device, /dev/xen/xenbus.  For the channel of a dom0 or
 * domU whose kernel owns the ring.  Runs on the channel's threads, as transport.h says, and on one
 * thread of its own, because the device answers WATCH and UNWATCH inside write().
 *
 * How the device (Linux, drivers/xen/xenbus/xenbus_dev_frontend.c) differs from a socket:
 * - One write() is one message of at most 4096 bytes with its header.  Bytes after the message's
 *   end are dropped, so every message gets a write() of its own.  poll() never says POLLOUT.
 * - The kernel's thread that puts a message on the ring takes its body out of the open file's
 *   buffer, when it gets round to it; write() has returned long before.  A second write() to the
 *   same open file can replace the body of the first message: seen, on an idle machine too, with
 *   keys and values of one request under the header of another.  So an open file carries one
 *   request at a time, and there are as many of them, the lanes, as requests may be in flight.
 * - A transaction belongs to the open file that started it.  Its requests have to wait for that
 *   lane, one after the other, and the channel's queue with them: for a round trip at a time.
 *   There is one transaction to a lane; a request to start another is told that there is no room.
 * - WATCH and UNWATCH block in write() until the store has answered, uninterruptibly, and under a
 *   mutex that replies to other requests of the same open file need.  They get an open file of
 *   their own, which also yields the watch events, and are written by the thread of
 *   xenbus_watcher.c.
 * - A refused WATCH is the errno of its write(); a malformed one and a successful one are messages
 *   to read, whose ids are those of the request or 0 or arbitrary, depending on the kernel.
 * - The ids of watch events are uninitialised memory.
 *
 * After disconnect() the watcher's thread may be left behind, stuck in write().  connect() says
 * -EAGAIN while such a straggler of the same transport lives, so there is never more than one.
 * No lock here: the channel calls send() by one thread at a time, all else is the I/O thread's.
 * A lane is the sender's until it is busy, and then the I/O thread's until it is not.
 */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ring/transport.h"
#include "ring/wire.h"
#include "ring/xenbus_watcher.h"

/* How many replies may be delivered before the watch descriptor is looked at. */
#define STREAK_MAX 32

/* Enough for the largest reply, or several events, in one read(). */
#define SOURCE_SIZE (2 * XENBUS_MESSAGE_MAX)

#define LANES XENBUS_IN_FLIGHT_MAX

/* What a send() that found no room waits for, unless it is the lane of that number: any lane, one
 * without a transaction, or nothing. */
enum { WAITS_FOR_ANY = -1, WAITS_FOR_NO_TX = -2, WAITS_FOR_NONE = -3 };

/* A source of messages: a descriptor, and the bytes read from it but not delivered. */
struct source {
	int fd;
	bool watch; /* the watch descriptor: messages are filtered, their ids replaced */
	bool dry;   /* read() gave less than it could during this recv() */
	uint32_t skip; /* bytes still to be dropped of a message's body */
	size_t pos, end;
	char buf[SOURCE_SIZE];
};

/* An open file for everything except watches. */
struct lane {
	struct source in;
	atomic_bool busy; /* a request was written, its reply has not been delivered */
	bool ends;        /* that request ends the lane's transaction */
	uint32_t started; /* the id in the reply to a TRANSACTION_START, as far as received */
	atomic_uint tx;   /* the transaction that is open here, 0: none */
};

struct transport_xenbus {
	struct transport base;
	struct logger *log;
	struct xenbus_watcher *watcher;   /* NULL: not connected */
	struct xenbus_watcher *straggler; /* an earlier one whose thread is stuck in write() */
	char *path;

	struct lane lanes[LANES];
	int epoll_fd; /* readable when a lane is */

	/* Owned by send(). */
	size_t rest; /* bytes missing of a message of which `rest_lane` took a part */
	struct lane *rest_lane;
	atomic_int waits_for; /* the lane that the next message needs, or a WAITS_FOR_ value */
	atomic_int full_fd;   /* returned EAGAIN (no kernel does, a relay in user space may); or -1 */

	/* I/O thread only.  The message being delivered: header, then body from `from`, or from
	 * `text` if that is NULL. */
	bool looked; /* the readable lanes were looked up during this recv() */
	struct source watch;
	struct source *from;
	struct lane *from_lane; /* NULL: `from` is not a lane's */
	const char *text;
	struct xsd_sockmsg hdr;
	size_t hdr_left;
	size_t body_left;
	unsigned streak; /* messages from lanes since watch was looked at */
	int lost;        /* negative errno that recv() returns from now on */

	/* Statistics, ever since creation. */
	atomic_uint_fast64_t n_writes, n_reads, n_watch_writes, n_refused, n_dropped;
};

static struct transport_xenbus *to_xenbus(struct transport *t)
{
	return (struct transport_xenbus *)t;
}

/* ---- connecting ---- */

static void source_init(struct source *s, int fd, bool watch)
{
	s->fd = fd;
	s->watch = watch;
	s->dry = false;
	s->skip = 0;
	s->pos = 0;
	s->end = 0;
}

/* Closes the first `count` lanes. */
static void lanes_close(struct transport_xenbus *x, unsigned count)
{
	while (count)
		close(x->lanes[--count].in.fd);
	close(x->epoll_fd);
}

static int lane_open(struct transport_xenbus *x, unsigned n)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = n };
	struct lane *lane = &x->lanes[n];
	int fd = xenbus_device_open(x->path), err;

	if (fd < 0)
		return fd;
	if (epoll_ctl(x->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		err = -errno;
		close(fd);
		return err;
	}
	source_init(&lane->in, fd, false);
	atomic_store(&lane->busy, false);
	atomic_store(&lane->tx, 0);
	return 0;
}

static int lanes_open(struct transport_xenbus *x)
{
	unsigned n;
	int err;

	x->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (x->epoll_fd < 0)
		return -errno;
	for (n = 0; n < LANES; n++) {
		err = lane_open(x, n);
		if (err) {
			lanes_close(x, n);
			return err;
		}
	}
	return 0;
}

static int xenbus_connect(struct transport *t)
{
	struct transport_xenbus *x = to_xenbus(t);
	int err;

	if (x->straggler) {
		if (!xenbus_watcher_ended(x->straggler))
			return -EAGAIN;
		xenbus_watcher_put(x->straggler);
		x->straggler = NULL;
	}

	err = lanes_open(x);
	if (err)
		return err;
	err = xenbus_watcher_new(&x->watcher, x->path);
	if (err) {
		lanes_close(x, LANES);
		return err;
	}

	source_init(&x->watch, xenbus_watcher_fd(x->watcher), true);
	x->rest = 0;
	atomic_store(&x->waits_for, WAITS_FOR_NONE);
	atomic_store(&x->full_fd, -1);
	x->from = NULL;
	x->from_lane = NULL;
	x->text = NULL;
	x->hdr_left = 0;
	x->body_left = 0;
	x->streak = 0;
	x->lost = 0;
	return 0;
}

static void xenbus_disconnect(struct transport *t)
{
	struct transport_xenbus *x = to_xenbus(t);

	if (!x->watcher)
		return;
	lanes_close(x, LANES);
	x->straggler = xenbus_watcher_stop(x->watcher);
	x->watcher = NULL;
	if (x->straggler)
		log_debug(x->log, "xenbus: the store has yet to answer a watch; leaving it behind");
}

static void xenbus_free(struct transport *t)
{
	struct transport_xenbus *x = to_xenbus(t);

	xenbus_disconnect(t);
	xenbus_watcher_put(x->straggler);
	free(x->path);
	free(x);
}

/* ---- sending ---- */

/* Returns whether there is a lane on which a transaction can be started, now or in a moment. */
static bool lane_without_tx(const struct transport_xenbus *x)
{
	unsigned n;

	for (n = 0; n < LANES; n++)
		if (!atomic_load(&x->lanes[n].tx))
			return true;
	return false;
}

/* Returns whether the lane that a send() waits for can take a message. */
static bool lane_room(const struct transport_xenbus *x, int waits_for)
{
	unsigned n;

	if (waits_for >= 0)
		return !atomic_load(&x->lanes[waits_for].busy);
	/* A sender that waited for the last one must be told that it is taken. */
	if (waits_for == WAITS_FOR_NO_TX && !lane_without_tx(x))
		return true;
	for (n = 0; n < LANES; n++)
		if (!atomic_load(&x->lanes[n].busy) &&
		    (waits_for == WAITS_FOR_ANY || !atomic_load(&x->lanes[n].tx)))
			return true;
	return false;
}

/* Decides which lane has to carry a request: the one of its transaction, one without a transaction,
 * or, if it starts none, any.  Returns whether that lane can take it now. */
static bool lane_choose(struct transport_xenbus *x, const struct xsd_sockmsg *hdr, int *choice)
{
	bool starts = hdr->type == XS_TRANSACTION_START;
	int n;

	*choice = starts ? WAITS_FOR_NO_TX : WAITS_FOR_ANY;
	for (n = 0; n < LANES; n++) {
		uint32_t tx = atomic_load(&x->lanes[n].tx);

		if (hdr->tx_id && tx == hdr->tx_id) {
			*choice = n;
			return lane_room(x, n);
		}
		if (!atomic_load(&x->lanes[n].busy) && !(starts && tx) &&
		    (*choice < 0 || (!tx && atomic_load(&x->lanes[*choice].tx))))
			*choice = n;
	}
	return *choice >= 0;
}

/* Returns the lane for a request.  If none has room, returns NULL and records what the
 * send() waits for. */
static struct lane *lane_for(struct transport_xenbus *x, const struct xsd_sockmsg *hdr)
{
	int choice;

	while (!lane_choose(x, hdr, &choice)) {
		/* It was taken since message_send() looked.  message_send() refuses the request
		 * when it comes again, which is at once, because there is nothing to wait for. */
		if (choice == WAITS_FOR_NO_TX && !lane_without_tx(x))
			return NULL;
		/* A reply may have been delivered in between, by an I/O thread that did not yet see
		 * that a sender waits.  Without another look both threads would sleep. */
		atomic_store(&x->waits_for, choice);
		if (!lane_room(x, choice))
			return NULL;
		atomic_store(&x->waits_for, WAITS_FOR_NONE);
	}
	return &x->lanes[choice];
}

/*
 * Writes a message, or the rest of one, to a lane that is busy with it.
 *
 * Returns the number of bytes taken, which is less than `len` only when there is no room.  A
 * message that the device refuses for its own reasons counts as taken: it is answered here.
 */
static ssize_t lane_write(struct transport_xenbus *x, struct lane *lane,
			  const struct xsd_sockmsg *hdr, const char *msg, size_t len)
{
	int fd = lane->in.fd;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, msg + done, len - done);
		if (n > 0) {
			/* Once the last byte is written, the lane belongs to the I/O thread. */
			done += (size_t)n;
			continue;
		}
		if (n == 0)
			return -EIO;
		switch (errno) {
		case EINTR:
			continue;
		case EAGAIN:
			atomic_store(&x->full_fd, fd);
			return (ssize_t)done;
		case ENOMEM:
		case EINVAL:
		case E2BIG:
			/* The device has dropped the message and the part that it had of it, which
			 * is a defined state only if that part was empty. */
			if (!hdr || done)
				return -errno;
			if (!xenbus_watcher_refuse(x->watcher, hdr, -errno))
				return 0;
			atomic_store(&lane->busy, false);
			return (ssize_t)len;
		default:
			return -errno;
		}
	}
	atomic_fetch_add_explicit(&x->n_writes, 1, memory_order_relaxed);
	return (ssize_t)done;
}

/* Sends a message that is not about watches.  Returns the same as lane_write(). */
static ssize_t lane_send(struct transport_xenbus *x, const struct xsd_sockmsg *hdr, const char *msg,
			 size_t len)
{
	struct lane *lane = lane_for(x, hdr);
	ssize_t n;

	if (!lane)
		return 0;
	lane->ends = hdr->type == XS_TRANSACTION_END && hdr->tx_id == atomic_load(&lane->tx);
	lane->started = 0;
	/* Before write(), because the reply can arrive before write() returns. */
	atomic_store(&lane->busy, true);
	n = lane_write(x, lane, hdr, msg, len);
	if (n == 0)
		atomic_store(&lane->busy, false);
	x->rest_lane = lane;
	return n;
}

/* Returns whether a WATCH has more than a path and a token.  The device would drop a third string,
 * a depth, and so set a different watch from the one requested. */
static bool watch_has_depth(const struct xsd_sockmsg *hdr, const char *msg)
{
	struct wire_strings s = wire_strings_init(msg + WIRE_HEADER_SIZE, hdr->len);
	const char *str;
	int i;

	for (i = 0; i < 2; i++)
		if (wire_strings_next(&s, &str, NULL) != 1)
			return false;
	return s.pos != s.end;
}

/* Sends one whole message of `len` bytes.  Returns the same as lane_write(). */
static ssize_t message_send(struct transport_xenbus *x, const char *msg, size_t len)
{
	struct xenbus_watcher *w = x->watcher;
	struct xsd_sockmsg hdr;
	bool taken;

	if (len < sizeof(hdr))
		return -EINVAL;
	memcpy(&hdr, msg, sizeof(hdr));
	if (len != sizeof(hdr) + hdr.len)
		return -EINVAL;

	if (len > XENBUS_MESSAGE_MAX) {
		taken = xenbus_watcher_refuse(w, &hdr, -E2BIG);
	} else if (hdr.type == XS_RESET_WATCHES) {
		/* The device would pass it on, and the store would drop the watches of the whole
		 * guest kernel, including those of its drivers. */
		taken = xenbus_watcher_refuse(w, &hdr, -ENOSYS);
	} else if (hdr.type == XS_WATCH && watch_has_depth(&hdr, msg)) {
		taken = xenbus_watcher_refuse(w, &hdr, -EINVAL);
	} else if (hdr.type == XS_TRANSACTION_START && !lane_without_tx(x)) {
		/* With a second transaction, a lane would not be found for the first. */
		taken = xenbus_watcher_refuse(w, &hdr, -ENOSPC);
	} else if (hdr.type == XS_WATCH || hdr.type == XS_UNWATCH) {
		taken = xenbus_watcher_submit(w, &hdr, msg);
		if (taken)
			atomic_fetch_add_explicit(&x->n_watch_writes, 1, memory_order_relaxed);
	} else {
		return lane_send(x, &hdr, msg, len);
	}
	return taken ? (ssize_t)len : 0;
}

static ssize_t xenbus_send(struct transport *t, const struct iovec *iov, int iovcnt)
{
	struct transport_xenbus *x = to_xenbus(t);
	size_t total = 0;
	ssize_t n;
	int i;

	atomic_store(&x->waits_for, WAITS_FOR_NONE);
	atomic_store(&x->full_fd, -1);
	for (i = 0; i < iovcnt; i++) {
		if (x->rest && x->rest != iov[i].iov_len)
			return -EINVAL;
		if (x->rest)
			n = lane_write(x, x->rest_lane, NULL, iov[i].iov_base, iov[i].iov_len);
		else
			n = message_send(x, iov[i].iov_base, iov[i].iov_len);
		if (n < 0)
			return n;
		total += (size_t)n;
		if ((size_t)n < iov[i].iov_len) {
			/* Nothing was taken of a whole message, so it will come again
			 * as a whole. */
			if (x->rest || n)
				x->rest = iov[i].iov_len - (size_t)n;
			break;
		}
		x->rest = 0;
	}
	return (ssize_t)total;
}

/* ---- receiving ---- */

/* Reads more into the source's buffer.  Returns 1, 0 when there is nothing, or a negative errno. */
static int source_fill(struct transport_xenbus *x, struct source *s)
{
	size_t room;
	ssize_t n;

	if (s->dry)
		return 0;
	if (s->pos) {
		memmove(s->buf, s->buf + s->pos, s->end - s->pos);
		s->end -= s->pos;
		s->pos = 0;
	}
	room = sizeof(s->buf) - s->end;
	do
		n = read(s->fd, s->buf + s->end, room);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		return -errno;
	if (n == 0)
		return -ECONNRESET;
	/* A short read means that there was no more, so do not ask again. */
	s->dry = n < (ssize_t)room;
	if (n < 0)
		return 0;
	s->end += (size_t)n;
	atomic_fetch_add_explicit(&x->n_reads, 1, memory_order_relaxed);
	return 1;
}

/* Takes a header off the source.  Returns 1, 0 when it is incomplete, or a negative errno. */
static int source_header(struct transport_xenbus *x, struct source *s, struct xsd_sockmsg *hdr)
{
	size_t n;
	int r;

	for (;;) {
		n = s->end - s->pos;
		if (s->skip && n) {
			n = n < s->skip ? n : s->skip;
			s->skip -= (uint32_t)n;
			s->pos += n;
		} else if (!s->skip && n >= sizeof(*hdr)) {
			memcpy(hdr, s->buf + s->pos, sizeof(*hdr));
			s->pos += sizeof(*hdr);
			return hdr->len > WIRE_REPLY_MAX ? -EPROTO : 1;
		} else {
			r = source_fill(x, s);
			if (r <= 0)
				return r;
		}
	}
}

/* Starts to deliver the next message of the source, if there is one.  Returns as above. */
static int source_begin(struct transport_xenbus *x, struct source *s)
{
	struct xsd_sockmsg hdr;
	int r;

	for (;;) {
		r = source_header(x, s, &hdr);
		if (r <= 0)
			return r;
		if (!s->watch)
			break;
		if (hdr.type == XS_WATCH_EVENT) {
			hdr.req_id = 0;
			hdr.tx_id = 0;
			break;
		}
		if (xenbus_watcher_match(x->watcher, &hdr))
			break;
		s->skip = hdr.len;
		atomic_fetch_add_explicit(&x->n_dropped, 1, memory_order_relaxed);
	}
	x->hdr = hdr;
	x->hdr_left = sizeof(hdr);
	x->body_left = hdr.len;
	x->from = s;
	x->from_lane = NULL;
	return 1;
}

/* Finds out which lanes can be read; once in a recv(), so that recv() comes to an end. */
static bool lanes_look(struct transport_xenbus *x)
{
	struct epoll_event events[LANES];
	int i, n;

	if (x->looked)
		return false;
	x->looked = true;
	n = epoll_wait(x->epoll_fd, events, LANES, 0);
	for (i = 0; i < n; i++)
		x->lanes[events[i].data.u32].in.dry = false;
	return n > 0;
}

/* Starts to deliver the next reply from a lane.  Returns as above. */
static int lanes_begin(struct transport_xenbus *x)
{
	unsigned n;
	int r;

	do {
		for (n = 0; n < LANES; n++) {
			r = source_begin(x, &x->lanes[n].in);
			if (r > 0)
				x->from_lane = &x->lanes[n];
			if (r)
				return r;
		}
	} while (lanes_look(x));
	return 0;
}

/* A lane's reply is being delivered, and `text` is the next part of its body.  At the end of it the
 * lane is free, and it is known whether a transaction is open on it. */
static void lane_delivers(struct transport_xenbus *x, const char *text, size_t len)
{
	struct lane *lane = x->from_lane;
	size_t i;

	/* What the sender recorded about its request is visible once `busy` is.  A reply to no
	 * request changes nothing. */
	if (!atomic_load(&lane->busy))
		return;
	if (x->hdr.type == XS_TRANSACTION_START)
		for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++)
			lane->started = 10 * lane->started + (uint32_t)(text[i] - '0');
	if (x->hdr_left || x->body_left)
		return;
	if (x->hdr.type == XS_TRANSACTION_START)
		atomic_store(&lane->tx, lane->started);
	else if (lane->ends)
		atomic_store(&lane->tx, 0);
	atomic_store(&lane->busy, false);
}

/* Starts to deliver an answer of our own, if there is one. */
static bool refused_begin(struct transport_xenbus *x)
{
	int err;

	if (!xenbus_watcher_refused_next(x->watcher, &x->hdr, &err))
		return false;
	x->text = wire_error_name(err);
	x->hdr.type = XS_ERROR;
	x->hdr.len = (uint32_t)strlen(x->text) + 1;
	x->hdr_left = sizeof(x->hdr);
	x->body_left = x->hdr.len;
	x->from = NULL;
	x->from_lane = NULL;
	atomic_fetch_add_explicit(&x->n_refused, 1, memory_order_relaxed);
	return true;
}

/* Starts to deliver the next message from any source.  Returns 1, 0 for none, or a
 * negative errno. */
static int message_begin(struct transport_xenbus *x)
{
	int r;

	if (refused_begin(x))
		return 1;
	if (x->streak < STREAK_MAX) {
		r = lanes_begin(x);
		if (r < 0)
			return r;
		if (r) {
			x->streak++;
			return 1;
		}
	}
	x->streak = 0;
	r = source_begin(x, &x->watch);
	return r ? r : lanes_begin(x);
}

/* Copies the available part of the message being delivered.  Returns the number of bytes, 0 when
 * there is nothing now, or a negative errno. */
static ssize_t message_copy(struct transport_xenbus *x, char *dst, size_t len)
{
	struct source *s = x->from;
	size_t n;
	int r;

	if (x->hdr_left) {
		n = len < x->hdr_left ? len : x->hdr_left;
		memcpy(dst, (const char *)(&x->hdr + 1) - x->hdr_left, n);
		x->hdr_left -= n;
		if (x->from_lane)
			lane_delivers(x, NULL, 0);
		return (ssize_t)n;
	}

	n = len < x->body_left ? len : x->body_left;
	if (s) {
		if (s->pos == s->end) {
			r = source_fill(x, s);
			if (r <= 0)
				return r;
		}
		n = n < s->end - s->pos ? n : s->end - s->pos;
		memcpy(dst, s->buf + s->pos, n);
		s->pos += n;
	} else {
		memcpy(dst, x->text, n);
		x->text += n;
	}
	x->body_left -= n;
	if (x->from_lane)
		lane_delivers(x, dst, n);
	return (ssize_t)n;
}

static ssize_t xenbus_recv(struct transport *t, void *buf, size_t len)
{
	struct transport_xenbus *x = to_xenbus(t);
	size_t got = 0;
	ssize_t n = 0;
	unsigned i;

	if (!x->lost)
		x->lost = xenbus_watcher_acknowledge(x->watcher);
	if (x->lost)
		return x->lost;
	x->looked = false;
	x->watch.dry = false;
	/* Only those lanes are read that lanes_look() finds, and the one whose reply is
	 * half delivered. */
	for (i = 0; i < LANES; i++)
		x->lanes[i].in.dry = !(x->body_left && x->from_lane == &x->lanes[i]);
	while (got < len) {
		if (!x->hdr_left && !x->body_left) {
			n = message_begin(x);
			if (n <= 0)
				break;
		}
		n = message_copy(x, (char *)buf + got, len - got);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	if (n < 0)
		x->lost = (int)n;
	return got ? (ssize_t)got : n;
}

/* ---- sleeping ---- */

static bool source_has_data(const struct transport_xenbus *x, const struct source *s)
{
	size_t n = s->end - s->pos;

	if (x->hdr_left || x->body_left)
		return x->from == s && (x->hdr_left || n > 0);
	return s->skip ? n > 0 : n >= WIRE_HEADER_SIZE;
}

static bool lanes_have_data(const struct transport_xenbus *x)
{
	unsigned n;

	for (n = 0; n < LANES; n++)
		if (source_has_data(x, &x->lanes[n].in))
			return true;
	return false;
}

static bool xenbus_may_sleep(struct transport *t, bool want_send)
{
	struct transport_xenbus *x = to_xenbus(t);
	int waits_for;
	bool room;

	if (xenbus_watcher_waiting(x->watcher, &room) || x->lost)
		return false;
	if (lanes_have_data(x) || source_has_data(x, &x->watch))
		return false;
	if ((x->hdr_left || x->body_left) && !x->from)
		return false;
	if (!want_send || atomic_load(&x->full_fd) >= 0)
		return true;
	waits_for = atomic_load(&x->waits_for);
	if (waits_for != WAITS_FOR_NONE)
		return !lane_room(x, waits_for);
	/* A send() for which the watcher had no room can be tried again when recv() has
	 * taken a reply out. */
	return !room;
}

static int xenbus_pollfds(struct transport *t, bool want_send, struct pollfd *fds)
{
	struct transport_xenbus *x = to_xenbus(t);
	bool within = x->hdr_left || x->body_left;
	int full = atomic_load(&x->full_fd), n = 0;

	fds[n++] = (struct pollfd){ .fd = xenbus_watcher_event_fd(x->watcher), .events = POLLIN };
	if (want_send && full >= 0)
		fds[n++] = (struct pollfd){ .fd = full, .events = POLLOUT };
	/* In the middle of a message nothing else can be read, so polling it would spin. */
	if (within && x->from) {
		fds[n++] = (struct pollfd){ .fd = x->from->fd, .events = POLLIN };
		return n;
	}
	fds[n++] = (struct pollfd){ .fd = x->epoll_fd, .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = x->watch.fd, .events = POLLIN };
	return n;
}

static void xenbus_stats(struct transport *t, void (*line)(void *arg, const char *name, uint64_t v),
			 void *arg)
{
	struct transport_xenbus *x = to_xenbus(t);

	line(arg, "writes", atomic_load_explicit(&x->n_writes, memory_order_relaxed));
	line(arg, "watch_writes", atomic_load_explicit(&x->n_watch_writes, memory_order_relaxed));
	line(arg, "reads", atomic_load_explicit(&x->n_reads, memory_order_relaxed));
	line(arg, "refused", atomic_load_explicit(&x->n_refused, memory_order_relaxed));
	line(arg, "dropped", atomic_load_explicit(&x->n_dropped, memory_order_relaxed));
}

static const struct transport_ops xenbus_ops = {
	.name = "xenbus",
	.connect = xenbus_connect,
	.disconnect = xenbus_disconnect,
	.send = xenbus_send,
	.recv = xenbus_recv,
	.may_sleep = xenbus_may_sleep,
	.pollfds = xenbus_pollfds,
	.stats = xenbus_stats,
	.free = xenbus_free,
};

int transport_xenbus_new(struct transport **out, const char *path, struct logger *log)
{
	struct transport_xenbus *x;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->path = strdup(path);
	if (!x->path) {
		free(x);
		return -ENOMEM;
	}
	x->base.ops = &xenbus_ops;
	x->base.payload_max = XENBUS_MESSAGE_MAX - WIRE_HEADER_SIZE;
	x->base.in_flight_max = XENBUS_IN_FLIGHT_MAX;
	x->log = log;
	*out = &x->base;
	return 0;
}
