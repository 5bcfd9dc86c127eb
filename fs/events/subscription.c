/* SPDX-License-Identifier: MIT */
/* The subscriptions of event streams: paths that are told of, each with a watch that covers it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/events/stream_impl.h"

static void settle(struct stream *stream);

/* Ends a subscription.  Nobody waits for its watch any more. */
static void subscription_end(struct subscription *sub)
{
	struct stream *stream = sub->stream;
	bool pending = sub->pending;

	path_index_remove(&stream->fs->streams->index, &sub->user);
	TAILQ_REMOVE(&stream->subscriptions, sub, link);
	cover_remove(stream->fs, &sub->ref);
	quota_release(&stream->fs->quotas, QUOTA_WATCHED, stream->user, sub->charged);
	free(sub);
	if (pending)
		settle(stream);
}

void subscriptions_end(struct stream *stream)
{
	while (!TAILQ_EMPTY(&stream->subscriptions))
		subscription_end(TAILQ_FIRST(&stream->subscriptions));
}

static bool is_of_stream(void *arg, struct path_user *user)
{
	return subscription_of(user)->stream == arg;
}

static struct subscription *subscription_find(struct stream *stream, const char *path)
{
	struct path_user *user = path_index_find(&stream->fs->streams->index, path, is_of_stream,
						 stream);

	return user ? subscription_of(user) : NULL;
}

int stream_unsubscribe(struct stream *stream, const char *path)
{
	struct subscription *sub = subscription_find(stream, path);

	if (!sub)
		return -ENOENT;
	subscription_end(sub);
	return 0;
}

/* Returns a subscription of the stream that failed, or NULL. */
static struct subscription *find_failed(struct stream *stream)
{
	struct subscription *sub = NULL;

	if (stream->failed)
		TAILQ_FOREACH(sub, &stream->subscriptions, link)
			if (sub->error)
				break;
	stream->failed = sub != NULL;
	return sub;
}

/* Ends the subscriptions whose watches could not be set. */
static void drop_failed(struct stream *stream)
{
	struct subscription *sub;

	while ((sub = find_failed(stream)))
		subscription_end(sub);
}

/* A watch is set, was refused, or is not wanted any more; after the last one the subscriber is answered.  Without
 * one, as it was interrupted, what failed is left to the next, for the stream may be about to end. */
static void settle(struct stream *stream)
{
	struct op *op = NULL;
	int error;

	error = stream->error;
	if (--stream->unarmed == 0 && stream->subscriber) {
		op = stream->subscriber;
		op_unpark(op);
		stream->subscriber = NULL;
	}
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

	sub->armed = !error;
	sub->error = error;
	stream->failed |= error != 0;
	if (error && !stream->error)
		stream->error = error;
	sub->pending = false;
	settle(stream);
}

/* The subscriber was interrupted. */
static void unpark_subscriber(struct op *op)
{
	struct stream *stream = op->handle->own;

	stream->subscriber = NULL;
	stream->done(op, -EINTR);
}

static uint64_t cost(const char *path)
{
	uint64_t bytes = SUBSCRIPTION_BYTES + 2 * strlen(path);

	for (; *path; path++)
		bytes += *path == '/' ? NAME_BYTES : 0;
	return bytes;
}

/* Puts a subscription of that path into the index.  Returns it, or NULL and *err. */
static struct subscription *subscription_new(struct stream *stream, const char *path, int *err)
{
	struct fs *fs = stream->fs;
	struct subscription *sub;
	uint64_t bytes = cost(path);

	*err = quota_charge(&fs->quotas, QUOTA_WATCHED, stream->user, bytes);
	if (*err)
		return NULL;
	sub = calloc(1, sizeof(*sub) + strlen(path) + 1);
	if (sub) {
		strcpy(sub->path, path);
		sub->stream = stream;
		sub->charged = bytes;
		sub->ref.armed = subscription_armed;
		sub->ref.user = stream->user;
	}
	if (!sub || path_index_add(&fs->streams->index, &sub->user, sub->path)) {
		free(sub);
		quota_release(&fs->quotas, QUOTA_WATCHED, stream->user, bytes);
		*err = -ENOMEM;
		return NULL;
	}
	TAILQ_INSERT_TAIL(&stream->subscriptions, sub, link);
	return sub;
}

void stream_subscribe(struct stream *stream, struct op *op, char *const *paths, unsigned n,
		      void (*done)(struct op *op, int error))
{
	struct subscription *sub;
	int err = 0;
	bool wait;

	drop_failed(stream);
	/* One more than there are, so that it is not over before all are on their way.  There may be
	 * others yet, of a subscriber that was interrupted. */
	stream->unarmed++;
	stream->error = 0;
	stream->lost = false;
	stream->done = done;

	for (unsigned i = 0; i < n && !err; i++) {
		if (subscription_find(stream, paths[i]))
			continue;
		sub = subscription_new(stream, paths[i], &err);
		if (!sub)
			break;
		stream->unarmed++;
		sub->pending = true;
		if (cover_add(stream->fs, &sub->ref, paths[i]))
			subscription_armed(&sub->ref, -ENOMEM);
	}

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
	if (wait)
		return;
	if (err)
		drop_failed(stream);
	done(op, err);
}
