/* SPDX-License-Identifier: MIT */
/*
 * The transport over a page shared with the server and an event channel.
 * For chan.c, in a domain whose user space owns its xenstore ring.  Compiled WITH_XEN only.
 * send() on any thread, everything else on the I/O thread, as ring/transport.h says.
 * Where the ring is: xen_find.c; the page: xen_page.c; the event channel: xen_port.c.
 *
 * Sleeping.  may_sleep() arms the port, looks at the page again and lets the caller block.
 *
 * Taking up a used ring.  A predecessor may have left stale replies, half a reply (it died while it
 * read one) or half a request (it died while it wrote one).  A server that offers reconnection is
 * asked for it, and all three are gone.  With any other server, replies are thrown away until no
 * more arrive, which leaves the stream at a message boundary, because a server that has room
 * finishes the message that it began.  Half a request of another xsfs is finished, see unfinished.h;
 * then it has happened or not as a whole.  That of another client cannot be seen from here: the server
 * swallows the start of our first requests as its rest, and answers with an error or not at all.  Only
 * the toolstack (RELEASE and INTRODUCE) helps then.
 *
 * A ring without a server yet.  A domain that Xen itself starts at boot (dom0less) may run before
 * its store does.  Its page says "reconnect" until the server has taken the ring up, and nothing
 * may be put into it before that.
 *
 * Following the ring.  A domain that is restored or migrated gets another page, or that page
 * cleared, and another port.  The signs of that are a clock that was set, indices of ours that are
 * not as we left them, a signal that finds no port, or finally silence.  If we found the ring
 * ourselves we find it again whenever the connection is made anew; otherwise only the user knows
 * where it is now.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "ring/clock.h"
#include "ring/page.h"
#include "ring/spin.h"
#include "ring/transport.h"
#include "ring/unfinished.h"
#include "ring/wire.h"
#include "ring/xen_find.h"
#include "ring/xen_page.h"
#include "ring/xen_port.h"

/*
 * C xenstored stops reading an unprivileged domain's ring at 20 outstanding requests, and counts
 * replies and events that wait for room; a privileged one's it always reads.
 */
#define IN_FLIGHT_MAX 16
#define IN_FLIGHT_MAX_PRIVILEGED 64

/* How long a used ring must have been silent to count as empty, and how long to wait for that. */
#define QUIET_NS (50 * 1000 * 1000LL)
#define QUIET_PATIENCE_NS (1000 * 1000 * 1000LL)

/* The work left for connect(). */
enum ring_state {
	RING_NEW,       /* never connected: another program may have used the ring */
	RING_QUIETING,  /* throwing away a predecessor's replies */
	RING_BROKEN,    /* was disconnected: the streams may end in the middle of a message */
	RING_RESETTING, /* the server was asked to reconnect */
	RING_CONNECTED,
};

struct transport_ring {
	struct transport transport; /* first: the two are cast to each other */
	struct logger *log;
	struct ring_params params;
	struct xen_finder finder;
	int lock_fd;  /* -1: nothing could be locked */
	int clock_fd; /* readable when the clock was set, perhaps by a restore; -1: unused */

	/* The I/O thread's; send() uses them too, but never while they change. */
	struct xen_page map;
	struct xenstore_domain_interface *page; /* map.ring */
	struct xen_port port;
	enum ring_state state;

	/* The I/O thread's. */
	bool silence_logged;
	bool moved; /* the ring is known to be elsewhere now */
	bool reconnection; /* the server offers XENSTORE_SERVER_FEATURE_RECONNECTION */
	bool plain; /* ... or one that has answered on this connection did not */
	int64_t quiet_since, quiet_start;
	const char *rest; /* `rest_len` bytes of a predecessor's request; NULL: there was none */
	size_t rest_len;
	size_t pos, fill; /* buf[pos] to buf[fill] is received and not yet given */
	XENSTORE_RING_IDX rsp_cons; /* its value as we left it in the page */
	char buf[XENSTORE_RING_SIZE];

	struct glance for_replies;

	/* Owned by the sender, of whom there is one at a time. */
	XENSTORE_RING_IDX req_prod; /* its value as we left it in the page */
	struct unfinished *unfinished; /* NULL: there is no place for it */
	bool cut; /* the last message is in the ring in part only */
	struct glance for_room;

	/* Something was sent or received since the server was last signalled. */
	atomic_bool unsignalled;
	atomic_int notify_error; /* the last error on this connection, which was logged */
	atomic_uint_fast64_t wakeups_sent, wakeups_saved, moves;
	atomic_uint port_number; /* port.port, for statistics */
};

static struct transport_ring *to_ring(struct transport *t)
{
	return (struct transport_ring *)t;
}

static void ring_notify(struct transport_ring *r)
{
	int err;

	/* Before the signal, because something published after this store may have
	 * missed the signal. */
	atomic_store(&r->unsignalled, false);
	atomic_fetch_add_explicit(&r->wakeups_sent, 1, memory_order_relaxed);
	err = xen_port_notify(&r->port);
	if (err && !atomic_exchange(&r->notify_error, err))
		log_warning(r->log, "ring: cannot signal the server on port %u: %s",
			    (unsigned)r->port.port, strerror(-err));
}

/* Signals the server after progress was made, if `notify` says that it may be asleep. */
static void ring_progress(struct transport_ring *r, bool notify)
{
	xen_port_moved(&r->port);
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

/* Returns whether the server could have written these indices: at most a ring's
 * worth is outstanding. */
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

/* Returns whether nobody has used the ring since the server cleared it. */
static bool ring_is_fresh(const struct xenstore_domain_interface *page)
{
	/* Acquire throughout: a server that clears the indices is done with the page before. */
	return !__atomic_load_n(&page->req_prod, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&page->req_cons, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&page->rsp_prod, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&page->rsp_cons, __ATOMIC_ACQUIRE);
}

/*
 * Returns whether an index of ours is not as we left it: the ring was cleared, because the domain
 * was introduced again, perhaps to another server.  Everything under way is lost then, and so are
 * watches and transactions.
 */
static bool index_is_foreign(const XENSTORE_RING_IDX *shared, XENSTORE_RING_IDX ours)
{
	/* No order needed: it is never more than a reason to connect again. */
	return __atomic_load_n(shared, __ATOMIC_RELAXED) != ours;
}

/* Returns whether the server offers to begin anew when it is asked. */
static bool offers_reconnection(const struct transport_ring *r)
{
	return __atomic_load_n(&r->page->server_features, __ATOMIC_RELAXED) & XENSTORE_SERVER_FEATURE_RECONNECTION;
}

static int ring_connected(struct transport_ring *r)
{
	/* No order needed: these two are ours, and nobody uses the ring now. */
	r->req_prod = __atomic_load_n(&r->page->req_prod, __ATOMIC_RELAXED);
	r->rsp_cons = __atomic_load_n(&r->page->rsp_cons, __ATOMIC_RELAXED);
	r->cut = false;
	r->rest = NULL;
	r->rest_len = 0;
	unfinished_forget(r->unfinished);
	/*
	 * C xenstored clears the indices when the domain is introduced again, but not the error of
	 * the previous connection.  We may clear it, because the server only ever writes it.
	 */
	__atomic_store_n(&r->page->error, XENSTORE_ERROR_NONE, __ATOMIC_RELAXED);
	r->state = RING_CONNECTED;
	r->silence_logged = r->moved = r->plain = false;
	atomic_store(&r->notify_error, 0);
	xen_port_moved(&r->port);
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
		/* Once more, because the server may not have been there the last time. */
		ring_notify(r);
		return -EAGAIN;
	}
	if (!ring_is_fresh(r->page))
		return ring_reset(r);
	return ring_connected(r);
}

/* Returns whether the domain was started before its server, which has not taken the ring up yet. */
static bool ring_awaits_server(const struct transport_ring *r)
{
	/* Once this ring was ours, the word is what ring_reset() wrote.  Acquire, as above. */
	return r->state == RING_NEW && !r->reconnection &&
	       __atomic_load_n(&r->page->connection, __ATOMIC_ACQUIRE) != XENSTORE_CONNECTED;
}

/* Looks for a predecessor's request to finish. */
static void ring_find_rest(struct transport_ring *r)
{
	if (r->rest)
		return;
	r->rest_len = unfinished_rest(r->unfinished, r->page, &r->rest);
	if (r->rest_len)
		log_info(r->log, "ring: the previous xsfs ended while it sent a request; sending the rest, %zu of its bytes",
			 r->rest_len);
}

/* Sends what there is room for of a predecessor's request.  Returns whether that was something. */
static bool ring_finish(struct transport_ring *r)
{
	bool notify = false;
	ssize_t n = r->rest_len ? page_send(r->page, r->rest, r->rest_len, &notify) : 0;

	if (n <= 0)
		return false;
	r->rest += n;
	r->rest_len -= n;
	return true;
}

/* Finishes a predecessor's request, and throws away its replies.  Returns 0 when none has arrived for a while. */
static int ring_quiet(struct transport_ring *r)
{
	char buf[XENSTORE_RING_SIZE];
	bool notify = false;
	int64_t now = (int64_t)clock_now_ns(CLOCK_MONOTONIC);
	ssize_t n;

	if (r->state == RING_NEW) {
		r->state = RING_QUIETING;
		ring_find_rest(r);
		r->quiet_start = r->quiet_since = now;
		/* A predecessor that died between publishing and signalling left
		 * the server asleep. */
		notify = true;
	}
	if (ring_finish(r)) {
		r->quiet_start = r->quiet_since = now;
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
	/* The server would take anything else for the rest. */
	if (r->rest_len)
		return -EAGAIN;
	if (now - r->quiet_since >= QUIET_NS)
		return ring_connected(r);
	if (now - r->quiet_start < QUIET_PATIENCE_NS)
		return -EAGAIN;
	log_warning(r->log, "ring: replies to a predecessor do not end; starting in their middle");
	return ring_connected(r);
}

/* Finds out where the ring is now, if possible; returns whether that differs from the
 * place that we use. */
static bool ring_is_elsewhere(struct transport_ring *r, struct xen_place *now)
{
	return r->params.find && xen_find_ring(&r->finder, now, NULL) == 0 &&
	       (now->gfn != r->params.gfn || now->port != r->params.port);
}

/* Maps the page and binds the port that `params` names.  Returns 0 or -errno. */
static int ring_attach(struct transport_ring *r)
{
	int err = xen_page_map(&r->map, r->params.domid, r->params.gfn, r->log);

	if (err) {
		log_error(r->log, "ring: cannot map frame %#llx of domain %u: %s",
			  (unsigned long long)r->params.gfn, (unsigned)r->params.domid,
			  strerror(-err));
		return err;
	}
	err = xen_port_bind(&r->port, &r->params, r->log);
	if (err) {
		xen_page_unmap(&r->map);
		return err;
	}
	r->page = r->map.ring;
	if (r->port.way == RING_EVENTS_UNBOUND)
		page_replace_port(r->page, r->port.port);
	atomic_store(&r->port_number, r->port.port);
	return 0;
}

/* Follows the ring if it has moved.  Returns 0, or -errno: there is no ring at all. */
static int ring_follow(struct transport_ring *r)
{
	struct xen_place now;
	int err;

	if (!ring_is_elsewhere(r, &now))
		return r->page ? 0 : -ENOTCONN;
	xen_port_close(&r->port);
	xen_page_unmap(&r->map);
	r->page = NULL;
	r->params.gfn = now.gfn;
	r->params.port = now.port;
	err = ring_attach(r);
	if (err) {
		/* So that it counts as moved the next time too. */
		r->params.gfn = 0;
		return err;
	}
	log_info(r->log, "ring: moved to frame %#llx, port %u (%s)",
		 (unsigned long long)now.gfn, (unsigned)r->port.port,
		 xen_port_way_name(r->port.way));
	if (r->port.way == RING_EVENTS_UNBOUND)
		log_warning(r->log, "ring: waiting for XS_INTRODUCE with port %u",
			    (unsigned)r->port.port);
	atomic_fetch_add_explicit(&r->moves, 1, memory_order_relaxed);
	r->state = RING_NEW;
	return 0;
}

static int ring_connect(struct transport *t)
{
	struct transport_ring *r = to_ring(t);
	bool sane, fresh;
	int error;

	if (r->state == RING_BROKEN || r->state == RING_RESETTING) {
		error = ring_follow(r);
		if (error)
			return error;
	}
	sane = ring_is_sane(r->page);
	fresh = ring_is_fresh(r->page);
	error = ring_error(r);
	/* A server publishes its features when it takes the ring up, which may be
	 * later than new(). */
	r->reconnection = offers_reconnection(r);
	t->no_reconnect = !r->reconnection;

	if (r->state == RING_CONNECTED)
		return -EISCONN;
	if (ring_awaits_server(r))
		return -EAGAIN;
	if (r->reconnection) {
		/* A predecessor's request to reconnect is as good as ours. */
		if (__atomic_load_n(&r->page->connection, __ATOMIC_ACQUIRE) != XENSTORE_CONNECTED)
			r->state = RING_RESETTING;
		if (r->state == RING_RESETTING)
			return ring_resetting(r);
	} else if (r->state == RING_RESETTING) {
		/* Another server has taken the ring over, and will never answer the request. */
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

	/* Nothing of it can be withdrawn: a half-sent or half-received message stays so. */
	if (r->state == RING_CONNECTED)
		r->state = RING_BROKEN;
	r->pos = r->fill = 0;
}

/*
 * Puts as much of a message into the ring as there is room for; what does not fit is noted first, for a successor.
 * Returns the same as page_send().
 */
static ssize_t message_send(struct transport_ring *r, const struct iovec *message, bool *notify)
{
	size_t len = message->iov_len, room = page_room(r->page);
	ssize_t n;

	if (room < len) {
		/* No more than that, even if the server makes room now. */
		len = room;
		if (len && !r->cut)
			unfinished_note(r->unfinished, r->req_prod, message->iov_base, message->iov_len);
		r->cut |= len > 0;
	}
	n = page_send(r->page, message->iov_base, len, notify);
	if (n > 0)
		r->req_prod += n;
	if (r->cut && n == (ssize_t)message->iov_len) {
		unfinished_forget(r->unfinished);
		r->cut = false;
	}
	return n;
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
	if (!err)
		err = atomic_load(&r->notify_error);
	if (err)
		return err;
	if (index_is_foreign(&r->page->req_prod, r->req_prod))
		return -ECONNRESET;
	for (i = 0; i < iovcnt; i++) {
		n = message_send(r, &iov[i], &notify);
		if (n < 0) {
			log_error(r->log, "ring: the server's request index makes no sense");
			return n;
		}
		sent += n;
		if ((size_t)n < iov[i].iov_len)
			break;
	}
	if (sent)
		ring_progress(r, notify);
	return sent;
}

/*
 * Empties the ring into the buffer in one go; otherwise the server would be released from a full
 * ring for the sixteen bytes of a header.  Returns the same as recv().
 */
static ssize_t ring_fill(struct transport_ring *r)
{
	bool notify = false;
	ssize_t n = page_recv(r->page, r->buf, sizeof(r->buf), &notify);

	if (n <= 0)
		return n;
	r->rsp_cons += n;
	r->plain |= !offers_reconnection(r);
	r->pos = 0;
	r->fill = n;
	ring_progress(r, notify);
	return n;
}

/*
 * Returns whether another server has taken the ring over: one that offers to begin anew, after one that did not.
 * It knows nothing of our watches.  A server may make its offer only after it has taken a ring up, but before it
 * answers.  Others cannot be told from their predecessors, and could not be asked to begin anew.
 */
static bool server_was_replaced(const struct transport_ring *r)
{
	return r->plain && offers_reconnection(r);
}

static ssize_t ring_recv(struct transport *t, void *buf, size_t len)
{
	struct transport_ring *r = to_ring(t);
	ssize_t n;
	int err;

	if (r->state != RING_CONNECTED)
		return -ENOTCONN;
	if (r->pos == r->fill && (r->moved || index_is_foreign(&r->page->rsp_cons, r->rsp_cons)))
		return -ECONNRESET;
	if (r->pos == r->fill && server_was_replaced(r)) {
		log_warning(r->log, "ring: another server has taken it over, and is asked to begin anew");
		return -ECONNRESET;
	}
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
	else
		err = atomic_load(&r->notify_error);
	return err ? err : n;
}

static bool has_replies(const void *page)
{
	return page_readable(page);
}

static bool has_room(const void *page)
{
	return page_writable(page);
}

/* A message larger than the ring crosses it in pieces, and the server, which is just copying, needs
 * a microsecond or two for the next one. */
static bool ring_linger(struct transport *t, bool want_send)
{
	struct transport_ring *r = to_ring(t);

	if (r->state != RING_CONNECTED)
		return false;
	return want_send ? glance_until(&r->for_room, has_room, r->page) :
			   glance_until(&r->for_replies, has_replies, r->page);
}

static int clock_arm(const struct transport_ring *r)
{
	/* Only its cancellation matters. */
	const struct itimerspec never = { .it_value.tv_sec = INT64_C(1) << 33 };

	return timerfd_settime(r->clock_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
			       NULL) < 0 ? -errno : 0;
}

/* Returns whether the clock was set since the last call, as happens when a domain
 * continues elsewhere. */
static bool clock_was_set(const struct transport_ring *r)
{
	uint64_t count;

	if (r->clock_fd < 0 || (read(r->clock_fd, &count, sizeof(count)) < 0 && errno == EAGAIN))
		return false;
	clock_arm(r);
	return true;
}

static bool ring_silent(struct transport *t)
{
	struct transport_ring *r = to_ring(t);
	struct xen_place now;

	if (r->reconnection) {
		log_warning(r->log, "ring: no answer for long: the server is asked to begin anew");
		return true;
	}
	if (ring_is_elsewhere(r, &now))
		return true;
	if (!r->silence_logged)
		log_warning(r->log, "ring: no answer for long.  Was the server restarted?  It has to "
				    "be told of this ring again.  Was this domain restored or "
				    "migrated?  Its page and port are others now: mount again");
	r->silence_logged = true;
	return false;
}

static bool ring_may_sleep(struct transport *t, bool want_send)
{
	struct transport_ring *r = to_ring(t);
	struct xen_place now;

	if (r->state != RING_CONNECTED)
		return true;
	/*
	 * The cheap check comes first: most of the time a busy ring says no here.  The error
	 * counts, because the server need not signal it, and recv() has to report it.
	 */
	if (r->pos < r->fill || page_readable(r->page) ||
	    (want_send && page_writable(r->page)) || page_error(r->page) ||
	    atomic_load(&r->notify_error) || index_is_foreign(&r->page->rsp_cons, r->rsp_cons))
		return false;
	if (clock_was_set(r) && ring_is_elsewhere(r, &now)) {
		r->moved = true;
		return false;
	}
	/*
	 * oxenstored stops in front of a ring's end or when it has used up what a signal was worth,
	 * with work left and although the ring was neither empty nor full: the two rules of page.h
	 * do not wake it then (stalls of 18 s were seen).  One signal before the sleep does.
	 * C xenstored looks again by itself and is left alone.
	 */
	if (r->reconnection && atomic_load(&r->unsignalled))
		ring_notify(r);
	xen_port_arm(&r->port);
	/*
	 * The second look, after the port was armed.  The full barrier of page.c, between our
	 * published indices and this look, ensures that it sees the work of a server which decided
	 * by those indices not to signal.  An event that came while masked was kept, and makes the
	 * descriptor readable now.
	 */
	return !(page_readable(r->page) || (want_send && page_writable(r->page)) ||
		 page_error(r->page) || atomic_load(&r->notify_error));
}

static int ring_pollfds(struct transport *t, bool want_send, struct pollfd *fds)
{
	struct transport_ring *r = to_ring(t);

	/* Both room and replies are signalled on the same port. */
	(void)want_send;
	if (r->state != RING_CONNECTED)
		return 0;
	fds[0] = (struct pollfd){ .fd = xen_port_fd(&r->port), .events = POLLIN };
	if (r->clock_fd < 0)
		return 1;
	fds[1] = (struct pollfd){ .fd = r->clock_fd, .events = POLLIN };
	return 2;
}

static void ring_stats(struct transport *t,
		       void (*line)(void *arg, const char *name, uint64_t v), void *arg)
{
	struct transport_ring *r = to_ring(t);

	line(arg, "wakeups_sent", atomic_load_explicit(&r->wakeups_sent, memory_order_relaxed));
	line(arg, "wakeups_saved", atomic_load_explicit(&r->wakeups_saved, memory_order_relaxed));
	line(arg, "port", atomic_load_explicit(&r->port_number, memory_order_relaxed));
	line(arg, "moves", atomic_load_explicit(&r->moves, memory_order_relaxed));
}

static void ring_free(struct transport *t)
{
	struct transport_ring *r = to_ring(t);

	if (!r)
		return;
	xen_port_close(&r->port);
	xen_page_unmap(&r->map);
	unfinished_close(r->unfinished);
	if (r->clock_fd >= 0)
		close(r->clock_fd);
	/* Last, so that a process waiting for the ring finds it free. */
	if (r->lock_fd >= 0)
		close(r->lock_fd);
	free(r);
}

static const struct transport_ops ring_ops = {
	.name = "ring",
	.connect = ring_connect,
	.disconnect = ring_disconnect,
	.send = ring_send,
	.recv = ring_recv,
	.linger = ring_linger,
	.may_sleep = ring_may_sleep,
	.pollfds = ring_pollfds,
	.silent = ring_silent,
	.stats = ring_stats,
	.free = ring_free,
};

/* Finds the values that `params` leaves open, and refuses a ring that is not ours to use. */
static int ring_locate(struct transport_ring *r)
{
	struct ring_params *params = &r->params;
	struct xen_place place;
	const char *driver;
	int err;

	if (params->find && access(XEN_DOM0_PAGE, F_OK) == 0) {
		/* Domain 0: its page is this file, and we make its port. */
		params->find = false;
		params->domid = 0;
		params->privileged = true;
	}
	if (params->domid == DOMID_SELF) {
		driver = xen_find_driver();
		if (driver) {
			log_error(r->log, "ring: this domain's kernel uses it (%s is there): use the "
					  "store \"xenbus\", or boot with "
					  "initcall_blacklist=xenbus_init", driver);
			return -EBUSY;
		}
	}
	if (params->find) {
		err = xen_find_ring(&r->finder, &place, r->log);
		if (err)
			return err;
		params->gfn = place.gfn;
		params->port = place.port;
		log_debug(r->log, "ring: found frame %#llx, port %u",
			  (unsigned long long)place.gfn, (unsigned)place.port);
	}
	r->lock_fd = xen_page_lock(params->domid, r->log);
	if (r->lock_fd == -EBUSY)
		return -EBUSY;
	/* Not without the lock: two processes would write there. */
	if (r->lock_fd >= 0)
		r->unfinished = unfinished_open(params->domid, r->log);
	return 0;
}

/* Arranges to be told of a set clock, after which the values found may have changed. */
static int ring_watch_clock(struct transport_ring *r)
{
	if (!r->params.find)
		return 0;
	r->clock_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	return r->clock_fd < 0 ? -errno : clock_arm(r);
}

int transport_ring_new(struct transport **out, struct ring_params *params, struct logger *log)
{
	struct transport_ring *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->transport.ops = &ring_ops;
	r->transport.payload_max = WIRE_PAYLOAD_MAX;
	/* Until connect() has seen the server's features. */
	r->transport.no_reconnect = true;
	r->log = log;
	r->params = *params;
	r->lock_fd = r->clock_fd = -1;
	glance_init(&r->for_replies);
	glance_init(&r->for_room);
	err = ring_locate(r);
	if (!err)
		err = ring_attach(r);
	if (!err)
		err = ring_watch_clock(r);
	if (err) {
		ring_free(&r->transport);
		return err;
	}
	r->transport.in_flight_max = r->params.privileged ? IN_FLIGHT_MAX_PRIVILEGED :
							    IN_FLIGHT_MAX;
	*params = r->params;
	*out = &r->transport;
	return 0;
}

uint32_t transport_ring_port(const struct transport *t)
{
	return ((const struct transport_ring *)t)->port.port;
}

enum ring_events transport_ring_events(const struct transport *t)
{
	return ((const struct transport_ring *)t)->port.way;
}

bool transport_ring_finish(struct transport *t)
{
	struct transport_ring *r = to_ring(t);
	char buf[XENSTORE_RING_SIZE];
	bool notify = false;

	/* Such a server is asked to clear all of it. */
	if (offers_reconnection(r) || !ring_is_sane(r->page))
		return false;
	ring_find_rest(r);
	if (!r->rest)
		return false;
	ring_finish(r);
	/* It may wait for room for replies, which are a predecessor's. */
	page_recv(r->page, buf, sizeof(buf), &notify);
	return r->rest_len || page_room(r->page) < XENSTORE_RING_SIZE;
}
