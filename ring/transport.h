/* SPDX-License-Identifier: MIT */
/*
 * What carries messages to a xenstore server and back: a table of functions, and limits.
 * For chan.c, its only user, and for the transports that implement it.
 *
 * A transport moves bytes and knows nothing of requests, except that transports which need message
 * boundaries (xenbus) may rely on how send() is called.  Nothing here blocks.
 */
#ifndef RING_TRANSPORT_H
#define RING_TRANSPORT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "ring/logger.h"

struct transport;

/* The most descriptors that pollfds() ever fills in. */
#define TRANSPORT_POLLFDS 4

struct transport_ops {
	/* Name for logs and statistics: "socket", "xenbus", "ring". */
	const char *name;

	/*
	 * Connects, or connects again after disconnect().  Called by the I/O thread only, or by the
	 * creator before there is one.  Returns 0, -EAGAIN (not yet: call again in a little while),
	 * -ENOTCONN (a ring that is dead until the server or the toolstack resets it; call again
	 * now and then), or the errno of what failed.
	 */
	int (*connect)(struct transport *t);

	/* Drops the connection and all that was buffered.  I/O thread; nobody is in send(). */
	void (*disconnect)(struct transport *t);

	/*
	 * Takes as many bytes as fit now.  Each element of iov is a whole message, header first,
	 * but for the first, which is the rest of one when the last call took a part of it.
	 * One caller at a time, any thread, possibly while the I/O thread is in recv().
	 * Returns the number of bytes taken, 0 when there is no room, or a negative errno when the
	 * connection is lost.  Signals the server if it may be asleep, and only then.
	 */
	ssize_t (*send)(struct transport *t, const struct iovec *iov, int iovcnt);

	/*
	 * Gives up to `len` bytes of what the server sent.  I/O thread only.  Returns the number,
	 * 0 when there is nothing now, or a negative errno when the connection is lost.
	 * Bytes form a stream of whole messages; a transport with several sources never mixes
	 * two messages.
	 */
	ssize_t (*recv)(struct transport *t, void *buf, size_t len);

	/*
	 * recv() had nothing, or with `want_send` send() no room, in the middle of a message.  Looks
	 * for a few microseconds whether the server goes on; returns whether it does, so that the
	 * call is worth repeating.  For a transport that carries less than a message at a time.
	 * Called like recv(), or like send().  May be NULL: it does not look.
	 */
	bool (*linger)(struct transport *t, bool want_send);

	/*
	 * Prepares for sleep: makes sure that poll() on pollfds() wakes up for whatever comes next.
	 * `want_send`: bytes are waiting for room.  I/O thread only.
	 * Returns false when there is something to receive (or, with want_send, room) already, so
	 * that the caller must not sleep.
	 */
	bool (*may_sleep)(struct transport *t, bool want_send);

	/*
	 * Fills in descriptors and events to poll for, at most TRANSPORT_POLLFDS; returns how many.
	 * I/O thread only, after may_sleep() returned true.
	 */
	int (*pollfds)(struct transport *t, bool want_send, struct pollfd *fds);

	/*
	 * Nothing was received for several deadlines in a row.  Returns whether the connection
	 * should be made anew, because that may help.  I/O thread.  May be NULL: it never helps.
	 */
	bool (*silent)(struct transport *t);

	/* Adds lines `transport_<name> <value>` to the statistics through the callback, which
	 * gets <name> and puts the rest around it.  Any thread.  May be NULL. */
	void (*stats)(struct transport *t, void (*line)(void *arg, const char *name, uint64_t v),
		      void *arg);

	/* Disconnects if need be and frees. */
	void (*free)(struct transport *t);
};

/* The common beginning of every transport.  Constant after creation, except no_reconnect. */
struct transport {
	const struct transport_ops *ops;

	/* Largest payload that a request may have, in bytes. */
	size_t payload_max;

	/* Most requests that may await a reply at a time. */
	unsigned in_flight_max;

	/* The server can neither be seen to die nor be connected to again by us (a ring without
	 * XENSTORE_SERVER_FEATURE_RECONNECTION).  connect() sets it, because a server publishes its
	 * features when it takes the ring up. */
	bool no_reconnect;
};

/*
 * Creates a transport over xenstored's unix socket at `path` (borrowed for the call; at most
 * sizeof(sun_path) - 1 bytes).  Not connected yet.  Returns 0, -ENAMETOOLONG, -ENOMEM, or the
 * errno of timerfd_create() (no descriptors left).
 */
int transport_socket_new(struct transport **out, const char *path, struct logger *log);

/*
 * Creates a transport over the kernel's xenbus device `path` (usually /dev/xen/xenbus).  connect()
 * opens it once for each request that may be in flight, as the device mixes up two of one open file,
 * and once for WATCH and UNWATCH, which block inside write() and have a thread of their own.
 * Returns 0, -ENAMETOOLONG or -ENOMEM.
 */
int transport_xenbus_new(struct transport **out, const char *path, struct logger *log);

/* How the ring's event channel is bound; docs/misc/xenstore-ring.txt, xen/event_channel.h. */
enum ring_events {
	/* whichever works, see xen_port_bind() */
	RING_EVENTS_AUTO,
	/* Our own port `port`, which the toolstack made, gets a handler (Linux 6.6). */
	RING_EVENTS_STATIC,
	/* A new unbound port for the server's domain; `port` is ignored.  The server learns of it
	 * by XS_INTRODUCE, or from wherever its starter looks. */
	RING_EVENTS_UNBOUND,
	/* Our own port `port` is signalled by a hypercall, and a timer makes us
	 * look at the page. */
	RING_EVENTS_POLL,
	/* Bind to the remote port `port` of the server's domain. */
	RING_EVENTS_INTERDOMAIN,
};

/* The place of a ring.  All values as in Xen's interfaces. */
struct ring_params {
	bool find;             /* domid is DOMID_SELF; gfn and port must be found */
	uint32_t domid;        /* the domain whose page it is; DOMID_SELF: the one we run in */
	uint64_t gfn;          /* guest frame number of the page in that domain */
	uint32_t server_domid; /* the domain that runs the server; 0 but for stub domains */
	uint32_t port;         /* event channel port, see enum ring_events; 0 = none given */
	enum ring_events events;
	bool privileged;       /* the server exempts this domain from its quotas */
};

/*
 * Creates a transport over a shared page and an event channel.  The page is mapped and the port
 * bound here, by Xen's libraries, whose handles must not cross a fork(): call it in the process
 * that uses it.  connect() takes up or resets the ring.  The values found are stored in `params`;
 * in domain 0, whose page is a file, that is domid 0, and `find` becomes false.
 *
 * Returns 0, -EBUSY when the ring belongs to this domain's kernel or to another process,
 * -ENOSYS when built without Xen's libraries, -ENOMEM, or the libraries' errno.
 */
int transport_ring_new(struct transport **out, struct ring_params *params, struct logger *log);

/*
 * Returns the local event channel port of a ring transport, for announcing it by XS_INTRODUCE, and
 * the way in which it was bound.  `t` must come from transport_ring_new().
 */
uint32_t transport_ring_port(const struct transport *t);
enum ring_events transport_ring_events(const struct transport *t);

/*
 * To be called before XS_INTRODUCE, which clears the ring, but with C xenstored not what it has taken of half a
 * request: sends what there is room for of a request that a killed predecessor began (unfinished.h).
 * Returns whether to call it again when the server has looked at the ring, which nothing but a request over its
 * socket makes it do.  I/O thread, before connect().
 */
bool transport_ring_finish(struct transport *t);

#endif
