/* SPDX-License-Identifier: MIT */
/*
 * Which paths events tell us about.  One watch in the server, the base, covers all that it can: the
 * mount's root on a privileged connection, the domain's own directory on another (whose watch on a
 * node above would be accepted and miss removals below nodes that it cannot read).  A path outside
 * gets a watch of its own for as long as somebody looks at it.
 */
#ifndef FS_EVENTS_COVER_H
#define FS_EVENTS_COVER_H

#include <stdbool.h>
#include <sys/queue.h>
#include <time.h>

#include "fs/model/name.h"
#include "ring/watch.h"

struct fs;

/* One party that needs a path covered, embedded in whatever it belongs to; zeroed at first. */
struct cover_ref {
	/* The outcome, once: 0 when all later changes will be reported, or -errno (-EDQUOT,
	 * -EINVAL, -EIO, …).  On the I/O thread, or inside cover_add(). */
	void (*armed)(struct cover_ref *ref, int error);
	/* The watch that the path had of its own could not be set again: changes are no longer
	 * reported.  I/O thread.  NULL: the resync, which comes next, is enough. */
	void (*lost)(struct cover_ref *ref);
	/* Whose share a watch that the path needs for itself is taken from. */
	uid_t user;

	/* cover.c's. */
	struct fs *fs;
	char *path;
	bool waiting; /* for the base */
	bool own;     /* has a watch of its own, */
	bool own_set; /* which is set: changes are reported */
	struct watcher watcher;
	TAILQ_ENTRY(cover_ref) link;
};

/* The functions that cover.c calls with the server's reports. */
struct cover_handlers {
	void (*changed)(struct fs *fs, const char *path);
	void (*resync)(struct fs *fs); /* events may have been lost */
	void (*unseen)(struct fs *fs); /* a watch was set only now */
};

enum cover_state {
	COVER_OFF,     /* nobody needed it yet */
	COVER_ARMING,
	COVER_ARMED,
	COVER_NONE,    /* cannot be had for now: every path needs a watch of its own */
};

struct cover {
	struct fs *fs;
	const struct cover_handlers *handlers;
	enum cover_state state;
	struct watches *watches;
	struct watcher base;
	char base_path[PATH_SIZE];
	/* COVER_NONE: on which connection it could not be had, and when to try for it again. */
	uint32_t epoch;
	time_t retry_at;
	/* Of whoever arms it, and then of base_armed(). */
	bool again;  /* it was lost, and is set a second time */
	bool missed; /* it could not be had, and the log says so */
	TAILQ_HEAD(, cover_ref) waiting;
};

/* Makes fs->cover, with the channel's watch registry; `handlers` is borrowed.  Returns 0 or -ENOMEM. */
int cover_init(struct fs *fs, const struct cover_handlers *handlers);

/* Frees it, if it was made.  The channel was shut down before. */
void cover_deinit(struct fs *fs);

/* Sets the base watch, if that was not done, or was in vain and may not be now. */
void cover_start(struct fs *fs);

/* Returns whether the base covers `path` now.  May try for it again. */
bool cover_has(struct fs *fs, const char *path);

/*
 * Sees to it that `path` (a node's, or a special one like "@releaseDomain") is covered, and says so
 * by ref->armed.  Returns 0 or -ENOMEM.
 */
int cover_add(struct fs *fs, struct cover_ref *ref, const char *path);

/* Returns whether a path that was covered still is, or will be again without further ado.  After
 * a resync it may be no longer.  Once `armed` has run without an error. */
bool cover_holds(const struct cover_ref *ref);

/* Ends that.  `armed` does not run any more, unless the caller is in it. */
void cover_remove(struct fs *fs, struct cover_ref *ref);

#endif
