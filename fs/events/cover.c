/* SPDX-License-Identifier: MIT */
/* The base watch and the others.  Events arrive on the I/O thread. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/events/cover.h"
#include "fs/model/error.h"
#include "fs/op/op.h"

/* After which a base that could not be had is tried for again, if somebody asks for it. */
#define RETRY_SECONDS 60

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static struct fs *fs_of_base(struct watcher *w)
{
	return ((struct cover *)((char *)w - offsetof(struct cover, base)))->fs;
}

static struct cover_ref *ref_of(struct watcher *w)
{
	return (struct cover_ref *)((char *)w - offsetof(struct cover_ref, watcher));
}

static void pass_event(struct fs *fs, enum watch_event_type type, const char *path)
{
	if (type == WATCH_CHANGED)
		fs->cover->handlers->changed(fs, path);
	else
		fs->cover->handlers->resync(fs);
}

/* ---- a watch of its own ---- */

static void own_armed(struct watcher *w, int error)
{
	struct cover_ref *ref = ref_of(w);

	ref->own_set = !error;
	ref->armed(ref, error_from_store(XS_WATCH, error));
}

static void own_event(struct watcher *w, enum watch_event_type type, const char *path)
{
	struct cover_ref *ref = ref_of(w);

	if (type == WATCH_LOST) {
		log_warning(ref->fs->log, "the watch on %s is lost", ref->path);
		ref->own_set = false;
		if (ref->lost)
			ref->lost(ref);
	}
	pass_event(ref->fs, type, path);
}

static int add_own(struct cover_ref *ref)
{
	int err = quota_charge(&ref->fs->quotas, QUOTA_WATCHES, ref->user, 1);

	if (err) {
		ref->armed(ref, err);
		return 0;
	}
	ref->own = true;
	ref->watcher = (struct watcher){ .armed = own_armed, .event = own_event };
	return watch_add(ref->fs->cover->watches, &ref->watcher, ref->path);
}

/* ---- the base ---- */

static bool base_covers(const struct cover *cover, const char *path)
{
	return cover->base_path[0] && path_below(path, cover->base_path);
}

/* Those who waited are covered, or have to look after themselves. */
static void base_settled(struct fs *fs)
{
	struct cover *cover = fs->cover;
	struct cover_ref *ref;
	bool covered;

	while ((ref = TAILQ_FIRST(&cover->waiting))) {
		TAILQ_REMOVE(&cover->waiting, ref, link);
		ref->waiting = false;
		covered = cover->state == COVER_ARMED && base_covers(cover, ref->path);
		if (covered)
			ref->armed(ref, 0);
		else if (add_own(ref))
			ref->armed(ref, -ENOMEM);
	}
}

static void cover_set_state(struct fs *fs, enum cover_state state)
{
	fs->cover->state = state;
	fs->cover->epoch = chan_epoch(fs->chan);
	fs->cover->retry_at = now() + RETRY_SECONDS;
	base_settled(fs);
}

static void base_armed(struct watcher *w, int error)
{
	struct fs *fs = fs_of_base(w);
	bool again = fs->cover->again;

	/* Once is enough: what cannot be had is tried again every now and then. */
	if (error && !fs->cover->missed)
		log_warning(fs->log, "no watch on %s: %s; nothing is cached", fs->cover->base_path,
			    strerror(-error));
	else if (!error && fs->cover->missed)
		log_info(fs->log, "the watch on %s is set", fs->cover->base_path);
	fs->cover->missed = error != 0;
	if (error)
		fs->cover->again = false;
	cover_set_state(fs, error ? COVER_NONE : COVER_ARMED);
	/* Who relied on the one before has missed something; and what was read before the watch was
	 * set may be out of date by now. */
	if (again)
		fs->cover->handlers->resync(fs);
	else if (!error)
		fs->cover->handlers->unseen(fs);
}

static void base_event(struct watcher *w, enum watch_event_type type, const char *path);

static void base_arm(struct fs *fs)
{
	struct cover *cover = fs->cover;

	cover->base = (struct watcher){ .armed = base_armed, .event = base_event };
	if (watch_add(cover->watches, &cover->base, cover->base_path))
		base_armed(&cover->base, -ENOMEM);
}

/* What a server refuses when it has just started, or is too slow for, it may grant a moment later:
 * it is asked once more. */
static void base_lost(struct fs *fs)
{
	struct cover *cover = fs->cover;

	log_warning(fs->log, "the watch on %s is lost: trying again", cover->base_path);
	cover->state = COVER_ARMING;
	cover->again = true;
	fs->cover->handlers->resync(fs);
	base_arm(fs);
}

static void base_event(struct watcher *w, enum watch_event_type type, const char *path)
{
	if (type == WATCH_LOST)
		base_lost(fs_of_base(w));
	else
		pass_event(fs_of_base(w), type, path);
}

static void base_add(struct fs *fs, const char *path)
{
	struct cover *cover = fs->cover;

	snprintf(cover->base_path, sizeof(cover->base_path), "%s", path);
	base_arm(fs);
}

/* The base of an unprivileged domain is its own directory, or the mount's root if that lies in it. */
static void base_add_home(struct fs *fs, unsigned domid)
{
	char home[64];
	const char *root = fs->inodes.root_path;

	snprintf(home, sizeof(home), "/local/domain/%u", domid);
	base_add(fs, path_below(root, home) ? root : home);
}

/* The toolstack leaves a domain's number in its own directory. */
static void domid_done(struct op *op)
{
	struct fs *fs = op->fs;
	int err = op_call_error(op, 0);
	uint64_t domid = 0;

	if (!err)
		err = wire_number_parse(op->calls[0]->reply, op->calls[0]->reply_len, UINT16_MAX,
					&domid);
	op_reply_error(op, err);
	if (err)
		cover_set_state(fs, COVER_NONE);
	else
		base_add_home(fs, domid);
}

/* Returns whether the base could not be had, and may be by now: there is another connection, or some
 * time has passed.  Nobody relies on it, so it can be tried for at any moment. */
static bool retry_is_due(struct fs *fs)
{
	const struct cover *cover = fs->cover;

	return cover->state == COVER_NONE &&
	       (now() >= cover->retry_at || cover->epoch != chan_epoch(fs->chan));
}

void cover_start(struct fs *fs)
{
	struct cover *cover = fs->cover;
	struct op *op;

	if (cover->state != COVER_OFF && !retry_is_due(fs))
		return;
	cover->state = COVER_ARMING;
	if (fs->config.privileged) {
		base_add(fs, fs->inodes.root_path);
	} else if (fs->config.self_domid >= 0) {
		base_add_home(fs, fs->config.self_domid);
	} else {
		op = op_new(fs, NULL, 0, OP_OWN_DOMID);
		if (!op) {
			cover_set_state(fs, COVER_NONE);
			return;
		}
		op_call(op, XS_READ, 0, "domid", NULL, 0);
		op_submit(op, domid_done);
	}
}

bool cover_has(struct fs *fs, const char *path)
{
	struct cover *cover = fs->cover;
	bool covered = cover->state == COVER_ARMED && base_covers(cover, path);

	if (cover->state == COVER_NONE)
		cover_start(fs);
	return covered;
}

bool cover_holds(const struct cover_ref *ref)
{
	const struct cover *cover = ref->fs->cover;

	if (ref->own)
		return ref->own_set;
	return cover->state != COVER_NONE && base_covers(cover, ref->path);
}

int cover_init(struct fs *fs, const struct cover_handlers *handlers)
{
	struct cover *cover = calloc(1, sizeof(*cover));

	if (!cover)
		return -ENOMEM;
	cover->watches = watches_new(fs->chan, fs->log);
	if (!cover->watches) {
		free(cover);
		return -ENOMEM;
	}
	cover->fs = fs;
	cover->handlers = handlers;
	TAILQ_INIT(&cover->waiting);
	fs->cover = cover;
	fs->covers = cover_has;
	return 0;
}

void cover_deinit(struct fs *fs)
{
	struct cover *cover = fs->cover;

	if (!cover)
		return;
	watches_free(cover->watches);
	free(cover);
}

int cover_add(struct fs *fs, struct cover_ref *ref, const char *path)
{
	struct cover *cover = fs->cover;

	ref->fs = fs;
	ref->own = false;
	ref->path = strdup(path);
	if (!ref->path)
		return -ENOMEM;
	if (path[0] == '/')
		cover_start(fs);
	if (cover->state == COVER_ARMED && base_covers(cover, path)) {
		ref->armed(ref, 0);
		return 0;
	}
	ref->waiting = path[0] == '/' && cover->state == COVER_ARMING;
	if (!ref->waiting)
		return add_own(ref);
	TAILQ_INSERT_TAIL(&cover->waiting, ref, link);
	return 0;
}

void cover_remove(struct fs *fs, struct cover_ref *ref)
{
	struct cover *cover = fs->cover;

	if (ref->waiting)
		TAILQ_REMOVE(&cover->waiting, ref, link);
	ref->waiting = false;
	if (ref->own) {
		watch_remove(cover->watches, &ref->watcher);
		quota_release(&fs->quotas, QUOTA_WATCHES, ref->user, 1);
	}
	ref->own = false;
	free(ref->path);
	ref->path = NULL;
}
