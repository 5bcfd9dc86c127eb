/* SPDX-License-Identifier: MIT */
/*
 * Index and barrier arithmetic on the page that a domain shares with the xenstore server.
 * For transport_ring; pure but for the shared memory itself, which the peer may change at any
 * moment.  Each direction may be used by one thread at a time; the two directions are independent.
 *
 * Layout and rules: struct xenstore_domain_interface in xen/io/xs_wire.h, docs/misc/xenstore-ring.txt.
 */
#ifndef RING_PAGE_H
#define RING_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <xen/io/xs_wire.h>

/*
 * Returns the room in the request ring.  It can only grow until something is sent; more than XENSTORE_RING_SIZE means
 * that the server's index makes no sense.
 */
size_t page_room(const struct xenstore_domain_interface *page);

/*
 * Copies as much of `len` bytes as there is room for into the request ring and publishes it.
 *
 * *notify is set to true (never to false) when the server may have gone to sleep, having consumed
 * all that was there before, and so has to be signalled.
 * Returns the number of bytes taken, 0 when the ring is full, or -EPROTO when the server's index
 * makes no sense (more than a ring's worth outstanding).
 */
ssize_t page_send(struct xenstore_domain_interface *page, const void *data, size_t len,
		  bool *notify);

/*
 * Copies up to `len` bytes out of the response ring and gives the room back to the server.
 *
 * *notify is set to true (never to false) when the ring was full, so that the server may be
 * waiting for room.
 * Returns the number of bytes, 0 when there is nothing, or -EPROTO when the server's index makes
 * no sense.
 */
ssize_t page_recv(struct xenstore_domain_interface *page, void *data, size_t len, bool *notify);

/* Returns whether page_recv() would return something other than 0 now. */
bool page_readable(const struct xenstore_domain_interface *page);

/* Returns whether page_send() would return something other than 0 now. */
bool page_writable(const struct xenstore_domain_interface *page);

/* Returns the server's error code for this ring, XENSTORE_ERROR_*: read once, never trusted to
 * be one of the known ones. */
uint32_t page_error(const struct xenstore_domain_interface *page);

/*
 * Puts the port that the server is to bind in place of the one that the page names, if it names
 * one.  A server of Xen 4.21 or later then binds that, whatever XS_INTRODUCE says.
 */
void page_replace_port(struct xenstore_domain_interface *page, uint32_t port);

#endif
