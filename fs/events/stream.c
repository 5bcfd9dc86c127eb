/* SPDX-License-Identifier: MIT */
/* Event streams. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "fs/events/stream_impl.h"

/* Paths whose state is asked for at a time. */
#define CHECK_BATCH 32

struct streams *streams_new(void)
{
	struct streams *streams = calloc(1, sizeof(*streams));

	if (!streams)
		return NULL;
	LIST_INIT(&streams->all);
	TAILQ_INIT(&streams->due);
	path_index_init(&streams->index);
	return streams;
}

void streams_free(struct streams *streams)
{
	if (!streams)
		return;
	free(streams);
}

/* ---- those who wait ---- */

static bool stream_is_readable(const struct stream *stream)
{
	return stream->text || path_queue_first(&stream->queue) || stream->queue.overflow ||
	       stream->resync || stream->lost;
}

static void queue_add(struct stream *stream, const char *path)
{
	if (!path_queue_add(&stream->queue, path))
		stream->fs->streams->overflows++;
}

/* It is the turn of reads that wait: of one, or of all if there is an error for each. */
static void take_reads(struct stream *stream)
{
	struct op *op;

	while ((op = TAILQ_FIRST(&stream->parked))) {
		op_unpark(op);
		TAILQ_REMOVE(&stream->parked, op, parked_link);
		TAILQ_INSERT_TAIL(&stream->fs->streams->due, op, parked_link);
		if (!stream->lost)
			return;
	}
}

/* Takes what waits for something to read: reads, for run_reads(), and wakes the poll. */
static void take_waiting(struct stream *stream)
{
	if (!stream_is_readable(stream))
		return;
	if (!stream->checking)
		take_reads(stream);
	wakeups_take(&stream->fs->wakeups, &stream->poll);
}

/* Runs the reads whose turn it is.  Each may give the next one its turn and come back here: that one is
 * left to the first caller's loop, or the stack would be as deep as reads wait. */
static void run_reads(struct streams *streams)
{
	struct op *op;

	if (streams->running)
		return;
	streams->running = true;
	while ((op = TAILQ_FIRST(&streams->due))) {
		TAILQ_REMOVE(&streams->due, op, parked_link);
		stream_read(op);
	}
	streams->running = false;
}

/* ---- events ---- */

static void push(void *arg, struct path_user *user, const char *path)
{
	struct subscription *sub = subscription_of(user);
	struct stream *stream = sub->stream;

	(void)arg;
	/* A value is not that of what is below it. */
	if (stream->value_of && strcmp(path, stream->value_of) != 0)
		return;
	if (sub->armed) {
		queue_add(stream, path);
		take_waiting(stream);
	}
}

void streams_note_event(struct fs *fs, const char *path)
{
	struct streams *streams = fs->streams;

	/* Each line is one path: what could not be one is not passed on. */
	if (path[0] != '@' && !path_is_legal(path))
		return;
	path_index_visit(&streams->index, path, push, NULL);
	run_reads(streams);
}

/* Subscriptions whose watches could not be set again are none any more. */
static void note_lost(struct stream *stream)
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
	struct stream *stream;

	LIST_FOREACH(stream, &fs->streams->all, all_link) {
		stream->resync = true;
		note_lost(stream);
		take_waiting(stream);
	}
	run_reads(fs->streams);
}

void streams_died(struct fs *fs)
{
	struct stream *stream;

	LIST_FOREACH(stream, &fs->streams->all, all_link) {
		stream->lost = true;
		wakeups_take(&fs->wakeups, &stream->poll);
	}
	streams_shutdown(fs);
}

void streams_shutdown(struct fs *fs)
{
	struct op_list reads = TAILQ_HEAD_INITIALIZER(reads);
	struct op_list subscribers = TAILQ_HEAD_INITIALIZER(subscribers);
	struct stream *stream;
	struct op *op;

	LIST_FOREACH(stream, &fs->streams->all, all_link) {
		TAILQ_FOREACH(op, &stream->parked, parked_link)
			op_unpark(op);
		TAILQ_CONCAT(&reads, &stream->parked, parked_link);
		op = stream->subscriber;
		if (op) {
			op_unpark(op);
			TAILQ_INSERT_TAIL(&subscribers, op, parked_link);
		}
		stream->subscriber = NULL;
	}
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
	*overflows = fs->streams->overflows;
	return fs->streams->count;
}

/* ---- reading ---- */

/* Gives the reader what is left of the lines that were begun. */
static size_t take_text(struct stream *stream, char *buf, size_t size)
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
static void stream_read_again(struct op *op)
{
	op_calls_clear(op);
	free(op->data);
	op->data = NULL;
	stream_read(op);
}

/* Replies with text that is there.  Another read that waits gets its turn. */
static void reply_text(struct op *op)
{
	struct stream *stream = op->handle->own;
	struct streams *streams = stream->fs->streams;
	char *buf = malloc(op->size ? op->size : 1);
	size_t size = 0;
	bool any;

	any = buf && stream->text;
	if (any)
		size = take_text(stream, buf, op->size);
	take_waiting(stream);
	/* With the reply the stream may be gone.  No text is no end of file. */
	if (!buf)
		op_reply_error(op, -ENOMEM);
	else if (any)
		op_reply_buf(op, buf, size);
	else
		stream_read_again(op);
	free(buf);
	run_reads(streams);
}

/* Puts the paths back: their read did not get to tell of them. */
static void requeue(struct stream *stream, const struct op *op)
{
	const char *path;

	for (path = op->data; path < op->data + op->data_len; path += strlen(path) + 1)
		queue_add(stream, path);
}

/* Returns whether a read that ended so has told nothing: what it was to tell is still to be read.  EIO is
 * not among these, as a resync follows it. */
static bool told_nothing(int err)
{
	return err == -EINTR || err == -ENOMEM || err == -ETIMEDOUT;
}

static void check_done(struct op *op)
{
	struct stream *stream = op->handle->own;
	struct streams *streams = stream->fs->streams;
	char *text = NULL;
	size_t len = 0;
	int err;

	err = stream->value_of ? stream_value_line(op, &text, &len) : stream_lines(op, &text, &len);
	stream->checking = false;
	if (err) {
		if (told_nothing(err))
			requeue(stream, op);
		take_waiting(stream);
		op_reply_error(op, err);
	} else {
		stream->text = text;
		stream->text_len = len;
		stream->text_read = 0;
		reply_text(op);
	}
	run_reads(streams);
}

/* Takes the first paths off the queue, into op->data, and adds a question for each.  Returns
 * whether there was memory. */
static bool take_batch(struct stream *stream, struct op *op)
{
	const char *path;
	size_t len;

	op->data = malloc(CHECK_BATCH * PATH_SIZE);
	if (!op->data)
		return false;
	op->data_len = 0;
	for (unsigned n = 0; n < CHECK_BATCH; n++) {
		path = path_queue_first(&stream->queue);
		if (!path)
			break;
		len = strlen(path) + 1;
		memcpy(op->data + op->data_len, path, len);
		op->data_len += len;
		if (path[0] == '/')
			op_call(op, XS_READ, 0, path, NULL, 0);
		path_queue_pop(&stream->queue);
	}
	return true;
}

/* Turns what needs no question into text, or into one about the value.  Returns 0 or -ENOMEM. */
static int announce(struct stream *stream)
{
	const char *text = stream->resync ? "resync\n" : "overflow\n";

	if (stream->value_of) {
		stream->resync = stream->queue.overflow = false;
		return path_queue_add(&stream->queue, stream->value_of) ? 0 : -ENOMEM;
	}
	stream->text = strdup(text);
	if (!stream->text)
		return -ENOMEM;
	stream->text_len = strlen(text);
	stream->text_read = 0;
	if (stream->resync)
		stream->resync = false;
	else
		stream->queue.overflow = false;
	return 0;
}

static void stream_unpark_read(struct op *op)
{
	struct stream *stream = op->handle->own;

	TAILQ_REMOVE(&stream->parked, op, parked_link);
	op_reply_error(op, -EINTR);
}

/* Lets a read wait.  Returns 0 or why not. */
static int stream_park(struct stream *stream, struct op *op)
{
	int err;

	if (op->flags & O_NONBLOCK)
		return -EAGAIN;
	err = op_park(op, stream_unpark_read);
	if (!err)
		TAILQ_INSERT_TAIL(&stream->parked, op, parked_link);
	return err;
}

void stream_read(struct op *op)
{
	struct stream *stream = op->handle->own;
	bool ask = false, ready;
	int err = 0;

	if (!stream->text && !stream->checking && (stream->resync || stream->queue.overflow))
		err = announce(stream);
	ready = stream->text != NULL;
	if (!ready && !err && !stream->checking && path_queue_first(&stream->queue)) {
		ask = take_batch(stream, op);
		stream->checking = ask;
		err = ask ? 0 : -ENOMEM;
	} else if (!ready && !err) {
		err = stream->lost ? -EIO : stream_park(stream, op);
	}
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
	unsigned revents = POLLOUT | POLLWRNORM;

	op_keep_poll(op, &stream->poll);
	if (stream_is_readable(stream))
		revents |= POLLIN | POLLRDNORM;
	if (stream->lost || op->fs->store_died)
		revents |= POLLERR;
	op_reply_poll(op, revents);
}

/* ---- its life ---- */

int stream_new(struct fs *fs, uid_t user, const char *value_of, struct stream **out)
{
	struct stream *stream;
	int err = quota_charge(&fs->quotas, QUOTA_STREAMS, user, 1);

	if (err)
		return err;
	stream = calloc(1, sizeof(*stream));
	if (stream && value_of)
		stream->value_of = strdup(value_of);
	if (!stream || (value_of && !stream->value_of)) {
		free(stream);
		quota_release(&fs->quotas, QUOTA_STREAMS, user, 1);
		return -ENOMEM;
	}
	stream->fs = fs;
	stream->user = user;
	path_queue_init(&stream->queue, STREAM_QUEUE_MAX);
	TAILQ_INIT(&stream->subscriptions);
	TAILQ_INIT(&stream->parked);
	LIST_INSERT_HEAD(&fs->streams->all, stream, all_link);
	fs->streams->count++;
	*out = stream;
	return 0;
}

void stream_close(struct fs *fs, void *own)
{
	struct streams *streams = fs->streams;
	struct stream *stream = own;

	LIST_REMOVE(stream, all_link);
	streams->count--;
	subscriptions_end(stream);
	path_queue_clear(&stream->queue);
	free(stream->text);
	free(stream->value_of);
	kept_poll_free(stream->poll);
	quota_release(&fs->quotas, QUOTA_STREAMS, stream->user, 1);
	free(stream);
}
