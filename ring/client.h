/* SPDX-License-Identifier: MIT */
/*
 * A client that speaks the protocol itself, on a channel that it shares with others: bytes in,
 * bytes out.  For whoever offers such clients a file or a socket.
 *
 * To the client it looks as if it were alone: its request ids, transaction ids and watch
 * tokens are its own, and everything that it left behind is removed when it is closed.  Bytes
 * arrive in pieces of any size and leave as whole requests of the channel; answers and events
 * wait here until they are read.
 *
 *     client_write ──▶ message ──▶ request ──▶ channel ──▶ answer ─┐
 *                         └──────▶ answered here ──────────────────┼──▶ client_read
 *                                      registry of watches ──▶ event ┘
 *
 * WATCH, UNWATCH and RESET_WATCHES are answered here, by the registry.  So are messages that no
 * server should ever see, because they would harm other clients: types that a client must not send
 * (ENOSYS, as the servers say), and a payload that lacks the strings of its type (EINVAL: xenstored
 * answers some of these with whatever errno was left over, or ends; oxenstored waits for more).
 *
 * No lock of its own: the caller serialises all clients of a registry, as watch.h says.
 */
#ifndef RING_CLIENT_H
#define RING_CLIENT_H

#include <sys/types.h>

#include "ring/chan.h"
#include "ring/watch.h"

/* Messages of one client that may be unanswered; at this limit it can write no more. */
#define CLIENT_IN_FLIGHT 16

/* Memory, in bytes, for answers that it has not read; at this limit it cannot write either. */
#define CLIENT_ANSWERS_MAX (128u << 10)

/* The same for events.  Those that do not fit are replaced by one event for each watch,
 * of its own path. */
#define CLIENT_EVENTS_MAX (128u << 10)

/* Watches of one client, many of which may share one of the server's. */
#define CLIENT_WATCHES_MAX 8192

struct client;

/* Counters of all clients together. */
struct client_counters {
	unsigned clients;
	unsigned watches;
	unsigned transactions;
	unsigned long messages;      /* complete messages written by clients */
	unsigned long events_merged; /* not queued: a duplicate, or there was no room */
};

struct client_config {
	struct chan *chan;       /* borrowed for the life of the client and of its requests */
	struct watches *watches; /* borrowed for the client's life */
	int domid;               /* of the connection, for relative paths; -1: unknown */
	struct client_counters *counters; /* borrowed like `chan` */
	/* There is something to read, or room to write, that may not have been there before.  The
	 * callee may read and write, but not close. */
	void (*ready)(void *arg);
	void *arg;
};

/* Makes a client.  Returns NULL when out of memory. */
struct client *client_new(const struct client_config *config);

/*
 * Ends a client: its watches are removed, its transactions aborted, and questions under way given
 * up.  Changes to the store that it has written are carried out.  `ready` is not called any more.
 */
void client_close(struct client *client);

/*
 * Takes bytes of messages, as many as there is room for.  Does not wait.
 * Returns their number, or, if it is 0:
 *   -EAGAIN  there is no room until answers arrive or are read
 *   -E2BIG   the message is larger than the protocol allows; the bytes taken of it are dropped
 *   -ENOMEM
 */
ssize_t client_write(struct client *client, const void *buf, size_t len);

/*
 * Copies out up to `len` bytes of what there is to read.  Does not wait.
 * Returns their number, -EAGAIN if there is nothing, or -ENOMEM.
 */
ssize_t client_read(struct client *client, void *buf, size_t len);

/* Returns which of POLLIN and POLLOUT hold. */
short client_poll(struct client *client);

/* Events may have been lost: queues one for each watch. */
void client_resync(struct client *client);

#endif
