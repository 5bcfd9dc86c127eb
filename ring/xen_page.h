/* SPDX-License-Identifier: MIT */
/*
 * The ring's page, mapped in whichever way is possible, and a lock on it between
 * processes of our kind.
 * For transport_ring.c, on the I/O thread.  A mapping must not be used after a fork().
 */
#ifndef RING_XEN_PAGE_H
#define RING_XEN_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>
#include <xenforeignmemory.h>

#include "ring/logger.h"

/* Domain 0's page, which is not a guest frame that could be mapped by number. */
#define XEN_DOM0_PAGE "/proc/xen/xsd_kva"

/* A mapped page.  Begins zeroed. */
struct xen_page {
	struct xenstore_domain_interface *ring; /* NULL: not mapped */
	xenforeignmemory_handle *fmem;          /* NULL when it was mapped from a file */
};

/*
 * Maps the page `gfn` of domain `domid`.  That of domain 0 with gfn 0 is a file; one of DOMID_SELF is
 * looked for in /dev/mem as well, where a PVH or HVM guest has it.
 * Returns 0, -EBUSY when it is the one that the kernel's own driver uses, -EOPNOTSUPP when it is our
 * own and this architecture lets only the kernel map that (Arm), or -errno.  The log tells why.
 */
int xen_page_map(struct xen_page *page, uint32_t domid, uint64_t gfn, struct logger *log);

/* A page that was not mapped is allowed. */
void xen_page_unmap(struct xen_page *page);

/* Size of a path by xen_run_file(). */
#define XEN_RUN_PATH_MAX 64

/*
 * Opens a file of /run that belongs to a domain's ring, or makes it, for root alone; `suffix` says which.  Writes its
 * name to `path`.  Returns the descriptor, or -1 with errno.
 */
int xen_run_file(uint32_t domid, const char *suffix, char path[XEN_RUN_PATH_MAX]);

/*
 * Takes the lock that marks a domain's ring as in use, until the descriptor is closed, also by
 * death.  Returns the descriptor; -1 if there is no place for a lock file, with a warning; -EBUSY,
 * with an error in the log that names the other process.
 */
int xen_page_lock(uint32_t domid, struct logger *log);

#endif
