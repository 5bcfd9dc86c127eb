/* SPDX-License-Identifier: MIT */
/*
 * What there is to tell about a name: the store is asked for the node, and the answer compared with what was
 * told (fs/model/told.h).  On the teller's thread.
 */
#include <errno.h>
#include <string.h>

#include "fs/events/notifier.h"
#include "fs/inotify/inotify_impl.h"
#include "fs/model/text.h"
#include "fs/node/node.h"
#include "fs/op/lock.h"
#include "fs/special/special.h"
#include "ring/wire.h"

/* How often news are looked at again because somebody was quicker, and then once a second, before they wait for the
 * next event. */
#define TRIES_MAX 100
#define LATER_MAX 60

/* The calls of a look. */
enum { CALL_READ, CALL_DIRECTORY, CALL_GET_PERMS };

/* A name, what it was told to be, and what it is. */
struct sight {
	struct fs *fs;
	struct news *news;
	struct op *op;
	struct inode *leaf, *sub; /* with references; NULL: there is no such inode */
	uint64_t changes;         /* the directory's told.changes before the store was asked, */
	uint64_t moved;           /* inode_moved() of the directory, */
	uint64_t leaf_stirred, sub_stirred; /* and told.stirred of these */
	enum told_kind told;
	enum told_kind is;
	struct node_facts facts;
	const char *path;
	uint64_t lookups; /* how often the kernel looked the inode up for this */
};

static bool is_known(const struct inode *inode)
{
	return inode && inode->nlookup > 0;
}

/* Returns what the readers take the name for. */
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

/* ---- telling ---- */

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

/* It was not told because somebody was quicker: looks again.  What was made or removed through the mount meanwhile
 * was what the store had told of. */
static void look_again(struct sight *s)
{
	struct news again = *s->news;

	if (s->news->dir->told.changes != s->changes)
		again.foreign = false;
	if (++again.tries < TRIES_MAX)
		queue_add(s->fs, s->news->dir, s->news->name, &again);
	else
		look_later(s);
}

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
	if (kind == RAISE_CREATE && (e.done || err != -EAGAIN)) {
		inode->told.deleted = false;
		told_name_add(s->news->dir, s->news->name, s->is);
	}
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
	char name[PATH_SIZE];
	int err;

	strcpy(name, inode->name);
	e.name = name;
	e.top = top;
	e.stirred = *stirred;
	err = raise_event(fs, &e);
	*stirred = e.stirred;
	if (e.done || err != -EAGAIN) {
		inode->told.deleted = true;
		inode->told.value_state = TOLD_NOTHING;
		told_name_remove(dir, name);
	}
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
	 * directory were removed. */
	if (inode->kind == INODE_DIR && inode_is_open(inode)) {
		queue_owe(fs, s->news->dir, s->news->name, &(struct news){ 0 });
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

/* The value of a directory's node has changed, which is the content of its `.value`. */
REQUIRES(fs_lock_held) static void tell_value_of_dir(struct sight *s, struct inode *dir)
{
	struct inodes *inodes = &s->fs->inodes;
	struct inode *file = inode_find(inodes, dir, NAME_OF_VALUE, INODE_SPECIAL);
	const struct special *special = special_find(s->fs, dir, NAME_OF_VALUE);
	struct expected e;

	if (!file && special && node_has_value(s->op, CALL_READ, s->path)) {
		file = inode_intern(inodes, dir, NAME_OF_VALUE, INODE_SPECIAL, dir->view, special);
		if (file)
			file->cacheable = true;
	}
	if (!file)
		return;
	e = expect(RAISE_MODIFY, dir, NAME_OF_VALUE, file, dir->told.changes);
	e.size = text_size(s->fs->config.format, s->facts.value_len);
	raise_event(s->fs, &e);
	inode_put(inodes, file);
}

/* Compares a value with the one that was told, and takes it for told from now on.  Returns whether it is another. */
static bool value_differs(const struct sight *s, struct inode *inode)
{
	const struct request *read = s->op->calls[CALL_READ];
	enum told_state before = inode->told.value_state;
	uint64_t hash = inode->told.value;

	if (!s->facts.readable)
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
	bool known, value = value_differs(s, inode), perms = perms_differ(s, inode, &known), any = value || perms;
	bool unclear = !any && (s->news->lost || (s->news->foreign && !told_is_own(inode)));

	if (value || s->news->lost || (unclear && inode->kind == INODE_LEAF)) {
		if (inode->kind == INODE_DIR)
			tell_value_of_dir(s, inode);
		else if (!tell_file(s, inode))
			inode->told.value_state = TOLD_LOST;
	}
	if ((perms || (unclear && !known)) && !tell_of(s, RAISE_ATTRIB, inode))
		inode->told.perms_state = TOLD_LOST;
	if (inode->told.value_state == TOLD_LOST || inode->told.perms_state == TOLD_LOST)
		look_again(s);
}

/* ---- looking ---- */

/* Something may have been made or removed below: its names are looked at, each in its turn. */
static void look_below(struct sight *s, struct inode *dir)
{
	const struct news below = { .deep = true, .foreign = s->news->lost, .lost = s->news->lost };
	const struct request *list = s->op->calls[CALL_DIRECTORY];
	struct wire_strings names;
	enum told_kind told;
	const char *name;
	size_t len;

	queue_add_children(s->fs, dir, &below);
	if (op_call_raw_error(s->op, CALL_DIRECTORY))
		return;
	if (!dir->told.names_known) {
		told_names_first(dir, list->reply, list->reply_len);
		return;
	}
	names = wire_strings_init(list->reply, list->reply_len);
	while (wire_strings_next(&names, &name, &len) > 0) {
		told = len > 0 ? told_name(dir, name) : TOLD_FILE;
		if ((told == TOLD_NOT || told == TOLD_SEEN) && name_is_legal(name))
			queue_add(s->fs, dir, name, &below);
	}
}

REQUIRES(fs_lock_held) static void tell(struct sight *s)
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

/* The root of a view is there in any case. */
REQUIRES(fs_lock_held) static void tell_root(struct sight *s)
{
	struct inode *root = s->news->dir;

	if (s->news->deep)
		look_below(s, root);
	if (value_differs(s, root) || s->news->lost)
		tell_value_of_dir(s, root);
}

/* Finds the inodes before the store is asked. */
static void sight_begin(struct sight *s)
{
	struct inodes *inodes = &s->fs->inodes;

	s->changes = s->news->dir->told.changes;
	s->moved = inode_moved(s->news->dir);
	s->leaf = inode_find(inodes, s->news->dir, s->news->name, INODE_LEAF);
	s->sub = inode_find(inodes, s->news->dir, s->news->name, INODE_DIR);
	s->leaf_stirred = s->leaf ? s->leaf->told.stirred : 0;
	s->sub_stirred = s->sub ? s->sub->told.stirred : 0;
}

static void sight_end(struct sight *s)
{
	inode_put(&s->fs->inodes, s->leaf);
	inode_put(&s->fs->inodes, s->sub);
}

/* Returns whether the answer may be older than what a user has done, or found, since. */
static bool is_outdated(struct sight *s)
{
	struct sight now = *s;
	bool outdated;

	sight_begin(&now);
	outdated = now.changes != s->changes || now.moved != s->moved || now.leaf != s->leaf || now.sub != s->sub ||
		   now.leaf_stirred != s->leaf_stirred || now.sub_stirred != s->sub_stirred;
	sight_end(&now);
	return outdated;
}

/* Returns whether a rename through this mount is moving the node, or what is above it. */
static bool is_moving(const struct sight *s)
{
	return inode_is_moving(s->news->dir) || (s->leaf && inode_is_moving(s->leaf)) ||
	       (s->sub && inode_is_moving(s->sub));
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
	if (!*s->news->name) {
		if (!err)
			tell_root(s);
		return;
	}
	/* A file that was created here and is not in the store yet is there all the same. */
	if (err && s->leaf && s->leaf->unwritten)
		return;
	decide(s, err != 0);
	if (s->is != s->told && is_outdated(s)) {
		look_again(s);
		return;
	}
	if (err)
		inode_gone(&s->fs->inodes, s->news->dir, s->news->name);
	tell(s);
}

MAY_WAIT void look(struct fs *fs, struct news *news)
{
	struct op *op = op_new(fs, NULL, news->dir->nodeid, OP_OWN_TELL);
	struct sight s = { .fs = fs, .news = news, .op = op };
	char path[PATH_SIZE];

	if (!op || !op_set_name(op, news->name))
		return;
	s.path = path;
	if (!inode_path(&fs->inodes, news->dir, *news->name ? news->name : NULL, path)) {
		op_call(op, XS_READ, 0, path, NULL, 0);
		op_call(op, XS_DIRECTORY, 0, path, NULL, 0);
		op_call(op, XS_GET_PERMS, 0, path, NULL, 0);
		sight_begin(&s);
		if (!op_wait(op))
			looked(&s);
		sight_end(&s);
	}
	op_reply_error(op, 0);
}
