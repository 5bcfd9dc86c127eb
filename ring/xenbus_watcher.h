/* SPDX-License-Identifier: MIT */
/*
 * The watcher of a xenbus transport: an open file of the device for WATCH, UNWATCH and watch
 * events, and the thread that writes the first two, because the device answers them inside write().
 * For transport_xenbus.c only, which reads the file itself.
 *
 * Lifetimes.  A watcher is counted: one reference for the transport, one for the thread; the last
 * one closes the descriptors.  A thread that is not in write() ends at once when told to and is
 * joined.  One that is in write() cannot be stopped: it is detached, finds the order to quit when
 * the store answers or the device dies, and cleans up.  (The process itself cannot die completely
 * before that either, because it waits inside the kernel.)
 *
 * Locks.  One, inside; the only I/O under it is on the eventfd.
 */
#ifndef RING_XENBUS_WATCHER_H
#define RING_XENBUS_WATCHER_H

#include <stdbool.h>

#include "ring/wire.h"

/* The device's buffer for one message, header included (its u.buffer is XENSTORE_PAYLOAD_MAX). */
#define XENBUS_MESSAGE_MAX XENSTORE_PAYLOAD_MAX

/* The most requests in flight: the kernel puts them on the domain's ring along with its own, and
 * xenstored stops reading an unprivileged domain's ring at 20. */
#define XENBUS_IN_FLIGHT_MAX 16

struct xenbus_watcher;

/* Opens the xenbus device `path`, non-blocking.  Returns the descriptor or a negative errno. */
int xenbus_device_open(const char *path);

/* Opens `path` and starts the thread.  Returns 0 and a reference, or a negative errno. */
int xenbus_watcher_new(struct xenbus_watcher **out, const char *path);

/*
 * Ends the thread if that can be done without waiting for the store.
 *
 * Consumes the reference and returns NULL; or returns it, if the thread is stuck in write(): keep
 * it for xenbus_watcher_ended(), then give it to xenbus_watcher_put().
 */
struct xenbus_watcher *xenbus_watcher_stop(struct xenbus_watcher *w);

/* Returns whether the thread of a watcher that was stopped has ended. */
bool xenbus_watcher_ended(const struct xenbus_watcher *w);

/* Releases a reference; `w` may be NULL. */
void xenbus_watcher_put(struct xenbus_watcher *w);

/* The open file, for reading and polling, and a descriptor that is readable when there is an
 * answer of the watcher's own, or its device is lost.  Both live as long as the reference. */
int xenbus_watcher_fd(const struct xenbus_watcher *w);
int xenbus_watcher_event_fd(const struct xenbus_watcher *w);

/*
 * Hands over a WATCH or UNWATCH message: its header, and the whole of it at `msg`, borrowed for
 * the call, at most XENBUS_MESSAGE_MAX bytes.  Returns false when there is no room, that is, when
 * more than XENBUS_IN_FLIGHT_MAX requests are here.  Any thread.
 */
bool xenbus_watcher_submit(struct xenbus_watcher *w, const struct xsd_sockmsg *hdr, const char *msg);

/* Makes the request `hdr`, which the device will not see, be answered with the negative errno
 * `err`.  Returns false when there is no room, as above.  Any thread. */
bool xenbus_watcher_refuse(struct xenbus_watcher *w, const struct xsd_sockmsg *hdr, int err);

/*
 * Finds the request that a reply read from the watcher's file answers, and stores its ids in *hdr.
 *
 * The id decides if it is one that we sent; kernels that answer with other ids answer in order.
 * Returns false for a reply that nobody waits for, which must not reach the channel.  I/O thread.
 */
bool xenbus_watcher_match(struct xenbus_watcher *w, struct xsd_sockmsg *hdr);

/* Takes the next request to be answered with an error: its header and its negative errno.
 * Returns false if there is none.  I/O thread. */
bool xenbus_watcher_refused_next(struct xenbus_watcher *w, struct xsd_sockmsg *hdr, int *err);

/* Clears the event descriptor's signal.  Returns the negative errno of a lost device, or 0.
 * I/O thread, before it looks at xenbus_watcher_refused_next(). */
int xenbus_watcher_acknowledge(struct xenbus_watcher *w);

/* Stores whether there is room for another request, and returns whether the I/O thread has
 * something to do: an answer, or a lost device. */
bool xenbus_watcher_waiting(struct xenbus_watcher *w, bool *room);

#endif
