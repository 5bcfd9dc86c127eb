/* SPDX-License-Identifier: MIT */
/*
 * Event streams.  Events come on the I/O thread, reads and polls on those that read /dev/fuse.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "fs/op.h"
#include "fs/stream.h"

/* Paths whose state is asked for at a time. */
#define CHECK_BATCH 32

/* A path that somebody subscribed to, or that is above such a one: they form a tree. */
struct subscription_path {
	LIST_HEAD(, subscription) here;
	LIST_HEAD(, subscription_path) below;
	struct subscription_path *parent; /* NULL: the root, or a special path */
	LIST_ENTRY(subscription_path) sibling;
	UT_hash_handle hh;
	char path[];
};

struct subscription {
	struct cover_ref ref;
	struct stream *stream;
	struct subscription_path *at;
	bool armed; /* under the stream's lock, as `error` */
	int error;  /* why it is none, or is none any more */
	LIST_ENTRY(subscription) here_link;
	TAILQ_ENTRY(subscription) link;
};

/* A path on which something happened. */
struct item {
	UT_hash_handle hh;
	char path[];
};

struct stream {
	struct fs *fs;
	LIST_ENTRY(stream) all_link;
	TAILQ_HEAD(, subscription) subscriptions; /* under streams.lock */

	pthread_mutex_t lock;
	struct item *queue; /* uthash keeps the order of arrival */
	size_t queued_bytes;
	bool overflow;
	bool resync;
	bool lost;         /* of a subscription nothing will come any more */
	bool failed;       /* there are subscriptions with an error */
	bool checking;     /* a read is asking the store about the first paths */
	char *text;        /* lines that were begun, and how much of them was read */
	size_t text_len;
	size_t text_read;
	struct op_list parked;
	struct fuse_pollhandle *poll;

	/* A subscribe that waits for its watches. */
	struct op *subscriber; /* once it does */
	unsigned unarmed;      /* watches under way */
	int error;             /* the first of those that failed */
	void (*done)(struct op *op, int error);
};

/* ---- the index ---- */

void streams_init(struct streams *streams)
{
	*streams = (struct streams){ 0 };
	LIST_INIT(&streams->all);
	pthread_mutex_init(&streams->lock, NULL);
}

void streams_deinit(struct streams *streams)
{
	pthread_mutex_destroy(&streams->lock);
}

static struct subscription_path *path_find(struct streams *streams, const char *path, size_t len)
{
	struct subscription_path *entry;

	HASH_FIND(hh, streams->paths, path, len, entry);
	return entry;
}

/* The length of the parent of path[0..len), 0 above the root or a special path. */
static size_t parent_len(const char *path, size_t len)
{
	if (len <= 1 || path[0] != '/')
		return 0;
	while (path[len - 1] != '/')
		len--;
	return len > 1 ? len - 1 : 1;
}

/* Frees a path that nobody subscribed to, at or below it, and what is above it likewise. */
static void path_drop_unused(struct streams *streams, struct subscription_path *entry)
{
	struct subscription_path *parent;

	while (entry && LIST_EMPTY(&entry->here) && LIST_EMPTY(&entry->below)) {
		parent = entry->parent;
		if (parent)
			LIST_REMOVE(entry, sibling);
		HASH_DELETE(hh, streams->paths, entry);
		free(entry);
		entry = parent;
	}
}

static struct subscription_path *path_new(struct streams *streams, const char *path, size_t len,
					  struct subscription_path *parent)
{
	struct subscription_path *entry = calloc(1, sizeof(*entry) + len + 1);

	if (!entry)
		return NULL;
	memcpy(entry->path, path, len);
	LIST_INIT(&entry->here);
	LIST_INIT(&entry->below);
	HASH_ADD_KEYPTR(hh, streams->paths, entry->path, len, entry);
	if (!entry->hh.tbl) {
		free(entry);
		return NULL;
	}
	entry->parent = parent;
	if (parent)
		LIST_INSERT_HEAD(&parent->below, entry, sibling);
	return entry;
}

/* Returns the entry of a path, made if need be with those above it, or NULL without memory. */
static struct subscription_path *path_intern(struct streams *streams, const char *path, size_t len)
{
	struct subscription_path *entry = path_find(streams, path, len), *parent = NULL;
	size_t above = parent_len(path, len);

	if (entry)
		return entry;
	if (above) {
		parent = path_intern(streams, path, above);
		if (!parent)
			return NULL;
	}
	entry = path_new(streams, path, len, parent);
	if (!entry)
		path_drop_unused(streams, parent);
	return entry;
}

/* The next below `top` in preorder, or NULL behind the last. */
static struct subscription_path *path_next(const struct subscription_path *top,
					   struct subscription_path *entry)
{
	if (!LIST_EMPTY(&entry->below))
		return LIST_FIRST(&entry->below);
	while (entry != top && !LIST_NEXT(entry, sibling))
		entry = entry->parent;
	return entry == top ? NULL : LIST_NEXT(entry, sibling);
}

/* ---- the queue ---- */

static void queue_clear_locked(struct stream *stream)
{
	struct item *item, *next;

	HASH_ITER(hh, stream->queue, item, next) {
		HASH_DEL(stream->queue, item);
		free(item);
	}
	stream->queued_bytes = 0;
}

static bool readable_locked(const struct stream *stream)
{
	return stream->text || stream->queue || stream->overflow || stream->resync ||
	       stream->lost;
}

static void queue_overflow_locked(struct stream *stream)
{
	queue_clear_locked(stream);
	if (!stream->overflow)
		stream->fs->streams.overflows++;
	stream->overflow = true;
}

static void queue_add_locked(struct stream *stream, const char *path)
{
	size_t size = strlen(path) + 1;
	struct item *item;

	/* While it has to say `overflow` there is nothing more to say. */
	if (stream->overflow)
		return;
	HASH_FIND_STR(stream->queue, path, item);
	if (item)
		return;
	item = stream->queued_bytes + size <= STREAM_QUEUE_MAX ? malloc(sizeof(*item) + size) : NULL;
	if (!item) {
		queue_overflow_locked(stream);
		return;
	}
	memcpy(item->path, path, size);
	HASH_ADD_STR(stream->queue, path, item);
	if (!item->hh.tbl) {
		free(item);
		queue_overflow_locked(stream);
		return;
	}
	stream->queued_bytes += size + sizeof(*item);
}

/* Takes reads that wait: one, or all if there is an error for each. */
static void take_reads_locked(struct stream *stream, struct op_list *reads)
{
	struct op *op, *next;

	for (op = TAILQ_FIRST(&stream->parked); op; op = next) {
		next = TAILQ_NEXT(op, parked_link);
		if (!op_unpark(op))
			continue;
		TAILQ_REMOVE(&stream->parked, op, parked_link);
		TAILQ_INSERT_TAIL(reads, op, parked_link);
		if (!stream->lost)
			return;
	}
}

/* Takes what waits for something to read: reads, and the poll. */
static void take_waiting_locked(struct stream *stream, struct op_list *reads,
				struct wakeups *wakeups)
{
	if (!readable_locked(stream))
		return;
	if (!stream->checking)
		take_reads_locked(stream, reads);
	wakeups_take(wakeups, &stream->poll);
}

static void run_reads(struct op_list *reads)
{
	struct op *op;

	while ((op = TAILQ_FIRST(reads))) {
		TAILQ_REMOVE(reads, op, parked_link);
		stream_read(op);
	}
}

/* ---- events ---- */

static void push(struct subscription *sub, const char *path, struct op_list *reads,
		 struct wakeups *wakeups)
{
	struct stream *stream = sub->stream;

	pthread_mutex_lock(&stream->lock);
	if (sub->armed) {
		queue_add_locked(stream, path);
		take_waiting_locked(stream, reads, wakeups);
	}
	pthread_mutex_unlock(&stream->lock);
}

/* What is at or above the event's path hears of that path. */
static void push_above(struct streams *streams, const char *path, struct op_list *reads,
		       struct wakeups *wakeups)
{
	struct subscription_path *entry;
	struct subscription *sub;
	size_t len;

	for (len = strlen(path); len; len = parent_len(path, len)) {
		entry = path_find(streams, path, len);
		if (entry)
			LIST_FOREACH(sub, &entry->here, here_link)
				push(sub, path, reads, wakeups);
	}
}

/* What is below it may have gone with it, or come with it. */
static void push_below(struct streams *streams, const char *path, struct op_list *reads,
		       struct wakeups *wakeups)
{
	struct subscription_path *top = path_find(streams, path, strlen(path)), *entry = top;
	struct subscription *sub;

	while (entry && (entry = path_next(top, entry)))
		LIST_FOREACH(sub, &entry->here, here_link)
			push(sub, entry->path, reads, wakeups);
}

void streams_changed(struct fs *fs, const char *path)
{
	struct op_list reads = TAILQ_HEAD_INITIALIZER(reads);
	struct streams *streams = &fs->streams;
	struct wakeups wakeups = { 0 };

	/* Each line is one path: what could not be one is not passed on. */
	if (path[0] != '@' && !path_is_legal(path))
		return;
	pthread_mutex_lock(&streams->lock);
	push_above(streams, path, &reads, &wakeups);
	push_below(streams, path, &reads, &wakeups);
	pthread_mutex_unlock(&streams->lock);
	wakeups_notify(&wakeups);
	run_reads(&reads);
}

/* Subscriptions whose watches could not be set again are none any more. */
static void note_lost_locked(struct stream *stream)
{
	struct subscription *sub;

	TAILQ_FOREACH(sub, &stream->subscriptions, link) {
		if (!sub->armed || cover_holds(&sub->ref))
			continue;
		sub->armed = false;
		sub->error = -EIO;
		stream->lost = stream->failed = true;
	}
}

void streams_resync(struct fs *fs)
{
	struct op_list reads = TAILQ_HEAD_INITIALIZER(reads);
	struct wakeups wakeups = { 0 };
	struct stream *stream;

	pthread_mutex_lock(&fs->streams.lock);
	LIST_FOREACH(stream, &fs->streams.all, all_link) {
		pthread_mutex_lock(&stream->lock);
		stream->resync = true;
		note_lost_locked(stream);
		take_waiting_locked(stream, &reads, &wakeups);
		pthread_mutex_unlock(&stream->lock);
	}
	pthread_mutex_unlock(&fs->streams.lock);
	wakeups_notify(&wakeups);
	run_reads(&reads);
}

void streams_shutdown(struct fs *fs)
{
	struct op_list reads = TAILQ_HEAD_INITIALIZER(reads);
	struct op_list subscribers = TAILQ_HEAD_INITIALIZER(subscribers);
	struct stream *stream;
	struct op *op;

	/* None is being interrupted: that happens on this thread. */
	pthread_mutex_lock(&fs->streams.lock);
	LIST_FOREACH(stream, &fs->streams.all, all_link) {
		pthread_mutex_lock(&stream->lock);
		TAILQ_FOREACH(op, &stream->parked, parked_link)
			op_unpark(op);
		TAILQ_CONCAT(&reads, &stream->parked, parked_link);
		op = stream->subscriber;
		if (op && op_unpark(op))
			TAILQ_INSERT_TAIL(&subscribers, op, parked_link);
		stream->subscriber = NULL;
		pthread_mutex_unlock(&stream->lock);
	}
	pthread_mutex_unlock(&fs->streams.lock);
	while ((op = TAILQ_FIRST(&reads))) {
		TAILQ_REMOVE(&reads, op, parked_link);
		op_reply_error(op, -EIO);
	}
	while ((op = TAILQ_FIRST(&subscribers))) {
		TAILQ_REMOVE(&subscribers, op, parked_link);
		((struct stream *)op->handle->own)->done(op, -EIO);
	}
}

unsigned streams_count(struct fs *fs, uint64_t *overflows)
{
	unsigned count;

	pthread_mutex_lock(&fs->streams.lock);
	count = fs->streams.count;
	*overflows = fs->streams.overflows;
	pthread_mutex_unlock(&fs->streams.lock);
	return count;
}

/* ---- reading ---- */

/* Gives the reader what is left of the lines that were begun. */
static size_t take_text_locked(struct stream *stream, char *buf, size_t size)
{
	size_t left = stream->text_len - stream->text_read;

	if (size > left)
		size = left;
	memcpy(buf, stream->text + stream->text_read, size);
	stream->text_read += size;
	if (size == left) {
		free(stream->text);
		stream->text = NULL;
	}
	return size;
}

/* Begins a read anew, which another was faster than: it has asked the store for nothing. */
static void read_again(struct op *op)
{
	op_calls_clear(op);
	free(op->data);
	op->data = NULL;
	stream_read(op);
}

/* Replies with text that is there.  Another read that waits gets its turn. */
static void reply_text(struct op *op)
{
	struct op_list reads = TAILQ_HEAD_INITIALIZER(reads);
	struct stream *stream = op->handle->own;
	struct wakeups wakeups = { 0 };
	char *buf = malloc(op->size ? op->size : 1);
	size_t size = 0;
	bool any;

	pthread_mutex_lock(&stream->lock);
	any = buf && stream->text;
	if (any)
		size = take_text_locked(stream, buf, op->size);
	take_waiting_locked(stream, &reads, &wakeups);
	pthread_mutex_unlock(&stream->lock);
	wakeups_notify(&wakeups);
	/* With the reply the stream may be gone.  No text is no end of file. */
	if (!buf)
		op_reply_error(op, -ENOMEM);
	else if (any)
		op_reply_buf(op, buf, size);
	else
		read_again(op);
	free(buf);
	run_reads(&reads);
}

/* The paths that were asked about, one after the other, each with its NUL, are in op->data. */
static bool format_lines(struct op *op, char **text, size_t *len)
{
	FILE *out = open_memstream(text, len);
	const char *path = op->data;
	unsigned call = 0;
	bool gone;

	if (!out)
		return false;
	for (; path < op->data + op->off; path += strlen(path) + 1) {
		/* Special paths are no nodes; the store was not asked for them. */
		gone = path[0] == '/' && op_call_raw_error(op, call++) == -ENOENT;
		fprintf(out, "%s %s\n", gone ? "deleted" : "changed", path);
	}
	return fclose(out) == 0;
}

/* Puts the paths back: their read did not get to tell of them. */
static void requeue_locked(struct stream *stream, const struct op *op)
{
	const char *path;

	for (path = op->data; path < op->data + op->off; path += strlen(path) + 1)
		queue_add_locked(stream, path);
}

static void check_done(struct op *op)
{
	struct stream *stream = op->handle->own;
	struct op_list reads = TAILQ_HEAD_INITIALIZER(reads);
	struct wakeups wakeups = { 0 };
	bool interrupted = false;
	char *text = NULL;
	size_t len = 0;

	for (unsigned i = 0; i < op->n_calls; i++)
		interrupted |= op->calls[i]->error == -EINTR;
	if (!interrupted && !format_lines(op, &text, &len)) {
		free(text);
		text = NULL;
	}
	pthread_mutex_lock(&stream->lock);
	stream->checking = false;
	if (text) {
		stream->text = text;
		stream->text_len = len;
		stream->text_read = 0;
	} else {
		requeue_locked(stream, op);
		take_waiting_locked(stream, &reads, &wakeups);
	}
	pthread_mutex_unlock(&stream->lock);
	if (text)
		reply_text(op);
	else
		op_reply_error(op, interrupted ? -EINTR : -ENOMEM);
	wakeups_notify(&wakeups);
	run_reads(&reads);
}

/* Takes the first paths off the queue, into op->data, and adds a question for each.  Returns
 * whether there was memory. */
static bool take_batch_locked(struct stream *stream, struct op *op)
{
	struct item *item, *next;
	unsigned n = 0;
	size_t len;

	op->data = malloc(CHECK_BATCH * PATH_SIZE);
	if (!op->data)
		return false;
	op->off = 0;
	HASH_ITER(hh, stream->queue, item, next) {
		if (n++ == CHECK_BATCH)
			break;
		len = strlen(item->path) + 1;
		memcpy(op->data + op->off, item->path, len);
		op->off += len;
		if (item->path[0] == '/')
			op_call(op, XS_READ, 0, item->path, NULL, 0);
		HASH_DEL(stream->queue, item);
		stream->queued_bytes -= len + sizeof(*item);
		free(item);
	}
	return true;
}

/* Turns what needs no question into text.  Returns 0 or -ENOMEM. */
static int announce_locked(struct stream *stream)
{
	const char *text = stream->resync ? "resync\n" : "overflow\n";

	stream->text = strdup(text);
	if (!stream->text)
		return -ENOMEM;
	stream->text_len = strlen(text);
	stream->text_read = 0;
	if (stream->resync)
		stream->resync = false;
	else
		stream->overflow = false;
	return 0;
}

static void unpark_read(struct op *op)
{
	struct stream *stream = op->handle->own;

	pthread_mutex_lock(&stream->lock);
	TAILQ_REMOVE(&stream->parked, op, parked_link);
	pthread_mutex_unlock(&stream->lock);
	op_reply_error(op, -EINTR);
}

/* Lets a read wait.  Returns 0 or why not. */
static int park_locked(struct stream *stream, struct op *op)
{
	int err;

	if (op->flags & O_NONBLOCK)
		return -EAGAIN;
	err = op_park(op, unpark_read);
	if (!err)
		TAILQ_INSERT_TAIL(&stream->parked, op, parked_link);
	return err;
}

void stream_read(struct op *op)
{
	struct stream *stream = op->handle->own;
	bool ask = false, ready;
	int err = 0;

	pthread_mutex_lock(&stream->lock);
	if (!stream->text && !stream->checking && (stream->resync || stream->overflow))
		err = announce_locked(stream);
	ready = stream->text != NULL;
	if (!ready && !err && !stream->checking && stream->queue) {
		ask = take_batch_locked(stream, op);
		stream->checking = ask;
		err = ask ? 0 : -ENOMEM;
	} else if (!ready && !err) {
		err = stream->lost ? -EIO : park_locked(stream, op);
	}
	pthread_mutex_unlock(&stream->lock);
	if (ready)
		reply_text(op);
	else if (ask)
		op_submit(op, check_done);
	else if (err)
		op_reply_error(op, err);
}

void stream_poll(struct op *op)
{
	struct stream *stream = op->handle->own;
	struct fuse_pollhandle *old = NULL;
	unsigned revents = POLLOUT | POLLWRNORM;

	pthread_mutex_lock(&stream->lock);
	if (op->poll) {
		old = stream->poll;
		stream->poll = op->poll;
		op->poll = NULL;
	}
	if (readable_locked(stream))
		revents |= POLLIN | POLLRDNORM;
	if (stream->lost)
		revents |= POLLERR;
	pthread_mutex_unlock(&stream->lock);
	if (old)
		fuse_pollhandle_destroy(old);
	op_reply_poll(op, revents);
}

/* ---- subscriptions ---- */

struct stream *stream_new(struct fs *fs)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->fs = fs;
	TAILQ_INIT(&stream->subscriptions);
	TAILQ_INIT(&stream->parked);
	pthread_mutex_init(&stream->lock, NULL);
	pthread_mutex_lock(&fs->streams.lock);
	LIST_INSERT_HEAD(&fs->streams.all, stream, all_link);
	fs->streams.count++;
	pthread_mutex_unlock(&fs->streams.lock);
	return stream;
}

/* Takes a subscription off its stream; subscription_free() comes next, with no lock held. */
static void subscription_detach_locked(struct subscription *sub)
{
	LIST_REMOVE(sub, here_link);
	path_drop_unused(&sub->stream->fs->streams, sub->at);
	TAILQ_REMOVE(&sub->stream->subscriptions, sub, link);
}

static void subscription_free(struct subscription *sub)
{
	cover_remove(sub->stream->fs, &sub->ref);
	free(sub);
}

void stream_close(struct fs *fs, void *own)
{
	struct streams *streams = &fs->streams;
	struct stream *stream = own;
	struct subscription *sub;

	pthread_mutex_lock(&streams->lock);
	LIST_REMOVE(stream, all_link);
	streams->count--;
	while ((sub = TAILQ_FIRST(&stream->subscriptions))) {
		subscription_detach_locked(sub);
		pthread_mutex_unlock(&streams->lock);
		subscription_free(sub);
		pthread_mutex_lock(&streams->lock);
	}
	pthread_mutex_unlock(&streams->lock);
	queue_clear_locked(stream);
	free(stream->text);
	if (stream->poll)
		fuse_pollhandle_destroy(stream->poll);
	pthread_mutex_destroy(&stream->lock);
	free(stream);
}

static struct subscription *find_locked(struct stream *stream, const char *path)
{
	struct subscription_path *entry = path_find(&stream->fs->streams, path, strlen(path));
	struct subscription *sub;

	if (!entry)
		return NULL;
	LIST_FOREACH(sub, &entry->here, here_link)
		if (sub->stream == stream)
			return sub;
	return NULL;
}

int stream_unsubscribe(struct stream *stream, const char *path)
{
	struct subscription *sub;

	pthread_mutex_lock(&stream->fs->streams.lock);
	sub = find_locked(stream, path);
	if (sub)
		subscription_detach_locked(sub);
	pthread_mutex_unlock(&stream->fs->streams.lock);
	if (!sub)
		return -ENOENT;
	subscription_free(sub);
	return 0;
}

/* Returns a subscription of the stream that failed, or NULL. */
static struct subscription *find_failed_locked(struct stream *stream)
{
	struct subscription *sub = NULL;

	pthread_mutex_lock(&stream->lock);
	if (stream->failed)
		TAILQ_FOREACH(sub, &stream->subscriptions, link)
			if (sub->error)
				break;
	stream->failed = sub != NULL;
	pthread_mutex_unlock(&stream->lock);
	return sub;
}

/* Ends the subscriptions whose watches could not be set. */
static void drop_failed(struct stream *stream)
{
	struct streams *streams = &stream->fs->streams;
	struct subscription *sub;

	pthread_mutex_lock(&streams->lock);
	while ((sub = find_failed_locked(stream))) {
		subscription_detach_locked(sub);
		pthread_mutex_unlock(&streams->lock);
		subscription_free(sub);
		pthread_mutex_lock(&streams->lock);
	}
	pthread_mutex_unlock(&streams->lock);
}

/* A watch is set, or was refused; after the last one the subscriber is answered.  Without one, as
 * it was interrupted, what failed is left to the next, for the stream may be about to end. */
static void settle(struct stream *stream)
{
	struct op *op = NULL;
	int error;

	pthread_mutex_lock(&stream->lock);
	error = stream->error;
	if (--stream->unarmed == 0 && stream->subscriber && op_unpark(stream->subscriber)) {
		op = stream->subscriber;
		stream->subscriber = NULL;
	}
	pthread_mutex_unlock(&stream->lock);
	if (!op)
		return;
	if (error)
		drop_failed(stream);
	stream->done(op, error);
}

static void subscription_armed(struct cover_ref *ref, int error)
{
	struct subscription *sub = (struct subscription *)ref;
	struct stream *stream = sub->stream;

	pthread_mutex_lock(&stream->lock);
	sub->armed = !error;
	sub->error = error;
	stream->failed |= error != 0;
	if (error && !stream->error)
		stream->error = error;
	pthread_mutex_unlock(&stream->lock);
	settle(stream);
}

/* The subscriber was interrupted. */
static void unpark_subscriber(struct op *op)
{
	struct stream *stream = op->handle->own;

	pthread_mutex_lock(&stream->lock);
	stream->subscriber = NULL;
	pthread_mutex_unlock(&stream->lock);
	stream->done(op, -EINTR);
}

/* Returns a new subscription in the index, NULL if there is one already, or without memory
 * (*err is then set). */
static struct subscription *subscription_new(struct stream *stream, const char *path, int *err)
{
	struct streams *streams = &stream->fs->streams;
	struct subscription *sub = NULL;

	pthread_mutex_lock(&streams->lock);
	if (find_locked(stream, path))
		goto out;
	*err = -ENOMEM;
	sub = calloc(1, sizeof(*sub));
	if (!sub)
		goto out;
	sub->stream = stream;
	sub->ref.armed = subscription_armed;
	sub->at = path_intern(streams, path, strlen(path));
	if (!sub->at) {
		free(sub);
		sub = NULL;
		goto out;
	}
	LIST_INSERT_HEAD(&sub->at->here, sub, here_link);
	TAILQ_INSERT_TAIL(&stream->subscriptions, sub, link);
	*err = 0;
out:
	pthread_mutex_unlock(&streams->lock);
	return sub;
}

void stream_subscribe(struct stream *stream, struct op *op, char *const *paths, unsigned n,
		      void (*done)(struct op *op, int error))
{
	struct subscription *sub;
	int err = 0;
	bool wait;

	drop_failed(stream);
	pthread_mutex_lock(&stream->lock);
	/* One more than there are, so that it is not over before all are on their way.  There may be
	 * others yet, of a subscriber that was interrupted. */
	stream->unarmed++;
	stream->error = 0;
	stream->lost = false;
	stream->done = done;
	pthread_mutex_unlock(&stream->lock);

	for (unsigned i = 0; i < n && !err; i++) {
		sub = subscription_new(stream, paths[i], &err);
		if (!sub)
			continue;
		pthread_mutex_lock(&stream->lock);
		stream->unarmed++;
		pthread_mutex_unlock(&stream->lock);
		if (cover_add(stream->fs, &sub->ref, paths[i]))
			subscription_armed(&sub->ref, -ENOMEM);
	}

	/* Once it waits, with the lock given up, it may be over, and the stream gone. */
	pthread_mutex_lock(&stream->lock);
	stream->unarmed--;
	wait = stream->unarmed > 0 && !err;
	if (wait) {
		err = op_park(op, unpark_subscriber);
		wait = !err;
	}
	if (wait)
		stream->subscriber = op;
	else if (!err)
		err = stream->error;
	pthread_mutex_unlock(&stream->lock);
	if (wait)
		return;
	if (err)
		drop_failed(stream);
	done(op, err);
}
