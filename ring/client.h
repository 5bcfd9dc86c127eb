/* SPDX-License-Identifier: MIT */
/*
 * A client that speaks the protocol itself, on a channel that it shares with others: bytes in,
 * bytes out.  For whoever offers such clients a file or a socket.
 *
 * To the client it looks as if it were alone: its request ids, transaction ids and watch tokens are
 * its own, what it left behind goes when it is closed.  What may come in at any size and any cut
 * leaves as whole requests of the channel; answers and events wait here until they are read.
 *
 *     client_write ──▶ message ──▶ request ──▶ channel ──▶ answer ─┐
 *                         └──────▶ answered here ──────────────────┼──▶ client_read
 *                                      registry of watches ──▶ event ┘
 *
 * Answered here are WATCH, UNWATCH and RESET_WATCHES, by the registry; and what no server should
 * ever see, as it would harm the others: types that are none of a client's (ENOSYS, as the servers
 * say), a payload that lacks the strings of its type (EINVAL: xenstored answers some of these with
 * whatever errno was left over, or ends; oxenstored waits for more).
 *
 * No lock of its own: the caller serialises all clients of a registry, as watch.h says.
 */
#ifndef RING_CLIENT_H
#define RING_CLIENT_H

#include <sys/types.h>

#include "ring/chan.h"
#include "ring/watch.h"

/* Messages of one client that are not answered yet; then it can write no more. */
#define CLIENT_IN_FLIGHT 16

/* Memory, in bytes, of answers that it did not read; then it can write no more either. */
#define CLIENT_ANSWERS_MAX (128u << 10)

/* The same of events.  What does not fit is told by one event for each watch, of its own path. */
#define CLIENT_EVENTS_MAX (128u << 10)

/* Watches of one client, many of which may share one of the server's. */
#define CLIENT_WATCHES_MAX 8192

struct client;

/* Counters of all clients together. */
struct client_counters {
	unsigned clients;
	unsigned watches;
	unsigned transactions;
	unsigned long messages;      /* whole ones, written by clients */
	unsigned long events_merged; /* not queued: one like it was, or there was no room */
};

struct client_config {
	struct chan *chan;       /* borrowed for the client's life and that of its requests */
	struct watches *watches; /* borrowed for the client's life */
	int domid;               /* of the connection, for relative paths; -1: not known */
	struct client_counters *counters; /* borrowed as `chan` */
	/* There is something to read, or room to write, which may not have been so before.  It may
	 * read and write, but not close. */
	void (*ready)(void *arg);
	void *arg;
};

/* Makes a client.  Returns NULL when out of memory. */
struct client *client_new(const struct client_config *config);

/*
 * Ends a client: its watches go, its transactions are aborted, questions under way are given up.
 * What it has written that changes the store is carried out.  `ready` does not run any more.
 */
void client_close(struct client *client);

/*
 * Takes bytes of messages: as many as there is room for.  Does not wait.
 * Returns their number, or if it is 0:
 *   -EAGAIN  there is no room until answers come, or are read
 *   -E2BIG   the message is larger than the protocol allows; what was taken of it is forgotten
 *   -ENOMEM
 */
ssize_t client_write(struct client *client, const void *buf, size_t len);

/*
 * Gives up to `len` bytes of what there is to read.  Does not wait.
 * Returns their number, -EAGAIN if there is nothing, or -ENOMEM.
 */
ssize_t client_read(struct client *client, void *buf, size_t len);

/* Returns which of POLLIN and POLLOUT hold. */
short client_poll(struct client *client);

/* Events may have been lost: there is one for each watch. */
void client_resync(struct client *client);

#endif
