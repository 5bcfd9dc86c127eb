/* SPDX-License-Identifier: MIT */
/*
 * Watches: who is to be told when something changes at or below a path.
 * For fs/ and other users of a channel.
 *
 * There is one watch in the server for each distinct path, however many watchers look at it, and
 * it is set again after a reconnect.  Tokens are numbers, a new one for each time that a watch is
 * set, never addresses: an event that comes late finds nobody instead of the wrong one.
 *
 * No lock of its own.  The registry is called back by the channel, so whoever uses it on several threads
 * has a lock that is held for these calls and for chan_service(), chan_submit(), chan_abandon() and
 * chan_shutdown() of its channel.
 *
 * An event is a hint, not a count: the server merges events, drops identical ones that are still
 * queued, and sends one for the removal of a whole subtree (docs/misc/xenstore.txt, WATCH).
 */
#ifndef RING_WATCH_H
#define RING_WATCH_H

#include "ring/chan.h"

struct watch;
struct watches;

enum watch_event_type {
	WATCH_CHANGED, /* something at, above or below `path` may have changed */
	WATCH_RESYNC,  /* the watch was set anew after a gap: anything may have changed */
	WATCH_LOST,    /* it could not be set anew; the watcher is off */
};

/*
 * One interested party, embedded in whatever it belongs to.  The callbacks run in chan_service(), and
 * in whatever submits or abandons; they may add and remove watchers, also this one.
 */
struct watcher {
	/*
	 * The outcome of watch_add(), once: 0 when the server's watch is set and its initial event
	 * was consumed, so that all later changes are reported; or -errno (-EDQUOT: the server's
	 * quota; -EINVAL: no such path can be; -EIO: no connection), and the watcher is off.
	 * It may run inside watch_add() when the outcome is known at once.
	 */
	void (*armed)(struct watcher *w, int error);
	/* `path` is what the server reported, borrowed; NULL for the others.  NULL: none wanted. */
	void (*event)(struct watcher *w, enum watch_event_type type, const char *path);
	/* Set before `armed` runs with an error: what the server said, -EDQUOT for no quota. */
	int refusal;

	/* The registry's. */
	struct watch *watch;
	bool told;
	TAILQ_ENTRY(watcher) link;
};

/*
 * Makes a registry and makes it the channel's handler of events; one for each channel.
 * Returns NULL when out of memory.
 */
struct watches *watches_new(struct chan *chan, struct logger *log);

/* Frees the registry.  The channel was shut down before; watchers that are left are forgotten. */
void watches_free(struct watches *ws);

/*
 * Adds a watcher for `path` (copied; absolute, or a special one such as "@introduceDomain"; of a
 * relative one the server reports relative paths, and it is another than the absolute one).
 * Returns 0 and reports the rest through `armed`, or -ENOMEM.
 */
int watch_add(struct watches *ws, struct watcher *w, const char *path);

/* The longest depth, in bytes with its NUL: a number. */
#define WATCH_DEPTH_SIZE 12

/* The same for a watch that goes so deep only (`depth` as on the wire, of at most WATCH_DEPTH_SIZE;
 * NULL: all below).  Only newer servers know that; the others say -EINVAL. */
int watch_add_depth(struct watches *ws, struct watcher *w, const char *path, const char *depth);

/* Removes a watcher: no callback of it will run any more.  The server's watch goes with its last
 * watcher.  Does nothing for one that is off. */
void watch_remove(struct watches *ws, struct watcher *w);

/* Returns how many watches are set, or being set, in the server. */
unsigned watches_count(struct watches *ws);

#endif
