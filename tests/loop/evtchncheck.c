/* SPDX-License-Identifier: MIT */
/*
 * evtchncheck.c - the promises of libxenevtchn, put to the library that is preloaded.
 *
 * For t_loop.sh, which runs it as domain 0 in a loopback world without a server; one thread and
 * some children.  It stops at the first broken promise, with exit status 1.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xen/xen.h>

#define TIMEOUT_MS	10000
#define MANY		100000

#define CHECK(cond) do {							\
	if (!(cond)) {								\
		fprintf(stderr, "evtchncheck: line %d: %s (errno: %s)\n", __LINE__,	\
			#cond, strerror(errno));				\
		exit(1);							\
	}									\
} while (0)
#define CHECK_FAILS(call, err) do {						\
	errno = 0;								\
	CHECK((call) == -1 && errno == (err));					\
} while (0)

static xenevtchn_handle *handle_open(void)
{
	xenevtchn_handle *xce = xenevtchn_open(NULL, 0);

	CHECK(xce);
	return xce;
}

static bool is_readable(int fd, int timeout)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, timeout) == 1;
}

static bool has_event(xenevtchn_handle *xce)
{
	return is_readable(xenevtchn_fd(xce), 0);
}

/* Takes the one event that must be there, and leaves its port masked. */
static void event_take(xenevtchn_handle *xce, int port)
{
	CHECK(is_readable(xenevtchn_fd(xce), TIMEOUT_MS));
	CHECK(xenevtchn_pending(xce) == port);
}

/* A connected pair; the event that the binding raises is consumed. */
static void pair_open(xenevtchn_handle *xce[2], int port[2])
{
	xce[0] = handle_open();
	xce[1] = handle_open();
	CHECK((port[0] = xenevtchn_bind_unbound_port(xce[0], 0)) > 0);
	CHECK((port[1] = xenevtchn_bind_interdomain(xce[1], 0, port[0])) > 0);
	CHECK(!has_event(xce[0]));
	event_take(xce[1], port[1]);
	CHECK(!has_event(xce[1]));
	CHECK(xenevtchn_unmask(xce[1], port[1]) == 0);
	CHECK(!has_event(xce[1]));
}

static void pair_close(xenevtchn_handle *xce[2])
{
	CHECK(xenevtchn_close(xce[0]) == 0);
	CHECK(xenevtchn_close(xce[1]) == 0);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The write system calls of this process so far; -1 where the kernel does not count them. */
static long writes_count(void)
{
	FILE *file = fopen("/proc/self/io", "r");
	char line[64];
	long n = -1;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "syscw: %ld", &n);
	if (file)
		fclose(file);
	return n;
}

static void check_masking(void)
{
	xenevtchn_handle *xce[2];
	int port[2];
	long writes;

	pair_open(xce, port);
	CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
	CHECK(!has_event(xce[0]));
	event_take(xce[1], port[1]);
	/* Masked: raised again, remembered once, not shown before the unmask. */
	CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
	CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
	CHECK(!has_event(xce[1]));
	CHECK(xenevtchn_unmask(xce[1], port[1]) == 0);
	event_take(xce[1], port[1]);
	CHECK(!has_event(xce[1]));
	CHECK(xenevtchn_unmask(xce[1], port[1]) == 0);
	CHECK(!has_event(xce[1]));
	/* Unmasking twice does not invent events, nor lose the next one. */
	CHECK(xenevtchn_unmask(xce[1], port[1]) == 0);
	CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
	CHECK(xenevtchn_unmask(xce[1], port[1]) == 0);
	event_take(xce[1], port[1]);
	CHECK(!has_event(xce[1]));
	CHECK(xenevtchn_unmask(xce[1], port[1]) == 0);
	/* One event however often it is raised, and no system call for the others. */
	CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
	writes = writes_count();
	for (int i = 0; i < MANY; i++)
		CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
	CHECK(writes_count() - writes < MANY / 100);
	event_take(xce[1], port[1]);
	CHECK(xenevtchn_unmask(xce[1], port[1]) == 0);
	CHECK(!has_event(xce[1]));
	pair_close(xce);
}

static void check_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	xenevtchn_handle *xce[2];
	int port[2], epoll = epoll_create1(EPOLL_CLOEXEC);

	pair_open(xce, port);
	CHECK(epoll >= 0);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, xenevtchn_fd(xce[1]), &ev) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(epoll_wait(epoll, &ev, 1, 0) == 0);
		CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
		CHECK(epoll_wait(epoll, &ev, 1, TIMEOUT_MS) == 1);
		event_take(xce[1], port[1]);
		CHECK(xenevtchn_unmask(xce[1], port[1]) == 0);
	}
	close(epoll);
	pair_close(xce);
}

static void check_errors(void)
{
	xenevtchn_handle *xce[2], *other = handle_open();
	int port[2], reserved, unbound, virq;

	pair_open(xce, port);
	CHECK_FAILS(xenevtchn_bind_interdomain(other, 0, 0), EINVAL);
	CHECK_FAILS(xenevtchn_bind_interdomain(other, 0, 1u << 30), EINVAL);
	CHECK_FAILS(xenevtchn_bind_interdomain(other, 0, port[0]), EINVAL);
	CHECK((reserved = xenevtchn_bind_unbound_port(xce[0], 9)) > 0);
	CHECK_FAILS(xenevtchn_bind_interdomain(other, 0, reserved), EINVAL);
	CHECK((unbound = xenevtchn_bind_unbound_port(xce[0], 0)) > 0);
	CHECK_FAILS(xenevtchn_bind_interdomain(other, 9, unbound), EINVAL);
	CHECK(xenevtchn_notify(xce[0], reserved) == 0);
	CHECK_FAILS(xenevtchn_notify(other, port[0]), ENOTCONN);
	CHECK_FAILS(xenevtchn_unbind(other, port[0]), ENOTCONN);
	CHECK(xenevtchn_unmask(other, port[0]) == 0);
	CHECK((virq = xenevtchn_bind_virq(xce[0], VIRQ_DOM_EXC)) > 0);
	CHECK_FAILS(xenevtchn_bind_virq(other, VIRQ_DOM_EXC), EEXIST);
	CHECK_FAILS(xenevtchn_notify(xce[0], virq), EINVAL);
	CHECK(xenevtchn_restrict(other, 9) == 0);
	CHECK_FAILS(xenevtchn_bind_unbound_port(other, 0), EACCES);
	CHECK_FAILS(xenevtchn_bind_virq(other, VIRQ_DOM_EXC), EACCES);
	CHECK(xenevtchn_bind_unbound_port(other, 9) > 0);
	CHECK(xenevtchn_close(other) == 0);
	pair_close(xce);
}

static void check_unbind(void)
{
	xenevtchn_handle *xce[2];
	int port[2];

	pair_open(xce, port);
	CHECK(xenevtchn_unbind(xce[1], port[1]) == 0);
	CHECK_FAILS(xenevtchn_unbind(xce[1], port[1]), ENOTCONN);
	CHECK_FAILS(xenevtchn_notify(xce[1], port[1]), ENOTCONN);
	/* The other end waits for a peer again. */
	CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
	CHECK((port[1] = xenevtchn_bind_interdomain(xce[1], 0, port[0])) > 0);
	event_take(xce[1], port[1]);
	CHECK(xenevtchn_notify(xce[1], port[1]) == 0);
	event_take(xce[0], port[0]);
	pair_close(xce);
}

static pid_t child_start(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	return pid;
}

static void child_wait(pid_t pid, int signal)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(signal ? WIFSIGNALED(status) && WTERMSIG(status) == signal
		     : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void check_peer_death(void)
{
	xenevtchn_handle *xce = handle_open();
	int port = xenevtchn_bind_unbound_port(xce, 0);

	CHECK(port > 0);
	for (int i = 0; i < 20; i++) {
		pid_t pid = child_start();

		if (pid == 0) {
			xenevtchn_handle *mine = handle_open();
			int local;

			/* The inherited copy goes, the parent's stays. */
			CHECK(xenevtchn_close(xce) == 0);
			CHECK((local = xenevtchn_bind_interdomain(mine, 0, port)) > 0);
			CHECK(xenevtchn_bind_virq(mine, VIRQ_DOM_EXC) > 0);
			event_take(mine, local);
			CHECK(xenevtchn_unmask(mine, local) == 0);
			CHECK(xenevtchn_notify(mine, local) == 0);
			raise(SIGKILL);
		}
		child_wait(pid, SIGKILL);
		event_take(xce, port);
		CHECK(xenevtchn_unmask(xce, port) == 0);
		/* To a dead reader, twice: neither a signal nor an error. */
		CHECK(xenevtchn_notify(xce, port) == 0);
		CHECK(xenevtchn_notify(xce, port) == 0);
	}
	CHECK(xenevtchn_close(xce) == 0);
}

static void check_exec_descriptor(void)
{
	xenevtchn_handle *xce[2], *again;
	int port[2], fd;

	pair_open(xce, port);
	CHECK((fd = dup(xenevtchn_fd(xce[1]))) >= 0);
	CHECK(xenevtchn_close(xce[1]) == 0);
	/* What a server does that replaces itself: the descriptor kept the ports. */
	CHECK((again = xenevtchn_fdopen(NULL, fd, 0)));
	CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
	event_take(again, port[1]);
	CHECK(!xenevtchn_fdopen(NULL, STDIN_FILENO, 0) && errno == EINVAL);
	CHECK(xenevtchn_close(again) == 0);
	CHECK((again = handle_open()));
	CHECK(xenevtchn_bind_interdomain(again, 0, port[0]) > 0);
	CHECK(xenevtchn_close(again) == 0);
	CHECK(xenevtchn_close(xce[0]) == 0);
}

/* More bindings than the descriptor can hold numbers, and none of them looked at. */
static void check_no_overflow(void)
{
	xenevtchn_handle *xce[2];
	int port[2], other, got = 0;

	pair_open(xce, port);
	CHECK((other = xenevtchn_bind_unbound_port(xce[0], 0)) > 0);
	for (int i = 0; i < 40000; i++) {
		int local = xenevtchn_bind_interdomain(xce[1], 0, other);

		CHECK(local > 0 && local != port[1]);
		if (i == 20000)
			CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
		CHECK(xenevtchn_unbind(xce[1], local) == 0);
	}
	while (has_event(xce[1])) {
		int number = xenevtchn_pending(xce[1]);

		CHECK(number > 0);
		got += number == port[1];
		CHECK(xenevtchn_unmask(xce[1], number) == 0);
	}
	CHECK(got == 1);
	CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
	event_take(xce[1], port[1]);
	pair_close(xce);
}

/* Sleeps until *counter is above *seen; never looks at the clock but to give up. */
static uint32_t counter_wait(xenevtchn_handle *xce, int port, uint32_t *counter, uint32_t seen)
{
	uint32_t now;

	while ((now = __atomic_load_n(counter, __ATOMIC_ACQUIRE)) == seen) {
		event_take(xce, port);
		CHECK(xenevtchn_unmask(xce, port) == 0);
	}
	return now;
}

/*
 * Two processes that raise each other: *burst* increments at a time, one notify each, answered
 * by one.  A single lost event stops it.
 */
static void check_nothing_lost(unsigned int rounds, unsigned int burst)
{
	xenevtchn_handle *xce = handle_open();
	int port = xenevtchn_bind_unbound_port(xce, 0);
	uint32_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);
	uint32_t *there = page, *back = page + 512;
	int64_t start;
	pid_t pid;

	CHECK(port > 0 && page != MAP_FAILED);
	pid = child_start();
	if (pid == 0) {
		xenevtchn_handle *mine = handle_open();
		int local = xenevtchn_bind_interdomain(mine, 0, port);
		uint32_t seen = 0;

		CHECK(local > 0);
		while (seen < rounds * burst) {
			seen = counter_wait(mine, local, there, seen);
			__atomic_store_n(back, seen, __ATOMIC_RELEASE);
			CHECK(xenevtchn_notify(mine, local) == 0);
		}
		_exit(0);
	}
	start = now_ns();
	for (uint32_t i = 0, seen = 0; i < rounds; i++) {
		for (unsigned int j = 0; j < burst; j++) {
			__atomic_store_n(there, i * burst + j + 1, __ATOMIC_RELEASE);
			CHECK(xenevtchn_notify(xce, port) == 0);
		}
		while (seen != (i + 1) * burst)
			seen = counter_wait(xce, port, back, seen);
	}
	if (burst == 1)
		printf("event there and back between two sleeping processes: %.1f us\n",
		       (now_ns() - start) / 1000.0 / rounds);
	child_wait(pid, 0);
	munmap(page, 4096);
	CHECK(xenevtchn_close(xce) == 0);
}

static void check_memory(void)
{
	xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
	const xen_pfn_t gfns[2] = { 0, 0x77777 };
	char *pages;
	int err[2];

	CHECK(fmem);
	CHECK(!xenforeignmemory_map(fmem, 0, PROT_READ, 2, gfns, NULL) && errno == EINVAL);
	CHECK(!xenforeignmemory_map(fmem, 4711, PROT_READ, 1, gfns, NULL) && errno == ESRCH);
	CHECK((pages = xenforeignmemory_map(fmem, DOMID_SELF, PROT_READ, 2, gfns, err)));
	CHECK(err[0] == 0 && err[1] == -EINVAL && pages[0] == 0);
	CHECK(xenforeignmemory_unmap(fmem, pages, 2) == 0);
	CHECK(xenforeignmemory_restrict(fmem, 4711) == 0);
	CHECK(!xenforeignmemory_map(fmem, 0, PROT_READ, 1, gfns, NULL) && errno == EACCES);
	CHECK(xenforeignmemory_close(fmem) == 0);
}

static void measure(void)
{
	xenevtchn_handle *xce[2];
	int64_t start, pending, cycle;
	int port[2];

	pair_open(xce, port);
	start = now_ns();
	for (int i = 0; i < MANY; i++) {
		CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
		CHECK(xenevtchn_pending(xce[1]) == port[1]);
		CHECK(xenevtchn_unmask(xce[1], port[1]) == 0);
	}
	cycle = now_ns() - start;
	CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
	start = now_ns();
	for (int i = 0; i < MANY; i++)
		CHECK(xenevtchn_notify(xce[0], port[0]) == 0);
	pending = now_ns() - start;
	printf("notify of a pending port: %.0f ns; notify, pending, unmask: %.0f ns\n",
	       (double)pending / MANY, (double)cycle / MANY);
	pair_close(xce);
}

int main(void)
{
	check_masking();
	check_epoll();
	check_errors();
	check_unbind();
	check_peer_death();
	check_exec_descriptor();
	check_no_overflow();
	check_nothing_lost(50000, 1);
	check_nothing_lost(5000, 20);
	check_memory();
	measure();
	return 0;
}
