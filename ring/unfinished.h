/* SPDX-License-Identifier: MIT */
/*
 * Keeps the request of which only the beginning is in the ring, in a file of /run, so that the next process on
 * this ring can send the rest if this one is killed now.  Otherwise the server would take the beginning of the
 * next request for that rest, and C xenstored never forgets half a request.
 * For transport_ring.c, which has the ring's lock: the sender notes and forgets, the I/O thread looks while
 * there is no sender.
 */
#ifndef RING_UNFINISHED_H
#define RING_UNFINISHED_H

#include <stddef.h>
#include <stdint.h>
#include <xen/io/xs_wire.h>

#include "ring/logger.h"

struct unfinished;

/*
 * Opens the file of that domain's ring, or makes it.  Returns NULL, with a line in the log, if there is no place
 * for it; all functions below take that, and do nothing.
 */
struct unfinished *unfinished_open(uint32_t domid, struct logger *log);

/* What was noted stays. */
void unfinished_close(struct unfinished *u);

/*
 * Notes a request of `len` bytes, header included, before its first byte is published; its first byte gets the
 * index `begin`.  It is copied.
 */
void unfinished_note(struct unfinished *u, XENSTORE_RING_IDX begin, const void *message, size_t len);

/* All of it is in the ring, or the ring was cleared. */
void unfinished_forget(struct unfinished *u);

/*
 * Returns how many bytes of a request are missing at the end of the ring, 0 if there is no request to finish, and
 * sets *rest to them; they are valid until unfinished_forget().  One that was noted does not count if the ring does
 * not end with its beginning, because somebody else has used the ring since.
 */
size_t unfinished_rest(const struct unfinished *u, const struct xenstore_domain_interface *page,
		       const char **rest);

#endif
