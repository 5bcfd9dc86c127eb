/* SPDX-License-Identifier: MIT */
/* The effect of events on inodes: which polls wake up, and what is no longer right.  No I/O. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/handle.h"
#include "fs/model/inode_impl.h"
#include "fs/model/listing.h"

/* Returns who made a change of which an event tells. */
static enum changed_by changed_by(bool own)
{
	return own ? CHANGED_BY_US : CHANGED_BY_OTHERS;
}

/* An event told of a node, for which `inode` stands.  `own`: the event comes from a write of ours,
 * which has set the time already. */
static void touch(struct inodes *t, struct inode *inode, bool own,
			 const struct timespec *now, struct wakeups *wakeups)
{
	struct handle *handle;

	inode->events++;
	inode->foreign += !own;
	if (!own) {
		inode_move_time(inode, now);
		inode->value_known = false;
	}
	inode_drop_listing(t, inode);
	LIST_FOREACH(handle, &inode->pollers, poll_link)
		wakeups_take(wakeups, &handle->poll);
	inode_outdate(t, inode, changed_by(own), true);
}

/* Touches an inode and everything below it. */
static void touch_subtree(struct inodes *t, struct inode *top, bool own,
				 const struct timespec *now, struct wakeups *wakeups)
{
	struct inode *inode;

	for (inode = top; inode; inode = inode_next(top, inode))
		touch(t, inode, own, now, wakeups);
}

void inode_wake_removed(struct inodes *t, struct inode *top, struct wakeups *wakeups)
{
	struct timespec now;
	struct inode *inode;

	clock_gettime(CLOCK_REALTIME, &now);
	touch_subtree(t, top, false, &now, wakeups);
	for (inode = top; inode; inode = inode_next(top, inode)) {
		inode->gone = true;
		inode->looked_at = inode->events;
	}
}

/* Returns whether the next event of the node itself is probably caused by one of our own writes;
 * NULL is allowed. */
static bool expects_own(struct inode *inode)
{
	/* Events are merged or never sent, so one that did not come soon will not come at all. */
	if (inode && inode_now_ms() - inode->own_write_ms > OWN_EVENT_MS)
		inode->own_writes = 0;
	return inode && inode->own_writes > 0;
}

/* Called for the event that may be expected; returns whether it was one of our own. */
static bool take_own(struct inode *inode)
{
	bool own = expects_own(inode);

	if (own)
		inode->own_writes--;
	return own;
}

/* Keeps the time of an event for nodes that have no inode: that of `event` and everything below it,
 * and, past the first `known` bytes, those above it, which may have come into
 * being along the way. */
static void remember(struct inodes *t, const char *event, size_t known,
			    const struct timespec *now)
{
	size_t len = strlen(event);

	for (size_t at = known; at < len; at++)
		if (event[at] == '/' && at > 0)
			recent_add(&t->recent, event, at, now, false);
	recent_add(&t->recent, event, len, now, true);
}

/* The effect on a directory of an event below it: the directory may have come into
 * being along the way. */
static void pass(struct inodes *t, struct inode *dir, const struct timespec *now,
			struct wakeups *wakeups)
{
	struct inode *value = inode_peek(t, dir, NAME_OF_VALUE, INODE_SPECIAL);

	if (dir->gone)
		touch(t, dir, false, now, wakeups);
	if (value && value->gone)
		touch(t, value, false, now, wakeups);
}

/* Walks from the root of a view along `path`, the end of `event`, which is relative to the root and
 * has no leading slash. */
static void walk(struct inodes *t, struct inode *dir, const char *event, const char *path,
			const struct timespec *now, struct wakeups *wakeups)
{
	struct inode *leaf, *sub;
	char name[PATH_SIZE];
	size_t len;
	bool own;

	while (*path) {
		len = strcspn(path, "/");
		if (len >= sizeof(name))
			return;
		memcpy(name, path, len);
		name[len] = '\0';
		path += len + (path[len] == '/');
		leaf = inode_peek(t, dir, name, INODE_LEAF);
		sub = inode_peek(t, dir, name, INODE_DIR);
		pass(t, dir, now, wakeups);
		if (!*path || (dir->listing && !listing_has(dir->listing, name)))
			inode_drop_listing(t, dir);
		own = !*path && take_own(leaf);
		/* The node may have been made or removed. */
		if (!*path || (!leaf && !sub))
			inode_names_event(t, dir, now, changed_by(own || expects_own(sub)));
		if (leaf)
			touch(t, leaf, own, now, wakeups);
		if (!sub) {
			if (!leaf || *path)
				remember(t, event, path - event - (*path != '\0'), now);
			return;
		}
		dir = sub;
	}
	if (event)
		recent_add(&t->recent, event, strlen(event), now, true);
	own = take_own(dir);
	/* Unless this mount caused it, the node may have been removed and made again, perhaps
	 * without children: it no longer has to be a directory. */
	if (!own)
		dir->sticky = false;
	touch_subtree(t, dir, own, now, wakeups);
}

/* Returns the part of `path` below the mount's root: "" for the root itself and everything above
 * it, NULL for a path elsewhere. */
static const char *path_in_mount(const struct inodes *t, const char *path)
{
	const char *below = path_below(path, t->root_path);

	return !below && path_below(t->root_path, path) ? "" : below;
}

/* Touches the inodes that cannot be found by name for want of memory.  There are few, if any. */
static void touch_unnamed(struct inodes *t, const char *event, const struct timespec *now,
				  struct wakeups *wakeups)
{
	struct inode *inode;
	char path[PATH_SIZE];

	LIST_FOREACH(inode, &t->unnamed, unnamed_link)
		if (!event || inode_own_path(t, inode, path) || path_related(event, path))
			touch(t, inode, false, now, wakeups);
}

void inodes_note_event(struct inodes *t, const char *path, struct wakeups *wakeups)
{
	const char *below = "";
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (path)
		below = path[0] == '/' ? path_in_mount(t, path) : NULL;
	if (below) {
		walk(t, t->root, path, below, &now, wakeups);
		if (t->nodes_root && *below)
			walk(t, t->nodes_root, path, below, &now, wakeups);
		touch_unnamed(t, path, &now, wakeups);
	}
}

/* Nothing at or below `path`, starting at `top`, counts as known to exist. */
static void doubt_below(struct inodes *t, struct inode *top, const char *path, bool removed)
{
	struct inode *inode, *leaf = NULL;
	char name[PATH_SIZE];
	size_t len;

	for (; top && *path; path += len + (path[len] == '/')) {
		len = strcspn(path, "/");
		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		leaf = inode_peek(t, top, name, INODE_LEAF);
		top = inode_peek(t, top, name, INODE_DIR);
	}
	if (leaf && !*path) {
		leaf->found = leaf->confirmed = 0;
		inode_outdate_shown(leaf);
	}
	for (inode = top; inode; inode = inode_next(top, inode)) {
		inode_outdate_shown(inode);
		inode->sticky &= !removed;
		inode->confirmed = 0;
		inode->found = 0;
	}
}

static void doubt(struct inodes *t, const char *path, bool removed)
{
	const char *below;

	below = path_in_mount(t, path);
	if (below) {
		doubt_below(t, t->root, below, removed);
		doubt_below(t, t->nodes_root, below, removed);
	}
}

void inodes_removed(struct inodes *t, const char *path)
{
	doubt(t, path, true);
}

void inodes_doubted(struct inodes *t, const char *path)
{
	doubt(t, path, false);
}

/* A special file is represented by its directory, which stands for the node. */
static const struct inode *node_of(const struct inode *inode)
{
	return inode->kind == INODE_SPECIAL && inode->parent ? inode->parent : inode;
}

void inode_wrote(struct inode *inode)
{
	inode = (struct inode *)node_of(inode);
	inode->own_writes++;
	inode->own_write_ms = inode_now_ms();
}

bool inode_is_written(struct inode *inode)
{
	return expects_own((struct inode *)node_of(inode));
}

void inode_write_over(struct inodes *t, struct inode *inode, bool failed)
{
	inode = (struct inode *)node_of(inode);
	if (failed && inode->own_writes > 0)
		inode->own_writes--;
	if (failed && inode->told.value_state == TOLD_KNOWN)
		inode->told.value_state = TOLD_LOST;
	/* Its event may have been taken for one that came before, so `events` do not tell. */
	inode_is_new(t, inode);
}

struct inode *inode_of_node(struct inode *inode)
{
	return (struct inode *)node_of(inode);
}

void inode_is_new(struct inodes *t, struct inode *inode)
{
	inode->written = ++t->changes;
	inode->confirmed = 0;
}

uint64_t inode_foreign(const struct inode *inode)
{
	return node_of(inode)->foreign;
}

void inode_found(struct inode *inode, uint64_t foreign)
{
	((struct inode *)node_of(inode))->found = foreign;
}

bool inode_is_doubtful(const struct inode *inode)
{
	bool doubtful;

	inode = node_of(inode);
	doubtful = inode->found != inode->foreign;
	return doubtful;
}

void inode_looked(struct inode *inode, uint64_t events, bool gone)
{
	if (events >= inode->looked_at) {
		inode->looked_at = events;
		inode->gone = gone;
	}
	if (gone)
		inode->confirmed = 0;
}

void inode_confirm(struct inodes *t, struct inode *inode, uint64_t changes, bool sure)
{
	sure = sure && inode->written <= changes && inode_moved(inode) <= changes;
	inode->confirmed = sure ? inode->events : 0;
	inode->confirmed_at = t->changes;
}

bool inode_is_confirmed(struct inode *inode)
{
	/* While it is moved the events of its new place do not reach it. */
	return inode->confirmed == inode->events && inode->hashed && !inode->names_unsure &&
	       inode_moved(inode) <= inode->confirmed_at && !expects_own(inode);
}

void inode_saw_length(struct inode *inode, size_t value_len)
{
	if (value_len != inode->value_len)
		inode->confirmed = 0;
}

