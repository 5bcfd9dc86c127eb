/* SPDX-License-Identifier: MIT */
/* Binds the ring's event channel and uses it.  For transport_ring.c. */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <xen/xen.h>
/* Needs a definition from the header before it. */
#include <xen/sys/evtchn.h>

#include "ring/xen_port.h"

/* New in Linux 6.6, so the header of Xen 4.17 lacks it. */
#ifndef IOCTL_EVTCHN_BIND_STATIC
#define IOCTL_EVTCHN_BIND_STATIC _IOC(_IOC_NONE, 'E', 7, sizeof(struct ioctl_evtchn_bind))
struct ioctl_evtchn_bind {
	unsigned int port;
};
#endif

/* Intervals between two looks at a polled ring: soon after bytes moved, and when it is idle. */
#define POLL_FIRST_US 100
#define POLL_LAST_US 100000

static int handle_open(struct xen_port *port)
{
	port->xce = xenevtchn_open(NULL, 0);
	return port->xce ? 0 : -errno;
}

/* The toolstack made the port, as our end of the channel: only a handler is missing. */
static int bind_static(struct xen_port *port, const struct ring_params *params)
{
	struct ioctl_evtchn_bind bind = { .port = params->port };
	int err = handle_open(port);

	if (!err && ioctl(xenevtchn_fd(port->xce), IOCTL_EVTCHN_BIND_STATIC, &bind) < 0)
		err = -errno;
	port->port = params->port;
	return err;
}

static int bind_unbound(struct xen_port *port, const struct ring_params *params)
{
	xenevtchn_port_or_error_t got;
	int err = handle_open(port);

	if (err)
		return err;
	got = xenevtchn_bind_unbound_port(port->xce, params->server_domid);
	if (got < 0)
		return -errno;
	port->port = got;
	return 0;
}

static int bind_interdomain(struct xen_port *port, const struct ring_params *params)
{
	xenevtchn_port_or_error_t got;
	int err = handle_open(port);

	if (err)
		return err;
	got = xenevtchn_bind_interdomain(port->xce, params->server_domid, params->port);
	if (got < 0)
		return -errno;
	port->port = got;
	return 0;
}

static int bind_poll(struct xen_port *port, const struct ring_params *params)
{
	int err;

	port->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (port->timer_fd < 0)
		return -errno;
	err = xen_call_open(&port->call);
	/* The server may need a wake-up anyway, and this shows whether one can be sent. */
	if (!err)
		err = xen_call_send(port->call, params->port);
	port->port = params->port;
	return err;
}

static const struct {
	const char *name;
	int (*bind)(struct xen_port *port, const struct ring_params *params);
} ways[] = {
	[RING_EVENTS_AUTO] = { "auto", NULL },
	[RING_EVENTS_STATIC] = { "static", bind_static },
	[RING_EVENTS_UNBOUND] = { "unbound", bind_unbound },
	[RING_EVENTS_POLL] = { "poll", bind_poll },
	[RING_EVENTS_INTERDOMAIN] = { "interdomain", bind_interdomain },
};

const char *xen_port_way_name(enum ring_events way)
{
	return ways[way].name;
}

static int bind_one(struct xen_port *port, const struct ring_params *params, enum ring_events way)
{
	int err;

	*port = (struct xen_port){ .way = way, .timer_fd = -1 };
	err = ways[way].bind(port, params);
	if (err)
		xen_port_close(port);
	return err;
}

int xen_port_bind(struct xen_port *port, const struct ring_params *params, struct logger *log)
{
	static const enum ring_events own[] = { RING_EVENTS_STATIC, RING_EVENTS_POLL,
						RING_EVENTS_UNBOUND, RING_EVENTS_AUTO };
	static const enum ring_events no_port[] = { RING_EVENTS_UNBOUND, RING_EVENTS_AUTO };
	static const enum ring_events foreign[] = { RING_EVENTS_INTERDOMAIN, RING_EVENTS_AUTO };
	const enum ring_events said[] = { params->events, RING_EVENTS_AUTO };
	const enum ring_events *try = said;
	int err = -EINVAL;

	if (params->events == RING_EVENTS_AUTO)
		try = !params->port ? no_port : params->domid == DOMID_SELF ? own : foreign;
	for (; *try != RING_EVENTS_AUTO; try++) {
		err = bind_one(port, params, *try);
		if (!err)
			return 0;
		/* Trying another way would only hide that the ring has two users. */
		if (err == -EBUSY) {
			log_error(log, "ring: port %u is bound by somebody else",
				  (unsigned)params->port);
			return err;
		}
		if (try[1] != RING_EVENTS_AUTO)
			log_info(log, "ring: events=%s: port %u of ours: %s", ways[*try].name,
				 (unsigned)params->port, strerror(-err));
		else
			log_error(log, "ring: events=%s: no event channel to domain %u, port %u: "
				       "%s", ways[*try].name, (unsigned)params->server_domid,
				  (unsigned)params->port, strerror(-err));
	}
	return err;
}

void xen_port_close(struct xen_port *port)
{
	/* Closing the handle unbinds the port. */
	if (port->xce)
		xenevtchn_close(port->xce);
	if (port->way == RING_EVENTS_POLL && port->timer_fd >= 0)
		close(port->timer_fd);
	xen_call_close(port->call);
	*port = (struct xen_port){ 0 };
}

int xen_port_notify(struct xen_port *port)
{
	if (port->call)
		return xen_call_send(port->call, port->port);
	return xenevtchn_notify(port->xce, port->port) < 0 ? -errno : 0;
}

static void timer_set(const struct xen_port *port, unsigned us)
{
	const struct itimerspec when = { .it_value.tv_nsec = us * 1000L };

	timerfd_settime(port->timer_fd, 0, &when, NULL);
}

void xen_port_moved(struct xen_port *port)
{
	/* The timer may be set for much later while the I/O thread sleeps. */
	if (port->call && !atomic_exchange(&port->moved, true))
		timer_set(port, POLL_FIRST_US);
}

static void timer_arm(struct xen_port *port)
{
	if (atomic_exchange(&port->moved, false))
		port->interval_us = POLL_FIRST_US;
	else if (port->interval_us < POLL_LAST_US / 2)
		port->interval_us *= 2;
	else
		port->interval_us = POLL_LAST_US;
	timer_set(port, port->interval_us);
	/* A thread that moved bytes in between may have set the timer before us. */
	if (atomic_load(&port->moved))
		timer_set(port, POLL_FIRST_US);
}

void xen_port_arm(struct xen_port *port)
{
	struct pollfd pfd = { .fd = xen_port_fd(port), .events = POLLIN };
	xenevtchn_port_or_error_t got;

	if (port->call) {
		timer_arm(port);
		return;
	}
	/* xenevtchn.h: poll before each xenevtchn_pending(), which might block otherwise. */
	if (!port->masked && poll(&pfd, 1, 0) > 0) {
		got = xenevtchn_pending(port->xce);
		if (got < 0 || (evtchn_port_t)got == port->port)
			port->masked = true;
	}
	if (port->masked) {
		port->masked = false;
		xenevtchn_unmask(port->xce, port->port);
	}
}

int xen_port_fd(const struct xen_port *port)
{
	return port->call ? port->timer_fd : xenevtchn_fd(port->xce);
}
