/* SPDX-License-Identifier: MIT */
/*
 * Watches: the parties to tell when something changes at or below a path.
 * For fs/ and other users of a channel.
 *
 * There is one watch in the server for each distinct path, however many watchers look at it, and it
 * is set again after a reconnect.  Tokens are numbers, a new one for each time that a watch is set,
 * never addresses, so a late event finds nobody rather than the wrong watcher.
 *
 * No lock of its own.  The channel calls back into the registry, so a program that uses it on
 * several threads needs a lock that is held for these calls and for chan_service(), chan_submit(),
 * chan_abandon() and chan_shutdown() of its channel.
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
	WATCH_LOST,    /* it could not be set anew; the watcher was removed */
};

/*
 * One interested party, embedded in the object that it belongs to.  The callbacks run in
 * chan_service(), and within calls that submit or abandon; they may add and remove watchers,
 * including this one.
 */
struct watcher {
	/*
	 * The outcome of watch_add(), once: 0 when the server's watch is set and its initial event
	 * was consumed, so that all later changes are reported; or -errno (-EDQUOT: the server's
	 * quota; -EINVAL: an impossible path; -EIO: no connection), and the watcher was removed.
	 * It may run inside watch_add() if the outcome is known at once.
	 */
	void (*armed)(struct watcher *w, int error);
	/* `path` is what the server reported, borrowed; NULL for the other types.  The
	 * callback may be NULL. */
	void (*event)(struct watcher *w, enum watch_event_type type, const char *path);
	/* Set before `armed` runs with an error: the server's own error, -EDQUOT for no quota. */
	int refusal;

	/* Private to the registry. */
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
 * Adds a watcher for `path` (copied; absolute, or a special one such as "@introduceDomain"; for a
 * relative path the server reports relative paths, and it differs from the absolute one).
 * Returns 0 and reports the rest through `armed`, or -ENOMEM.
 */
int watch_add(struct watches *ws, struct watcher *w, const char *path);

/* The longest depth, in bytes with its NUL: a number. */
#define WATCH_DEPTH_SIZE 12

/* The same for a watch limited in depth (`depth` as on the wire, of at most WATCH_DEPTH_SIZE; NULL:
 * no limit).  Only newer servers support it; the others answer -EINVAL. */
int watch_add_depth(struct watches *ws, struct watcher *w, const char *path, const char *depth);

/* Removes a watcher: none of its callbacks will run any more.  The server's watch is removed with
 * its last watcher.  Does nothing for a watcher that was removed already. */
void watch_remove(struct watches *ws, struct watcher *w);

/* Returns how many watches are set, or being set, in the server. */
unsigned watches_count(struct watches *ws);

#endif
