/* SPDX-License-Identifier: MIT */
/*
 * What there is to tell about a name: the store is asked for the node, and the answer compared with what was
 * told (fs/model/told.h).  On the teller's thread.
 */
#include <errno.h>

#include "fs/inotify/sight.h"
#include "fs/op/lock.h"

/* How often news are looked at again because somebody was quicker, and then once a second, before they wait for the
 * next event. */
#define TRIES_MAX 100
#define LATER_MAX 60

static enum told_kind told_of(const struct sight *s)
{
	const struct inode *dir = s->news->dir;
	bool leaf = is_known(s->leaf) && !s->leaf->told.deleted, sub = is_known(s->sub) && !s->sub->told.deleted;
	enum told_kind told = dir->told.names_known ? told_name(dir, s->news->name) : TOLD_UNSURE;

	/* Who has seen it before it was told has to be told that it is gone, and else that it is new. */
	if (told == TOLD_SEEN && s->is != TOLD_NOT)
		return TOLD_NOT;
	if (told != TOLD_UNSURE && told != TOLD_SEEN)
		return told;
	if (leaf || sub)
		return leaf ? TOLD_FILE : TOLD_DIR;
	/* It was there when the directory was listed; nobody has asked as what. */
	return dir->told.names_known ? TOLD_UNSURE : TOLD_NOT;
}

/* It cannot be told now. */
static void look_later(struct sight *s)
{
	struct news later = *s->news;

	later.tries = (later.tries < TRIES_MAX ? TRIES_MAX : later.tries) + 1;
	if (later.tries <= TRIES_MAX + LATER_MAX)
		queue_owe(s->fs, s->news->dir, s->news->name, &later);
	else
		log_debug(s->fs->log, "inotify: given up: %s", s->news->name);
}

void look_again(struct sight *s)
{
	struct news again = *s->news;

	/* What was made or removed through the mount meanwhile was what the store had told of. */
	if (s->news->dir->told.changes != s->changes)
		again.foreign = false;
	if (++again.tries < TRIES_MAX)
		queue_add(s->fs, s->news->dir, s->news->name, &again);
	else
		look_later(s);
}

void look_patiently(struct sight *s)
{
	const struct news again = { .patient = true, .tries = s->news->tries + 1 };

	queue_add(s->fs, s->news->dir, s->news->name, &again);
	inotify_wake(s->fs);
}

/* Something that this mount does to it is under way. */
static void look_soon(struct sight *s)
{
	struct news again = *s->news;

	again.patient = true;
	again.tries++;
	queue_add(s->fs, s->news->dir, s->news->name, &again);
	inotify_wake(s->fs);
}

/* The directory has gone, and with it what there was to tell below; but that may have been about a new one of the same
 * name, which was not known as such when it was reported. */
static void look_above(struct sight *s)
{
	const struct inode *gone = NULL;

	for (const struct inode *dir = s->news->dir; dir; dir = dir->parent)
		if (dir->removed)
			gone = dir;
	if (gone)
		queue_add(s->fs, gone->parent, gone->name, &(struct news){ .deep = true });
}

static uint64_t writes_of(const struct inode *inode)
{
	if (!inode)
		return 0;
	return inode->told.writing ? WRITING : inode->told.writes;
}

/* Finds the inodes before the store is asked. */
static void sight_find(struct sight *s)
{
	struct inodes *inodes = &s->fs->inodes;
	struct inode *dir = s->news->dir;
	const char *name = s->news->name;

	s->changes = dir->told.changes;
	s->moved = inode_moved(dir);
	s->leaf = inode_find(inodes, dir, name, INODE_LEAF);
	/* The root of a view has no name. */
	s->sub = *name ? inode_find(inodes, dir, name, INODE_DIR) : inode_ref(dir);
	s->leaf_stirred = s->leaf ? s->leaf->told.stirred : 0;
	s->sub_stirred = s->sub ? s->sub->told.stirred : 0;
	s->leaf_writes = writes_of(s->leaf);
	s->sub_writes = writes_of(s->sub);
}

static void sight_put(struct sight *s)
{
	inode_put(&s->fs->inodes, s->leaf);
	inode_put(&s->fs->inodes, s->sub);
}

/* Returns whether the answer may be older than what a user has done, or found, since. */
static bool is_outdated(struct sight *s)
{
	struct sight now = *s;
	bool outdated;

	sight_find(&now);
	outdated = now.changes != s->changes || now.moved != s->moved || now.leaf != s->leaf || now.sub != s->sub ||
		   now.leaf_stirred != s->leaf_stirred || now.sub_stirred != s->sub_stirred;
	sight_put(&now);
	return outdated;
}

/* Returns whether a rename through this mount is moving the node, or what is above it. */
static bool is_moving(const struct sight *s)
{
	return inode_is_moving(s->news->dir) || (s->leaf && inode_is_moving(s->leaf)) ||
	       (s->sub && inode_is_moving(s->sub));
}

/* Returns whether a removal through this mount is under way, of the node or of what is above it: it is not known yet
 * whether that was told. */
static bool is_leaving(const struct sight *s)
{
	return inode_is_leaving(s->news->dir) || (s->leaf && s->leaf->leaving) || (s->sub && s->sub->leaving);
}

/* Returns whether what is missing may have been made through this mount, and removed before that was noted. */
static bool may_be_made(const struct sight *s)
{
	if (s->leaf && s->leaf->unwritten)
		return s->leaf->told.writes > 0 && s->news->tries < WRITTEN_OVER_MAX;
	return s->told == TOLD_NOT && s->news->dir->told.making > 0;
}

/* Returns whether the directory was renamed since, or has gone, perhaps by what was told before this name. */
static bool is_elsewhere(const struct sight *s)
{
	return inode_moved(s->news->dir) != s->moved || inode_is_removed(s->news->dir);
}

/* Decides what the name is, and what it was told to be. */
static void decide(struct sight *s, bool missing)
{
	s->is = TOLD_NOT;
	if (!missing)
		s->is = node_is_dir(s->op, &s->facts, s->path) ? TOLD_DIR : TOLD_FILE;
	s->told = told_of(s);
	/* Gone, and nobody has asked as what it was there. */
	if (missing && s->told == TOLD_UNSURE)
		s->told = TOLD_FILE;
}

REQUIRES(fs_lock_held) static void looked(struct sight *s)
{
	int err = node_facts(s->op, CALL_READ, &s->facts);

	/* The store has not answered in time, or there is no connection. */
	if (err && err != -ENOENT) {
		look_later(s);
		return;
	}
	/* A rename of ours has come as far as the store: what is missing here may be at its new place. */
	if (is_moving(s)) {
		look_later(s);
		return;
	}
	if (is_elsewhere(s)) {
		look_again(s);
		return;
	}
	if (is_leaving(s)) {
		look_soon(s);
		return;
	}
	if (!*s->news->name) {
		if (!err)
			tell_root(s);
		return;
	}
	decide(s, err != 0);
	if (err && may_be_made(s)) {
		look_soon(s);
		return;
	}
	/* A file that was created here and is not in the store yet is there all the same. */
	if (err && s->leaf && s->leaf->unwritten)
		return;
	if (s->is != s->told && is_outdated(s)) {
		look_again(s);
		return;
	}
	if (err)
		inode_gone(&s->fs->inodes, s->news->dir, s->news->name);
	tell(s);
}

/* The names in a directory that do not fit into one reply. */
MAY_WAIT static void look_at_large(struct sight *s)
{
	struct inodes *inodes = &s->fs->inodes;
	struct listing *listing = listing_new();
	struct op *op = op_new(s->fs, NULL, s->large->nodeid, OP_OWN_TELL);
	const uint64_t moved = inode_moved(s->large);
	char path[PATH_SIZE];
	int err = op && listing ? inode_path(inodes, s->large, NULL, path) : -ENOMEM;

	if (!err)
		err = node_list(op, 0, path, listing);
	if (!err && (inode_moved(s->large) != moved || inode_is_moving(s->large)))
		look_again(s);
	else if (!err)
		tell_names(s, s->large, listing);
	/* No such node is an event of its own, and that the server has no DIRECTORY_PART does not change. */
	else if (err != -ENOENT && err != -ESTALE && err != -E2BIG)
		look_later(s);
	listing_put(listing);
	if (op)
		op_reply_error(op, 0);
}

static void sight_end(struct sight *s)
{
	inode_put(&s->fs->inodes, s->large);
	sight_put(s);
	op_reply_error(s->op, 0);
}

/* Asks the store about a name.  Returns false if there is nothing to wait for. */
static bool sight_begin(struct sight *s, struct fs *fs, struct news *news)
{
	struct op *op = op_new(fs, NULL, news->dir->nodeid, OP_OWN_TELL);
	char path[PATH_SIZE];

	*s = (struct sight){ .fs = fs, .news = news, .op = op };
	if (!op || !op_set_name(op, news->name)) {
		look_later(s);
		return false;
	}
	if (inode_path(&fs->inodes, news->dir, *news->name ? news->name : NULL, path)) {
		look_above(s);
		op_reply_error(op, 0);
		return false;
	}
	op_call(op, XS_READ, 0, path, NULL, 0);
	op_call(op, XS_DIRECTORY, 0, path, NULL, 0);
	op_call(op, XS_GET_PERMS, 0, path, NULL, 0);
	sight_find(s);
	if (op_wait_begin(op)) {
		look_later(s);
		sight_end(s);
		return false;
	}
	s->path = op->calls[CALL_READ]->payload;
	return true;
}

/* All questions are on their way together, because the time of a round trip is most of what one takes.  The answers
 * for the last names get older while the first are told, which is no different from a change that comes then. */
void look(struct fs *fs, struct news *const *news, unsigned n)
{
	struct sight sights[LOOK_MAX];
	unsigned asked = 0;

	for (unsigned i = 0; i < n; i++)
		asked += sight_begin(&sights[asked], fs, news[i]);
	for (unsigned i = 0; i < asked; i++) {
		if (!op_wait_end(sights[i].op))
			looked(&sights[i]);
		if (sights[i].large)
			look_at_large(&sights[i]);
		sight_end(&sights[i]);
	}
}
