/* SPDX-License-Identifier: MIT */
/*
 * The subscriptions of event streams: paths that are told of, each with a watch that covers it.
 * They come on threads that read /dev/fuse; watches answer on the I/O thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "fs/events/stream_impl.h"

/* Takes a subscription off its stream; subscription_free() comes next, with no lock held. */
static void subscription_detach_locked(struct subscription *sub)
{
	path_index_remove(&sub->stream->fs->streams->index, &sub->user);
	TAILQ_REMOVE(&sub->stream->subscriptions, sub, link);
}

static void subscription_free(struct subscription *sub)
{
	cover_remove(sub->stream->fs, &sub->ref);
	free(sub);
}

void subscriptions_end(struct stream *stream)
{
	struct streams *streams = stream->fs->streams;
	struct subscription *sub;

	pthread_mutex_lock(&streams->lock);
	while ((sub = TAILQ_FIRST(&stream->subscriptions))) {
		subscription_detach_locked(sub);
		pthread_mutex_unlock(&streams->lock);
		subscription_free(sub);
		pthread_mutex_lock(&streams->lock);
	}
	pthread_mutex_unlock(&streams->lock);
}

static bool is_of_stream(void *arg, struct path_user *user)
{
	return subscription_of(user)->stream == arg;
}

static struct subscription *find_locked(struct stream *stream, const char *path)
{
	struct path_user *user = path_index_find(&stream->fs->streams->index, path, is_of_stream,
						 stream);

	return user ? subscription_of(user) : NULL;
}

int stream_unsubscribe(struct stream *stream, const char *path)
{
	struct subscription *sub;

	pthread_mutex_lock(&stream->fs->streams->lock);
	sub = find_locked(stream, path);
	if (sub)
		subscription_detach_locked(sub);
	pthread_mutex_unlock(&stream->fs->streams->lock);
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
	struct streams *streams = stream->fs->streams;
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
	if (--stream->unarmed == 0 && stream->subscriber) {
		op = stream->subscriber;
		op_unpark(op);
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
	struct streams *streams = stream->fs->streams;
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
	if (path_index_add(&streams->index, &sub->user, path)) {
		free(sub);
		sub = NULL;
		goto out;
	}
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
