/* SPDX-License-Identifier: MIT */
/*
 * The state that the threads of xsfs-top share.
 *
 * Only threads of their own touch the mount, as a store that is silent makes them wait: the reader
 * (reader.c) keeps the copy of the store right by a stream of events and writes what was edited, the
 * sampler (sampler.c) reads what the mount says about itself.  The main thread has the terminal: it looks
 * at what they brought, and never waits for the mount.
 *
 * Locks: `lock` is the only one.  It is held to copy and to compute, never during a system call that
 * may wait.
 */
#ifndef SRC_TOP_TOP_H
#define SRC_TOP_TOP_H

#include <pthread.h>

#include "src/tools/tool_stream.h"
#include "src/top/edit.h"
#include "src/top/guests.h"
#include "src/top/meter.h"

/* For how long a change is shown as one, and what is gone stays: milliseconds. */
#define TOP_FRESH_MS 3000

enum top_state {
	TOP_READING, /* all is being read */
	TOP_LIVE,    /* the copy is kept right by events */
	TOP_LOST,    /* no mount, or no store behind it; it is tried again and again */
};

struct top {
	struct tool *tool; /* the main thread's; its mount was found */
	int64_t interval_ms; /* between two readings of the sampler */

	pthread_mutex_t lock;
	int news;  /* an eventfd: something below is new; for the main thread */
	int order; /* an eventfd: `edit` is to be written; for the reader */

	enum top_state state;
	char why[TOOL_WHY_SIZE];   /* of TOP_LOST */
	char base[PATH_SIZE];      /* the node that the copy begins with; "" until one is known */
	struct mountpoint mountpoint;
	bool read_only;
	bool loaded; /* the copy has been read once */
	struct mirror mirror;
	struct guests guests;
	uint64_t events; /* that the stream told */

	enum { TOP_NO_EDIT, TOP_EDIT_WANTED, TOP_EDIT_DONE } edit_state;
	struct edit edit;
	int edit_status; /* of TOP_EDIT_DONE, as edit_write() */
	char edit_why[TOOL_WHY_SIZE];

	struct meter meter;
	struct meter_latencies latencies; /* none where the mount has no metrics */
	char *requests;                   /* .xsfs/requests, or NULL */
	int64_t sampled;                  /* when the sampler read all that last; 0: never */
};

/* Milliseconds of the clock of all this. */
int64_t top_now(void);

/* Begins, and starts both threads.  Returns 0 or -errno with a reason.  They end with the process. */
int top_start(struct top *top, struct tool *tool, int64_t interval_ms);

/* Tells the main thread that something is new. */
void top_notify(struct top *top);

/* Gives a change to the reader, and takes what it holds; the one before must be done.  With the lock held. */
void top_order_locked(struct top *top, struct edit *e);

/* The threads' functions; the argument is struct top. */
void *reader_run(void *arg);
void *sampler_run(void *arg);

#endif
