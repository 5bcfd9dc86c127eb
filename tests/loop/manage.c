/* SPDX-License-Identifier: MIT */
/*
 * manage.c - libxenmanage on the loopback world.
 *
 * For xenstored from Xen 4.21 on; any thread.  Domain 0 is all that a domain can be: it controls
 * the others, has the hardware, and serves the store.  A domain is never seen shutting down or
 * dying: `xsloop kill-domain` leaves nothing of it.
 */
#include "tests/loop/manage.h"

#include "tests/loop/xsloop.h"

#include <errno.h>
#include <stdlib.h>
#include <xen/xen.h>

struct xenmanage_handle {
	unsigned int flags;
};

struct domain_info {
	unsigned int state;
	unsigned int caps;
	uint64_t unique_id;
};

static int fail(int err)
{
	errno = -err;
	return -1;
}

xenmanage_handle *xenmanage_open(struct xentoollog_logger *logger, unsigned int flags)
{
	xenmanage_handle *xm;
	int rc = flags ? -EINVAL : world_attach(NULL);

	(void)logger;
	if (rc < 0) {
		errno = -rc;
		return NULL;
	}
	xm = calloc(1, sizeof(*xm));
	if (xm)
		xm->flags = flags;
	return xm;
}

int xenmanage_close(xenmanage_handle *xm)
{
	free(xm);
	return 0;
}

/* What is known of a domain: all 0 if it does not exist. */
static int info_get_locked(uint32_t domid, struct domain_info *info)
{
	int rc;

	*info = (struct domain_info){ 0 };
	rc = domain_unique_id_locked(domid, &info->unique_id);
	if (rc < 0)
		return rc;
	info->state = XENMANAGE_GETDOMSTATE_STATE_EXIST;
	if (domid == 0)
		info->caps = XENMANAGE_GETDOMSTATE_CAP_CONTROL |
			     XENMANAGE_GETDOMSTATE_CAP_HARDWARE |
			     XENMANAGE_GETDOMSTATE_CAP_XENSTORE;
	return 0;
}

static void info_store(const struct domain_info *info, unsigned int *state, unsigned int *caps,
		       uint64_t *unique_id)
{
	if (state)
		*state = info->state;
	if (caps)
		*caps = info->caps;
	if (unique_id)
		*unique_id = info->unique_id;
}

int xenmanage_get_domain_info(xenmanage_handle *xm, unsigned int domid, unsigned int *state,
			      unsigned int *caps, uint64_t *unique_id)
{
	struct domain_info info;
	int lock, rc;

	if (!xm || domid >= XSLOOP_DOMAINS)
		return fail(-EINVAL);
	/* Only domain 0 may ask the hypervisor. */
	if (world_domid() != 0)
		return fail(-EPERM);
	lock = world_lock();
	if (lock < 0)
		return fail(lock);
	rc = info_get_locked(domid, &info);
	world_unlock(lock);
	if (rc < 0)
		return fail(rc);
	info_store(&info, state, caps, unique_id);
	return 0;
}

int xenmanage_poll_changed_domain(xenmanage_handle *xm, unsigned int *domid, unsigned int *state,
				  unsigned int *caps, uint64_t *unique_id)
{
	struct domain_info info;
	int lock, rc;

	if (!xm || !domid)
		return fail(-EINVAL);
	if (world_domid() != 0)
		return fail(-EPERM);
	lock = world_lock();
	if (lock < 0)
		return fail(lock);
	rc = virq_is_bound_locked(VIRQ_DOM_EXC) ? domain_take_changed_locked(domid) : -EACCES;
	/* One that is gone is told as well, without a state. */
	if (rc == 0 && info_get_locked(*domid, &info) == -ESRCH)
		info.state = 0;
	world_unlock(lock);
	if (rc < 0)
		return fail(rc);
	info_store(&info, state, caps, unique_id);
	return 0;
}
