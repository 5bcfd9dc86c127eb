/* SPDX-License-Identifier: MIT */
/*
 * Raw clients.  Reads, writes and polls come on the threads that read /dev/fuse; what makes them go
 * on comes mostly on the I/O thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "fs/events/cover.h"
#include "fs/op/op.h"
#include "fs/special/raw.h"

/* The open file has a reference; raws_resync() takes another while it tells the client. */
struct raw {
	struct fs *fs;
	struct client *client;
	atomic_uint refs;

	/* Under raws.lock. */
	LIST_ENTRY(raw) all_link;
	uint64_t resync; /* the last that it was told of */

	pthread_mutex_t lock;
	struct op_list reads, writes; /* parked */
	struct kept_poll *poll;
	short polled; /* what the last POLL was told */
};

/* What can go on. */
struct going {
	struct op *read, *write;
};

struct raws *raws_new(void)
{
	struct raws *raws = calloc(1, sizeof(*raws));

	if (!raws)
		return NULL;
	LIST_INIT(&raws->all);
	pthread_mutex_init(&raws->lock, NULL);
	return raws;
}

void raws_free(struct raws *raws)
{
	if (!raws)
		return;
	pthread_mutex_destroy(&raws->lock);
	free(raws);
}

/* Takes the first of the list, or NULL. */
static struct op *take_parked_locked(struct op_list *list)
{
	struct op *op = TAILQ_FIRST(list);

	if (op) {
		op_unpark(op);
		TAILQ_REMOVE(list, op, parked_link);
	}
	return op;
}

/* Takes one read and the write, if there is something for them, and wakes the poll. */
static struct going take_going_locked(struct raw *raw)
{
	struct going going = { 0 };
	short events = client_poll(raw->client);

	if (events & POLLIN)
		going.read = take_parked_locked(&raw->reads);
	if (events & POLLOUT)
		going.write = take_parked_locked(&raw->writes);
	/* What comes is news each time, room only when there was none. */
	if ((events & POLLIN) || (events & ~raw->polled))
		wakeups_take(&raw->fs->wakeups, &raw->poll);
	return going;
}

/* The client may be gone but for these, which keep it open. */
static void run_going(const struct going *going)
{
	if (going->read)
		raw_read(going->read);
	if (going->write)
		raw_write(going->write);
}

static void raw_ready(void *arg)
{
	struct raw *raw = arg;
	struct going going;

	pthread_mutex_lock(&raw->lock);
	going = take_going_locked(raw);
	pthread_mutex_unlock(&raw->lock);
	run_going(&going);
}

static void raw_put(struct raw *raw)
{
	if (atomic_fetch_sub(&raw->refs, 1) != 1)
		return;
	client_close(raw->client);
	kept_poll_free(raw->poll);
	pthread_mutex_destroy(&raw->lock);
	free(raw);
}

/* Returns one that was not told of this resync yet, with a reference, or NULL. */
static struct raw *take_untold(struct raws *raws, uint64_t resync)
{
	struct raw *raw;

	pthread_mutex_lock(&raws->lock);
	LIST_FOREACH(raw, &raws->all, all_link)
		if (raw->resync != resync)
			break;
	if (raw) {
		raw->resync = resync;
		atomic_fetch_add(&raw->refs, 1);
	}
	pthread_mutex_unlock(&raws->lock);
	return raw;
}

void raws_resync(struct fs *fs)
{
	uint64_t resync = ++fs->raws->resyncs;
	struct raw *raw;

	/* Each is told with no lock held: what waited for it is answered inside. */
	while ((raw = take_untold(fs->raws, resync))) {
		client_resync(raw->client);
		raw_put(raw);
	}
}

void raws_shutdown(struct fs *fs)
{
	struct op_list parked = TAILQ_HEAD_INITIALIZER(parked);
	struct raw *raw;
	struct op *op;

	pthread_mutex_lock(&fs->raws->lock);
	LIST_FOREACH(raw, &fs->raws->all, all_link) {
		pthread_mutex_lock(&raw->lock);
		while ((op = take_parked_locked(&raw->reads)) ||
		       (op = take_parked_locked(&raw->writes)))
			TAILQ_INSERT_TAIL(&parked, op, parked_link);
		pthread_mutex_unlock(&raw->lock);
	}
	pthread_mutex_unlock(&fs->raws->lock);
	while ((op = TAILQ_FIRST(&parked))) {
		TAILQ_REMOVE(&parked, op, parked_link);
		op_reply_error(op, -EIO);
	}
}

struct raw *raw_new(struct fs *fs)
{
	struct raw *raw = calloc(1, sizeof(*raw));

	if (!raw)
		return NULL;
	raw->fs = fs;
	atomic_init(&raw->refs, 1);
	TAILQ_INIT(&raw->reads);
	TAILQ_INIT(&raw->writes);
	pthread_mutex_init(&raw->lock, NULL);
	raw->client = client_new(&(struct client_config){
		.chan = fs->chan,
		.watches = fs->cover->watches,
		.domid = fs->config.self_domid,
		.counters = &fs->raws->counters,
		.ready = raw_ready,
		.arg = raw,
	});
	if (!raw->client) {
		pthread_mutex_destroy(&raw->lock);
		free(raw);
		return NULL;
	}
	pthread_mutex_lock(&fs->raws->lock);
	LIST_INSERT_HEAD(&fs->raws->all, raw, all_link);
	pthread_mutex_unlock(&fs->raws->lock);
	return raw;
}

void raw_close(struct fs *fs, void *own)
{
	struct raw *raw = own;

	pthread_mutex_lock(&fs->raws->lock);
	LIST_REMOVE(raw, all_link);
	pthread_mutex_unlock(&fs->raws->lock);
	raw_put(raw);
}

/* The operation was interrupted. */
static void unpark(struct op *op, struct op_list *list)
{
	struct raw *raw = op->handle->own;

	pthread_mutex_lock(&raw->lock);
	TAILQ_REMOVE(list, op, parked_link);
	pthread_mutex_unlock(&raw->lock);
	op_reply_error(op, -EINTR);
}

static void unpark_read(struct op *op)
{
	unpark(op, &((struct raw *)op->handle->own)->reads);
}

static void unpark_write(struct op *op)
{
	unpark(op, &((struct raw *)op->handle->own)->writes);
}

/* Lets an operation wait.  Returns 0, or why it does not. */
static int park_locked(struct op *op, struct op_list *list, void (*how)(struct op *op))
{
	int err = op->flags & O_NONBLOCK ? -EAGAIN : op_park(op, how);

	if (!err)
		TAILQ_INSERT_TAIL(list, op, parked_link);
	return err;
}

void raw_read(struct op *op)
{
	struct raw *raw = op->handle->own;
	char *buf = malloc(op->size ? op->size : 1);
	struct going going = { 0 };
	ssize_t n;
	int err = 0;

	pthread_mutex_lock(&raw->lock);
	n = buf ? client_read(raw->client, buf, op->size) : -ENOMEM;
	if (n == -EAGAIN)
		err = park_locked(op, &raw->reads, unpark_read);
	else
		/* Others may have had no room until now, or find something left. */
		going = take_going_locked(raw);
	pthread_mutex_unlock(&raw->lock);
	if (n >= 0)
		op_reply_buf(op, buf, n);
	else if (n != -EAGAIN || err)
		op_reply_error(op, err ? err : (int)n);
	free(buf);
	run_going(&going);
}

/* Lets a write wait for room.  Returns 0; 1 if there is some now; or -errno. */
static int wait_for_room(struct raw *raw, struct op *op)
{
	int ret = 1;

	pthread_mutex_lock(&raw->lock);
	if (!(client_poll(raw->client) & POLLOUT))
		ret = park_locked(op, &raw->writes, unpark_write);
	pthread_mutex_unlock(&raw->lock);
	return ret;
}

/* There was not room for all: what comes from now on is news to the poll, and what came meanwhile. */
static struct going expect_room(struct raw *raw)
{
	struct going going;

	pthread_mutex_lock(&raw->lock);
	raw->polled &= ~POLLOUT;
	going = take_going_locked(raw);
	pthread_mutex_unlock(&raw->lock);
	return going;
}

void raw_write(struct op *op)
{
	struct raw *raw = op->handle->own;
	struct going going = { 0 };
	ssize_t n;
	int ret;

	for (;;) {
		/* Not under the lock: answers may come inside. */
		n = client_write(raw->client, op->data, op->size);
		if (n != -EAGAIN)
			break;
		ret = wait_for_room(raw, op);
		if (ret == 0)
			return;
		if (ret < 0) {
			n = ret;
			break;
		}
	}
	if (n < (ssize_t)op->size)
		going = expect_room(raw);
	if (n < 0)
		op_reply_error(op, n);
	else
		op_reply_write(op, n);
	run_going(&going);
}

void raw_poll(struct op *op)
{
	struct raw *raw = op->handle->own;
	unsigned revents = 0;

	pthread_mutex_lock(&raw->lock);
	/* Kept first: what comes after the look is notified. */
	op_keep_poll(op, &raw->poll);
	raw->polled = client_poll(raw->client);
	if (raw->polled & POLLIN)
		revents |= POLLIN | POLLRDNORM;
	if (raw->polled & POLLOUT)
		revents |= POLLOUT | POLLWRNORM;
	pthread_mutex_unlock(&raw->lock);
	op_reply_poll(op, revents);
}
