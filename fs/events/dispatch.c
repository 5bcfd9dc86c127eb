/* SPDX-License-Identifier: MIT */
/* Records events and passes them on to the readers of inotify, inodes, streams and the notifier, in this order. */
#include "fs/events/dispatch.h"
#include "fs/events/notifier.h"
#include "fs/events/stream.h"
#include "fs/op/op.h"

static void tell_readers(struct fs *fs, const char *path, bool lost)
{
	if (fs->tell_readers)
		fs->tell_readers(fs, path, lost);
}

/* ---- floods ---- */

static void flood_ask(struct fs *fs);

static void flood_asked_done(struct op *op)
{
	struct fs *fs = op->fs;
	enum flood_next next = FLOOD_NOTHING;

	/* The server has answered, whatever it has said. */
	if (op->answered_ns)
		next = flood_answered(&fs->flood);
	else
		flood_unanswered(&fs->flood);
	op_reply_error(op, 0);
	if (next == FLOOD_ASK_AGAIN) {
		flood_ask(fs);
	} else if (next == FLOOD_OVER) {
		log_debug(fs->log, "a flood of events is over: everything is looked at anew");
		dispatch_unseen(fs);
		streams_note_all(fs);
	}
}

/* Asks something of which only the time of the answer matters. */
static void flood_ask(struct fs *fs)
{
	struct op *op = op_new(fs, NULL, 0, OP_OWN_FLOOD);

	if (!op)
		return;
	flood_asked(&fs->flood);
	op_call(op, XS_GET_PERMS, 0, fs->inodes.root_path, NULL, 0);
	op_submit(op, flood_asked_done);
}

/* ---- events ---- */

void dispatch_event(struct fs *fs, const char *path)
{
	if (flood_event(&fs->flood))
		flood_ask(fs);
	events_add(&fs->events, path);
	/* First, as it has to see which changes of our own are still expected. */
	tell_readers(fs, path, false);
	inodes_note_event(&fs->inodes, path, &fs->wakeups);
	streams_note_event(fs, path);
	notifier_wake(fs);
}

void dispatch_unseen(struct fs *fs)
{
	events_add(&fs->events, NULL);
	inodes_note_event(&fs->inodes, NULL, &fs->wakeups);
	tell_readers(fs, NULL, false);
	notifier_wake(fs);
}

void dispatch_resync(struct fs *fs)
{
	log_info(fs->log, "events may have been lost: everything is looked at anew");
	dispatch_unseen(fs);
	tell_readers(fs, NULL, true);
	streams_resync(fs);
}

const struct cover_handlers dispatch_handlers = {
	.changed = dispatch_event,
	.resync = dispatch_resync,
	.unseen = dispatch_unseen,
};
