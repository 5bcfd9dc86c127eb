/* SPDX-License-Identifier: MIT */
/*
 * Drives the ring transport through its table of functions in a loopback world.  Started by
 * t_ring_transport.sh, which preloads the loopback library, gives domain 7 the page 4711, and
 * says by the first argument which tests: "fake" plays the server here, to lie, to be silent and
 * to count signals; "own" does so for a domain that finds its own ring; "real" talks to a real server (RING_SERVER is c or o), as domain XSLOOP_DOMID.
 * One thread, which plays the I/O thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include "ring/page.h"
#include "ring/transport.h"
#include "ring/wire.h"

#define DOMID 7
#define GFN 4711
#define SIZE XENSTORE_RING_SIZE
#define PATIENCE_MS 20000

/* The far side, for all tests of "fake". */
struct far_side {
	xenevtchn_handle *xce;
	xenforeignmemory_handle *fmem;
	struct xenstore_domain_interface *page;
	int port; /* bound to the transport's */
	struct transport *t;
};

static unsigned warnings;

static void count_warnings(struct logger *log, enum log_level level, const char *fmt, va_list ap)
{
	(void)log;
	(void)fmt;
	(void)ap;
	warnings += level <= LOGGER_WARNING;
}

static struct logger counter = { .vlog = count_warnings };

static const struct ring_params domain_params = { .domid = DOMID, .gfn = GFN };

/* Makes a transport as transport_ring_new() does, but leaves `params` as they are. */
static int ring_new(struct transport **out, const struct ring_params *params, struct logger *log)
{
	struct ring_params copy = *params;

	return transport_ring_new(out, &copy, log);
}

/* What fstatfs() reports as the type of every file's filesystem; 0: the truth. */
static long fake_fs_type;

/* Stands in for the C library's: a xenfs cannot be mounted without Xen. */
int fstatfs(int fd, struct statfs *buf)
{
	int rc = syscall(SYS_fstatfs, fd, buf);

	if (!rc && fake_fs_type)
		buf->f_type = fake_fs_type;
	return rc;
}

/* The descriptor given out for a timer that watches the clock: an eventfd, because no
 * test may set the clock. */
static int fake_clock = -1;

int timerfd_create(int clock, int flags)
{
	if (clock != CLOCK_REALTIME)
		return syscall(SYS_timerfd_create, clock, flags);
	fake_clock = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return fake_clock;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	return fd == fake_clock ? 0 : syscall(SYS_timerfd_settime, fd, flags, new, old);
}

static int fake_clock_set(void)
{
	return eventfd_write(fake_clock, 1);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
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

/* ---- The far side played here --------------------------------------------------------------- */

static int fd_is_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0);
}

/* Returns whether the far side was signalled since the last call. */
static bool far_was_signalled(struct far_side *far)
{
	bool signalled = false;

	while (fd_is_readable(xenevtchn_fd(far->xce))) {
		assert_int_equal(xenevtchn_pending(far->xce), far->port);
		assert_int_equal(xenevtchn_unmask(far->xce, far->port), 0);
		signalled = true;
	}
	return signalled;
}

static void far_signals(struct far_side *far)
{
	assert_int_equal(xenevtchn_notify(far->xce, far->port), 0);
}

/* Returns whether the thread would be woken up now, after may_sleep() allowed it to sleep. */
static bool is_woken(struct far_side *far)
{
	struct pollfd fds[TRANSPORT_POLLFDS];
	int n = far->t->ops->pollfds(far->t, false, fds);

	assert_in_range(n, 1, TRANSPORT_POLLFDS);
	assert_int_equal(fds[0].events, POLLIN);
	return poll(fds, n, 0) > 0;
}

/* Takes what is pending because ports were bound, as every test's beginning. */
static void settle(struct far_side *far)
{
	while (far->t->ops->may_sleep(far->t, false) && is_woken(far))
		;
	far_was_signalled(far);
}

static int setup(void **state)
{
	struct far_side *far = calloc(1, sizeof(*far));
	xen_pfn_t gfn = GFN;

	assert_non_null(far);
	far->xce = xenevtchn_open(NULL, 0);
	assert_non_null(far->xce);
	far->fmem = xenforeignmemory_open(NULL, 0);
	assert_non_null(far->fmem);
	far->page = xenforeignmemory_map(far->fmem, DOMID, PROT_READ | PROT_WRITE, 1, &gfn, NULL);
	assert_non_null(far->page);
	memset(far->page, 0, sizeof(*far->page));
	warnings = 0;
	assert_int_equal(ring_new(&far->t, &domain_params, &counter), 0);
	far->port = xenevtchn_bind_interdomain(far->xce, 0, transport_ring_port(far->t));
	assert_true(far->port > 0);
	*state = far;
	return 0;
}

static int setup_connected(void **state)
{
	struct far_side *far;

	setup(state);
	far = *state;
	assert_int_equal(far->t->ops->connect(far->t), 0);
	settle(far);
	return 0;
}

/* A server that offers reconnection, as oxenstored does. */
static int setup_reconnection(void **state)
{
	struct far_side *far;

	setup(state);
	far = *state;
	far->page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
	assert_int_equal(far->t->ops->connect(far->t), 0);
	settle(far);
	return 0;
}

static int teardown(void **state)
{
	struct far_side *far = *state;

	if (far->t)
		far->t->ops->free(far->t);
	xenforeignmemory_unmap(far->fmem, far->page, 1);
	xenforeignmemory_close(far->fmem);
	xenevtchn_close(far->xce);
	free(far);
	fake_fs_type = 0;
	return 0;
}

/* The far side puts a reply into the ring; it does not signal. */
static void far_writes(struct far_side *far, const void *data, size_t len)
{
	uint32_t prod = far->page->rsp_prod;
	size_t i;

	for (i = 0; i < len; i++)
		far->page->rsp[MASK_XENSTORE_IDX(prod + i)] = ((const char *)data)[i];
	__atomic_store_n(&far->page->rsp_prod, prod + (uint32_t)len, __ATOMIC_SEQ_CST);
}

static void far_reads_all(struct far_side *far)
{
	__atomic_store_n(&far->page->req_cons, far->page->req_prod, __ATOMIC_SEQ_CST);
}

/* A server does this on INTRODUCE, or when asked to reconnect. */
static void far_clears(struct far_side *far)
{
	far->page->req_cons = far->page->req_prod = 0;
	far->page->rsp_cons = far->page->rsp_prod = 0;
	__atomic_store_n(&far->page->connection, XENSTORE_CONNECTED, __ATOMIC_SEQ_CST);
}

/* Gives the ring up, so that a test can take it in its own way. */
static void free_transport(struct far_side *far)
{
	far->t->ops->free(far->t);
	far->t = NULL;
}

/* The ring is nobody's but one's. */
static void two_at_once(void **state)
{
	struct far_side *far = *state;
	struct transport *t;

	assert_int_equal(ring_new(&t, &domain_params, NULL), -EBUSY);
	free_transport(far);
	assert_int_equal(ring_new(&t, &domain_params, NULL), 0);
	t->ops->free(t);
}

static void limits(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = domain_params;
	struct transport *t;

	assert_string_equal(far->t->ops->name, "ring");
	assert_int_equal(far->t->payload_max, XENSTORE_PAYLOAD_MAX);
	/* The server stops at 20. */
	assert_int_equal(far->t->in_flight_max, 16);
	assert_true(far->t->no_reconnect);
	params.privileged = true;
	free_transport(far);
	assert_int_equal(ring_new(&t, &params, NULL), 0);
	assert_int_equal(t->in_flight_max, 64);
	t->ops->free(t);
}

static void ways_to_bind(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = domain_params;
	struct transport *t;
	int port, other;

	free_transport(far);
	/* A port is given: automatically interdomain, so that nobody else gets it. */
	port = xenevtchn_bind_unbound_port(far->xce, 0);
	params.port = port;
	assert_int_equal(ring_new(&t, &params, NULL), 0);
	assert_int_not_equal(transport_ring_port(t), port);
	assert_int_equal(transport_ring_events(t), RING_EVENTS_INTERDOMAIN);
	t->ops->free(t);
	params.events = RING_EVENTS_INTERDOMAIN;
	assert_int_equal(ring_new(&t, &params, NULL), 0);
	t->ops->free(t);
	/* A port is given and to be ignored: the new one can be bound by the far side. */
	params.events = RING_EVENTS_UNBOUND;
	assert_int_equal(ring_new(&t, &params, NULL), 0);
	other = xenevtchn_bind_interdomain(far->xce, 0, transport_ring_port(t));
	assert_true(other > 0);
	t->ops->free(t);
	/* No port is given, but one is needed. */
	params.events = RING_EVENTS_INTERDOMAIN;
	params.port = 0;
	assert_int_equal(ring_new(&t, &params, NULL), -EINVAL);
	params.port = 4000;
	assert_int_equal(ring_new(&t, &params, NULL), -EINVAL);
}

static void no_such_page(void **state)
{
	struct ring_params params = domain_params;
	struct transport *t;

	free_transport(*state);
	params.gfn++;
	assert_true(ring_new(&t, &params, NULL) < 0);
	params.domid++;
	assert_int_equal(ring_new(&t, &params, NULL), -ESRCH);
}

static void domain_0(void **state)
{
	struct ring_params params = { .domid = 0, .gfn = 0 };
	struct transport *t;

	(void)state;
	assert_int_equal(ring_new(&t, &params, NULL), 0);
	t->ops->free(t);
	/* The kernel's own ring, which its driver uses, is refused. */
	fake_fs_type = XENFS_SUPER_MAGIC;
	assert_int_equal(ring_new(&t, &params, NULL), -EBUSY);
}

static void not_connected(void **state)
{
	struct far_side *far = *state;
	struct pollfd fds[TRANSPORT_POLLFDS];
	char buf[1];

	assert_int_equal(send_one(far->t, "x", 1), -ENOTCONN);
	assert_int_equal(far->t->ops->recv(far->t, buf, 1), -ENOTCONN);
	assert_true(far->t->ops->may_sleep(far->t, true));
	assert_int_equal(far->t->ops->pollfds(far->t, true, fds), 0);
	assert_int_equal(far->page->req_prod, 0);
	far->t->ops->disconnect(far->t);
	assert_int_equal(far->t->ops->connect(far->t), 0);
	assert_int_equal(far->t->ops->connect(far->t), -EISCONN);
}

static void send_signals_once(void **state)
{
	struct far_side *far = *state;
	struct iovec iov[3] = {
		{ .iov_base = (void *)"abc", .iov_len = 3 },
		{ .iov_base = (void *)"", .iov_len = 0 },
		{ .iov_base = (void *)"defg", .iov_len = 4 },
	};
	uint64_t sent = stat_get(far->t, "wakeups_sent");
	uint64_t saved = stat_get(far->t, "wakeups_saved");

	assert_int_equal(far->t->ops->send(far->t, iov, 3), 7);
	assert_memory_equal(far->page->req, "abcdefg", 7);
	assert_true(far_was_signalled(far));
	assert_int_equal(stat_get(far->t, "wakeups_sent"), sent + 1);
	/* It has not read that yet: it is awake. */
	assert_int_equal(send_one(far->t, "h", 1), 1);
	assert_false(far_was_signalled(far));
	assert_int_equal(stat_get(far->t, "wakeups_sent"), sent + 1);
	assert_int_equal(stat_get(far->t, "wakeups_saved"), saved + 1);
	far_reads_all(far);
	assert_int_equal(send_one(far->t, "i", 1), 1);
	assert_true(far_was_signalled(far));
}

static void send_is_partial(void **state)
{
	struct far_side *far = *state;
	static char data[SIZE];
	struct iovec iov[3] = {
		{ .iov_base = data, .iov_len = SIZE - 10 },
		{ .iov_base = (void *)"0123456789abcdef", .iov_len = 16 },
		{ .iov_base = (void *)"never", .iov_len = 5 },
	};

	assert_int_equal(far->t->ops->send(far->t, iov, 3), SIZE);
	assert_memory_equal(far->page->req + SIZE - 10, "0123456789", 10);
	assert_true(far_was_signalled(far));
	assert_int_equal(send_one(far->t, "x", 1), 0);
	assert_false(far_was_signalled(far));
	/* Waiting for room, and only then is room a reason to stay awake. */
	assert_true(far->t->ops->may_sleep(far->t, true));
	far->page->req_cons += 6;
	assert_false(far->t->ops->may_sleep(far->t, true));
	assert_true(far->t->ops->may_sleep(far->t, false));
	assert_int_equal(send_one(far->t, "abcdef", 6), 6);
}

static void recv_signals_when_full(void **state)
{
	struct far_side *far = *state;
	static char data[SIZE];
	char buf[SIZE];

	data[0] = 'a';
	data[99] = 'z';
	far_writes(far, data, 100);
	assert_false(far->t->ops->may_sleep(far->t, false));
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 100);
	assert_int_equal(buf[0], 'a');
	assert_int_equal(buf[99], 'z');
	assert_false(far_was_signalled(far));
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 0);
	far_writes(far, data, SIZE);
	assert_int_equal(far->t->ops->recv(far->t, buf, 1), 1);
	assert_true(far_was_signalled(far));
	assert_int_equal(far->t->ops->recv(far->t, buf, SIZE), SIZE - 1);
	assert_false(far_was_signalled(far));
}

static void sleep_and_wake_up(void **state)
{
	struct far_side *far = *state;
	char buf[16];
	int i;

	for (i = 0; i < 3; i++) {
		assert_true(far->t->ops->may_sleep(far->t, false));
		assert_false(is_woken(far));
		far_writes(far, "x", 1);
		far_signals(far);
		assert_true(is_woken(far));
		assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 1);
		/* An event while awake may wake up for nothing, but only once. */
		if (i == 1) {
			far_signals(far);
			if (far->t->ops->may_sleep(far->t, false))
				is_woken(far);
		}
	}
	/* Then it sleeps: an event that was taken does not wake it for ever. */
	assert_true(far->t->ops->may_sleep(far->t, false));
	assert_false(is_woken(far));
	assert_true(far->t->ops->may_sleep(far->t, false));
	assert_false(is_woken(far));
}

/* oxenstored may have stopped with work left although the ring was not full. */
static void signal_before_sleep(void **state)
{
	struct far_side *far = *state;
	char buf[16];

	assert_false(far->t->no_reconnect);
	far_writes(far, "x", 1);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 1);
	assert_false(far_was_signalled(far));
	assert_true(far->t->ops->may_sleep(far->t, false));
	assert_true(far_was_signalled(far));
	/* Once: nothing has moved since. */
	assert_true(far->t->ops->may_sleep(far->t, false));
	assert_false(far_was_signalled(far));
	/* A signal on other grounds serves as well. */
	far_writes(far, "x", 1);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 1);
	assert_int_equal(send_one(far->t, "x", 1), 1);
	assert_true(far_was_signalled(far));
	assert_true(far->t->ops->may_sleep(far->t, false));
	assert_false(far_was_signalled(far));
	/* A caller that does not go to sleep sends no signal either. */
	far_writes(far, "xy", 2);
	assert_int_equal(far->t->ops->recv(far->t, buf, 1), 1);
	assert_false(far->t->ops->may_sleep(far->t, false));
	assert_false(far_was_signalled(far));
	assert_int_equal(far->t->ops->recv(far->t, buf, 1), 1);
	assert_true(far->t->ops->may_sleep(far->t, false));
	assert_true(far_was_signalled(far));
	/* What was sent without a signal counts too. */
	assert_int_equal(send_one(far->t, "x", 1), 1);
	assert_false(far_was_signalled(far));
	assert_true(far->t->ops->may_sleep(far->t, false));
	assert_true(far_was_signalled(far));
}

static void no_signal_before_sleep(void **state)
{
	struct far_side *far = *state;
	char buf[16];

	/* C xenstored looks again by itself. */
	far_writes(far, "x", 1);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 1);
	assert_true(far->t->ops->may_sleep(far->t, false));
	assert_false(far_was_signalled(far));
}

static void server_reports_an_error(void **state)
{
	struct far_side *far = *state;
	char buf[16];

	far_writes(far, "good", 4);
	far->page->error = XENSTORE_ERROR_PROTO;
	assert_int_equal(send_one(far->t, "x", 1), -EPROTO);
	assert_int_equal(far->page->req_prod, 0);
	/* What came before the error is good. */
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 4);
	assert_false(far->t->ops->may_sleep(far->t, false));
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), -EPROTO);
	far->page->error = XENSTORE_ERROR_RINGIDX;
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), -EPROTO);
	far->page->error = XENSTORE_ERROR_COMM;
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), -EIO);
	far->page->error = 0xffffffff;
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), -EIO);
}

static void server_lies_about_indices(void **state)
{
	struct far_side *far = *state;
	char buf[16];

	far->page->rsp_prod = SIZE + 1;
	assert_false(far->t->ops->may_sleep(far->t, false));
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), -EPROTO);
	far->page->req_cons = 1;
	assert_int_equal(send_one(far->t, "x", 1), -EPROTO);
}

static void dead_until_introduced_again(void **state)
{
	struct far_side *far = *state;
	char buf[16];

	assert_int_equal(send_one(far->t, "half", 4), 4);
	far->page->error = XENSTORE_ERROR_PROTO;
	far->t->ops->disconnect(far->t);
	assert_int_equal(far->t->ops->connect(far->t), -ENOTCONN);
	assert_true(far->t->no_reconnect);
	/* The error alone may have been cleared: the stream is still in the middle of something. */
	far->page->error = XENSTORE_ERROR_NONE;
	assert_int_equal(far->t->ops->connect(far->t), -ENOTCONN);
	assert_int_equal(send_one(far->t, "x", 1), -ENOTCONN);
	/* C xenstored leaves the error where it is. */
	far_clears(far);
	far->page->error = XENSTORE_ERROR_PROTO;
	assert_int_equal(far->t->ops->connect(far->t), 0);
	assert_int_equal(far->page->error, XENSTORE_ERROR_NONE);
	assert_int_equal(send_one(far->t, "new", 3), 3);
	assert_memory_equal(far->page->req, "new", 3);
	far_writes(far, "reply", 5);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 5);
}

static void dead_when_first_seen(void **state)
{
	struct far_side *far = *state;

	far->page->req_prod = far->page->req_cons = 16;
	far->page->error = XENSTORE_ERROR_RINGIDX;
	assert_int_equal(far->t->ops->connect(far->t), -ENOTCONN);
	far->page->error = XENSTORE_ERROR_NONE;
	assert_int_equal(far->t->ops->connect(far->t), -ENOTCONN);
	far_clears(far);
	assert_int_equal(far->t->ops->connect(far->t), 0);
}

static void insane_when_first_seen(void **state)
{
	struct far_side *far = *state;

	far->page->req_cons = 5;
	assert_int_equal(far->t->ops->connect(far->t), -ENOTCONN);
	far_clears(far);
	far->page->rsp_prod = SIZE + 1;
	assert_int_equal(far->t->ops->connect(far->t), -ENOTCONN);
	far_clears(far);
	assert_int_equal(far->t->ops->connect(far->t), 0);
}

static void reconnects(void **state)
{
	struct far_side *far = *state;
	char buf[16];

	assert_int_equal(send_one(far->t, "half", 4), 4);
	/* Half a reply as well, whose rest must not come up again. */
	far_writes(far, "half a reply", 12);
	assert_int_equal(far->t->ops->recv(far->t, buf, 4), 4);
	far->t->ops->disconnect(far->t);
	far_was_signalled(far);
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	assert_int_equal(far->page->connection, XENSTORE_RECONNECT);
	assert_true(far_was_signalled(far));
	assert_int_equal(send_one(far->t, "x", 1), -ENOTCONN);
	/* It may not have heard that. */
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	assert_true(far_was_signalled(far));
	/* Not yet cleared: asked again. */
	far->page->connection = XENSTORE_CONNECTED;
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	assert_int_equal(far->page->connection, XENSTORE_RECONNECT);
	far_clears(far);
	assert_int_equal(far->t->ops->connect(far->t), 0);
	assert_false(far->t->no_reconnect);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 0);
	assert_int_equal(send_one(far->t, "new", 3), 3);
	assert_memory_equal(far->page->req, "new", 3);
}

/* Another server took over while the old one was asked: it will never answer. */
static void reconnection_is_not_offered_any_more(void **state)
{
	struct far_side *far = *state;

	assert_int_equal(send_one(far->t, "half", 4), 4);
	far->t->ops->disconnect(far->t);
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	far->page->server_features = 0;
	assert_int_equal(far->t->ops->connect(far->t), -ENOTCONN);
	assert_true(far->t->no_reconnect);
	far_clears(far);
	assert_int_equal(far->t->ops->connect(far->t), 0);
}

/* A server died, and another has taken its ring over before anybody noticed: it does not have our watches. */
static void a_server_that_offers_it_has_followed_one_that_did_not(void **state)
{
	struct far_side *far = *state;
	char buf[16];

	far_writes(far, "reply", 5);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 5);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 0);
	far_writes(far, "other", 5);
	far->page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), -ECONNRESET);
	far->t->ops->disconnect(far->t);
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	assert_int_equal(far->page->connection, XENSTORE_RECONNECT);
	far_clears(far);
	assert_int_equal(far->t->ops->connect(far->t), 0);
	far_writes(far, "reply", 5);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 5);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 0);
}

/* It may take a ring up after we have, and says then what it offers. */
static void a_server_that_comes_later_replaces_none(void **state)
{
	struct far_side *far = *state;
	char buf[16];

	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 0);
	far->page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
	far_writes(far, "reply", 5);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 5);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 0);
}

static void used_ring_is_reset(void **state)
{
	struct far_side *far = *state;

	far->page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
	far->page->req_prod = far->page->req_cons = 40;
	far->page->rsp_prod = far->page->rsp_cons = 50;
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	assert_int_equal(far->page->connection, XENSTORE_RECONNECT);
	far_clears(far);
	assert_int_equal(far->t->ops->connect(far->t), 0);
}

static void predecessor_was_reconnecting(void **state)
{
	struct far_side *far = *state;

	far->page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
	far->page->connection = XENSTORE_RECONNECT;
	far_was_signalled(far);
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	assert_true(far_was_signalled(far));
	far_clears(far);
	assert_int_equal(far->t->ops->connect(far->t), 0);
}

/* Started by Xen before its store, which offers nothing (dom0less): left alone until it is there. */
static void server_is_awaited(void **state)
{
	struct far_side *far = *state;

	far->page->connection = XENSTORE_RECONNECT;
	far_was_signalled(far);
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	assert_false(far_was_signalled(far));
	assert_int_equal(far->page->connection, XENSTORE_RECONNECT);
	assert_int_equal(send_one(far->t, "x", 1), -ENOTCONN);
	/* It takes the ring up, then says so. */
	far->page->server_features = XENSTORE_SERVER_FEATURE_ERROR;
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	far_clears(far);
	assert_int_equal(far->t->ops->connect(far->t), 0);
	assert_int_equal(send_one(far->t, "new", 3), 3);
}

/* The port in the page, of Xen 4.21, counts more than that of XS_INTRODUCE. */
static void port_in_the_page(void **state)
{
	struct far_side *far = *state;
	uint32_t *field = &far->page->error + 1;
	struct ring_params params = domain_params;

	assert_int_equal(transport_ring_events(far->t), RING_EVENTS_UNBOUND);
	/* Nobody put one there. */
	assert_int_equal(*field, 0);
	free_transport(far);
	*field = 4000;
	assert_int_equal(ring_new(&far->t, &params, &counter), 0);
	assert_int_equal(*field, transport_ring_port(far->t));
}

/* Calls connect() until it returns something other than -EAGAIN. */
static int connect_patiently(struct far_side *far)
{
	int64_t start = now_ms();
	int err;

	do {
		err = far->t->ops->connect(far->t);
		poll(NULL, 0, 1);
	} while (err == -EAGAIN && now_ms() - start < PATIENCE_MS);
	return err;
}

static void predecessors_replies_are_thrown_away(void **state)
{
	struct far_side *far = *state;
	static char junk[SIZE];
	int64_t start = now_ms(), now;
	char buf[16];
	int err;

	/* The predecessor read half a reply, and the server waits for room for the rest. */
	far->page->req_prod = far->page->req_cons = 0xfffffff0;
	far->page->rsp_prod = far->page->rsp_cons = 0xfffffe00;
	far_writes(far, junk, SIZE);
	far_was_signalled(far);
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	assert_int_equal(far->page->rsp_cons, far->page->rsp_prod);
	assert_true(far_was_signalled(far));
	assert_int_equal(send_one(far->t, "x", 1), -ENOTCONN);
	/* For as long as some comes, which may be longer than silence has to last. */
	do {
		far_writes(far, junk, 300);
		err = far->t->ops->connect(far->t);
		now = now_ms();
		/* Unless this machine stood still meanwhile: there is an end to patience. */
		if (now - start > 500)
			skip();
		assert_int_equal(err, -EAGAIN);
		assert_int_equal(far->page->rsp_cons, far->page->rsp_prod);
		assert_true(far_was_signalled(far));
	} while (now - start < 50);
	assert_int_equal(connect_patiently(far), 0);
	/* It was silence that ended it. */
	assert_int_equal(warnings, 0);
	far_writes(far, "new", 3);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "new", 3);
}

/* Fills `message` with bytes that tell where they belong. */
static void message_make(char *message, size_t len)
{
	for (size_t i = 0; i < len; i++)
		message[i] = (char)(i * 7 + i / 256);
}

/* The ring's last `len` requests' bytes are those. */
static void assert_requests_end_with(const struct far_side *far, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_int_equal(far->page->req[MASK_XENSTORE_IDX(far->page->req_prod - len + i)], bytes[i]);
}

/* This one begins a message, of which the first ring's worth gets into the ring, and goes as if it were killed. */
static void predecessor_begins(struct far_side *far, const char *message, size_t len)
{
	assert_int_equal(send_one(far->t, "whole", 5), 5);
	far_reads_all(far);
	assert_int_equal(send_one(far->t, message, len), SIZE);
	free_transport(far);
}

static void successor_comes(struct far_side *far)
{
	assert_int_equal(ring_new(&far->t, &domain_params, &counter), 0);
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
}

static void predecessors_request_is_finished(void **state)
{
	struct far_side *far = *state;
	static char message[SIZE * 2 + 100];

	message_make(message, sizeof(message));
	predecessor_begins(far, message, sizeof(message));
	/* The second one is killed as well, when it has sent another part. */
	successor_comes(far);
	assert_int_equal(far->page->req_prod, 5 + SIZE);
	far_reads_all(far);
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	assert_int_equal(far->page->req_prod, 5 + 2 * SIZE);
	assert_requests_end_with(far, message + SIZE, SIZE);
	free_transport(far);
	far_reads_all(far);
	successor_comes(far);
	assert_int_equal(far->page->req_prod, 5 + sizeof(message));
	assert_requests_end_with(far, message + 2 * SIZE, 100);
	far_reads_all(far);
	assert_int_equal(connect_patiently(far), 0);
	assert_int_equal(far->page->req_prod, 5 + sizeof(message));
	free_transport(far);
	/* Once only. */
	successor_comes(far);
	assert_int_equal(connect_patiently(far), 0);
	assert_int_equal(far->page->req_prod, 5 + sizeof(message));
	assert_int_equal(warnings, 0);
}

/* However long the server takes, nothing else may come before the rest. */
static void predecessors_request_comes_first(void **state)
{
	struct far_side *far = *state;
	static char message[SIZE + 100];
	int64_t start;

	message_make(message, sizeof(message));
	predecessor_begins(far, message, sizeof(message));
	successor_comes(far);
	for (start = now_ms(); now_ms() - start < 1200; poll(NULL, 0, 1))
		assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	far_reads_all(far);
	assert_int_equal(connect_patiently(far), 0);
	assert_requests_end_with(far, message + SIZE, 100);
}

/* A message that went into the ring in pieces, and then as a whole, is nothing to finish. */
static void whole_requests_are_not_finished(void **state)
{
	struct far_side *far = *state;
	static char message[SIZE + 100];

	message_make(message, sizeof(message));
	assert_int_equal(send_one(far->t, message, sizeof(message)), SIZE);
	far_reads_all(far);
	assert_int_equal(send_one(far->t, message + SIZE, 100), 100);
	/* There was no room for its first byte. */
	far_reads_all(far);
	assert_int_equal(send_one(far->t, message, SIZE), SIZE);
	assert_int_equal(send_one(far->t, message, 20), 0);
	free_transport(far);
	far_reads_all(far);
	successor_comes(far);
	assert_int_equal(connect_patiently(far), 0);
	assert_int_equal(far->page->req_prod, sizeof(message) + SIZE);
}

/* The server has to take it before it clears the ring, and waits for room for replies. */
static void request_is_finished_before_introduction(void **state)
{
	struct far_side *far = *state;
	static char message[SIZE * 2 + 100];

	message_make(message, sizeof(message));
	assert_false(transport_ring_finish(far->t));
	predecessor_begins(far, message, sizeof(message));
	assert_int_equal(ring_new(&far->t, &domain_params, &counter), 0);
	assert_true(transport_ring_finish(far->t));
	assert_int_equal(far->page->req_prod, 5 + SIZE);
	far_reads_all(far);
	far_writes(far, message, SIZE);
	assert_true(transport_ring_finish(far->t));
	assert_int_equal(far->page->rsp_cons, far->page->rsp_prod);
	far_reads_all(far);
	/* All is in the ring, but it has to look once more. */
	assert_true(transport_ring_finish(far->t));
	assert_requests_end_with(far, message + 2 * SIZE, 100);
	assert_true(transport_ring_finish(far->t));
	far_reads_all(far);
	assert_false(transport_ring_finish(far->t));
	assert_int_equal(far->page->req_prod, 5 + sizeof(message));
	far_clears(far);
	assert_int_equal(far->t->ops->connect(far->t), 0);
	/* That one is asked to clear the ring. */
	predecessor_begins(far, message, sizeof(message));
	far->page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
	assert_int_equal(ring_new(&far->t, &domain_params, &counter), 0);
	assert_false(transport_ring_finish(far->t));
}

/* Another client, which does not know of the half message, has used the ring since, or the server has cleared it. */
static void others_have_used_the_ring(void **state)
{
	struct far_side *far = *state;
	static char message[SIZE * 2];
	XENSTORE_RING_IDX prod;

	message_make(message, sizeof(message));
	predecessor_begins(far, message, sizeof(message));
	prod = far->page->req_prod;
	far->page->req[MASK_XENSTORE_IDX(prod - 1)]++;
	far_reads_all(far);
	successor_comes(far);
	assert_int_equal(connect_patiently(far), 0);
	assert_int_equal(far->page->req_prod, prod);
	/* Now it is known to be of no use any more. */
	far->page->req[MASK_XENSTORE_IDX(prod - 1)]--;
	free_transport(far);
	successor_comes(far);
	assert_int_equal(connect_patiently(far), 0);
	assert_int_equal(far->page->req_prod, prod);
}

/* The predecessor died between taking the room and telling so. */
static void sleeping_server_is_woken(void **state)
{
	struct far_side *far = *state;

	far->page->rsp_prod = far->page->rsp_cons = 512;
	far_was_signalled(far);
	assert_int_equal(far->t->ops->connect(far->t), -EAGAIN);
	assert_true(far_was_signalled(far));
	/* Never connected: nothing was broken by this one. */
	far->t->ops->disconnect(far->t);
	assert_int_equal(connect_patiently(far), 0);
}

static void replies_that_never_end(void **state)
{
	struct far_side *far = *state;
	int64_t start = now_ms();
	int err;

	far->page->rsp_prod = far->page->rsp_cons = 512;
	do {
		far_writes(far, "event", 5);
		err = far->t->ops->connect(far->t);
		poll(NULL, 0, 1);
	} while (err == -EAGAIN && now_ms() - start < PATIENCE_MS);
	assert_int_equal(err, 0);
	assert_int_equal(warnings, 1);
}

/* ---- A domain's own ring, found by itself ---------------------------------------------------- */

/* Makes the domain $XSLOOP_DOMID with page $RING_GFN, its own server.  Returns its port. */
static unsigned toolstack_port(void)
{
	FILE *file = popen("\"$XSLOOP\" guest \"$XSLOOP_DIR\" $XSLOOP_DOMID $RING_GFN $XSLOOP_DOMID", "r");
	unsigned port = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%u", &port), 1);
	assert_int_equal(pclose(file), 0);
	return port;
}

/* Makes the domain anew with that page, and plays the server that is told of it. */
static void guest_make(struct far_side *far, unsigned gfn)
{
	char text[16];
	xen_pfn_t frame = gfn;
	unsigned port;

	if (far->port)
		far_was_signalled(far);
	snprintf(text, sizeof(text), "%u", gfn);
	assert_int_equal(setenv("RING_GFN", text, 1), 0);
	port = toolstack_port();
	if (far->page)
		xenforeignmemory_unmap(far->fmem, far->page, 1);
	far->page = xenforeignmemory_map(far->fmem, DOMID, PROT_READ | PROT_WRITE, 1, &frame, NULL);
	assert_non_null(far->page);
	memset(far->page, 0, sizeof(*far->page));
	far->port = xenevtchn_bind_interdomain(far->xce, DOMID, port);
	assert_true(far->port > 0);
	far_was_signalled(far);
}

static int setup_own(void **state)
{
	struct far_side *far = calloc(1, sizeof(*far));

	assert_non_null(far);
	far->xce = xenevtchn_open(NULL, 0);
	assert_non_null(far->xce);
	far->fmem = xenforeignmemory_open(NULL, 0);
	assert_non_null(far->fmem);
	guest_make(far, GFN);
	warnings = 0;
	unsetenv("XSLOOP_WITHOUT");
	*state = far;
	return 0;
}

/* Takes the ring as `params` say, which are filled in, and connects. */
static void own_connect(struct far_side *far, struct ring_params *params)
{
	assert_int_equal(transport_ring_new(&far->t, params, &counter), 0);
	assert_int_equal(far->t->ops->connect(far->t), 0);
}

static void own_connect_again(struct far_side *far, enum ring_events events)
{
	struct ring_params params = { .domid = DOMID_SELF, .find = true, .events = events };
	int64_t start = now_ms();
	int err;

	assert_int_equal(transport_ring_new(&far->t, &params, &counter), 0);
	while ((err = far->t->ops->connect(far->t)) == -EAGAIN && now_ms() - start < PATIENCE_MS)
		poll(NULL, 0, 1);
	assert_int_equal(err, 0);
}

static void own_is_found(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = { .domid = DOMID_SELF, .find = true };

	own_connect(far, &params);
	assert_int_equal(params.gfn, GFN);
	assert_int_equal(params.port, stat_get(far->t, "port"));
	assert_int_equal(transport_ring_port(far->t), params.port);
	assert_int_equal(transport_ring_events(far->t), RING_EVENTS_STATIC);
	/* Both sides hear of each other. */
	assert_int_equal(send_one(far->t, "x", 1), 1);
	assert_true(far_was_signalled(far));
	assert_true(far->t->ops->may_sleep(far->t, false));
	far_signals(far);
	assert_true(is_woken(far));
	/* The port is the toolstack's and outlives us. */
	free_transport(far);
	far_reads_all(far);
	own_connect_again(far, RING_EVENTS_STATIC);
	assert_int_equal(send_one(far->t, "x", 1), 1);
	assert_true(far_was_signalled(far));
}

static void own_is_said(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = { .domid = DOMID_SELF, .find = true }, said;

	own_connect(far, &params);
	free_transport(far);
	said = (struct ring_params){ .domid = DOMID_SELF, .gfn = params.gfn, .port = params.port };
	own_connect(far, &said);
	assert_int_equal(transport_ring_events(far->t), RING_EVENTS_STATIC);
	free_transport(far);
	/* No handle can have a port that is not this domain's. */
	said.events = RING_EVENTS_STATIC;
	said.port = far->port + 1000;
	assert_int_equal(transport_ring_new(&far->t, &said, NULL), -EINVAL);
	said.events = RING_EVENTS_POLL;
	assert_int_equal(transport_ring_new(&far->t, &said, NULL), -EINVAL);
	far->t = NULL;
}

/* Which way is left on kernels that lack something. */
static void own_ways(void **state)
{
	static const struct {
		const char *without;
		enum ring_events events;
	} kernels[] = {
		{ "", RING_EVENTS_STATIC },
		{ "static", RING_EVENTS_POLL },
		{ "static call", RING_EVENTS_UNBOUND },
	};
	struct far_side *far = *state;
	struct ring_params params = { .domid = DOMID_SELF, .find = true };

	own_connect(far, &params);
	free_transport(far);
	params.find = false;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		assert_int_equal(setenv("XSLOOP_WITHOUT", kernels[i].without, 1), 0);
		own_connect(far, &params);
		assert_int_equal(transport_ring_events(far->t), kernels[i].events);
		free_transport(far);
	}
	/* A user who asks for one way gets that way or nothing. */
	params.events = RING_EVENTS_STATIC;
	assert_int_equal(transport_ring_new(&far->t, &params, NULL), -ENOSYS);
	params.events = RING_EVENTS_POLL;
	assert_int_equal(transport_ring_new(&far->t, &params, NULL), -ENOENT);
	far->t = NULL;
}

/* Somebody else has the port: no other way may hide that. */
static void own_port_is_taken(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = { .domid = DOMID_SELF, .find = true }, other;
	struct transport *t;

	own_connect(far, &params);
	/* As if it were another ring, so that it is not the lock that refuses. */
	other = (struct ring_params){ .domid = DOMID, .gfn = GFN, .port = params.port };
	other.events = RING_EVENTS_STATIC;
	free_transport(far);
	assert_int_equal(ring_new(&far->t, &other, &counter), 0);
	params.find = true;
	assert_int_equal(ring_new(&t, &params, &counter), -EBUSY);
}

static void own_is_the_kernels(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = { .domid = DOMID_SELF, .find = true };

	assert_int_equal(system("touch \"$XSLOOP_DIR/xenbus\""), 0);
	assert_int_equal(transport_ring_new(&far->t, &params, NULL), -EBUSY);
	params = (struct ring_params){ .domid = DOMID_SELF, .gfn = GFN, .port = 1 };
	assert_int_equal(transport_ring_new(&far->t, &params, NULL), -EBUSY);
	/* Another domain's is not this kernel's business. */
	params = (struct ring_params){ .domid = DOMID, .gfn = GFN };
	assert_int_equal(transport_ring_new(&far->t, &params, NULL), 0);
	assert_int_equal(system("rm \"$XSLOOP_DIR/xenbus\""), 0);
}

static void own_is_not_found(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = { .domid = DOMID_SELF, .find = true };

	assert_int_equal(system("mv \"$XSLOOP_DIR/guest.$XSLOOP_DOMID\" \"$XSLOOP_DIR/gone\""), 0);
	assert_true(transport_ring_new(&far->t, &params, &counter) < 0);
	assert_int_equal(warnings, 1);
	far->t = NULL;
}

/* How long poll() sleeps on the descriptors, in milliseconds; the port must wake it. */
static int64_t nap(struct far_side *far)
{
	struct pollfd fds[TRANSPORT_POLLFDS];
	int64_t start = now_ms();
	int n;

	assert_true(far->t->ops->may_sleep(far->t, false));
	n = far->t->ops->pollfds(far->t, false, fds);
	assert_true(poll(fds, n, PATIENCE_MS) > 0);
	assert_true(fds[0].revents & POLLIN);
	return now_ms() - start;
}

/* Polled: often while it is busy, seldom while it is idle, and at once when it becomes busy. */
static void own_is_polled(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = { .domid = DOMID_SELF, .find = true };
	struct pollfd fds[TRANSPORT_POLLFDS];
	int64_t start;
	char buf[16];
	int i, n;

	params.events = RING_EVENTS_POLL;
	own_connect(far, &params);
	far_was_signalled(far);
	/* A signal of the server's is nothing that we would hear. */
	far_signals(far);
	/* 0.1 ms, doubled eleven times, is more than the 100 ms that it may become. */
	for (i = 0; i < 11; i++)
		nap(far);
	assert_true(nap(far) >= 99);
	assert_true(nap(far) >= 99);
	/* What was sent while it sleeps wakes it, not only when it sleeps again. */
	assert_true(far->t->ops->may_sleep(far->t, false));
	n = far->t->ops->pollfds(far->t, false, fds);
	start = now_ms();
	assert_int_equal(send_one(far->t, "x", 1), 1);
	assert_true(far_was_signalled(far));
	assert_true(poll(fds, n, PATIENCE_MS) > 0);
	/* And then a reply is looked for at short intervals again: 20 of them take no 2 s. */
	for (i = 0; i < 20; i++) {
		far_writes(far, "y", 1);
		assert_false(far->t->ops->may_sleep(far->t, false));
		assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 1);
		nap(far);
	}
	assert_true(now_ms() - start < 1900);
}

/* Restored or migrated: another page, another port; the old page is cleared. */
static void own_moves(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = { .domid = DOMID_SELF, .find = true };
	char buf[16];

	own_connect(far, &params);
	assert_int_equal(send_one(far->t, "x", 1), 1);
	far_clears(far);
	guest_make(far, GFN + 1);
	assert_int_equal(send_one(far->t, "x", 1), -ECONNRESET);
	far->t->ops->disconnect(far->t);
	assert_int_equal(far->t->ops->connect(far->t), 0);
	assert_int_equal(stat_get(far->t, "moves"), 1);
	assert_int_not_equal(stat_get(far->t, "port"), params.port);
	assert_int_equal(send_one(far->t, "new", 3), 3);
	assert_memory_equal(far->page->req, "new", 3);
	assert_true(far_was_signalled(far));
	far_writes(far, "reply", 5);
	assert_int_equal(far->t->ops->recv(far->t, buf, sizeof(buf)), 5);
	/* The next connection is where this one was. */
	far->t->ops->disconnect(far->t);
	far_clears(far);
	assert_int_equal(far->t->ops->connect(far->t), 0);
	assert_int_equal(stat_get(far->t, "moves"), 1);
}

/* The old page is as it was: only silence tells. */
static void own_moves_silently(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = { .domid = DOMID_SELF, .find = true };

	own_connect(far, &params);
	assert_false(far->t->ops->silent(far->t));
	assert_int_equal(warnings, 1);
	assert_false(far->t->ops->silent(far->t));
	/* Said once. */
	assert_int_equal(warnings, 1);
	guest_make(far, GFN + 1);
	assert_true(far->t->ops->silent(far->t));
	far->t->ops->disconnect(far->t);
	assert_int_equal(far->t->ops->connect(far->t), 0);
	assert_int_equal(stat_get(far->t, "moves"), 1);
	/* A server that can begin anew is asked to. */
	far->page->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
	far->t->ops->disconnect(far->t);
	far_clears(far);
	assert_int_equal(far->t->ops->connect(far->t), 0);
	assert_true(far->t->ops->silent(far->t));
}

/* The clock was set, by a restore or by hand. */
static void own_moves_by_the_clock(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = { .domid = DOMID_SELF, .find = true };
	char buf[1];

	own_connect(far, &params);
	settle(far);
	assert_int_equal(fake_clock_set(), 0);
	/* By hand: nothing has changed. */
	assert_true(far->t->ops->may_sleep(far->t, false));
	guest_make(far, GFN + 1);
	assert_true(far->t->ops->may_sleep(far->t, false));
	assert_int_equal(fake_clock_set(), 0);
	assert_false(far->t->ops->may_sleep(far->t, false));
	assert_int_equal(far->t->ops->recv(far->t, buf, 1), -ECONNRESET);
	far->t->ops->disconnect(far->t);
	assert_int_equal(far->t->ops->connect(far->t), 0);
	assert_int_equal(stat_get(far->t, "moves"), 1);
	assert_true(far->t->ops->may_sleep(far->t, false));
}

/* The port is no more: whoever polls is told so by the hypervisor. */
static void own_port_is_gone(void **state)
{
	struct far_side *far = *state;
	struct ring_params params = { .domid = DOMID_SELF, .find = true };
	char buf[1];

	params.events = RING_EVENTS_POLL;
	own_connect(far, &params);
	assert_int_equal(send_one(far->t, "x", 1), 1);
	far_reads_all(far);
	assert_int_equal(system("\"$XSLOOP\" kill-domain \"$XSLOOP_DIR\" $XSLOOP_DOMID"), 0);
	/* The bytes are in the ring, the signal is what fails. */
	assert_int_equal(send_one(far->t, "x", 1), 1);
	assert_int_equal(warnings, 1);
	assert_false(far->t->ops->may_sleep(far->t, false));
	assert_true(far->t->ops->recv(far->t, buf, 1) < 0);
	assert_true(send_one(far->t, "x", 1) < 0);
}

/* ---- Real servers ----------------------------------------------------------------------- */

struct client {
	struct transport *ring, *socket;
	uint32_t next_id;
	char in[2 * (WIRE_HEADER_SIZE + WIRE_PAYLOAD_MAX)];
	size_t in_len;
};

static uint32_t own_domid(void)
{
	return strtoul(getenv("XSLOOP_DOMID"), NULL, 10);
}

static bool server_is_c(void)
{
	return !strcmp(getenv("RING_SERVER"), "c");
}

/* Sleeps as the I/O thread does; fails the test when nothing happens, ever. */
static void client_sleep(struct transport *t, bool want_send)
{
	struct pollfd fds[TRANSPORT_POLLFDS];
	int n;

	if (!t->ops->may_sleep(t, want_send))
		return;
	n = t->ops->pollfds(t, want_send, fds);
	assert_int_not_equal(n, 0);
	if (poll(fds, n, PATIENCE_MS) <= 0)
		fail_msg("a wake-up was lost");
}

/* Sends one message and returns its reply's type; the reply's payload is terminated. */
static uint32_t call(struct transport *t, uint32_t type, const void *body, uint32_t len,
		     char reply[WIRE_PAYLOAD_MAX + 1])
{
	struct xsd_sockmsg hdr = { .type = type, .req_id = 77, .len = len };
	char msg[WIRE_HEADER_SIZE + WIRE_PAYLOAD_MAX];
	size_t sent = 0, got = 0, want = WIRE_HEADER_SIZE;
	ssize_t n;

	memcpy(msg, &hdr, WIRE_HEADER_SIZE);
	if (len)
		memcpy(msg + WIRE_HEADER_SIZE, body, len);
	while (sent < WIRE_HEADER_SIZE + len) {
		n = send_one(t, msg + sent, WIRE_HEADER_SIZE + len - sent);
		assert_true(n >= 0);
		sent += n;
		if (!n)
			client_sleep(t, true);
	}
	while (got < want) {
		n = t->ops->recv(t, msg + got, want - got);
		assert_true(n >= 0);
		got += n;
		if (!n)
			client_sleep(t, false);
		if (got == WIRE_HEADER_SIZE) {
			memcpy(&hdr, msg, WIRE_HEADER_SIZE);
			assert_true(hdr.len <= WIRE_PAYLOAD_MAX);
			want = WIRE_HEADER_SIZE + hdr.len;
		}
	}
	assert_int_equal(hdr.req_id, 77);
	memcpy(reply, msg + WIRE_HEADER_SIZE, hdr.len);
	reply[hdr.len] = '\0';
	return hdr.type;
}

/* Introduces the domain and makes its directory its own: RELEASE takes its rights away. */
static void introduce(struct client *c)
{
	char body[128], reply[WIRE_PAYLOAD_MAX + 1];
	int len;

	len = snprintf(body, sizeof(body), "%u%c%u%c%u", own_domid(), 0, own_domid() ? GFN : 0, 0,
		       transport_ring_port(c->ring)) + 1;
	assert_int_equal(call(c->socket, XS_INTRODUCE, body, len, reply), XS_INTRODUCE);
	len = snprintf(body, sizeof(body), "/local/domain/%u", own_domid()) + 1;
	call(c->socket, XS_RM, body, len, reply);
	assert_int_equal(call(c->socket, XS_MKDIR, body, len, reply), XS_MKDIR);
	len += snprintf(body + len, sizeof(body) - len, "n%u", own_domid()) + 1;
	assert_int_equal(call(c->socket, XS_SET_PERMS, body, len, reply), XS_SET_PERMS);
}

/* Writes and reads a key through the ring. */
static void use_ring(struct client *c)
{
	char reply[WIRE_PAYLOAD_MAX + 1];

	/* A relative path: below the domain's own directory. */
	assert_int_equal(call(c->ring, XS_WRITE, "a\0value", 7, reply), XS_WRITE);
	assert_int_equal(call(c->ring, XS_READ, "a", 2, reply), XS_READ);
	assert_string_equal(reply, "value");
}

static int setup_real(void **state)
{
	struct client *c = calloc(1, sizeof(*c));
	struct ring_params params = { .domid = own_domid(), .gfn = own_domid() ? GFN : 0 };

	assert_non_null(c);
	params.privileged = !own_domid();
	assert_int_equal(transport_socket_new(&c->socket, getenv("XENSTORED_PATH"), NULL), 0);
	assert_int_equal(c->socket->ops->connect(c->socket), 0);
	assert_int_equal(ring_new(&c->ring, &params, NULL), 0);
	introduce(c);
	*state = c;
	return 0;
}

static int setup_real_connected(void **state)
{
	struct client *c;
	int64_t start = now_ms();
	int err;

	setup_real(state);
	c = *state;
	while ((err = c->ring->ops->connect(c->ring)) == -EAGAIN && now_ms() - start < PATIENCE_MS)
		poll(NULL, 0, 1);
	assert_int_equal(err, 0);
	return 0;
}

static int teardown_real(void **state)
{
	struct client *c = *state;
	char body[16], reply[WIRE_PAYLOAD_MAX + 1];
	int len = snprintf(body, sizeof(body), "%u", own_domid()) + 1;

	/* Domain 0 cannot be released. */
	if (own_domid())
		call(c->socket, XS_RELEASE, body, len, reply);
	c->ring->ops->free(c->ring);
	c->socket->ops->free(c->socket);
	free(c);
	return 0;
}

static void real_call(void **state)
{
	struct client *c = *state;
	char reply[WIRE_PAYLOAD_MAX + 1], expected[32];

	snprintf(expected, sizeof(expected), "/local/domain/%u", own_domid());
	snprintf(reply, sizeof(reply), "%u", own_domid());
	assert_int_equal(call(c->ring, XS_GET_DOMAIN_PATH, reply, strlen(reply) + 1, reply),
			 XS_GET_DOMAIN_PATH);
	assert_string_equal(reply, expected);
	use_ring(c);
	assert_int_equal(c->ring->no_reconnect, server_is_c());
}

/*
 * Many requests in flight, reads of `size` bytes and writes of as many, so that both directions
 * stop in the middle of messages all the time.  Nothing but the transport's own signals moves it.
 */
static void traffic(struct client *c, size_t size, unsigned total)
{
	char *value = malloc(size), *msgs[2], reply[WIRE_PAYLOAD_MAX + 1];
	size_t lens[2], off = 0, used, i;
	unsigned sent = 0, done = 0;
	struct xsd_sockmsg hdr;
	struct iovec iov[64];
	ssize_t n;
	int k;

	for (i = 0; i < size; i++)
		value[i] = (char)('a' + i % 26);
	/* Message 0 reads what message 1 writes. */
	lens[0] = WIRE_HEADER_SIZE + 2;
	lens[1] = WIRE_HEADER_SIZE + 2 + size;
	for (i = 0; i < 2; i++) {
		msgs[i] = malloc(lens[i]);
		hdr = (struct xsd_sockmsg){ .type = i ? XS_WRITE : XS_READ, .req_id = i + 1,
					    .len = lens[i] - WIRE_HEADER_SIZE };
		memcpy(msgs[i], &hdr, WIRE_HEADER_SIZE);
		memcpy(msgs[i] + WIRE_HEADER_SIZE, "b", 2);
	}
	memcpy(msgs[1] + WIRE_HEADER_SIZE + 2, value, size);
	assert_int_equal(call(c->ring, XS_WRITE, msgs[1] + WIRE_HEADER_SIZE, 2 + size, reply),
			 XS_WRITE);
	c->in_len = 0;
	while (done < total) {
		/* As much as the limit allows, the rest of a started message first. */
		for (k = 0; k < 64 && sent + k < total &&
			    sent + k - done < c->ring->in_flight_max; k++)
			iov[k] = (struct iovec){ .iov_base = msgs[(sent + k) % 2],
						 .iov_len = lens[(sent + k) % 2] };
		if (k) {
			iov[0].iov_base = (char *)iov[0].iov_base + off;
			iov[0].iov_len -= off;
		}
		n = k ? c->ring->ops->send(c->ring, iov, k) : 0;
		assert_true(n >= 0);
		for (off += n; off && off >= lens[sent % 2]; sent++)
			off -= lens[sent % 2];
		n = c->ring->ops->recv(c->ring, c->in + c->in_len, sizeof(c->in) - c->in_len);
		assert_true(n >= 0);
		if (!n)
			client_sleep(c->ring, sent < total &&
					      (off || sent - done < c->ring->in_flight_max));
		c->in_len += n;
		for (used = 0; c->in_len - used >= WIRE_HEADER_SIZE; used += i, done++) {
			memcpy(&hdr, c->in + used, WIRE_HEADER_SIZE);
			assert_true(hdr.len <= WIRE_PAYLOAD_MAX);
			i = WIRE_HEADER_SIZE + hdr.len;
			if (c->in_len - used < i)
				break;
			/* Both servers answer in order. */
			assert_int_equal(hdr.req_id, done % 2 + 1);
			assert_int_equal(hdr.type, done % 2 ? XS_WRITE : XS_READ);
			if (hdr.type == XS_READ) {
				assert_int_equal(hdr.len, size);
				assert_memory_equal(c->in + used + WIRE_HEADER_SIZE, value, size);
			}
		}
		memmove(c->in, c->in + used, c->in_len - used);
		c->in_len -= used;
	}
	free(msgs[0]);
	free(msgs[1]);
	free(value);
}

static void real_traffic_small(void **state)
{
	traffic(*state, 10, getenv("XSFS_TEST_QUICK") ? 4000 : 100000);
}

static void real_traffic_large(void **state)
{
	traffic(*state, 1900, getenv("XSFS_TEST_QUICK") ? 1000 : 30000);
}

/* A ring that the server declares broken, or that is left in the middle of two messages. */
static void real_break_and_recover(void **state)
{
	struct client *c = *state;
	struct xsd_sockmsg hdr = { .type = XS_READ, .req_id = 1, .len = 100 };
	char reply[WIRE_PAYLOAD_MAX + 1];
	int64_t start = now_ms();
	ssize_t n;
	int err, len;

	use_ring(c);
	if (server_is_c()) {
		/* Too long a payload: C declares the ring dead. */
		hdr.len = WIRE_PAYLOAD_MAX + 1;
		assert_int_equal(send_one(c->ring, &hdr, sizeof(hdr)), sizeof(hdr));
		/* It need not signal that. */
		while (!(n = c->ring->ops->recv(c->ring, reply, sizeof(reply))) &&
		       now_ms() - start < PATIENCE_MS)
			poll(NULL, 0, 1);
		assert_int_equal(n, -EPROTO);
		c->ring->ops->disconnect(c->ring);
		assert_int_equal(c->ring->ops->connect(c->ring), -ENOTCONN);
		/* Domain 0 cannot be released. */
		if (!own_domid())
			return;
		len = snprintf(reply, sizeof(reply), "%u", own_domid()) + 1;
		assert_int_equal(call(c->socket, XS_RELEASE, reply, len, reply), XS_RELEASE);
		introduce(c);
	} else {
		/* Half a request, and half of a reply read. */
		assert_int_equal(send_one(c->ring, "\2\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0a", 18), 18);
		while (!(n = c->ring->ops->recv(c->ring, reply, 5)))
			client_sleep(c->ring, false);
		assert_int_equal(n, 5);
		assert_int_equal(send_one(c->ring, &hdr, sizeof(hdr)), sizeof(hdr));
		c->ring->ops->disconnect(c->ring);
	}
	while ((err = c->ring->ops->connect(c->ring)) == -EAGAIN && now_ms() - start < PATIENCE_MS)
		poll(NULL, 0, 1);
	assert_int_equal(err, 0);
	use_ring(c);
}

static int run_fake(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(two_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(ways_to_bind, setup, teardown),
		cmocka_unit_test_setup_teardown(no_such_page, setup, teardown),
		cmocka_unit_test_setup_teardown(domain_0, setup, teardown),
		cmocka_unit_test_setup_teardown(not_connected, setup, teardown),
		cmocka_unit_test_setup_teardown(send_signals_once, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(send_is_partial, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(recv_signals_when_full, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(sleep_and_wake_up, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(signal_before_sleep, setup_reconnection, teardown),
		cmocka_unit_test_setup_teardown(no_signal_before_sleep, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(server_reports_an_error, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(server_lies_about_indices, setup_connected,
						teardown),
		cmocka_unit_test_setup_teardown(a_server_that_offers_it_has_followed_one_that_did_not,
						setup_connected, teardown),
		cmocka_unit_test_setup_teardown(a_server_that_comes_later_replaces_none, setup_connected,
						teardown),
		cmocka_unit_test_setup_teardown(dead_until_introduced_again, setup_connected,
						teardown),
		cmocka_unit_test_setup_teardown(dead_when_first_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(insane_when_first_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(reconnects, setup_reconnection, teardown),
		cmocka_unit_test_setup_teardown(reconnection_is_not_offered_any_more,
						setup_reconnection, teardown),
		cmocka_unit_test_setup_teardown(used_ring_is_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(predecessor_was_reconnecting, setup, teardown),
		cmocka_unit_test_setup_teardown(server_is_awaited, setup, teardown),
		cmocka_unit_test_setup_teardown(port_in_the_page, setup, teardown),
		cmocka_unit_test_setup_teardown(predecessors_replies_are_thrown_away, setup,
						teardown),
		cmocka_unit_test_setup_teardown(predecessors_request_is_finished, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(predecessors_request_comes_first, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(whole_requests_are_not_finished, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(request_is_finished_before_introduction, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(others_have_used_the_ring, setup_connected, teardown),
		cmocka_unit_test_setup_teardown(sleeping_server_is_woken, setup, teardown),
		cmocka_unit_test_setup_teardown(replies_that_never_end, setup, teardown),
	};

	return cmocka_run_group_tests_name("transport_ring fake", tests, NULL, NULL);
}

static int run_own(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(own_is_found, setup_own, teardown),
		cmocka_unit_test_setup_teardown(own_is_said, setup_own, teardown),
		cmocka_unit_test_setup_teardown(own_ways, setup_own, teardown),
		cmocka_unit_test_setup_teardown(own_port_is_taken, setup_own, teardown),
		cmocka_unit_test_setup_teardown(own_is_the_kernels, setup_own, teardown),
		cmocka_unit_test_setup_teardown(own_is_not_found, setup_own, teardown),
		cmocka_unit_test_setup_teardown(own_is_polled, setup_own, teardown),
		cmocka_unit_test_setup_teardown(own_moves, setup_own, teardown),
		cmocka_unit_test_setup_teardown(own_moves_silently, setup_own, teardown),
		cmocka_unit_test_setup_teardown(own_moves_by_the_clock, setup_own, teardown),
		cmocka_unit_test_setup_teardown(own_port_is_gone, setup_own, teardown),
	};

	return cmocka_run_group_tests_name("transport_ring own", tests, NULL, NULL);
}

static int run_real(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(real_call, setup_real_connected, teardown_real),
		cmocka_unit_test_setup_teardown(real_traffic_small, setup_real_connected,
						teardown_real),
		cmocka_unit_test_setup_teardown(real_traffic_large, setup_real_connected,
						teardown_real),
		cmocka_unit_test_setup_teardown(real_break_and_recover, setup_real_connected,
						teardown_real),
	};

	return cmocka_run_group_tests_name("transport_ring real", tests, NULL, NULL);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "fake"))
		return run_fake();
	if (argc == 2 && !strcmp(argv[1], "own"))
		return run_own();
	if (argc == 2 && !strcmp(argv[1], "real"))
		return run_real();
	fprintf(stderr, "usage: unit_transport_ring fake|own|real (see t_ring_transport.sh)\n");
	return 2;
}
