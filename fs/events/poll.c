/* SPDX-License-Identifier: MIT */
/*
 * Polls on values.  Each is kept in its handle, on a list of the inode; an event wakes it through
 * inodes_note_event().
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "fs/events/dispatch.h"
#include "fs/events/notifier.h"
#include "fs/events/poll.h"
#include "fs/events/untold.h"
#include "fs/model/inode_impl.h"
#include "fs/op/op.h"

/* The interval at which the pollers of an unwatched file are told to look. */
#define UNWATCHED_MS 1000

/* How long after a refused watch to wait before trying for another.  Less than UNWATCHED_MS, so
 * that the poll which each such wake-up leads to may try. */
#define RETRY_MS (UNWATCHED_MS / 2)

enum cover_outcome {
	OUTCOME_DUE, /* the server has been asked */
	OUTCOME_SET,
	OUTCOME_REFUSED,
};

struct polls *polls_new(void)
{
	struct polls *polls = calloc(1, sizeof(*polls));

	if (polls)
		LIST_INIT(&polls->unwatched);
	return polls;
}

void polls_free(struct polls *polls)
{
	free(polls);
}

/* A watch for a path that the base watch does not cover, or does not cover yet. */
struct poll_cover {
	struct cover_ref ref;
	struct handle *handle;
	enum cover_outcome outcome;
	bool warned; /* a refusal was logged */
	char path[]; /* the path when it was set; an open file may be moved */
};

static void set_unwatched(struct fs *fs, struct handle *handle, bool unwatched)
{
	struct polls *polls = fs->polls;

	if (unwatched == handle->unwatched)
		return;
	handle->unwatched = unwatched;
	if (unwatched) {
		if (polls->count++ == 0)
			polls->tell_ms = inode_now_ms() + UNWATCHED_MS;
		LIST_INSERT_HEAD(&polls->unwatched, handle, unwatched_link);
	} else {
		LIST_REMOVE(handle, unwatched_link);
		polls->count--;
	}
}

/* Nothing tells of changes to the handle's file for now. */
static void not_watched(struct fs *fs, struct handle *handle)
{
	set_unwatched(fs, handle, true);
	fs->polls->refused_ms = inode_now_ms();
	/* The I/O thread may otherwise sleep past the time at which the pollers are due. */
	chan_wake(fs->chan);
}

/* From now on changes are reported.  Earlier ones are unknown, so the poller must look again. */
static void cover_armed(struct cover_ref *ref, int error)
{
	struct poll_cover *cover = (struct poll_cover *)ref;
	struct fs *fs = ref->fs;

	cover->outcome = error ? OUTCOME_REFUSED : OUTCOME_SET;
	if (error) {
		if (!cover->warned)
			rate_log(&fs->rates.unwatched, fs->log, LOGGER_WARNING,
				 "%s is not watched: %s; who polls it is told every second", cover->path,
				 strerror(-error));
		cover->warned = true;
		not_watched(fs, cover->handle);
		return;
	}
	set_unwatched(fs, cover->handle, false);
	dispatch_event(fs, cover->path);
}

static void cover_lost(struct cover_ref *ref)
{
	struct poll_cover *cover = (struct poll_cover *)ref;

	cover->outcome = OUTCOME_REFUSED;
	not_watched(ref->fs, cover->handle);
}

static struct poll_cover *cover_new(struct handle *handle, const char *path)
{
	size_t size = strlen(path) + 1;
	struct poll_cover *cover = calloc(1, sizeof(*cover) + size);

	if (!cover)
		return NULL;
	cover->ref.armed = cover_armed;
	cover->ref.lost = cover_lost;
	cover->handle = handle;
	memcpy(cover->path, path, size);
	return cover;
}

static void cover_free(struct fs *fs, struct handle *handle)
{
	if (!handle->cover)
		return;
	cover_remove(fs, &handle->cover->ref);
	free(handle->cover);
	handle->cover = NULL;
}

static bool poll_retry_is_due(struct fs *fs)
{
	return inode_now_ms() >= fs->polls->refused_ms + RETRY_MS;
}

/* Returns whether the handle's watch is right for `path`, or nothing better can be had now. */
static bool cover_will_do(struct fs *fs, const struct poll_cover *cover, const char *path)
{
	if (!cover || strcmp(cover->path, path) != 0)
		return false;
	switch (cover->outcome) {
	case OUTCOME_DUE:
		return true;
	case OUTCOME_SET:
		return cover_holds(&cover->ref);
	default:
		return !poll_retry_is_due(fs);
	}
}

/* The base watch does not cover the file's path: sets a watch for the handle
 * alone, or tries again. */
static void cover_renew(struct fs *fs, struct handle *handle, uid_t user, const char *path)
{
	bool again = handle->cover && !strcmp(handle->cover->path, path);
	bool warned = again && handle->cover->warned;

	if (cover_will_do(fs, handle->cover, path))
		return;
	cover_free(fs, handle);
	handle->cover = cover_new(handle, path);
	if (!handle->cover) {
		not_watched(fs, handle);
		return;
	}
	handle->cover->warned = warned;
	handle->cover->ref.user = user;
	if (cover_add(fs, &handle->cover->ref, path))
		cover_armed(&handle->cover->ref, -ENOMEM);
}

/* Drops the handle's poll and watch. */
static void poll_release(struct fs *fs, struct handle *handle)
{
	struct kept_poll *poll;

	/* First, because its outcome may mark the handle as unwatched. */
	cover_free(fs, handle);
	if (handle->polled)
		LIST_REMOVE(handle, poll_link);
	handle->polled = false;
	set_unwatched(fs, handle, false);
	poll = handle->poll;
	handle->poll = NULL;
	kept_poll_free(poll);
}

/* Keeps the poll until it is notified.  Returns what is ready; *unknown: the store must be asked
 * whether the node exists. */
static unsigned register_poll(struct op *op, bool by_base, bool *unknown)
{
	struct handle *handle = op->handle;
	struct inode *inode = op->inode;
	unsigned revents = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

	if (!handle->polled)
		LIST_INSERT_HEAD(&inode->pollers, handle, poll_link);
	handle->polled = true;
	handle->unpoll = poll_release;
	op_keep_poll(op, &handle->poll);
	op->events = inode->events;
	/* This also applies while a watch is being set, whose outcome will wake the poll, and
	 * while there is none, when it is woken once a second: a poll that was ready each time
	 * would never wait. */
	if (by_base)
		set_unwatched(op->fs, handle, false);
	if (handle->seen != inode->events)
		revents |= POLLPRI | POLLERR;
	if (inode->gone)
		revents |= POLLHUP;
	*unknown = inode->looked_at != inode->events;
	op->revents = revents;
	return revents;
}

/* Notes whether the node is there, by how a question for it ended: other errors say nothing of that. */
static void note_answer(struct op *op, int err)
{
	if (!err || err == -EACCES || err == -ENOENT)
		inode_looked(op->inode, op->events, err == -ENOENT);
}

static void looked(struct op *op)
{
	int err = op_call_error(op, 0);

	note_answer(op, err);
	op_reply_poll(op, err == -ENOENT ? op->revents | POLLHUP : op->revents & ~POLLHUP);
}

static void own_look_done(struct op *op)
{
	op->inode->own_look = false;
	/* What has changed since is asked for again. */
	if (op->events == op->inode->events)
		note_answer(op, op_call_error(op, 0));
	op_reply_error(op, 0);
}

static void own_look(struct op *op)
{
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	if (err) {
		op->inode->own_look = false;
		op_reply_error(op, err);
		return;
	}
	op_call(op, XS_READ, 0, path, NULL, 0);
	op_ask(op, own_look_done, own_look);
}

/*
 * The file has news, but nobody has asked since whether its node is there.  Nearly always the caller
 * reads the value now, and learns it from that.  So the store is asked only for who polls once more
 * instead, for the poll after that: a question for each change would keep the server, and us, from
 * letting the caller run.  And while one is under way no other is asked: nobody waits for them, so nothing else
 * would bound how many somebody who polls in a loop has in the queue of a slow server.
 */
static void look(const struct op *polled)
{
	struct handle *handle = polled->handle;
	struct op *op;

	if (handle->told != polled->events) {
		handle->told = polled->events;
		return;
	}
	if (polled->inode->own_look)
		return;
	op = op_new(polled->fs, NULL, polled->inode->nodeid, OP_OWN_LOOK);
	if (!op)
		return;
	op->inode->own_look = true;
	op->events = polled->events;
	own_look(op);
}

void poll_value(struct op *op)
{
	char path[PATH_SIZE];
	unsigned revents;
	bool by_base, unknown;
	int err;

	/* Who polls has read, though no READ may have come: a file that is empty, or that was only sought in. */
	notifier_let_go(op->fs, op->handle);
	/* No event tells of changes inside a transaction. */
	if (op->inode->view->tx) {
		op_reply_poll(op, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
		return;
	}
	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err == -ENOENT || err == -ESTALE) {
		/* Removed for good: there is nothing to wait for. */
		op_reply_poll(op, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI | POLLERR |
					  POLLHUP);
		return;
	}
	if (err) {
		op_reply_error(op, err);
		return;
	}
	by_base = cover_has(op->fs, path);
	if (!by_base)
		cover_renew(op->fs, op->handle, op_user(op), path);
	revents = register_poll(op, by_base, &unknown);
	if (unknown && (revents & POLLPRI))
		look(op);
	if (op->handle->cached && (revents & POLLPRI)) {
		untold_reply_poll(op, revents);
		return;
	}
	if (!unknown || (revents & POLLPRI)) {
		op_reply_poll(op, revents);
		return;
	}
	op_call(op, XS_READ, op->inode->view->tx_id, path, NULL, 0);
	op_ask(op, looked, poll_value);
}

void poll_seen(struct op *op, bool gone)
{

	inode_looked(op->inode, op->events, gone);
	op->handle->seen = op->events;
}

int polls_tell_unwatched(struct fs *fs)
{
	struct polls *polls = fs->polls;
	struct handle *handle;
	uint64_t now;
	int wait_ms;

	if (polls->count == 0)
		return -1;
	now = inode_now_ms();
	if (now >= polls->tell_ms) {
		LIST_FOREACH(handle, &polls->unwatched, unwatched_link) {
			handle->seen = 0;
			wakeups_take(&fs->wakeups, &handle->poll);
		}
		polls->tell_ms = now + UNWATCHED_MS;
	}
	wait_ms = polls->tell_ms - now;
	return wait_ms;
}
