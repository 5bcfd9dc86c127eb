/* SPDX-License-Identifier: MIT */
/*
 * A private store without Xen: a real xenstored in a loopback world of its own, with us as domain 0
 * on its ring, and sample domains to look at.
 * For store_source.c and main.c; main thread.
 */
#ifndef SRC_EMBEDDED_H
#define SRC_EMBEDDED_H

#include <stdbool.h>
#include <stddef.h>

#include "ring/chan.h"
#include "ring/logger.h"

struct embedded;

/*
 * Starts the server and connects to it.  The server is our child, and dies with this thread.
 * `demo`: sample domains come and go.  `timeout_ms`, `in_flight_max`: as in struct chan_config.
 * *chan gets the channel, owned by the caller, who frees it before embedded_stop().
 * Returns 0, or -errno with one line in `why`.
 */
int embedded_start(struct embedded **out, struct chan **chan, bool oxenstored, bool demo,
		   unsigned timeout_ms, unsigned in_flight_max, struct logger *log,
		   char *why, size_t size);

/* Returns the absolute path of the server's directory, which has its socket in `socket`; borrowed. */
const char *embedded_dir(const struct embedded *e);

/* Returns a descriptor that becomes readable when the server has ended. */
int embedded_fd(const struct embedded *e);

/* Call this when embedded_fd() is readable: declares the store behind `chan` dead, and logs the
 * reason once.  I/O thread. */
void embedded_ended(struct embedded *e, struct chan *chan);

/* Ends the server and removes its directory.  NULL is allowed. */
void embedded_stop(struct embedded *e);

#endif
