/* SPDX-License-Identifier: MIT */
/* Records events and passes them on to the readers of inotify, inodes, streams and the notifier, in this order. */
#include "fs/events/dispatch.h"
#include "fs/events/notifier.h"
#include "fs/events/stream.h"
#include "fs/op/fs_impl.h"

static void tell_readers(struct fs *fs, const char *path, bool lost)
{
	if (fs->tell_readers)
		fs->tell_readers(fs, path, lost);
}

void dispatch_event(struct fs *fs, const char *path)
{
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
