/* SPDX-License-Identifier: MIT */
/*
 * evtchn.c - libxenevtchn on the loopback world.
 *
 * For whatever is linked with that library; every function behaves as xenevtchn.h says, with
 * the errors of Xen and of the Linux driver, on any thread.  notify, pending and unmask are the
 * fast path and take no lock.
 */
#include "tests/loop/xsloop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xenevtchn.h>

struct xenevtchn_handle {
	int fd;
	uint32_t id;
	bool restricted;
	uint32_t only_domid;	/* if restricted: the one remote domain */
};

static int fail(int err)
{
	errno = -err;
	return -1;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	xenevtchn_handle *xce;
	int lock, rc;

	(void)logger;
	if (flags & ~XENEVTCHN_NO_CLOEXEC) {
		errno = EINVAL;
		return NULL;
	}
	xce = calloc(1, sizeof(*xce));
	if (!xce)
		return NULL;
	rc = world_attach(NULL);
	if (rc < 0)
		goto fail;
	rc = lock = world_lock();
	if (rc < 0)
		goto fail;
	world_reap_locked();
	rc = xce->fd = handle_open_locked(!(flags & XENEVTCHN_NO_CLOEXEC), &xce->id);
	world_unlock(lock);
	if (rc >= 0)
		return xce;
fail:
	free(xce);
	errno = -rc;
	return NULL;
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd, unsigned int flags)
{
	xenevtchn_handle *xce;
	int lock, rc;

	(void)logger;
	if (flags) {
		errno = EINVAL;
		return NULL;
	}
	xce = calloc(1, sizeof(*xce));
	if (!xce)
		return NULL;
	rc = world_attach(NULL);
	if (rc < 0)
		goto fail;
	rc = lock = world_lock();
	if (rc < 0)
		goto fail;
	xce->fd = fd;
	xce->id = handle_find_locked(fd);
	world_unlock(lock);
	rc = -EINVAL;
	if (xce->id != 0)
		return xce;
fail:
	free(xce);
	errno = -rc;
	return NULL;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
	int lock;

	if (!xce)
		return 0;
	close(xce->fd);
	lock = world_lock();
	if (lock >= 0) {
		/* Only if nobody else holds the descriptor: a forked child closes a copy. */
		handle_reap_locked(xce->id);
		world_unlock(lock);
	}
	free(xce);
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	return xce->fd;
}

/* The port, or NULL if it is none of this handle's. */
static struct xsloop_port *port_of(const xenevtchn_handle *xce, evtchn_port_t port)
{
	struct xsloop_port *p;

	if (port == 0 || port >= XSLOOP_PORTS)
		return NULL;
	p = &world_get()->ports[port];
	if (__atomic_load_n(&p->state, __ATOMIC_ACQUIRE) == XSLOOP_FREE || p->handle != xce->id)
		return NULL;
	return p;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	const struct xsloop_port *p = port_of(xce, port);

	if (!p)
		return fail(-ENOTCONN);
	switch (__atomic_load_n(&p->state, __ATOMIC_ACQUIRE)) {
	case XSLOOP_INTERDOMAIN:
		port_raise(p->remote_port);
		return 0;
	case XSLOOP_UNBOUND:
		return 0;	/* Xen drops it without a word */
	default:
		return fail(-EINVAL);
	}
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	uint32_t port, queued = XSLOOP_QUEUED;
	ssize_t n = read(xce->fd, &port, sizeof(port));

	if (n < 0)
		return -1;
	if (n != sizeof(port))
		return fail(-EIO);
	/*
	 * Anything but QUEUED is the stale number of a port that was closed since; it is handed
	 * out all the same, as the Linux driver does, because the caller polled and must not
	 * block.
	 */
	if (port_of(xce, port))
		__atomic_compare_exchange_n(&world_get()->ports[port].event, &queued,
					    XSLOOP_TAKEN, 0, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED);
	/* The other half of port_raise(): take the event first, then look at the page. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return port;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	struct xsloop_port *p = port_of(xce, port);
	uint32_t old, new;

	/* A port that is gone is no error for the Linux driver, and xenstored relies on it. */
	if (!p)
		return 0;
	old = __atomic_load_n(&p->event, __ATOMIC_RELAXED);
	do {
		if (old != XSLOOP_TAKEN && old != XSLOOP_RAISED)
			return 0;
		new = old == XSLOOP_TAKEN ? XSLOOP_IDLE : XSLOOP_QUEUED;
	} while (!__atomic_compare_exchange_n(&p->event, &old, new, 0, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	if (new == XSLOOP_QUEUED)
		port_post(port);
	return 0;
}

static uint32_t domid_resolve(uint32_t domid)
{
	return domid == DOMID_SELF ? world_domid() : domid;
}

static bool domid_forbidden(const xenevtchn_handle *xce, uint32_t domid)
{
	return xce->restricted && domid != xce->only_domid;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *xce, uint32_t domid)
{
	int lock, port;

	if (domid_forbidden(xce, domid))
		return fail(-EACCES);
	lock = world_lock();
	if (lock < 0)
		return fail(lock);
	world_reap_locked();
	port = port_alloc_locked(world_domid(), xce->id);
	if (port > 0) {
		world_get()->ports[port].remote_domid = domid_resolve(domid);
		port_publish_locked(port, XSLOOP_UNBOUND);
	}
	world_unlock(lock);
	return port > 0 ? port : fail(port);
}

/* Connects a new local port to an unbound one that waits for this domain. */
static int bind_interdomain_locked(const xenevtchn_handle *xce, uint32_t domid, uint32_t remote)
{
	struct xsloop_port *far, *near;
	int port;

	if (remote == 0 || remote >= XSLOOP_PORTS)
		return -EINVAL;
	far = &world_get()->ports[remote];
	if (far->state != XSLOOP_UNBOUND || far->domid != domid ||
	    far->remote_domid != world_domid())
		return -EINVAL;
	port = port_alloc_locked(world_domid(), xce->id);
	if (port < 0)
		return port;
	near = &world_get()->ports[port];
	near->remote_domid = domid;
	near->remote_port = remote;
	far->remote_port = port;
	port_publish_locked(port, XSLOOP_INTERDOMAIN);
	port_publish_locked(remote, XSLOOP_INTERDOMAIN);
	/* A former peer may have been killed after it marked the port and before it posted it. */
	if (__atomic_load_n(&far->event, __ATOMIC_SEQ_CST) == XSLOOP_QUEUED)
		port_post(remote);
	port_raise(port);
	return port;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
						     evtchn_port_t remote_port)
{
	int lock, port;

	if (domid_forbidden(xce, domid))
		return fail(-EACCES);
	lock = world_lock();
	if (lock < 0)
		return fail(lock);
	world_reap_locked();
	port = bind_interdomain_locked(xce, domid_resolve(domid), remote_port);
	world_unlock(lock);
	return port > 0 ? port : fail(port);
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
	int lock, port;

	if (xce->restricted)
		return fail(-EACCES);
	lock = world_lock();
	if (lock < 0)
		return fail(lock);
	world_reap_locked();
	port = virq_is_bound_locked(virq) ? -EEXIST : port_alloc_locked(world_domid(), xce->id);
	if (port > 0) {
		world_get()->ports[port].virq = virq;
		port_publish_locked(port, XSLOOP_VIRQ);
		if (virq == VIRQ_DOM_EXC)
			domains_all_changed_locked();
	}
	world_unlock(lock);
	return port > 0 ? port : fail(port);
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	int lock = world_lock();
	int rc = 0;

	if (lock < 0)
		return fail(lock);
	if (port_of(xce, port))
		port_unbind_locked(port);
	else
		rc = -ENOTCONN;
	world_unlock(lock);
	return rc < 0 ? fail(rc) : 0;
}

int xenevtchn_restrict(xenevtchn_handle *xce, domid_t domid)
{
	if (xce->restricted)
		return fail(-EACCES);
	xce->restricted = true;
	xce->only_domid = domid;
	return 0;
}

static int bind_static_locked(uint32_t handle, uint32_t port)
{
	struct xsloop_port *p = &world_get()->ports[port < XSLOOP_PORTS ? port : 0];
	uint32_t event;

	if (handle == 0)
		return -ENOTTY;
	if ((p->state != XSLOOP_UNBOUND && p->state != XSLOOP_INTERDOMAIN) ||
	    p->domid != world_domid())
		return -EINVAL;
	if (p->handle != 0)
		return -EBUSY;
	p->is_static = 1;
	__atomic_store_n(&p->handle, handle, __ATOMIC_RELEASE);
	/* What came while it was nobody's is still pending; what a predecessor took is not. */
	event = __atomic_exchange_n(&p->event, XSLOOP_IDLE, __ATOMIC_SEQ_CST);
	if (event == XSLOOP_QUEUED || event == XSLOOP_RAISED)
		port_raise(port);
	return 0;
}

int port_bind_static(int fd, uint32_t port)
{
	int lock, rc;

	/* As Linux before 6.6. */
	if (world_lacks("static"))
		return -ENOSYS;
	lock = world_lock();
	if (lock < 0)
		return lock;
	world_reap_locked();
	rc = bind_static_locked(handle_find_locked(fd), port);
	world_unlock(lock);
	return rc;
}

int port_send(uint32_t port)
{
	const struct xsloop_port *p = &world_get()->ports[port < XSLOOP_PORTS ? port : 0];

	if (p->domid != world_domid())
		return -EINVAL;
	switch (__atomic_load_n(&p->state, __ATOMIC_ACQUIRE)) {
	case XSLOOP_INTERDOMAIN:
		port_raise(p->remote_port);
		return 0;
	case XSLOOP_UNBOUND:
		return 0;
	default:
		return -EINVAL;
	}
}
