/* SPDX-License-Identifier: MIT */
/* Collects the figures of a mount from wherever they are counted.  Under fs->lock. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "fs/events/cover.h"
#include "fs/events/poll.h"
#include "fs/events/stream.h"
#include "fs/op/fs_impl.h"
#include "fs/op/transaction.h"
#include "fs/special/figures.h"
#include "fs/special/raw.h"

#define AT(member) offsetof(struct figures, member), sizeof(((struct figures *)0)->member)
#define COUNTER(stat, metric, unit, member, help) \
	{ stat, metric, unit, help, FIGURE_COUNTER, AT(member) }
#define GAUGE(stat, metric, member, help) \
	{ stat, metric, NULL, help, FIGURE_GAUGE, AT(member) }

const struct figure figures_list[] = {
	GAUGE("connection", "connection", chan.epoch,
	      "Number of the present connection to the store; 1 is the first."),
	COUNTER("completed", "requests_completed", NULL, chan.completed,
		"Requests to the store that are over, with or without an error."),
	COUNTER("errors", NULL, NULL, chan.errors, NULL),
	COUNTER("refused", "requests_refused", NULL, chan.refused,
		"Requests that were too large, or not sent because the store was not there."),
	COUNTER("transaction_conflicts", "transaction_conflicts", NULL, chan.eagain,
		"Commits that failed because somebody else changed the same nodes."),
	GAUGE("in_flight", "requests_in_flight", chan.in_flight,
	      "Requests sent and not answered now."),
	GAUGE("in_flight_high", "requests_in_flight_highest", chan.in_flight_high,
	      "The most requests that were sent and not answered at a time."),
	GAUGE("queued", "requests_queued", chan.queued, "Requests that wait to be sent now."),
	GAUGE("queued_high", "requests_queued_highest", chan.queued_high,
	      "The most requests that waited to be sent at a time."),
	COUNTER("abandoned", "requests_abandoned", NULL, chan.abandoned,
		"Requests given up after they were sent, because of a signal or their timeout."),
	COUNTER("timeouts", "request_timeouts", NULL, chan.timeouts,
		"Requests that ended by their timeout."),
	COUNTER("late_replies", "late_replies", NULL, chan.late_replies,
		"Answers to requests that were given up."),
	COUNTER("unknown_replies", "unknown_replies", NULL, chan.unknown_replies,
		"Answers to no request."),
	COUNTER("events", "watch_events", NULL, chan.events, "Watch events received."),
	COUNTER("reconnects", "reconnects", NULL, chan.reconnects,
		"Times that a lost connection to the store was made again."),
	COUNTER("out_of_memory", "out_of_memory", NULL, chan.out_of_memory,
		"Times that receiving had to wait for memory."),
	COUNTER("bytes_sent", "sent_bytes", "bytes", chan.bytes_sent,
		"Bytes sent to the store, headers included."),
	COUNTER("bytes_received", "received_bytes", "bytes", chan.bytes_received,
		"Bytes received from the store, headers included."),
	COUNTER("wakeups_sent", "wakeups_sent", NULL, chan.wakeups_sent,
		"Submissions that had to wake the thread that talks to the store."),
	COUNTER("wakeups_saved", "wakeups_saved", NULL, chan.wakeups_saved,
		"Submissions that did not have to wake it."),
	COUNTER("fuse_operations", NULL, NULL, ops_all, NULL),
	GAUGE("fuse_operations_now", "operations_in_flight", ops_now,
	      "File operations that are not finished."),
	COUNTER("fuse_interrupted", "operations_interrupted", NULL, ops_interrupted,
		"File operations whose caller got a signal."),
	COUNTER("transaction_retries", "transaction_retries", NULL, tx_retries,
		"Times that an operation was tried again after a conflict."),
	GAUGE("watches", "watches", watches, "Watches that the store has from this mount."),
	GAUGE("polls", "polls", polls, "Polls that programs wait in."),
	COUNTER("poll_notifications", "poll_notifications", NULL, poll_notifications,
		"Times that a poll was woken up."),
	GAUGE("polls_unwatched", "polls_unwatched", polls_unwatched,
	      "Open files that are polled and for which the store refused a watch."),
	GAUGE("streams", "streams", streams, "Event streams that are open."),
	COUNTER("stream_overflows", "stream_overflows", NULL, stream_overflows,
		"Times that an event stream said that it lost events."),
	GAUGE("transactions", "transactions", transactions,
	      "Transactions of .xsfs/transaction that are open."),
	COUNTER("transactions_idle", "transactions_idle", NULL, transactions_idle,
		"Transactions that were aborted because nobody used them."),
	GAUGE("raw_clients", "raw_clients", raw_clients, "Raw clients (.xsfs/xenbus)."),
	GAUGE("raw_watches", "raw_watches", raw_watches, "Watches of raw clients."),
	GAUGE("raw_transactions", "raw_transactions", raw_transactions,
	      "Transactions of raw clients that are open."),
	COUNTER("raw_messages", "raw_messages", NULL, raw_messages,
		"Messages that raw clients have written."),
	COUNTER("raw_events_merged", "raw_events_merged", NULL, raw_events_merged,
		"Events that were not queued for a raw client: one like them was, or there was no room."),
	COUNTER("invalidations", "invalidations", NULL, invalidations,
		"Times that the kernel was told to forget a name."),
	GAUGE("invalidations_due", "invalidations_due", invalidations_due,
	      "Files that have changed and of which the kernel is yet to be told, or told again."),
	COUNTER("contents_dropped", "contents_dropped", NULL, contents_dropped,
		"Times that the kernel was told to forget a value that it had got to keep."),
	GAUGE("inotify", "inotify", inotify, "Whether readers of inotify are told what others change."),
	COUNTER("inotify_raised", "inotify_raised", NULL, inotify_raised,
		"Times that the kernel was made to raise events of what others changed."),
	COUNTER("inotify_merged", "inotify_merged", NULL, inotify_merged,
		"Reports of the store for which an event was due already."),
	COUNTER("inotify_refused", "inotify_refused", NULL, inotify_refused,
		"Operations of its own, for events, that came too late and were not carried out."),
	COUNTER("inotify_swept", "inotify_swept", NULL, inotify_swept,
		"Times that everything known was compared, as reports may have been lost."),
	GAUGE("inodes", "inodes", inodes, "Files and directories that the kernel knows."),
	GAUGE("open_files", "open_files", open_files, "Files and directories that are open."),
	GAUGE("watched_bytes", "watched_bytes", watched_bytes,
	      "Bytes that the paths of event streams take, as counted for watched=."),
	COUNTER("limited_streams", "limited_streams", NULL, limits[QUOTA_STREAMS],
		"Event streams that were refused because of a user's share."),
	COUNTER("limited_watched", "limited_watched", NULL, limits[QUOTA_WATCHED],
		"Paths of event streams that were refused because of a user's share."),
	COUNTER("limited_transactions", "limited_transactions", NULL, limits[QUOTA_TRANSACTIONS],
		"Transactions that were refused because of a user's share."),
	COUNTER("limited_watches", "limited_watches", NULL, limits[QUOTA_WATCHES],
		"Watches for single paths that were refused because of a user's share."),
	COUNTER("limited_empty", "limited_empty", NULL, limits[QUOTA_EMPTY],
		"Files that were emptied in the store at once because of a user's share."),
	{ 0 },
};

static void take_operations(struct figures *f, const struct fs *fs)
{
	const struct op_counters *counters = &fs->op_counters;

	f->ops = *counters;
	for (unsigned i = 0; i < OP_KINDS; i++)
		f->ops_all += counters->started[i];
	f->ops_now = fs->ops_now;
	f->ops_interrupted = fs->ops_interrupted;
	f->tx_retries = fs->tx_retries;
}

static void take_events(struct figures *f, struct fs *fs)
{
	f->watches = watches_count(fs->cover->watches);
	f->polls = atomic_load(&fs->poll_counters.now);
	f->poll_notifications = atomic_load(&fs->poll_counters.notified);
	f->polls_unwatched = fs->polls->count;
	f->streams = streams_count(fs, &f->stream_overflows);
	f->invalidations = fs->invalidations;
	f->invalidations_due = fs->inodes.untold;
	f->contents_dropped = fs->contents_dropped;
	f->inotify = fs->inotify_counters.on;
	f->inotify_raised = fs->inotify_counters.raised;
	f->inotify_merged = fs->inotify_counters.merged;
	f->inotify_refused = fs->inotify_counters.refused;
	f->inotify_swept = fs->inotify_counters.swept;
}

static void take_raw(struct figures *f, struct client_counters *counters)
{
	f->raw_clients = counters->clients;
	f->raw_watches = counters->watches;
	f->raw_transactions = counters->transactions;
	f->raw_messages = counters->messages;
	f->raw_events_merged = counters->events_merged;
}

struct figures *figures_take(struct fs *fs)
{
	struct figures *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	chan_stats(fs->chan, &f->chan);
	take_operations(f, fs);
	take_events(f, fs);
	take_raw(f, &fs->raws->counters);
	f->transactions = fs->transactions->count;
	f->transactions_idle = fs->transactions->idle_ends;
	f->inodes = inodes_count(&fs->inodes);
	f->open_files = fs->handles.count;
	f->watched_bytes = fs->quotas.kinds[QUOTA_WATCHED].used;
	for (int kind = 0; kind < QUOTA_KINDS; kind++)
		f->limits[kind] = fs->quotas.kinds[kind].refusals;
	return f;
}

uint64_t figure_value(const struct figures *figures, const struct figure *figure)
{
	const char *at = (const char *)figures + figure->offset;
	uint64_t wide;
	uint32_t narrow;

	if (figure->size == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

const char *figures_state_name(enum chan_state state)
{
	switch (state) {
	case CHAN_CONNECTED:
		return "connected";
	case CHAN_CONNECTING:
		return "connecting";
	case CHAN_DEAD:
		return "dead";
	case CHAN_SHUTDOWN:
		return "shutdown";
	}
	return "?";
}
