/* SPDX-License-Identifier: MIT */
/*
 * Tests ring/transport_socket.c against a listening socket of its own: partial transfers,
 * buffering, and the ways in which a server can be missing or go away.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring/transport.h"
#include "ring/wire.h"

struct fixture {
	char dir[64], path[80];
	int listener, server; /* -1: none */
	struct transport *t;
};

/* The errno of the next sendmsg(), once; 0: it works. */
static int sendmsg_errno;

/* Stands in for the C library's, which never lacks memory when a test wants it to. */
ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (sendmsg_errno) {
		errno = sendmsg_errno;
		sendmsg_errno = 0;
		return -1;
	}
	return syscall(SYS_sendmsg, fd, msg, flags);
}

static int listen_at(const char *path, int backlog)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(addr.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/xsfs-unit-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/socket", f->dir);
	f->listener = f->server = -1;
	assert_int_equal(transport_socket_new(&f->t, f->path, NULL), 0);
	*state = f;
	return 0;
}

static int setup_connected(void **state)
{
	struct fixture *f;

	setup(state);
	f = *state;
	f->listener = listen_at(f->path, 5);
	assert_int_equal(f->t->ops->connect(f->t), 0);
	f->server = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(f->server >= 0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->t->ops->free(f->t);
	if (f->server >= 0)
		close(f->server);
	if (f->listener >= 0)
		close(f->listener);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	sendmsg_errno = 0;
	return 0;
}

struct stat_find {
	const char *name;
	uint64_t value;
	bool found;
};

static void stat_line(void *arg, const char *name, uint64_t v)
{
	struct stat_find *s = arg;

	if (strcmp(name, s->name))
		return;
	s->value = v;
	s->found = true;
}

static uint64_t stat_get(struct transport *t, const char *name)
{
	struct stat_find s = { .name = name };

	t->ops->stats(t, stat_line, &s);
	assert_true(s.found);
	return s.value;
}

static ssize_t send_one(struct transport *t, const void *data, size_t len)
{
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };

	return t->ops->send(t, &iov, 1);
}

static ssize_t recv_some(struct transport *t, void *buf, size_t len)
{
	return t->ops->recv(t, buf, len);
}

static void server_writes(struct fixture *f, const void *data, size_t len)
{
	assert_int_equal(write(f->server, data, len), len);
}

/* ---- The ways not to connect ---------------------------------------------------------------- */

static void limits(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->t->payload_max, XENSTORE_PAYLOAD_MAX);
	assert_true(f->t->in_flight_max >= 16);
	assert_false(f->t->no_reconnect);
	assert_string_equal(f->t->ops->name, "socket");
}

static void path_too_long(void **state)
{
	struct sockaddr_un addr;
	char path[sizeof(addr.sun_path) + 1];
	struct transport *t = NULL;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[sizeof(addr.sun_path)] = '\0';
	assert_int_equal(transport_socket_new(&t, path, NULL), -ENAMETOOLONG);
	assert_null(t);
	path[sizeof(addr.sun_path) - 1] = '\0';
	assert_int_equal(transport_socket_new(&t, path, NULL), 0);
	assert_int_equal(t->ops->connect(t), -ENOENT);
	t->ops->free(t);
}

static void socket_is_missing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->t->ops->connect(f->t), -ENOENT);
	/* It may come later. */
	f->listener = listen_at(f->path, 1);
	assert_int_equal(f->t->ops->connect(f->t), 0);
}

static void nobody_listens(void **state)
{
	struct fixture *f = *state;

	close(listen_at(f->path, 1));
	assert_int_equal(f->t->ops->connect(f->t), -ECONNREFUSED);
}

static void backlog_is_full(void **state)
{
	struct fixture *f = *state;
	struct transport *t[8];
	int i, err = 0;

	f->listener = listen_at(f->path, 1);
	for (i = 0; i < 8 && !err; i++) {
		assert_int_equal(transport_socket_new(&t[i], f->path, NULL), 0);
		err = t[i]->ops->connect(t[i]);
	}
	assert_int_equal(err, -EAGAIN);
	close(accept(f->listener, NULL, NULL));
	assert_int_equal(t[i - 1]->ops->connect(t[i - 1]), 0);
	while (i--)
		t[i]->ops->free(t[i]);
}

static void not_connected(void **state)
{
	struct fixture *f = *state;
	char buf[1];

	assert_int_equal(send_one(f->t, "x", 1), -ENOTCONN);
	assert_int_equal(recv_some(f->t, buf, 1), -ENOTCONN);
	f->t->ops->disconnect(f->t);
}

/* ---- Connected ------------------------------------------------------------------------------ */

static void descriptor_flags(void **state)
{
	struct fixture *f = *state;
	struct pollfd fds[TRANSPORT_POLLFDS];

	assert_int_equal(f->t->ops->pollfds(f->t, false, fds), 1);
	assert_int_equal(fds[0].events, POLLIN);
	assert_true(fcntl(fds[0].fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fds[0].fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(f->t->ops->pollfds(f->t, true, fds), 1);
	assert_int_equal(fds[0].events, POLLIN | POLLOUT);
}

static void send_gathers(void **state)
{
	struct fixture *f = *state;
	struct iovec iov[3] = {
		{ .iov_base = (void *)"abc", .iov_len = 3 },
		{ .iov_base = (void *)"", .iov_len = 0 },
		{ .iov_base = (void *)"defg", .iov_len = 4 },
	};
	char buf[16];

	assert_int_equal(f->t->ops->send(f->t, iov, 3), 7);
	assert_int_equal(stat_get(f->t, "send_calls"), 1);
	assert_int_equal(read(f->server, buf, sizeof(buf)), 7);
	assert_memory_equal(buf, "abcdefg", 7);
}

/* More elements than the system call takes are no error, they are a partial send. */
static void send_of_many_elements(void **state)
{
	struct fixture *f = *state;
	static struct iovec iov[3000];
	ssize_t n;
	int i;

	for (i = 0; i < 3000; i++)
		iov[i] = (struct iovec){ .iov_base = (void *)"x", .iov_len = 1 };
	n = f->t->ops->send(f->t, iov, 3000);
	assert_in_range(n, 1, 3000);
}

static void send_is_partial(void **state)
{
	enum { TOTAL = 4 * 1024 * 1024 };
	struct fixture *f = *state;
	struct pollfd fds[TRANSPORT_POLLFDS];
	char *out = malloc(TOTAL), *in = malloc(TOTAL);
	size_t sent = 0, got = 0, zeros = 0, partial = 0;
	ssize_t n;

	assert_non_null(out);
	assert_non_null(in);
	for (n = 0; n < TOTAL; n++)
		out[n] = (char)(n * 7919 >> 8);
	while (got < TOTAL) {
		while (sent < TOTAL && (n = send_one(f->t, out + sent, TOTAL - sent)) != 0) {
			assert_true(n > 0);
			partial += sent + n < TOTAL;
			sent += n;
		}
		if (sent < TOTAL) {
			/* No room: poll() says so, and says when there is some. */
			zeros++;
			assert_true(f->t->ops->may_sleep(f->t, true));
			assert_int_equal(f->t->ops->pollfds(f->t, true, fds), 1);
			assert_int_equal(poll(fds, 1, 0), 0);
		}
		while ((n = read(f->server, in + got, TOTAL - got)) > 0)
			got += n;
		if (sent < TOTAL)
			assert_int_equal(poll(fds, 1, 0), 1);
	}
	assert_memory_equal(in, out, TOTAL);
	assert_true(zeros > 0);
	assert_true(partial > 0);
	free(out);
	free(in);
}

static void send_without_memory(void **state)
{
	struct fixture *f = *state;
	struct pollfd fds[TRANSPORT_POLLFDS];
	int n, i;

	for (i = 0; i < 2; i++) {
		sendmsg_errno = i ? ENOMEM : ENOBUFS;
		assert_int_equal(send_one(f->t, "x", 1), 0);
		assert_true(f->t->ops->may_sleep(f->t, true));
		n = f->t->ops->pollfds(f->t, true, fds);
		/* The socket is writable all the time: not a reason to wake up now. */
		assert_int_equal(n, 2);
		assert_int_equal(fds[0].events, POLLIN);
		/* But soon. */
		assert_int_equal(poll(fds, n, 10000), 1);
		assert_int_equal(fds[0].revents, 0);
		assert_int_equal(fds[1].revents, POLLIN);
		assert_false(f->t->ops->may_sleep(f->t, true));
		assert_true(f->t->ops->may_sleep(f->t, true));
		assert_int_equal(f->t->ops->pollfds(f->t, true, fds), 1);
		assert_int_equal(fds[0].events, POLLIN | POLLOUT);
		assert_int_equal(send_one(f->t, "x", 1), 1);
	}
}

static void send_is_interrupted(void **state)
{
	struct fixture *f = *state;

	sendmsg_errno = EINTR;
	assert_int_equal(send_one(f->t, "x", 1), 1);
}

static void send_to_a_dead_server(void **state)
{
	struct fixture *f = *state;

	close(f->server);
	f->server = -1;
	/* A SIGPIPE would end this program. */
	assert_int_equal(send_one(f->t, "x", 1), -EPIPE);
}

static void recv_nothing(void **state)
{
	struct fixture *f = *state;
	struct pollfd fds[TRANSPORT_POLLFDS];
	char buf[16];

	assert_int_equal(recv_some(f->t, buf, sizeof(buf)), 0);
	assert_true(f->t->ops->may_sleep(f->t, false));
	assert_int_equal(f->t->ops->pollfds(f->t, false, fds), 1);
	assert_int_equal(poll(fds, 1, 0), 0);
	server_writes(f, "x", 1);
	assert_int_equal(poll(fds, 1, 0), 1);
	assert_int_equal(recv_some(f->t, buf, 0), 0);
	assert_int_equal(recv_some(f->t, buf, sizeof(buf)), 1);
	assert_int_equal(buf[0], 'x');
}

static void recv_in_pieces(void **state)
{
	struct fixture *f = *state;
	char buf[16];

	server_writes(f, "abcdefgh", 8);
	assert_int_equal(recv_some(f->t, buf, 3), 3);
	assert_memory_equal(buf, "abc", 3);
	/* The rest waits in here, where poll() cannot see it. */
	assert_false(f->t->ops->may_sleep(f->t, false));
	server_writes(f, "ij", 2);
	assert_int_equal(recv_some(f->t, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "defgh", 5);
	/* The first receive emptied the socket, so it is not asked at once; the next one is. */
	assert_int_equal(recv_some(f->t, buf, sizeof(buf)), 0);
	assert_true(f->t->ops->may_sleep(f->t, false));
	assert_int_equal(recv_some(f->t, buf, sizeof(buf)), 2);
	assert_memory_equal(buf, "ij", 2);
}

static void many_replies_cost_one_call(void **state)
{
	struct fixture *f = *state;
	char buf[26 * 1000];
	uint64_t calls;
	int i;

	for (i = 0; i < 1000; i++)
		memcpy(buf + i * 26, "sixteen bytes...and a body", 26);
	server_writes(f, buf, sizeof(buf));
	calls = stat_get(f->t, "recv_calls");
	for (i = 0; i < 1000; i++) {
		assert_int_equal(recv_some(f->t, buf, 16), 16);
		assert_memory_equal(buf, "sixteen bytes...", 16);
		assert_int_equal(recv_some(f->t, buf, 10), 10);
		assert_memory_equal(buf, "and a body", 10);
	}
	assert_int_equal(recv_some(f->t, buf, 16), 0);
	assert_int_equal(stat_get(f->t, "recv_calls") - calls, 1);
}

static void recv_of_large_pieces(void **state)
{
	enum { TOTAL = 150000 };
	struct fixture *f = *state;
	char *out = malloc(TOTAL), *in = malloc(TOTAL);
	size_t got = 0;
	ssize_t n;

	assert_non_null(out);
	assert_non_null(in);
	for (n = 0; n < TOTAL; n++)
		out[n] = (char)(n * 7919 >> 8);
	server_writes(f, out, TOTAL);
	/* From the buffer, then past it, then from it again. */
	assert_int_equal(recv_some(f->t, in, 100), 100);
	for (got = 100; got < TOTAL; got += n) {
		n = recv_some(f->t, in + got, TOTAL - got);
		assert_true(n > 0);
	}
	assert_memory_equal(in, out, TOTAL);
	free(out);
	free(in);
}

static void server_closes(void **state)
{
	struct fixture *f = *state;
	char buf[16];
	ssize_t n;

	server_writes(f, "last words", 10);
	close(f->server);
	f->server = -1;
	assert_int_equal(recv_some(f->t, buf, 4), 4);
	assert_int_equal(recv_some(f->t, buf, sizeof(buf)), 6);
	assert_memory_equal(buf, " words", 6);
	do
		n = recv_some(f->t, buf, sizeof(buf));
	while (!n);
	assert_int_equal(n, -ECONNRESET);
}

static void disconnect_drops_what_was_buffered(void **state)
{
	struct fixture *f = *state;
	char buf[16];

	server_writes(f, "half a mess", 11);
	assert_int_equal(recv_some(f->t, buf, 4), 4);
	f->t->ops->disconnect(f->t);
	assert_int_equal(recv_some(f->t, buf, 4), -ENOTCONN);
	/* The server sees the end. */
	assert_int_equal(read(f->server, buf, sizeof(buf)), 0);
	close(f->server);
	assert_int_equal(f->t->ops->connect(f->t), 0);
	f->server = accept(f->listener, NULL, NULL);
	assert_true(f->server >= 0);
	assert_true(f->t->ops->may_sleep(f->t, false));
	server_writes(f, "new", 3);
	assert_int_equal(recv_some(f->t, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "new", 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(path_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(socket_is_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_listens, setup, teardown),
		cmocka_unit_test_setup_teardown(backlog_is_full, setup, teardown),
		cmocka_unit_test_setup_teardown(not_connected, setup, teardown),
		cmocka_unit_test_setup_teardown(descriptor_flags, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(send_gathers, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(send_of_many_elements, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(send_is_partial, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(send_without_memory, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(send_is_interrupted, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(send_to_a_dead_server, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(recv_nothing, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(recv_in_pieces, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(many_replies_cost_one_call, setup_connected,
						teardown),
		cmocka_unit_test_setup_teardown(recv_of_large_pieces, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(server_closes, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(disconnect_drops_what_was_buffered,
						setup_connected, teardown),
	};

	return cmocka_run_group_tests_name("transport_socket", tests, NULL, NULL);
}
