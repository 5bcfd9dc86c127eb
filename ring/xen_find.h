/* SPDX-License-Identifier: MIT */
/*
 * Where this domain's xenstore ring is, and whether it is free to be used.
 * For transport_ring.c, on the I/O thread.
 *
 * A PVH or HVM guest asks the hypervisor for its parameters.  A PV guest was told in a page, the
 * start_info, to which its kernel keeps a pointer: /proc/kallsyms says where, /proc/kcore shows
 * what.  Both need root.
 */
#ifndef RING_XEN_FIND_H
#define RING_XEN_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/logger.h"

/* The place of the ring: both values change when the domain is restored or migrated. */
struct xen_place {
	uint64_t gfn;  /* of the page; in a PV guest its machine frame */
	uint32_t port; /* this domain's end of the event channel, bound or not */
};

/* Values that are not looked up twice, because they hold for as long as the kernel
 * runs.  Starts zeroed. */
struct xen_finder {
	uint64_t pointer; /* address of the kernel's pointer to the start_info */
};

/*
 * Finds the ring of the domain that we run in.  Returns 0, or -errno after logging an error that
 * says what was tried and what to do.
 */
int xen_find_ring(struct xen_finder *finder, struct xen_place *place, struct logger *log);

/*
 * The PV way, with the names of the two files: a list of symbols like /proc/kallsyms, and an ELF
 * core like /proc/kcore.  Returns 0, -ENOENT (no such symbol: no PV guest), -EPERM (addresses are
 * hidden from us), -EPROTO (that is no start_info), -ENXIO (it names no ring), -ENOSYS (not on this
 * architecture), or the errno of reading.
 */
int xen_find_start_info(struct xen_finder *finder, const char *kallsyms, const char *kcore,
			struct xen_place *place);

/* Returns the file by which the kernel shows that its own xenbus driver runs, and so uses this
 * domain's ring; NULL if it does not. */
const char *xen_find_driver(void);

#endif
