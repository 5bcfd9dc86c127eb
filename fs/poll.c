/* SPDX-License-Identifier: MIT */
/*
 * Polls on values.  They are kept in their handles, on a list of the inode, under the inodes' lock;
 * event.c wakes them through inodes_changed().
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "fs/poll.h"

/* Sees to it that a path is watched which the base does not cover, or not yet. */
struct poll_cover {
	struct cover_ref ref;
	char path[]; /* when it was set; a file may be moved while it is open */
};

/* From now on changes are reported.  What came before is unknown: who polls is to look again. */
static void cover_armed(struct cover_ref *ref, int error)
{
	if (error)
		log_warning(ref->fs->log, "%s cannot be polled: %s", ref->path, strerror(-error));
	else
		event_changed(ref->fs, ref->path);
}

static struct poll_cover *cover_new(const char *path)
{
	size_t size = strlen(path) + 1;
	struct poll_cover *cover = calloc(1, sizeof(*cover) + size);

	if (cover) {
		cover->ref.armed = cover_armed;
		memcpy(cover->path, path, size);
	}
	return cover;
}

/*
 * Returns whether changes of the path are reported; if not, sees to it that they will be.  Where
 * that cannot be, without memory or because the file was moved since, each poll says "ready".
 */
static bool covered(struct op *op, const char *path)
{
	struct handle *handle = op->handle;
	struct poll_cover *cover;
	bool first, own;

	if (cover_has(op->fs, path))
		return true;
	pthread_mutex_lock(&handle->lock);
	first = !handle->cover;
	if (first)
		handle->cover = cover_new(path);
	cover = handle->cover;
	pthread_mutex_unlock(&handle->lock);
	if (!cover)
		return false;
	if (first)
		cover_add(op->fs, &cover->ref, path);
	own = cover_has_own(&cover->ref) && !strcmp(cover->path, path);
	return own || cover_has(op->fs, path);
}

/* Keeps the poll to be notified, then looks: a change between the two is not lost.  Returns what
 * is ready; *unknown: whether the node is there has to be asked. */
static unsigned register_poll(struct op *op, bool is_covered, bool *unknown)
{
	struct inodes *inodes = &op->fs->inodes;
	struct handle *handle = op->handle;
	struct inode *inode = op->inode;
	struct fuse_pollhandle *old;
	unsigned revents = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

	pthread_mutex_lock(&inodes->lock);
	if (!handle->polled)
		LIST_INSERT_HEAD(&inode->pollers, handle, poll_link);
	handle->polled = true;
	old = handle->poll;
	if (op->poll)
		handle->poll = op->poll;
	else
		old = NULL;
	op->poll = NULL;
	op->events = inode->events;
	if (!is_covered || handle->seen != inode->events)
		revents |= POLLPRI | POLLERR;
	if (inode->gone)
		revents |= POLLHUP;
	*unknown = inode->looked_at != inode->events;
	pthread_mutex_unlock(&inodes->lock);
	if (old)
		fuse_pollhandle_destroy(old);
	op->flags = revents;
	return revents;
}

static void looked(struct op *op)
{
	int err = op_call_error(op, 0);
	bool gone = err == -ENOENT;

	inode_looked(&op->fs->inodes, op->inode, op->events, gone);
	if (op->req)
		op_reply_poll(op, gone ? op->flags | POLLHUP : op->flags & ~POLLHUP);
	else
		op_reply_error(op, 0);
}

/* Asks whether the node is there, for the next poll. */
static void look(const struct op *polled, const char *path)
{
	struct op *op = op_new(polled->fs, NULL, polled->inode->nodeid, "look");

	if (!op)
		return;
	op->events = polled->events;
	op_call(op, XS_READ, op->inode->view->tx_id, path, NULL, 0);
	op_submit(op, looked);
}

void poll_value(struct op *op)
{
	char path[PATH_SIZE];
	unsigned revents;
	bool unknown;
	int err;

	/* No event tells what changes in a transaction. */
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
	revents = register_poll(op, covered(op, path), &unknown);
	/* Who is to read it anyway need not wait for that. */
	if (unknown && (revents & POLLPRI))
		look(op, path);
	if (!unknown || (revents & POLLPRI)) {
		op_reply_poll(op, revents);
		return;
	}
	op_call(op, XS_READ, op->inode->view->tx_id, path, NULL, 0);
	op_submit(op, looked);
}

void poll_seen(struct op *op, bool gone)
{
	struct inodes *inodes = &op->fs->inodes;

	inode_looked(inodes, op->inode, op->events, gone);
	pthread_mutex_lock(&inodes->lock);
	op->handle->seen = op->events;
	pthread_mutex_unlock(&inodes->lock);
}

void poll_release(struct fs *fs, struct handle *handle)
{
	struct fuse_pollhandle *poll;

	pthread_mutex_lock(&fs->inodes.lock);
	if (handle->polled)
		LIST_REMOVE(handle, poll_link);
	handle->polled = false;
	poll = handle->poll;
	handle->poll = NULL;
	pthread_mutex_unlock(&fs->inodes.lock);
	if (poll)
		fuse_pollhandle_destroy(poll);
	if (handle->cover) {
		cover_remove(fs, &handle->cover->ref);
		free(handle->cover);
		handle->cover = NULL;
	}
}
