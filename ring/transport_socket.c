/* SPDX-License-Identifier: MIT */
/*
 * The transport over xenstored's unix stream socket.
 * For chan.c, in domain 0 and wherever else the server's socket can be reached.
 * send() on any thread, everything else on the I/O thread, as ring/transport.h says.
 */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "ring/transport.h"
#include "ring/wire.h"

/* The server puts no limit on a socket's outstanding requests; beyond this only latency grows. */
#define IN_FLIGHT_MAX 64

/* Size of one receive: all the replies to IN_FLIGHT_MAX small requests, and more. */
#define RECV_SIZE 65536

/* For how long, in nanoseconds, sending rests after the kernel had no memory for it. */
#define NOMEM_PAUSE_NS (10 * 1000 * 1000)

struct transport_socket {
	struct transport transport; /* first: the two are cast to each other */
	struct logger *log;
	struct sockaddr_un addr;
	int fd;      /* -1 while not connected */
	int rest_fd; /* timerfd: readable when sending may be tried again after ENOMEM */

	/* Set by send() while rest_fd runs, cleared by the I/O thread when it has expired. */
	atomic_bool resting;
	atomic_bool nomem_logged;

	/* Owned by the I/O thread. */
	size_t pos, fill; /* buf[pos] to buf[fill] is received and not delivered yet */
	bool drained;     /* the last receive got less than requested */
	char *buf;

	atomic_uint_fast64_t sends, recvs; /* system calls */
};

static struct transport_socket *to_socket(struct transport *t)
{
	return (struct transport_socket *)t;
}

static void socket_disconnect(struct transport *t)
{
	struct transport_socket *s = to_socket(t);

	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->pos = s->fill = 0;
	s->drained = false;
}

static int socket_connect(struct transport *t)
{
	struct transport_socket *s = to_socket(t);
	int fd, err;

	socket_disconnect(t);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) < 0) {
		/* EAGAIN means that the server's backlog is full: a unix socket is
		 * never "in progress". */
		err = errno == EINTR ? EAGAIN : errno;
		close(fd);
		return -err;
	}
	s->fd = fd;
	return 0;
}

/*
 * Starts a pause in sending.  The socket stays writable when the kernel lacks memory, so polling
 * it for POLLOUT would spin.
 */
static void socket_rest(struct transport_socket *s)
{
	static const struct itimerspec pause = { .it_value.tv_nsec = NOMEM_PAUSE_NS };

	if (!atomic_exchange(&s->nomem_logged, true))
		log_warning(s->log, "socket: no memory to send; trying again");
	timerfd_settime(s->rest_fd, 0, &pause, NULL);
	atomic_store(&s->resting, true);
}

static ssize_t socket_send(struct transport *t, const struct iovec *iov, int iovcnt)
{
	struct transport_socket *s = to_socket(t);
	struct msghdr msg = {
		.msg_iov = (struct iovec *)iov,
		.msg_iovlen = iovcnt < IOV_MAX ? iovcnt : IOV_MAX,
	};
	ssize_t n;

	if (s->fd < 0)
		return -ENOTCONN;
	do {
		atomic_fetch_add_explicit(&s->sends, 1, memory_order_relaxed);
		n = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return 0;
	if (errno == ENOMEM || errno == ENOBUFS) {
		socket_rest(s);
		return 0;
	}
	return -errno;
}

/* Receives into the empty buffer; returns the same as socket_recv(). */
static ssize_t socket_fill(struct transport_socket *s)
{
	ssize_t n;

	do {
		atomic_fetch_add_explicit(&s->recvs, 1, memory_order_relaxed);
		n = recv(s->fd, s->buf, RECV_SIZE, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!n)
		return -ECONNRESET;
	s->drained = n < RECV_SIZE;
	s->pos = 0;
	s->fill = n;
	return n;
}

static ssize_t socket_recv(struct transport *t, void *buf, size_t len)
{
	struct transport_socket *s = to_socket(t);
	ssize_t n;

	if (s->fd < 0)
		return -ENOTCONN;
	if (s->pos == s->fill) {
		/*
		 * The caller asks until there is nothing; a short receive has already shown that
		 * and saves the system call.  Only once: the next round has to look again.
		 */
		if (s->drained) {
			s->drained = false;
			return 0;
		}
		n = socket_fill(s);
		if (n <= 0)
			return n;
	}
	if (len > s->fill - s->pos)
		len = s->fill - s->pos;
	memcpy(buf, s->buf + s->pos, len);
	s->pos += len;
	return len;
}

static bool socket_may_sleep(struct transport *t, bool want_send)
{
	struct transport_socket *s = to_socket(t);
	uint64_t expirations;

	if (atomic_load(&s->resting) &&
	    read(s->rest_fd, &expirations, sizeof(expirations)) == sizeof(expirations)) {
		atomic_store(&s->resting, false);
		if (want_send)
			return false;
	}
	/* The socket itself is polled by level: what arrives now makes poll() return. */
	return s->pos == s->fill;
}

static int socket_pollfds(struct transport *t, bool want_send, struct pollfd *fds)
{
	struct transport_socket *s = to_socket(t);

	fds[0] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
	if (!want_send)
		return 1;
	if (!atomic_load(&s->resting)) {
		fds[0].events |= POLLOUT;
		return 1;
	}
	fds[1] = (struct pollfd){ .fd = s->rest_fd, .events = POLLIN };
	return 2;
}

static void socket_stats(struct transport *t,
			 void (*line)(void *arg, const char *name, uint64_t v), void *arg)
{
	struct transport_socket *s = to_socket(t);

	line(arg, "send_calls", atomic_load_explicit(&s->sends, memory_order_relaxed));
	line(arg, "recv_calls", atomic_load_explicit(&s->recvs, memory_order_relaxed));
}

static void socket_free(struct transport *t)
{
	struct transport_socket *s = to_socket(t);

	if (!s)
		return;
	socket_disconnect(t);
	if (s->rest_fd >= 0)
		close(s->rest_fd);
	free(s->buf);
	free(s);
}

static const struct transport_ops socket_ops = {
	.name = "socket",
	.connect = socket_connect,
	.disconnect = socket_disconnect,
	.send = socket_send,
	.recv = socket_recv,
	.may_sleep = socket_may_sleep,
	.pollfds = socket_pollfds,
	.stats = socket_stats,
	.free = socket_free,
};

int transport_socket_new(struct transport **out, const char *path, struct logger *log)
{
	struct transport_socket *s;
	size_t len = strlen(path);
	int err;

	if (len >= sizeof(s->addr.sun_path))
		return -ENAMETOOLONG;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->transport.ops = &socket_ops;
	s->transport.payload_max = WIRE_PAYLOAD_MAX;
	s->transport.in_flight_max = IN_FLIGHT_MAX;
	s->log = log;
	s->addr.sun_family = AF_UNIX;
	memcpy(s->addr.sun_path, path, len + 1);
	s->fd = -1;
	s->buf = malloc(RECV_SIZE);
	s->rest_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (!s->buf || s->rest_fd < 0) {
		err = s->buf ? -errno : -ENOMEM;
		socket_free(&s->transport);
		return err;
	}
	*out = &s->transport;
	return 0;
}
