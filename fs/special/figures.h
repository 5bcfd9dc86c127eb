/* SPDX-License-Identifier: MIT */
/*
 * The figures of a mount: every counter there is, in one list, for `.xsfs/stats` and
 * `.xsfs/metrics`.  Taken without asking the store, under fs->lock.
 */
#ifndef FS_SPECIAL_FIGURES_H
#define FS_SPECIAL_FIGURES_H

#include "fs/model/quota.h"
#include "fs/op/op_count.h"
#include "ring/chan.h"

struct fs;

/* All figures at one moment. */
struct figures {
	struct chan_stats chan;
	struct op_counters ops;
	uint64_t ops_all;
	uint64_t ops_now;
	uint64_t ops_interrupted;
	uint64_t tx_retries;
	uint64_t watches;
	uint64_t polls;
	uint64_t poll_notifications;
	uint64_t polls_unwatched;
	uint64_t streams;
	uint64_t stream_overflows;
	uint64_t transactions;
	uint64_t transactions_idle;
	uint64_t raw_clients;
	uint64_t raw_watches;
	uint64_t raw_transactions;
	uint64_t raw_messages;
	uint64_t raw_events_merged;
	uint64_t invalidations;
	unsigned invalidations_due;
	uint64_t contents_dropped;
	uint64_t inotify;
	uint64_t inotify_raised;
	uint64_t inotify_merged;
	uint64_t inotify_refused;
	uint64_t inotify_swept;
	uint64_t inodes;
	uint64_t open_files;
	uint64_t watched_bytes;
	uint64_t limits[QUOTA_KINDS]; /* refusals */
};

enum figure_type {
	FIGURE_COUNTER, /* only ever grows */
	FIGURE_GAUGE,
};

/* One number of the list. */
struct figure {
	const char *stat;   /* its name in `stats` */
	const char *metric; /* and in `metrics`, after "xsfs_"; NULL: shown there in detail */
	const char *unit;   /* the unit that `metric` ends in; NULL: none */
	const char *help;   /* a sentence */
	enum figure_type type;
	size_t offset; /* of a number of `size` bytes in struct figures */
	size_t size;
};

/* The list; the last entry has no name. */
extern const struct figure figures_list[];

/* Returns the current figures, for the caller to free, or NULL when out of memory. */
struct figures *figures_take(struct fs *fs);

/* Returns the number that an entry of the list stands for. */
uint64_t figure_value(const struct figures *figures, const struct figure *figure);

/* Returns the word for a state of the channel. */
const char *figures_state_name(enum chan_state state);

#endif
