/* SPDX-License-Identifier: MIT */
/* Has the kernel raise the events of what differs from what was told (fs/model/told.h).  On the teller's thread. */
#include <errno.h>
#include <string.h>

#include "fs/events/notifier.h"
#include "fs/inotify/sight.h"
#include "fs/model/text.h"
#include "fs/op/lock.h"
#include "fs/special/special.h"

static struct expected expect(enum raise_kind kind, struct inode *dir, const char *name, struct inode *inode,
			      uint64_t changes)
{
	return (struct expected){
		.kind = kind,
		.dir = dir,
		.name = name,
		.inode = inode,
		.is_dir = inode->kind == INODE_DIR,
		.changes = changes,
		.moved = inode_moved(dir),
	};
}

/* Returns the inode that a name has as a file or as a directory, with a reference. */
static struct inode *inode_of(struct sight *s, enum told_kind kind)
{
	return inode_intern(&s->fs->inodes, s->news->dir, s->news->name, kind == TOLD_DIR ? INODE_DIR : INODE_LEAF,
			    s->news->dir->view, NULL);
}

/* Raises an event of the node, which is there.  Returns false if it has to be looked at again. */
REQUIRES(fs_lock_held) static bool tell_of(struct sight *s, enum raise_kind kind, struct inode *inode)
{
	struct expected e = expect(kind, s->news->dir, s->news->name, inode, s->changes);
	int err;

	e.size = text_size(s->fs->config.format, s->facts.value_len);
	/* Who finds it at the same time may do something with it. */
	if (kind == RAISE_CREATE) {
		e.top = inode;
		e.stirred = inode->told.stirred;
	}
	err = raise_event(s->fs, &e);
	s->lookups += e.lookups;
	/* Nobody can be told. */
	if (kind == RAISE_CREATE && !e.done && err != -EAGAIN)
		told_new(inode);
	return err != -EAGAIN;
}

/* Returns a child that the readers take to be there, or NULL. */
static struct inode *child_told(struct inode *dir)
{
	struct inode *child;

	LIST_FOREACH(child, &dir->children, sibling)
		if (child->kind != INODE_SPECIAL && child->hashed && is_known(child) && !child->told.deleted &&
		    (!dir->told.names_known || told_name(dir, child->name) != TOLD_NOT))
			return child;
	return NULL;
}

/* Tells that a node is gone, with all of `top`, of which nothing may have been heard since.  Returns 0 or -EAGAIN. */
REQUIRES(fs_lock_held) static int tell_gone(struct fs *fs, struct inode *inode, uint64_t changes,
					    const struct inode *top, uint64_t *stirred)
{
	struct inode *dir = inode_get_parent(inode);
	struct expected e = expect(RAISE_DELETE, dir, inode->name, inode, changes);
	const uint64_t moved = inode_moved(inode);
	char name[PATH_SIZE];
	int err;

	strcpy(name, inode->name);
	e.name = name;
	e.top = top;
	e.stirred = *stirred;
	err = raise_event(fs, &e);
	*stirred = e.stirred;
	/* Nobody can be told; of what has another name by now, perhaps of that. */
	if (!e.done && err != -EAGAIN && inode_moved(inode) == moved)
		told_gone(inode);
	inode_put(&fs->inodes, dir);
	return err == -EAGAIN ? err : 0;
}

/* Tells that a directory is gone, with everything in it: from the bottom up, as when it is removed through the
 * mount.  Returns 0 or -EAGAIN. */
REQUIRES(fs_lock_held) static int tell_gone_below(struct fs *fs, struct inode *top, uint64_t changes, uint64_t stirred)
{
	const uint64_t moved = inode_moved(top);
	struct inode *inode, *child;
	int err = 0;
	bool over;

	do {
		/* The lock was released, and what is below goes with it. */
		if (inode_moved(top) != moved || inode_is_moving(top))
			return -EAGAIN;
		inode = top;
		while ((child = child_told(inode)))
			inode = child;
		over = inode == top;
		inode_ref(inode);
		err = tell_gone(fs, inode, over ? changes : inode->parent->told.changes, top, &stirred);
		inode_put(&fs->inodes, inode);
	} while (!over && !err && !fs->inotify->ending && !inode_is_removed(top));
	return err;
}

/* The name is gone, or no longer what it was.  Returns whether that was told. */
REQUIRES(fs_lock_held) static bool tell_removal(struct sight *s)
{
	struct fs *fs = s->fs;
	struct inode *inode = inode_of(s, s->told);
	bool told = false;
	int err;

	if (!inode)
		return false;
	/* A program that has a file below open goes on with it when the node comes back, and could not if the
	 * directory were removed.  Then there may be less in it than was told: hence deep. */
	if (inode->kind == INODE_DIR && inode_is_open(inode)) {
		queue_owe(fs, s->news->dir, s->news->name, &(struct news){ .deep = true, .lost = s->news->lost });
	} else {
		err = inode->kind == INODE_DIR ? tell_gone_below(fs, inode, s->changes, s->sub_stirred)
					       : tell_gone(fs, inode, s->changes, inode, &s->leaf_stirred);
		told = !err;
		if (err)
			look_again(s);
	}
	inode_put(&fs->inodes, inode);
	return told;
}

/* The kernel knows the file only since it was told of it: where many come nobody looks at, they need not stay. */
REQUIRES(fs_lock_held) static void forget_file(struct sight *s, struct inode *inode)
{
	uint64_t parent = s->news->dir->nodeid;

	/* Unless somebody has found it meanwhile. */
	if (inode->kind != INODE_LEAF || inode->nlookup != s->lookups)
		return;
	fs_unlock(s->fs);
	notifier_forget(s->fs, parent, s->news->name);
	fs_lock(s->fs);
}

/* Tells that a file has another content.  Returns false if it has to be looked at again. */
REQUIRES(fs_lock_held) static bool tell_file(struct sight *s, struct inode *inode)
{
	bool told = tell_of(s, RAISE_MODIFY, inode);

	if (told)
		forget_file(s, inode);
	return told;
}

/* The name is new: for a file its content is, too. */
REQUIRES(fs_lock_held) static void tell_new(struct sight *s)
{
	const struct op *op = s->op;
	struct inode *inode = inode_of(s, s->is);

	if (!inode)
		return;
	if (!tell_of(s, RAISE_CREATE, inode)) {
		look_again(s);
	} else {
		told_value(inode, op->calls[CALL_READ]->reply, s->facts.value_len);
		if (s->is == TOLD_FILE && !tell_file(s, inode)) {
			inode->told.value_state = TOLD_LOST;
			look_again(s);
		} else if (s->is == TOLD_DIR && !op_call_raw_error(op, CALL_DIRECTORY)) {
			told_names_first(inode, op->calls[CALL_DIRECTORY]->reply,
					 op->calls[CALL_DIRECTORY]->reply_len);
		}
	}
	inode_put(&s->fs->inodes, inode);
}

/* The value of a directory's node has changed, which is the content of its `.value`.  Returns false if it has to be
 * looked at again. */
REQUIRES(fs_lock_held) static bool tell_value_of_dir(struct sight *s, struct inode *dir)
{
	struct inodes *inodes = &s->fs->inodes;
	struct inode *file = inode_find(inodes, dir, NAME_OF_VALUE, INODE_SPECIAL);
	const struct special *special = special_find(s->fs, dir, NAME_OF_VALUE);
	struct expected e;
	int err;

	if (!file && special && node_has_value(s->op, CALL_READ, s->path)) {
		file = inode_intern(inodes, dir, NAME_OF_VALUE, INODE_SPECIAL, dir->view, special);
		if (file)
			file->cacheable = true;
	}
	if (!file)
		return true;
	e = expect(RAISE_MODIFY, dir, NAME_OF_VALUE, file, dir->told.changes);
	e.size = text_size(s->fs->config.format, s->facts.value_len);
	err = raise_event(s->fs, &e);
	inode_put(inodes, file);
	return err != -EAGAIN;
}

/*
 * Returns whether this mount has sent a value since the store was asked, or was changing it in a transaction: then
 * the answer may be older than what was told, and would pass for a change by somebody else.  What somebody else wrote
 * before is gone, if the write succeeds; a user who goes on writing without success only puts off that it is told.
 */
static bool is_written_over(const struct sight *s, const struct inode *inode)
{
	uint64_t before = inode->kind == INODE_DIR ? s->sub_writes : s->leaf_writes;

	return inode->told.writes != before && s->news->tries < WRITTEN_OVER_MAX;
}

/* Compares a value with the one that was told, and takes it for told from now on.  Returns whether it is another. */
static bool value_differs(const struct sight *s, struct inode *inode)
{
	const struct request *read = s->op->calls[CALL_READ];
	enum told_state before = inode->told.value_state;
	uint64_t hash = inode->told.value;

	if (!s->facts.readable || is_written_over(s, inode))
		return false;
	told_value(inode, read->reply, read->reply_len);
	return before != TOLD_KNOWN || inode->told.value != hash;
}

/* The same for permissions.  *known: it was known what was told. */
static bool perms_differ(const struct sight *s, struct inode *inode, bool *known)
{
	const struct request *get = s->op->calls[CALL_GET_PERMS];
	enum told_state before = inode->told.perms_state;
	uint64_t hash = inode->told.perms;

	*known = inode->told.perms_state != TOLD_NOTHING;
	if (op_call_raw_error(s->op, CALL_GET_PERMS))
		return false;
	told_perms(inode, get->reply, get->reply_len);
	return *known && (before == TOLD_LOST || inode->told.perms != hash);
}

/*
 * The node was there and is there.  An event whose cause is neither the value nor the permissions comes from a write
 * of the same value, which is one, too.  Before the permissions have been seen once it may be either.
 */
REQUIRES(fs_lock_held) static void tell_changes(struct sight *s, struct inode *inode)
{
	bool written_over = is_written_over(s, inode);
	bool known, value = value_differs(s, inode), perms = perms_differ(s, inode, &known), any = value || perms;
	bool unclear = !any && (s->news->lost || (s->news->foreign && !told_is_own(inode, s->news->reported_ms)));

	if (value || s->news->lost || (unclear && inode->kind == INODE_LEAF)) {
		if (!(inode->kind == INODE_DIR ? tell_value_of_dir(s, inode) : tell_file(s, inode)))
			inode->told.value_state = TOLD_LOST;
	}
	if ((perms || (unclear && !known)) && !tell_of(s, RAISE_ATTRIB, inode))
		inode->told.perms_state = TOLD_LOST;
	if (inode->told.value_state == TOLD_LOST || inode->told.perms_state == TOLD_LOST)
		look_again(s);
	else if (written_over)
		look_patiently(s);
}

/* ---- what differs ---- */

/* What is below is looked at, each name in its turn. */
static struct news news_below(const struct sight *s)
{
	return (struct news){ .deep = true, .foreign = s->news->lost, .lost = s->news->lost };
}

void tell_names(struct sight *s, struct inode *dir, const struct listing *listing)
{
	const struct news below = news_below(s);
	enum told_kind told;

	if (!dir->told.names_known) {
		told_listing(dir, listing);
		return;
	}
	for (unsigned i = 0; i < listing->count; i++) {
		told = told_name(dir, listing->names[i]);
		if (told == TOLD_NOT || told == TOLD_SEEN)
			queue_add(s->fs, dir, listing->names[i], &below);
	}
}

/* Something may have been made or removed below. */
static void look_below(struct sight *s, struct inode *dir)
{
	const struct request *names = s->op->calls[CALL_DIRECTORY];
	const struct news below = news_below(s);
	int err = op_call_raw_error(s->op, CALL_DIRECTORY);
	struct listing *listing;

	queue_add_children(s->fs, dir, &below);
	if (err == -E2BIG)
		s->large = inode_ref(dir);
	if (err)
		return;
	listing = listing_new();
	/* Of a reply without an end the names that have one. */
	if (!listing || listing_add_names(listing, names->reply, names->reply_len) == -ENOMEM)
		look_again(s);
	else
		tell_names(s, dir, listing);
	listing_put(listing);
}

void tell(struct sight *s)
{
	struct inode *inode;

	if (s->told != TOLD_NOT && s->is != s->told && s->told != TOLD_UNSURE && !tell_removal(s))
		return;
	if (s->is == TOLD_NOT)
		return;
	if (s->told == TOLD_NOT || (s->told != s->is && s->told != TOLD_UNSURE)) {
		tell_new(s);
		return;
	}
	inode = inode_of(s, s->is);
	if (!inode)
		return;
	if (s->news->deep && inode->kind == INODE_DIR)
		look_below(s, inode);
	tell_changes(s, inode);
	inode_put(&s->fs->inodes, inode);
}

void tell_root(struct sight *s)
{
	struct inode *root = s->news->dir;
	bool written_over = is_written_over(s, root);

	if (s->news->deep)
		look_below(s, root);
	if ((value_differs(s, root) || s->news->lost) && !tell_value_of_dir(s, root)) {
		root->told.value_state = TOLD_LOST;
		look_again(s);
	} else if (written_over) {
		look_patiently(s);
	}
}
