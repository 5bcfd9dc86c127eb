/* SPDX-License-Identifier: MIT */
/*
 * ringcat.c - a small ring client that knows nothing of the loopback world: only libxenevtchn,
 * libxenforeignmemory, the public headers and the server's socket.
 *
 * For t_loop.sh, which runs it against the real servers; one thread.  It says what it measured
 * on standard output, and on standard error what went wrong, with exit status 1.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xen/io/xs_wire.h>

#define IN_FLIGHT	16	/* xenstored stops reading an unprivileged ring at 20 */
#define SPIN_NS		50000
#define TIMEOUT_MS	10000
#define BIG_VALUE	1900	/* bytes: larger than the ring, within every quota */

static struct {
	xenevtchn_handle *xce;
	evtchn_port_t port;
	struct xenstore_domain_interface *page;
	bool spin;
	unsigned int wakeups;
} ring;

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list ap;

	fputs("ringcat: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ---- the ring ------------------------------------------------------------------------------ */

static void ring_notify(void)
{
	if (xenevtchn_notify(ring.xce, ring.port) < 0)
		die("notify: %s", strerror(errno));
}

/* Moves what fits; the number of bytes. */
static size_t ring_send(const void *data, size_t len)
{
	uint32_t cons = __atomic_load_n(&ring.page->req_cons, __ATOMIC_ACQUIRE);
	uint32_t prod = ring.page->req_prod;
	size_t i, n = XENSTORE_RING_SIZE - (prod - cons);

	if (prod - cons > XENSTORE_RING_SIZE)
		die("bad indices: req_prod %u, req_cons %u", prod, cons);
	if (n > len)
		n = len;
	for (i = 0; i < n; i++)
		ring.page->req[MASK_XENSTORE_IDX(prod + i)] = ((const char *)data)[i];
	__atomic_store_n(&ring.page->req_prod, prod + n, __ATOMIC_RELEASE);
	if (n)
		ring_notify();
	return n;
}

static size_t ring_receive(void *data, size_t len)
{
	uint32_t prod = __atomic_load_n(&ring.page->rsp_prod, __ATOMIC_ACQUIRE);
	uint32_t cons = ring.page->rsp_cons;
	size_t i, n = prod - cons;

	if (n > XENSTORE_RING_SIZE)
		die("bad indices: rsp_prod %u, rsp_cons %u", prod, cons);
	if (n > len)
		n = len;
	for (i = 0; i < n; i++)
		((char *)data)[i] = ring.page->rsp[MASK_XENSTORE_IDX(cons + i)];
	__atomic_store_n(&ring.page->rsp_cons, cons + n, __ATOMIC_RELEASE);
	if (n)
		ring_notify();
	return n;
}

/* Sleeps until the server has raised the event channel. */
static void ring_sleep(void)
{
	struct pollfd pfd = { .fd = xenevtchn_fd(ring.xce), .events = POLLIN };
	int port;

	if (poll(&pfd, 1, TIMEOUT_MS) <= 0)
		die("no event from the server in %d ms", TIMEOUT_MS);
	port = xenevtchn_pending(ring.xce);
	if (port < 0 || (evtchn_port_t)port != ring.port)
		die("pending: port %d, not %u: %s", port, ring.port, strerror(errno));
	/* Unmasked before the caller looks at the ring again, so nothing is missed. */
	if (xenevtchn_unmask(ring.xce, ring.port) < 0)
		die("unmask: %s", strerror(errno));
	ring.wakeups++;
}

static void receive_all(void *data, size_t len)
{
	while (len > 0) {
		int64_t until = ring.spin ? now_ns() + SPIN_NS : 0;
		size_t n;

		while ((n = ring_receive(data, len)) == 0 && until && now_ns() < until)
			sched_yield();
		if (n == 0)
			ring_sleep();
		data = (char *)data + n;
		len -= n;
	}
}

static void send_all(const void *data, size_t len)
{
	while (len > 0) {
		size_t n = ring_send(data, len);

		if (n == 0)
			ring_sleep();
		data = (const char *)data + n;
		len -= n;
	}
}

/* ---- requests ------------------------------------------------------------------------------ */

static void request_send(uint32_t type, uint32_t id, const char *data, size_t len)
{
	char buf[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
	struct xsd_sockmsg msg = { .type = type, .req_id = id, .len = len };

	memcpy(buf, &msg, sizeof(msg));
	memcpy(buf + sizeof(msg), data, len);
	send_all(buf, sizeof(msg) + len);
}

/* The reply's payload with a NUL behind it; its length. */
static size_t reply_receive(uint32_t *type, uint32_t id, char data[XENSTORE_PAYLOAD_MAX + 1])
{
	struct xsd_sockmsg msg;

	receive_all(&msg, sizeof(msg));
	if (msg.len > XENSTORE_PAYLOAD_MAX)
		die("reply of %u bytes", msg.len);
	receive_all(data, msg.len);
	data[msg.len] = '\0';
	if (msg.req_id != id)
		die("reply to %u, not to %u", msg.req_id, id);
	*type = msg.type;
	return msg.len;
}

static uint32_t next_id = 1000;

static uint32_t call(uint32_t type, const char *data, size_t len,
		     char reply[XENSTORE_PAYLOAD_MAX + 1], size_t *reply_len)
{
	uint32_t answer;

	request_send(type, next_id, data, len);
	*reply_len = reply_receive(&answer, next_id++, reply);
	return answer;
}

/* Writes a value and reads it back. */
static void check_value(const char *path, const char *value, size_t len)
{
	char data[XENSTORE_PAYLOAD_MAX], reply[XENSTORE_PAYLOAD_MAX + 1];
	size_t head = strlen(path) + 1, n;

	memcpy(data, path, head);
	memcpy(data + head, value, len);
	if (call(XS_WRITE, data, head + len, reply, &n) != XS_WRITE)
		die("write %s: %s", path, reply);
	if (call(XS_READ, path, head, reply, &n) != XS_READ)
		die("read %s: %s", path, reply);
	if (n != len || memcmp(reply, value, n) != 0)
		die("read %s: %zu bytes that are not the %zu written", path, n, len);
}

/* An unprivileged domain may not list the root. */
static void check_privilege(bool privileged)
{
	char reply[XENSTORE_PAYLOAD_MAX + 1];
	size_t n;
	uint32_t type = call(XS_DIRECTORY, "/", 2, reply, &n);

	if (privileged ? type != XS_DIRECTORY : type != XS_ERROR || strcmp(reply, "EACCES") != 0)
		die("listing / as a domain that is %sprivileged: type %u, %s",
		    privileged ? "" : "not ", type, reply);
}

/* Reads of *path* with at most *window* in flight; microseconds for one. */
static double check_reads(const char *path, const char *value, unsigned int count,
			  unsigned int window)
{
	char reply[XENSTORE_PAYLOAD_MAX + 1];
	unsigned int sent = 0, done = 0;
	int64_t start = now_ns();
	uint32_t type;

	while (done < count) {
		for (; sent < count && sent - done < window; sent++)
			request_send(XS_READ, next_id + sent, path, strlen(path) + 1);
		reply_receive(&type, next_id + done, reply);
		if (type != XS_READ || strcmp(reply, value) != 0)
			die("read %u of %u: type %u, %s", done, count, type, reply);
		done++;
	}
	next_id += count;
	return (now_ns() - start) / 1000.0 / count;
}

static void run(bool privileged, uint32_t domid, unsigned int count)
{
	char path[64], big[BIG_VALUE];
	double one, many, one_spin, many_spin;
	unsigned int wakeups;
	size_t i;

	for (i = 0; i < sizeof(big); i++)
		big[i] = i * 7;
	if (privileged)
		snprintf(path, sizeof(path), "/tool/ringcat/%u", domid);
	else
		snprintf(path, sizeof(path), "/local/domain/%u/data", domid);
	check_privilege(privileged);
	check_value(path, big, sizeof(big));
	check_value(path, "0123456789", 10);
	one = check_reads(path, "0123456789", count, 1);
	wakeups = ring.wakeups;
	many = check_reads(path, "0123456789", count, IN_FLIGHT);
	ring.spin = true;
	one_spin = check_reads(path, "0123456789", count, 1);
	many_spin = check_reads(path, "0123456789", count, IN_FLIGHT);
	check_value(path, big, sizeof(big));
	printf("read of 10 bytes, microseconds: one in flight %.1f sleeping, %.1f spinning; "
	       "%u in flight %.1f sleeping, %.1f spinning (%u wake-ups for %u single reads)\n",
	       one, one_spin, IN_FLIGHT, many, many_spin, wakeups, count);
}

/* ---- telling the server -------------------------------------------------------------------- */

static void introduce(uint32_t domid, unsigned long gfn)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = getenv("XENSTORED_PATH");
	char data[128], reply[XENSTORE_PAYLOAD_MAX + 1];
	struct xsd_sockmsg msg = { .type = XS_INTRODUCE, .req_id = 1 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!path || strlen(path) >= sizeof(sun.sun_path))
		die("XENSTORED_PATH is not set, or too long");
	strcpy(sun.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		die("%s: %s", path, strerror(errno));
	msg.len = snprintf(data, sizeof(data), "%u%c%lu%c%u", domid, 0, gfn, 0, ring.port) + 1;
	if (send(fd, &msg, sizeof(msg), 0) != sizeof(msg) || send(fd, data, msg.len, 0) < 0 ||
	    recv(fd, &msg, sizeof(msg), MSG_WAITALL) != sizeof(msg) ||
	    msg.len > XENSTORE_PAYLOAD_MAX || recv(fd, reply, msg.len, MSG_WAITALL) < 0)
		die("introduce: no answer");
	reply[msg.len] = '\0';
	if (msg.type != XS_INTRODUCE)
		die("introduce: %s", reply);
	close(fd);
}

/* Says on standard output which port the server is to bind and waits for a line. */
static void announce(void)
{
	char line[16];

	printf("%u\n", ring.port);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		die("nobody said that the server runs");
}

static void __attribute__((noreturn)) usage(void)
{
	die("usage: ringcat [-d DOMID] [-g GFN] [-n COUNT] [-p] introduce|announce...");
}

int main(int argc, char **argv)
{
	xenforeignmemory_handle *fmem;
	uint32_t domid = 0;
	unsigned int count = 1000;
	bool privileged = false;
	xen_pfn_t gfn = 0;
	int opt, rc;

	while ((opt = getopt(argc, argv, "d:g:n:p")) != -1) {
		if (opt == 'd')
			domid = strtoul(optarg, NULL, 10);
		else if (opt == 'g')
			gfn = strtoul(optarg, NULL, 10);
		else if (opt == 'n')
			count = strtoul(optarg, NULL, 10);
		else if (opt == 'p')
			privileged = true;
		else
			usage();
	}
	if (optind == argc)
		usage();
	ring.xce = xenevtchn_open(NULL, 0);
	fmem = xenforeignmemory_open(NULL, 0);
	if (!ring.xce || !fmem)
		die("no event channels or no foreign memory: %s", strerror(errno));
	ring.page = xenforeignmemory_map(fmem, domid, PROT_READ | PROT_WRITE, 1, &gfn, NULL);
	if (!ring.page)
		die("page %lu of domain %u: %s", (unsigned long)gfn, domid, strerror(errno));
	rc = xenevtchn_bind_unbound_port(ring.xce, 0);
	if (rc < 0)
		die("bind: %s", strerror(errno));
	ring.port = rc;
	/* Once for each word: the server may be another one by then, the port is the same. */
	for (; optind < argc; optind++) {
		if (strcmp(argv[optind], "introduce") == 0)
			introduce(domid, gfn);
		else if (strcmp(argv[optind], "announce") == 0)
			announce();
		else
			usage();
		run(privileged, domid, count);
		fflush(stdout);
	}
	xenforeignmemory_unmap(fmem, ring.page, 1);
	xenforeignmemory_close(fmem);
	xenevtchn_close(ring.xce);
	return 0;
}
