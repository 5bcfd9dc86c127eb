/* SPDX-License-Identifier: MIT */
/*
 * The ring's event channel, bound in one of the ways of enum ring_events: signals out, wake-ups in.
 * For transport_ring.c.  Notifying and xen_port_moved() on any thread, the rest on the I/O thread.
 *
 * Where the port is bound to a handle of libxenevtchn it stays masked, so that a busy server's
 * signals cost no interrupt, until xen_port_arm() unmasks it.  What was signalled meanwhile is
 * pending and makes the descriptor readable at that moment: nothing is lost.
 *
 * Where it is bound to nothing (RING_EVENTS_POLL) signals go out by a hypercall and none come in:
 * the descriptor is a timer's.  It fires soon after something moved and then less and less often.
 * So a wait is never longer than twice what it had to be, and an idle ring costs nearly nothing.
 */
#ifndef RING_XEN_PORT_H
#define RING_XEN_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <xenevtchn.h>

#include "ring/logger.h"
#include "ring/transport.h"
#include "ring/xen_call.h"

/* Begins zeroed. */
struct xen_port {
	enum ring_events way;  /* RING_EVENTS_AUTO: not bound */
	uint32_t port;         /* this domain's end */
	xenevtchn_handle *xce; /* NULL: polled */
	bool masked;

	/* Polled. */
	struct xen_call *call;
	int timer_fd;
	unsigned interval_us; /* the I/O thread's */
	atomic_bool moved;    /* since the timer was last set */
};

/*
 * Binds the channel as `params` says (way, port, server).  RING_EVENTS_AUTO tries what can work:
 * for a ring of our own whose port is known static, poll, unbound; for another domain's
 * interdomain; without a port unbound.
 * Returns 0, -EBUSY when somebody else has the port, or -errno, with an error in the log.
 */
int xen_port_bind(struct xen_port *port, const struct ring_params *params, struct logger *log);

/* Gives the port back.  One that was not bound is allowed. */
void xen_port_close(struct xen_port *port);

/* Signals the server.  Returns 0 or -errno. */
int xen_port_notify(struct xen_port *port);

/* Bytes were sent or received, so more may come soon. */
void xen_port_moved(struct xen_port *port);

/* Prepares for sleep: from now on the descriptor becomes readable for a signal, or when
 * it is time to look. */
void xen_port_arm(struct xen_port *port);

/* Returns the descriptor to poll for POLLIN. */
int xen_port_fd(const struct xen_port *port);

/* Returns the word for a way to bind, as in ring:events=. */
const char *xen_port_way_name(enum ring_events way);

#endif
