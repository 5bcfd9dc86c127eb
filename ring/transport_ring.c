/* SPDX-License-Identifier: MIT */
/*
 * The transport over a page shared with the server and an event channel.
 * For chan.c, in a domain whose user space owns its xenstore ring.  Compiled WITH_XEN only.
 * send() on any thread, everything else on the I/O thread, as ring/transport.h says.
 *
 * Sleeping.  The port stays masked, so that a busy server's signals cost no interrupt, until
 * may_sleep() unmasks it, looks at the page again and lets the caller block.  What was signalled
 * meanwhile is pending and makes the descriptor readable at that moment: nothing is lost.
 *
 * Taking up a used ring.  A predecessor may have left stale replies, half a reply (it died while
 * it read one) or half a request (it died while it wrote one).  A server that offers reconnection
 * is asked for it, and all three are gone.  With any other, replies are thrown away until none
 * comes any more, which leaves the stream at a message boundary, because a server that has room
 * finishes what it began.  Half a request cannot be seen from here: the server swallows the start
 * of our first requests as its rest, and answers with an error or not at all.  Only the toolstack
 * (RELEASE and INTRODUCE) helps then.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>

#include "ring/page.h"
#include "ring/transport.h"
#include "ring/wire.h"

/*
 * C xenstored stops reading an unprivileged domain's ring at 20 outstanding requests, and counts
 * replies and events that wait for room; a privileged one's it always reads.
 */
#define IN_FLIGHT_MAX 16
#define IN_FLIGHT_MAX_PRIVILEGED 64

/* How long a used ring must have been silent to count as empty, and how long to wait for that. */
#define QUIET_NS (10 * 1000 * 1000LL)
#define QUIET_PATIENCE_NS (1000 * 1000 * 1000LL)

/* Domain 0's page, which is no guest frame that could be mapped by number. */
#define DOM0_PAGE "/proc/xen/xsd_kva"

/* Of the shared page, on every architecture that Xen runs on. */
#define XEN_PAGE_SIZE 4096

/* What connect() has to do. */
enum ring_state {
	RING_NEW,       /* never connected: the ring may have been used by somebody else */
	RING_QUIETING,  /* throwing away a predecessor's replies */
	RING_BROKEN,    /* was disconnected: the streams are in the middle of something */
	RING_RESETTING, /* the server was asked to reconnect */
	RING_CONNECTED,
};

struct transport_ring {
	struct transport transport; /* first: the two are cast to each other */
	struct logger *log;
	struct xenstore_domain_interface *page;
	xenforeignmemory_handle *fmem; /* NULL when the page was mapped from a file */
	xenevtchn_handle *xce;
	evtchn_port_t port;

	/* The I/O thread's, but `state` is read by send(), where nobody is while it changes. */
	enum ring_state state;
	bool masked;
	bool reconnection; /* the server offers XENSTORE_SERVER_FEATURE_RECONNECTION */
	int64_t quiet_since, quiet_start;
	size_t pos, fill; /* buf[pos] to buf[fill] is received and not yet given */
	XENSTORE_RING_IDX rsp_cons; /* as we left it in the page */
	char buf[XENSTORE_RING_SIZE];

	/* As we left it in the page; the sender's, of whom there is one at a time. */
	XENSTORE_RING_IDX req_prod;

	/* Something was sent or received since the server was last signalled. */
	atomic_bool unsignalled;
	atomic_bool notify_failed; /* and logged */
	atomic_uint_fast64_t wakeups_sent, wakeups_saved;
};

static struct transport_ring *to_ring(struct transport *t)
{
	return (struct transport_ring *)t;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void ring_notify(struct transport_ring *r)
{
	/* Before the signal: what is published after this store may have missed it. */
	atomic_store(&r->unsignalled, false);
	atomic_fetch_add_explicit(&r->wakeups_sent, 1, memory_order_relaxed);
	if (xenevtchn_notify(r->xce, r->port) < 0 && !atomic_exchange(&r->notify_failed, true))
		log_warning(r->log, "ring: cannot signal the server on port %u: errno %d",
			    (unsigned)r->port, errno);
}

/* Signals the server after progress was made, if `notify` says that it may be asleep. */
static void ring_progress(struct transport_ring *r, bool notify)
{
	if (notify) {
		ring_notify(r);
		return;
	}
	atomic_fetch_add_explicit(&r->wakeups_saved, 1, memory_order_relaxed);
	atomic_store(&r->unsignalled, true);
}

/* Logs what the server says is wrong with the ring.  Returns 0 or the errno for it. */
static int ring_error(struct transport_ring *r)
{
	uint32_t error = page_error(r->page);

	switch (error) {
	case XENSTORE_ERROR_NONE:
		return 0;
	case XENSTORE_ERROR_RINGIDX:
	case XENSTORE_ERROR_PROTO:
		return -EPROTO;
	default:
		return -EIO;
	}
}

/* Whether the server could have written these indices: at most a ring's worth is outstanding. */
static bool ring_is_sane(const struct xenstore_domain_interface *page)
{
	/* Acquire throughout: what is decided here comes before what is copied later. */
	uint32_t req_prod = __atomic_load_n(&page->req_prod, __ATOMIC_ACQUIRE);
	uint32_t req_cons = __atomic_load_n(&page->req_cons, __ATOMIC_ACQUIRE);
	uint32_t rsp_prod = __atomic_load_n(&page->rsp_prod, __ATOMIC_ACQUIRE);
	uint32_t rsp_cons = __atomic_load_n(&page->rsp_cons, __ATOMIC_ACQUIRE);

	return req_prod - req_cons <= XENSTORE_RING_SIZE &&
	       rsp_prod - rsp_cons <= XENSTORE_RING_SIZE;
}

/* Whether nobody has used the ring since the server cleared it. */
static bool ring_is_fresh(const struct xenstore_domain_interface *page)
{
	/* Acquire throughout: a server that clears the indices is done with the page before. */
	return !__atomic_load_n(&page->req_prod, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&page->req_cons, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&page->rsp_prod, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&page->rsp_cons, __ATOMIC_ACQUIRE);
}

/*
 * Whether an index of ours is not as we left it: the ring was cleared, because the domain was
 * introduced again, perhaps to another server.  What was on its way is lost then, and so are
 * watches and transactions.
 */
static bool index_is_foreign(const XENSTORE_RING_IDX *shared, XENSTORE_RING_IDX ours)
{
	/* No order needed: it is never more than a reason to connect again. */
	return __atomic_load_n(shared, __ATOMIC_RELAXED) != ours;
}

static int ring_connected(struct transport_ring *r)
{
	/* No order needed: these two are ours, and nobody uses the ring now. */
	r->req_prod = __atomic_load_n(&r->page->req_prod, __ATOMIC_RELAXED);
	r->rsp_cons = __atomic_load_n(&r->page->rsp_cons, __ATOMIC_RELAXED);
	/*
	 * C xenstored clears the indices when the domain is introduced again, but leaves the error
	 * of the connection before.  Ours to clear: the server only ever writes it.
	 */
	__atomic_store_n(&r->page->error, XENSTORE_ERROR_NONE, __ATOMIC_RELAXED);
	r->state = RING_CONNECTED;
	return 0;
}

/* Asks the server to clear the ring and forget our watches and transactions. */
static int ring_reset(struct transport_ring *r)
{
	/* Seq_cst: after everything that was done to the rings, before the signal. */
	__atomic_store_n(&r->page->connection, XENSTORE_RECONNECT, __ATOMIC_SEQ_CST);
	r->state = RING_RESETTING;
	ring_notify(r);
	return -EAGAIN;
}

/* A step of the wait for the server's answer to ring_reset(). */
static int ring_resetting(struct transport_ring *r)
{
	/* Acquire: the server clears the indices before it says that it is connected. */
	if (__atomic_load_n(&r->page->connection, __ATOMIC_ACQUIRE) != XENSTORE_CONNECTED) {
		/* Again: it may not have been there the last time. */
		ring_notify(r);
		return -EAGAIN;
	}
	if (!ring_is_fresh(r->page))
		return ring_reset(r);
	return ring_connected(r);
}

/* Throws away a predecessor's replies.  Returns 0 when none has come for a while. */
static int ring_quiet(struct transport_ring *r)
{
	char buf[XENSTORE_RING_SIZE];
	bool notify = false;
	int64_t now = now_ns();
	ssize_t n;

	if (r->state == RING_NEW) {
		r->state = RING_QUIETING;
		r->quiet_start = r->quiet_since = now;
		/* A predecessor that died between publishing and signalling left it asleep. */
		notify = true;
	}
	n = page_recv(r->page, buf, sizeof(buf), &notify);
	if (n > 0) {
		log_debug(r->log, "ring: threw away %zd bytes of a predecessor's replies", n);
		r->quiet_since = now;
		notify = true;
	}
	if (notify)
		ring_notify(r);
	if (now - r->quiet_since >= QUIET_NS)
		return ring_connected(r);
	if (now - r->quiet_start < QUIET_PATIENCE_NS)
		return -EAGAIN;
	log_warning(r->log, "ring: replies to a predecessor do not end; starting in their middle");
	return ring_connected(r);
}

static int ring_connect(struct transport *t)
{
	struct transport_ring *r = to_ring(t);
	bool sane = ring_is_sane(r->page), fresh = ring_is_fresh(r->page);
	int error = ring_error(r);

	/* A server says what it can do when it takes the ring up, so perhaps later than new(). */
	r->reconnection = __atomic_load_n(&r->page->server_features, __ATOMIC_RELAXED) &
			  XENSTORE_SERVER_FEATURE_RECONNECTION;
	t->no_reconnect = !r->reconnection;

	if (r->state == RING_CONNECTED)
		return -EISCONN;
	if (r->reconnection) {
		/* A predecessor's request to reconnect is as good as ours. */
		if (__atomic_load_n(&r->page->connection, __ATOMIC_ACQUIRE) != XENSTORE_CONNECTED)
			r->state = RING_RESETTING;
		if (r->state == RING_RESETTING)
			return ring_resetting(r);
	} else if (r->state == RING_RESETTING) {
		/* Another server took the ring over, and it will never answer. */
		r->state = RING_BROKEN;
	}
	if (fresh)
		return ring_connected(r);
	if (r->reconnection)
		return ring_reset(r);
	if (error || !sane || r->state == RING_BROKEN) {
		if (r->state != RING_BROKEN)
			log_warning(r->log, "ring: dead (error %u) until RELEASE and INTRODUCE",
				    (unsigned)page_error(r->page));
		r->state = RING_BROKEN;
		return -ENOTCONN;
	}
	return ring_quiet(r);
}

static void ring_disconnect(struct transport *t)
{
	struct transport_ring *r = to_ring(t);

	/* Nothing of it can be withdrawn: what is half sent or half received stays so. */
	if (r->state == RING_CONNECTED)
		r->state = RING_BROKEN;
	r->pos = r->fill = 0;
}

static ssize_t ring_send(struct transport *t, const struct iovec *iov, int iovcnt)
{
	struct transport_ring *r = to_ring(t);
	bool notify = false;
	ssize_t n, sent = 0;
	int i, err;

	if (r->state != RING_CONNECTED)
		return -ENOTCONN;
	err = ring_error(r);
	if (err)
		return err;
	if (index_is_foreign(&r->page->req_prod, r->req_prod))
		return -ECONNRESET;
	for (i = 0; i < iovcnt; i++) {
		n = page_send(r->page, iov[i].iov_base, iov[i].iov_len, &notify);
		if (n < 0) {
			log_error(r->log, "ring: the server's request index makes no sense");
			return n;
		}
		sent += n;
		r->req_prod += n;
		if ((size_t)n < iov[i].iov_len)
			break;
	}
	if (sent)
		ring_progress(r, notify);
	return sent;
}

/*
 * Empties the ring into the buffer, all at once: the server would be let out of a full ring for the
 * sixteen bytes of a header otherwise.  Returns what recv() does.
 */
static ssize_t ring_fill(struct transport_ring *r)
{
	bool notify = false;
	ssize_t n = page_recv(r->page, r->buf, sizeof(r->buf), &notify);

	if (n <= 0)
		return n;
	r->rsp_cons += n;
	r->pos = 0;
	r->fill = n;
	ring_progress(r, notify);
	return n;
}

static ssize_t ring_recv(struct transport *t, void *buf, size_t len)
{
	struct transport_ring *r = to_ring(t);
	ssize_t n;
	int err;

	if (r->state != RING_CONNECTED)
		return -ENOTCONN;
	if (r->pos == r->fill && index_is_foreign(&r->page->rsp_cons, r->rsp_cons))
		return -ECONNRESET;
	n = r->pos < r->fill ? 1 : ring_fill(r);
	if (n > 0) {
		if (len > r->fill - r->pos)
			len = r->fill - r->pos;
		memcpy(buf, r->buf + r->pos, len);
		r->pos += len;
		return len;
	}
	/* After the replies: those that came before the error are good. */
	err = ring_error(r);
	if (err)
		log_error(r->log, "ring: the server gave up, error %u",
			  (unsigned)page_error(r->page));
	else if (n < 0)
		log_error(r->log, "ring: the server's response index makes no sense");
	return err ? err : n;
}

static bool ring_may_sleep(struct transport *t, bool want_send)
{
	struct transport_ring *r = to_ring(t);
	struct pollfd pfd = { .fd = xenevtchn_fd(r->xce), .events = POLLIN };
	xenevtchn_port_or_error_t port;

	if (r->state != RING_CONNECTED)
		return true;
	/*
	 * Cheap and first: most of the time a busy ring says no here.  The error counts, because
	 * the server need not signal it, and recv() is to report it.
	 */
	if (r->pos < r->fill || page_readable(r->page) ||
	    (want_send && page_writable(r->page)) || page_error(r->page) ||
	    index_is_foreign(&r->page->rsp_cons, r->rsp_cons))
		return false;
	/*
	 * oxenstored stops in front of a ring's end or when it has used up what a signal was worth,
	 * with work left and although the ring was neither empty nor full: the two rules of page.h
	 * do not wake it then (stalls of 18 s were seen).  One signal before the sleep does.
	 * C xenstored looks again by itself and is left alone.
	 */
	if (r->reconnection && atomic_load(&r->unsignalled))
		ring_notify(r);
	/* xenevtchn.h: poll before each xenevtchn_pending(), which might block otherwise. */
	if (!r->masked && poll(&pfd, 1, 0) > 0) {
		port = xenevtchn_pending(r->xce);
		if (port < 0 || (evtchn_port_t)port == r->port)
			r->masked = true;
	}
	if (r->masked) {
		r->masked = false;
		xenevtchn_unmask(r->xce, r->port);
	}
	/*
	 * The look after the unmasking.  That it sees what a server did which decided, by our
	 * published indices, not to signal is the full barrier of page.c between those and this.
	 * An event that came while masked was kept, and makes the descriptor readable now.
	 */
	return !(page_readable(r->page) || (want_send && page_writable(r->page)) ||
		 page_error(r->page));
}

static int ring_pollfds(struct transport *t, bool want_send, struct pollfd *fds)
{
	struct transport_ring *r = to_ring(t);

	/* Room and replies are signalled on the same port. */
	(void)want_send;
	if (r->state != RING_CONNECTED)
		return 0;
	fds[0] = (struct pollfd){ .fd = xenevtchn_fd(r->xce), .events = POLLIN };
	return 1;
}

static void ring_stats(struct transport *t,
		       void (*line)(void *arg, const char *name, uint64_t v), void *arg)
{
	struct transport_ring *r = to_ring(t);

	line(arg, "wakeups_sent", atomic_load_explicit(&r->wakeups_sent, memory_order_relaxed));
	line(arg, "wakeups_saved", atomic_load_explicit(&r->wakeups_saved, memory_order_relaxed));
}

static void ring_free(struct transport *t)
{
	struct transport_ring *r = to_ring(t);

	if (!r)
		return;
	/* Closing the handle unbinds the port. */
	if (r->xce)
		xenevtchn_close(r->xce);
	if (r->page && r->fmem)
		xenforeignmemory_unmap(r->fmem, r->page, 1);
	else if (r->page)
		munmap(r->page, XEN_PAGE_SIZE);
	if (r->fmem)
		xenforeignmemory_close(r->fmem);
	free(r);
}

static const struct transport_ops ring_ops = {
	.name = "ring",
	.connect = ring_connect,
	.disconnect = ring_disconnect,
	.send = ring_send,
	.recv = ring_recv,
	.may_sleep = ring_may_sleep,
	.pollfds = ring_pollfds,
	.stats = ring_stats,
	.free = ring_free,
};

/* Maps domain 0's page from the file that stands for it.  Returns 0 or -errno. */
static int page_map_file(struct transport_ring *r)
{
	struct statfs fs;
	void *page;
	int fd, err = 0;

	fd = open(DOM0_PAGE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* The kernel's own file shows the ring that the kernel's own driver uses. */
	if (fstatfs(fd, &fs) < 0)
		err = -errno;
	else if ((unsigned long)fs.f_type == XENFS_SUPER_MAGIC)
		err = -EBUSY;
	if (err)
		goto out;
	page = mmap(NULL, XEN_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		err = -errno;
	else
		r->page = page;
out:
	close(fd);
	return err;
}

/* Maps another frame.  Returns 0 or -errno. */
static int page_map_frame(struct transport_ring *r, uint32_t domid, xen_pfn_t gfn)
{
	r->fmem = xenforeignmemory_open(NULL, 0);
	if (!r->fmem)
		return -errno;
	/* No array for errors: one page is mapped, or nothing. */
	r->page = xenforeignmemory_map(r->fmem, domid, PROT_READ | PROT_WRITE, 1, &gfn, NULL);
	return r->page ? 0 : -errno;
}

/* Opens the event channel driver and binds the port.  Returns 0 or -errno. */
static int port_bind(struct transport_ring *r, const struct ring_params *params)
{
	bool interdomain = params->events == RING_EVENTS_INTERDOMAIN ||
			   (params->events == RING_EVENTS_AUTO && params->port);
	xenevtchn_port_or_error_t port;

	r->xce = xenevtchn_open(NULL, 0);
	if (!r->xce)
		return -errno;
	if (interdomain)
		port = xenevtchn_bind_interdomain(r->xce, params->server_domid, params->port);
	else
		port = xenevtchn_bind_unbound_port(r->xce, params->server_domid);
	if (port < 0)
		return -errno;
	r->port = port;
	return 0;
}

int transport_ring_new(struct transport **out, const struct ring_params *params,
		       struct logger *log)
{
	struct transport_ring *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->transport.ops = &ring_ops;
	r->transport.payload_max = WIRE_PAYLOAD_MAX;
	r->transport.in_flight_max = params->privileged ? IN_FLIGHT_MAX_PRIVILEGED : IN_FLIGHT_MAX;
	/* Until connect() has seen the server's features. */
	r->transport.no_reconnect = true;
	r->log = log;
	if (!params->domid && !params->gfn)
		err = page_map_file(r);
	else
		err = page_map_frame(r, params->domid, params->gfn);
	if (err) {
		log_error(log, "ring: cannot map frame %#llx of domain %u: errno %d",
			  (unsigned long long)params->gfn, (unsigned)params->domid, -err);
		goto fail;
	}
	err = port_bind(r, params);
	if (err) {
		log_error(log, "ring: cannot bind an event channel to domain %u, port %u: errno %d",
			  (unsigned)params->server_domid, (unsigned)params->port, -err);
		goto fail;
	}
	*out = &r->transport;
	return 0;
fail:
	ring_free(&r->transport);
	return err;
}

uint32_t transport_ring_port(const struct transport *t)
{
	return ((const struct transport_ring *)t)->port;
}
