/* SPDX-License-Identifier: MIT */
/*
 * Stands in for transport_ring.c in a build without Xen's libraries, for users who ask for a ring
 * and have to be told.  Any thread.
 */
#include <errno.h>

#include "ring/transport.h"

int transport_ring_new(struct transport **out, struct ring_params *params, struct logger *log)
{
	(void)out;
	(void)params;
	log_error(log, "ring: built without Xen's libraries");
	return -ENOSYS;
}

uint32_t transport_ring_port(const struct transport *t)
{
	(void)t;
	return 0;
}

enum ring_events transport_ring_events(const struct transport *t)
{
	(void)t;
	return RING_EVENTS_AUTO;
}

bool transport_ring_finish(struct transport *t)
{
	(void)t;
	return false;
}
