/* SPDX-License-Identifier: MIT */
/* Raw clients. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "fs/events/cover.h"
#include "fs/op/op.h"
#include "fs/special/raw.h"

/* The open file has a reference; raws_resync() takes another while it notifies the client. */
struct raw {
	struct fs *fs;
	struct client *client;
	unsigned refs;
	LIST_ENTRY(raw) all_link;
	uint64_t resync; /* the last resync that it was told of */

	struct op_list reads, writes; /* parked */
	struct kept_poll *poll;
	short polled; /* the events that the last POLL was told */
};

struct raws *raws_new(void)
{
	struct raws *raws = calloc(1, sizeof(*raws));

	if (!raws)
		return NULL;
	LIST_INIT(&raws->all);
	TAILQ_INIT(&raws->reads);
	TAILQ_INIT(&raws->writes);
	return raws;
}

void raws_free(struct raws *raws)
{
	if (!raws)
		return;
	free(raws);
}

/* Takes the first operation from the list, or NULL. */
static struct op *raw_take_parked(struct op_list *list)
{
	struct op *op = TAILQ_FIRST(list);

	if (op) {
		op_unpark(op);
		TAILQ_REMOVE(list, op, parked_link);
	}
	return op;
}

/* The first operation of `parked`, if there is one, need wait no more: run_ready() runs it. */
static void make_ready(struct op_list *parked, struct op_list *ready)
{
	struct op *op = raw_take_parked(parked);

	if (op)
		TAILQ_INSERT_TAIL(ready, op, parked_link);
}

/* Takes one read and the write if they can proceed, and wakes the poll. */
static void take_ready(struct raw *raw)
{
	struct raws *raws = raw->fs->raws;
	short events = client_poll(raw->client);

	if (events & POLLIN)
		make_ready(&raw->reads, &raws->reads);
	if (events & POLLOUT)
		make_ready(&raw->writes, &raws->writes);
	/* Input is reported every time, writability only on the edge. */
	if ((events & POLLIN) || (events & ~raw->polled))
		wakeups_take(&raw->fs->wakeups, &raw->poll);
}

/* Runs what take_ready() took.  These operations may be the last to keep a client open, so it may be gone
 * afterwards.  Each may make others ready and come back here: those are left to the first caller's loop,
 * or the stack would be as deep as operations wait. */
static void run_ready(struct raws *raws)
{
	struct op *op;

	if (raws->running)
		return;
	raws->running = true;
	for (;;) {
		if ((op = TAILQ_FIRST(&raws->reads))) {
			TAILQ_REMOVE(&raws->reads, op, parked_link);
			raw_read(op);
		} else if ((op = TAILQ_FIRST(&raws->writes))) {
			TAILQ_REMOVE(&raws->writes, op, parked_link);
			raw_write(op);
		} else {
			break;
		}
	}
	raws->running = false;
}

static void raw_ready(void *arg)
{
	struct raw *raw = arg;
	struct raws *raws = raw->fs->raws;

	take_ready(raw);
	run_ready(raws);
}

static void raw_put(struct raw *raw)
{
	if (--raw->refs > 0)
		return;
	client_close(raw->client);
	kept_poll_free(raw->poll);
	free(raw);
}

/* Returns a client that was not told of this resync yet, with a reference, or NULL. */
static struct raw *take_untold(struct raws *raws, uint64_t resync)
{
	struct raw *raw;

	LIST_FOREACH(raw, &raws->all, all_link)
		if (raw->resync != resync)
			break;
	if (raw) {
		raw->resync = resync;
		raw->refs++;
	}
	return raw;
}

void raws_resync(struct fs *fs)
{
	uint64_t resync = ++fs->raws->resyncs;
	struct raw *raw;

	/* Operations that wait for the result are answered inside. */
	while ((raw = take_untold(fs->raws, resync))) {
		client_resync(raw->client);
		raw_put(raw);
	}
}

void raws_died(struct fs *fs)
{
	struct raw *raw;

	LIST_FOREACH(raw, &fs->raws->all, all_link)
		wakeups_take(&fs->wakeups, &raw->poll);
	raws_shutdown(fs);
}

void raws_shutdown(struct fs *fs)
{
	struct op_list parked = TAILQ_HEAD_INITIALIZER(parked);
	struct raw *raw;
	struct op *op;

	LIST_FOREACH(raw, &fs->raws->all, all_link) {
		while ((op = raw_take_parked(&raw->reads)) ||
		       (op = raw_take_parked(&raw->writes)))
			TAILQ_INSERT_TAIL(&parked, op, parked_link);
	}
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
	raw->refs = 1;
	TAILQ_INIT(&raw->reads);
	TAILQ_INIT(&raw->writes);
	raw->client = client_new(&(struct client_config){
		.chan = fs->chan,
		.watches = fs->cover->watches,
		.domid = fs->config.self_domid,
		.counters = &fs->raws->counters,
		.ready = raw_ready,
		.arg = raw,
	});
	if (!raw->client) {
		free(raw);
		return NULL;
	}
	LIST_INSERT_HEAD(&fs->raws->all, raw, all_link);
	return raw;
}

void raw_close(struct fs *fs, void *own)
{
	struct raw *raw = own;

	(void)fs;
	LIST_REMOVE(raw, all_link);
	raw_put(raw);
}

/* The operation was interrupted. */
static void raw_unpark(struct op *op, struct op_list *list)
{
	TAILQ_REMOVE(list, op, parked_link);
	op_reply_error(op, -EINTR);
}

static void raw_unpark_read(struct op *op)
{
	raw_unpark(op, &((struct raw *)op->handle->own)->reads);
}

static void unpark_write(struct op *op)
{
	raw_unpark(op, &((struct raw *)op->handle->own)->writes);
}

/* Parks an operation.  Returns 0, or the reason why it does not wait. */
static int raw_park(struct op *op, struct op_list *list, void (*how)(struct op *op))
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
	struct raws *raws = raw->fs->raws;
	ssize_t n;
	int err = 0;

	n = buf ? client_read(raw->client, buf, op->size) : -ENOMEM;
	if (n == -EAGAIN)
		err = raw_park(op, &raw->reads, raw_unpark_read);
	else
		/* Others may have had no room until now, or may find something left to read. */
		take_ready(raw);
	if (n >= 0)
		op_reply_buf(op, buf, n);
	else if (n != -EAGAIN || err)
		op_reply_error(op, err ? err : (int)n);
	free(buf);
	run_ready(raws);
}

/* Makes a write wait for room.  Returns 0; 1 if there is room now; or -errno. */
static int wait_for_room(struct raw *raw, struct op *op)
{
	return client_poll(raw->client) & POLLOUT ? 1 : raw_park(op, &raw->writes, unpark_write);
}

/* There was not enough room: from now on room is reported to the poll, and any that has appeared in
 * the meantime is reported at once. */
static void expect_room(struct raw *raw)
{
	raw->polled &= ~POLLOUT;
	take_ready(raw);
}

void raw_write(struct op *op)
{
	struct raw *raw = op->handle->own;
	struct raws *raws = raw->fs->raws;
	ssize_t n;
	int ret;

	for (;;) {
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
		expect_room(raw);
	if (n < 0)
		op_reply_error(op, n);
	else
		op_reply_write(op, n);
	run_ready(raws);
}

void raw_poll(struct op *op)
{
	struct raw *raw = op->handle->own;
	unsigned revents = 0;

	op_keep_poll(op, &raw->poll);
	raw->polled = client_poll(raw->client);
	if (raw->polled & POLLIN)
		revents |= POLLIN | POLLRDNORM;
	if (raw->polled & POLLOUT)
		revents |= POLLOUT | POLLWRNORM;
	if (op->fs->store_died)
		revents |= POLLIN | POLLERR;
	op_reply_poll(op, revents);
}
