/* SPDX-License-Identifier: MIT */
/* Events: remembered, and passed on to inodes and streams.  They come on the I/O thread. */
#include <stdlib.h>
#include <string.h>

#include "fs/event.h"
#include "fs/fs_impl.h"
#include "fs/notifier.h"
#include "fs/stream.h"

void events_init(struct events *events)
{
	*events = (struct events){ 0 };
	pthread_mutex_init(&events->lock, NULL);
}

void events_deinit(struct events *events)
{
	for (unsigned i = 0; i < EVENT_RECENT; i++)
		free(events->recent[i]);
	pthread_mutex_destroy(&events->lock);
}

bool event_related(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	const char *longer = a_len > b_len ? a : b;
	size_t len = a_len > b_len ? b_len : a_len;

	if (strncmp(a, b, len) != 0)
		return false;
	return len == 1 || longer[len] == '/' || longer[len] == '\0';
}

/* Remembers an event; NULL stands for "anything". */
static void remember(struct events *events, const char *path)
{
	char *copy = path ? strdup(path) : NULL;
	char **slot;

	pthread_mutex_lock(&events->lock);
	slot = &events->recent[++events->seq % EVENT_RECENT];
	free(*slot);
	*slot = copy;
	if (!copy)
		events->forgotten = events->seq;
	else if (events->seq >= EVENT_RECENT && events->seq - EVENT_RECENT > events->forgotten)
		events->forgotten = events->seq - EVENT_RECENT;
	pthread_mutex_unlock(&events->lock);
}

uint64_t event_seq(struct fs *fs)
{
	uint64_t seq;

	pthread_mutex_lock(&fs->events.lock);
	seq = fs->events.seq;
	pthread_mutex_unlock(&fs->events.lock);
	return seq;
}

bool event_since(struct fs *fs, uint64_t seq, const char *path)
{
	struct events *events = &fs->events;
	bool found;

	pthread_mutex_lock(&events->lock);
	found = seq < events->forgotten;
	for (uint64_t n = seq + 1; n <= events->seq && !found; n++)
		found = event_related(events->recent[n % EVENT_RECENT], path);
	pthread_mutex_unlock(&events->lock);
	return found;
}

void event_changed(struct fs *fs, const char *path)
{
	struct wakeups wakeups = { 0 };

	remember(&fs->events, path);
	inodes_changed(&fs->inodes, path, &wakeups);
	wakeups_notify(&wakeups);
	streams_changed(fs, path);
	notifier_wake(fs);
}

void event_unseen(struct fs *fs)
{
	struct wakeups wakeups = { 0 };

	remember(&fs->events, NULL);
	inodes_changed(&fs->inodes, NULL, &wakeups);
	wakeups_notify(&wakeups);
	notifier_wake(fs);
}

void event_resync(struct fs *fs)
{
	log_info(fs->log, "events may have been lost: everything is looked at anew");
	pthread_mutex_lock(&fs->events.lock);
	fs->events.resyncs++;
	pthread_mutex_unlock(&fs->events.lock);
	event_unseen(fs);
	streams_resync(fs);
}
