/* SPDX-License-Identifier: MIT */
/*
 * Looking at nodes: lookup, getattr, open, read, directories.  One round trip each: the functions
 * start on a thread that reads /dev/fuse and end, in a `…_done`, on the I/O thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/dir.h"
#include "fs/listing.h"
#include "fs/node.h"
#include "fs/notifier.h"
#include "fs/poll.h"
#include "fs/process.h"
#include "fs/special.h"
#include "fs/text.h"

/* Times that a listing in parts starts over because the directory changes under it. */
#define LIST_RESTARTS 8

/* ---- what a node is ---- */

bool node_reply_has_children(const struct request *req)
{
	struct wire_strings names = wire_strings_init(req->reply, req->reply_len);
	const char *name;
	size_t len;

	while (wire_strings_next(&names, &name, &len) > 0)
		if (len > 0)
			return true;
	return false;
}

int node_facts(const struct op *op, unsigned i, struct node_facts *facts)
{
	int err = op_call_error(op, i);

	*facts = (struct node_facts){ .readable = true };
	if (err == -EACCES) {
		facts->readable = false;
		return 0;
	}
	if (err)
		return err;
	facts->value_len = op->calls[i]->reply_len;

	err = op_call_raw_error(op, i + 1);
	if (err == -E2BIG)
		facts->has_children = true;
	else if (err)
		return op_call_error(op, i + 1);
	else
		facts->has_children = node_reply_has_children(op->calls[i + 1]);
	return 0;
}

static void attr_common(const struct fs *fs, mode_t mode, struct stat *st)
{
	*st = (struct stat){
		.st_mode = mode & ~fs->config.umask,
		.st_nlink = 1,
		.st_uid = fs->config.uid,
		.st_gid = fs->config.gid,
		.st_blksize = 4096,
		.st_atim = fs->mounted_at,
		.st_mtim = fs->mounted_at,
		.st_ctim = fs->mounted_at,
	};
}

void node_attr_dir(const struct fs *fs, bool readable, struct stat *st)
{
	attr_common(fs, S_IFDIR | 0777, st);
	/* Not to be listed, but what is below may be reached. */
	if (!readable)
		st->st_mode = S_IFDIR | 0111;
}

void node_attr_file(const struct fs *fs, size_t size, struct stat *st)
{
	attr_common(fs, S_IFREG | 0666, st);
	st->st_size = size;
	st->st_blocks = (size + 511) / 512;
}

/* ---- what it was before ---- */

/* The open files that process_descends() is tried for: rarely is there more than one. */
#define EMPTIERS_MAX 8

bool node_sees_empty(struct op *op)
{
	struct fs *fs = op->fs;
	pid_t processes[EMPTIERS_MAX];
	bool sees = false;
	unsigned count;

	if (op->handle)
		return handle_is_empty_due(fs, op->handle);
	count = inode_emptiers(&fs->inodes, op->inode, processes, EMPTIERS_MAX);
	for (unsigned i = 0; i < count && op->req && !sees; i++)
		sees = process_descends(fuse_req_ctx(op->req)->pid, processes[i]);
	return sees;
}

void node_saw(struct op *op, struct inode *inode, int read, int dir)
{
	struct fs *fs = op->fs;
	const struct request *names;
	char path[PATH_SIZE];
	bool covered;

	/* The view of a transaction is looked up outside of it. */
	if (inode->view->tx || inode_path(&fs->inodes, inode, NULL, path))
		return;
	covered = fs->caching && op_is_covered(op, inode, path);
	if (read >= 0 && !op_call_raw_error(op, read))
		inode_saw_value(&fs->inodes, inode, op->calls[read]->reply,
				op->calls[read]->reply_len);
	if (dir < 0 || inode->kind != INODE_DIR)
		return;
	names = op_call_raw_error(op, dir) ? NULL : op->calls[dir];
	if (names || op_call_raw_error(op, dir) == -E2BIG)
		inode_saw_names(&fs->inodes, inode, names ? names->reply : NULL,
				names ? names->reply_len : 0, covered,
				!covered || !event_since(fs, op->seq, path));
}

/* ---- lookup ---- */

bool node_stays_dir(struct op *op, const char *path)
{
	struct inode *dir;
	bool sticky;

	if (op->inode->view->layout == FS_NODES || made_has(op->inode->view->made, path))
		return true;
	dir = inode_find(&op->fs->inodes, op->inode, op->name, INODE_DIR);
	sticky = dir && inode_is_sticky(&op->fs->inodes, dir);
	inode_put(&op->fs->inodes, dir);
	return sticky;
}

bool node_is_meant_dir(const struct op *op, const char *path)
{
	return dirs_has(&op->fs->dirs, path) && !made_is_file(op->inode->view->made, path);
}

bool node_is_dir(struct op *op, const struct node_facts *facts, const char *path)
{
	if (!facts->readable || facts->has_children || node_stays_dir(op, path))
		return true;
	/* A value must be seen, wherever a guest has put it. */
	return facts->value_len == 0 && node_is_meant_dir(op, path);
}

void node_made_file(const struct op *op, const char *path)
{
	if (dirs_has(&op->fs->dirs, path))
		made_as_file(op->inode->view->made, path);
}

void node_found(struct op *op, struct inode *inode, const char *path)
{
	struct inodes *inodes = &op->fs->inodes;

	if (inode->view->tx)
		return;
	/* First noted, then checked: an event between the two makes it doubtful. */
	inode_found(inodes, inode, inode_foreign(inodes, inode));
	if (event_since(op->fs, op->seq, path))
		inode_found(inodes, inode, 0);
}

/* Remembers that a directory is there, for as long as no event comes: the kernel asks again and
 * again, as each listing makes it forget the time of access. */
static void confirm_dir(struct op *op, struct inode *dir, const char *path)
{
	struct fs *fs = op->fs;

	if (!fs->caching || dir->view->tx || !op_is_covered(op, dir, path))
		return;
	inode_confirm(&fs->inodes, dir, inode_events(&fs->inodes, dir));
	if (event_since(fs, op->seq, path))
		inode_confirm(&fs->inodes, dir, 0);
}

/* The store has no such node.  A file that was created here and not yet written is shown. */
static void lookup_missing(struct op *op, const char *path, int err)
{
	struct fs *fs = op->fs;
	struct inode *leaf;
	struct stat st;

	leaf = inode_find(&fs->inodes, op->inode, op->name, INODE_LEAF);
	if (leaf && inode_is_pending(&fs->inodes, leaf)) {
		node_attr_file(fs, 0, &st);
		op_reply_entry(op, leaf, &st);
	} else {
		inode_gone(&fs->inodes, op->inode, op->name);
		made_remove(op->inode->view->made, path);
		op_reply_error(op, err);
	}
	inode_put(&fs->inodes, leaf);
}

void node_reply_found(struct op *op, const char *path, bool dir, bool readable, size_t size)
{
	struct fs *fs = op->fs;
	struct inode *inode;
	struct stat st;

	inode = inode_intern(&fs->inodes, op->inode, op->name, dir ? INODE_DIR : INODE_LEAF,
			     op->inode->view, NULL);
	if (!inode) {
		op_reply_error(op, -ENOMEM);
		return;
	}
	if (dir) {
		/* From now on the kernel has it as a directory, and `rm -r` relies on that. */
		inode_set_sticky(&fs->inodes, inode, readable);
		inode_set_hidden(&fs->inodes, inode, !readable);
		if (readable)
			confirm_dir(op, inode, path);
		node_attr_dir(fs, readable, &st);
	} else {
		node_attr_file(fs, size, &st);
	}
	node_found(op, inode, path);
	if (op->n_calls == 2)
		node_saw(op, inode, 0, 1);
	op_reply_entry(op, inode, &st);
	inode_put(&fs->inodes, inode);
}

static void lookup_done(struct op *op)
{
	struct fs *fs = op->fs;
	struct node_facts facts;
	char path[PATH_SIZE];
	int err;

	err = inode_path(&fs->inodes, op->inode, op->name, path);
	if (!err)
		err = node_facts(op, 0, &facts);
	if (err == -ENOENT) {
		lookup_missing(op, path, err);
		return;
	}
	if (err) {
		op_reply_error(op, err);
		return;
	}
	node_reply_found(op, path, node_is_dir(op, &facts, path), facts.readable,
			 text_size(fs->config.format, facts.value_len));
}

void node_lookup(struct op *op)
{
	char path[PATH_SIZE];
	int err;

	if (op->inode->view->tx) {
		node_tx_lookup(op);
		return;
	}
	/* No store has such a name; it need not be asked. */
	err = name_is_legal(op->name) ? 0 : -ENOENT;
	if (!err)
		err = inode_path(&op->fs->inodes, op->inode, op->name, path);
	if (err) {
		op_reply_error(op, err);
		return;
	}
	op_call(op, XS_READ, op->inode->view->tx_id, path, NULL, 0);
	op_call(op, XS_DIRECTORY, op->inode->view->tx_id, path, NULL, 0);
	op_submit(op, lookup_done);
}

/* ---- getattr ---- */

/* The kernel still has a name for what is gone: it is to look again. */
static void forget_name(struct op *op)
{
	/* In a transaction it looks each time. */
	if (op->inode->view->tx)
		return;
	inode_set_stale(&op->fs->inodes, op->inode);
	notifier_wake(op->fs);
}

void node_reply_removed(struct op *op)
{
	struct fs *fs = op->fs;
	struct stat st;
	size_t len = 0;

	free(inode_get_last(&fs->inodes, op->inode, &len));
	if (op->inode->kind == INODE_DIR)
		node_attr_dir(fs, true, &st);
	else
		node_attr_file(fs, text_size(fs->config.format, len), &st);
	st.st_nlink = 0;
	op_reply_attr(op, &st);
}

/* Keeps what the store says of the mount's root. */
static void note_root(const struct op *op, int err)
{
	struct fs *fs = op->fs;

	if (op->inode == fs->inodes.root && !fs->config.privileged && (!err || err == -EACCES))
		atomic_store(&fs->root_listable, !err);
}

/* Answers for the mount's root from memory: umount(8) asks for it, and so does every walk to
 * `.xsfs/stats`, which are not to wait for a silent store.  Returns false if it has to be asked. */
static bool getattr_root(struct op *op)
{
	int listable = atomic_load(&op->fs->root_listable);
	struct stat st;

	if (op->inode != op->fs->inodes.root || listable < 0)
		return false;
	node_attr_dir(op->fs, listable, &st);
	op_reply_attr(op, &st);
	return true;
}

static void getattr_dir(struct op *op)
{
	struct fs *fs = op->fs;
	int err = op_call_error(op, 0);
	char path[PATH_SIZE];
	struct stat st;

	note_root(op, err);
	/* The root of the mount stays, whatever happens to its node. */
	if (err == -ENOENT && !op->inode->view_root) {
		inode_set_sticky(&fs->inodes, op->inode, false);
		forget_name(op);
	}
	if (err && err != -EACCES && !(err == -ENOENT && op->inode->view_root)) {
		op_reply_error(op, err);
		return;
	}
	if (!err && !inode_path(&fs->inodes, op->inode, NULL, path)) {
		confirm_dir(op, op->inode, path);
		node_found(op, op->inode, path);
	}
	node_saw(op, op->inode, 0, op->n_calls > 1 ? 1 : -1);
	node_attr_dir(fs, err != -EACCES, &st);
	op_reply_attr(op, &st);
}

/* Returns whether what the kernel has as a file is a directory by now. */
static bool leaf_is_dir(const struct op *op, const struct node_facts *facts)
{
	char path[PATH_SIZE];

	if (facts->has_children || !facts->readable)
		return true;
	return facts->value_len == 0 && !inode_path(&op->fs->inodes, op->inode, NULL, path) &&
	       node_is_meant_dir(op, path);
}

static void getattr_leaf(struct op *op)
{
	struct fs *fs = op->fs;
	struct node_facts facts = { 0 };
	struct stat st;
	int err;

	err = node_facts(op, 0, &facts);
	/* It has become a directory, which the kernel can only learn by looking it up again.  Who
	 * has it open goes on with the value; fstat(2) does not say which open file it is about. */
	if (!err && leaf_is_dir(op, &facts) && !inode_is_open(&fs->inodes, op->inode))
		err = -ESTALE;
	if (err == -ENOENT && inode_is_pending(&fs->inodes, op->inode))
		err = 0;
	if (err == -ENOENT || err == -ESTALE)
		forget_name(op);
	if (err) {
		op_reply_error(op, err);
		return;
	}
	node_saw(op, op->inode, 0, -1);
	node_attr_file(fs, text_size(fs->config.format, facts.value_len), &st);
	op_reply_attr(op, &st);
}

/* A directory has changed if its children have.  Where events tell of that they are asked for after
 * one only. */
static bool names_wanted(const struct op *op, const char *path)
{
	struct fs *fs = op->fs;

	return !fs->caching || !op_is_covered(op, op->inode, path) ||
	       inode_is_unsure(&fs->inodes, op->inode);
}

void node_getattr(struct op *op)
{
	uint32_t tx_id = op->inode->view->tx_id;
	char path[PATH_SIZE];
	struct stat st;
	int err;

	if (node_sees_empty(op)) {
		node_attr_file(op->fs, 0, &st);
		op_reply_attr(op, &st);
		return;
	}
	if (op->inode->kind == INODE_DIR && inode_is_confirmed(&op->fs->inodes, op->inode)) {
		node_attr_dir(op->fs, true, &st);
		op_reply_attr(op, &st);
		return;
	}
	if (getattr_root(op))
		return;
	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err == -ENOENT || err == -ESTALE) {
		node_reply_removed(op);
		return;
	}
	if (err) {
		op_reply_error(op, err);
		return;
	}
	if (op->inode->view->tx) {
		node_tx_getattr(op);
		return;
	}
	op_call(op, XS_READ, tx_id, path, NULL, 0);
	if (op->inode->kind == INODE_LEAF || names_wanted(op, path))
		op_call(op, XS_DIRECTORY, tx_id, path, NULL, 0);
	op_submit(op, op->inode->kind == INODE_LEAF ? getattr_leaf : getattr_dir);
}

/* ---- files ---- */

void node_open(struct op *op)
{
	char path[PATH_SIZE];
	struct handle *handle;
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	/* Replaced on the way here: the old content is as good as the new one, but for writing. */
	if (err == -ESTALE && (op->flags & O_ACCMODE) == O_RDONLY)
		err = 0;
	/* Removed on the way here: the kernel looks the name up again, and makes it with O_CREAT. */
	if (err == -ENOENT)
		err = -ESTALE;
	handle = err ? NULL : handle_new(op->fs, op->inode, op->flags);
	if (!handle) {
		op_reply_error(op, err ? err : -ENOMEM);
		return;
	}
	/* An empty value is not written now: a write follows, most often. */
	if ((op->flags & O_TRUNC) && (op->flags & O_ACCMODE) != O_RDONLY)
		handle_truncate(op->fs, handle, op_process(op));
	op_reply_open(op, handle);
}

/* Keeps the content that the store has for the reads that follow.  Returns whether this read is to
 * have its part of it: behind the end of an older snapshot only what continues that. */
static bool keep_snapshot(struct op *op, char *content, size_t size)
{
	if (op->off > 0)
		return handle_extend_snapshot(op->handle, content, size);
	handle_set_snapshot(op->handle, content, size);
	return true;
}

static void read_done(struct op *op)
{
	struct fs *fs = op->fs;
	int err = op_call_error(op, 0);
	struct request *req;
	char *content, *reply;
	size_t size;
	bool seen;

	/* Behind the end of what was read of it, a node that is gone has nothing to add. */
	if (err == -ENOENT && op->off > 0 && handle_has_snapshot(op->handle)) {
		op_reply_buf(op, NULL, 0);
		return;
	}
	if (err == -ENOENT)
		poll_seen(op, true);
	/* A file that was created here and never written reads as the empty file it will be. */
	if (err == -ENOENT && inode_is_pending(&fs->inodes, op->inode)) {
		op_reply_buf(op, NULL, 0);
		return;
	}
	if (err) {
		op_reply_error(op, err);
		return;
	}
	req = op->calls[0];
	reply = req->reply;
	/* The reply has room for one byte behind it. */
	size = text_from_value(fs->config.format, reply, req->reply_len);
	content = malloc(size + 1);
	if (!content) {
		op_reply_error(op, -ENOMEM);
		return;
	}
	memcpy(content, reply, size);
	seen = keep_snapshot(op, content, size);
	if (seen)
		poll_seen(op, false);
	if (!seen || (size_t)op->off >= size)
		op_reply_buf(op, NULL, 0);
	else
		op_reply_buf(op, reply + op->off,
			     size - op->off < op->size ? size - op->off : op->size);
}

/* Answers a read from what the handle has.  Returns false when the store has to be asked. */
static bool read_from_handle(struct op *op)
{
	ssize_t count = -1;
	char *buf;

	if (handle_is_empty_due(op->fs, op->handle)) {
		op_reply_buf(op, NULL, 0);
		return true;
	}
	if (op->off == 0)
		return false;
	buf = malloc(op->size ? op->size : 1);
	if (!buf) {
		op_reply_error(op, -ENOMEM);
		return true;
	}
	count = handle_read_growing(op->handle, buf, op->size, op->off);
	if (count >= 0)
		op_reply_buf(op, buf, count);
	free(buf);
	return count >= 0;
}

/* Answers a read of a file that another one replaced: with what it had then.  Returns false if that is
 * not known. */
static bool read_replaced(struct op *op)
{
	size_t size = 0;
	char *content = inode_get_last(&op->fs->inodes, op->inode, &size), *reply;

	if (!content)
		return false;
	size = text_from_value(op->fs->config.format, content, size);
	/* The snapshot is the handle's, and another read may replace it. */
	reply = malloc(size + 1);
	if (!reply) {
		free(content);
		op_reply_error(op, -ENOMEM);
		return true;
	}
	memcpy(reply, content, size);
	handle_set_snapshot(op->handle, content, size);
	if ((size_t)op->off >= size)
		op_reply_buf(op, NULL, 0);
	else
		op_reply_buf(op, reply + op->off,
			     size - op->off < op->size ? size - op->off : op->size);
	free(reply);
	return true;
}

void node_read(struct op *op)
{
	char path[PATH_SIZE];
	int err;

	if (read_from_handle(op))
		return;
	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err == -ESTALE && read_replaced(op))
		return;
	if (err) {
		op_reply_error(op, err);
		return;
	}
	op->events = inode_events(&op->fs->inodes, op->inode);
	op_call(op, XS_READ, op->inode->view->tx_id, path, NULL, 0);
	op_submit(op, read_done);
}

/* ---- directories ---- */

/* One pass over a directory in parts.  Returns 0, -EAGAIN if it changed meanwhile, or an error. */
static int list_parts_once(struct op *op, uint32_t tx_id, const char *path,
			   struct listing *listing)
{
	struct wire_strings names;
	uint64_t gen, first_gen = 0;
	size_t offset = 0, next;
	bool last = false, changed = false;
	char number[24];
	int len, err;

	while (!last) {
		len = snprintf(number, sizeof(number), "%zu", offset);
		op_calls_clear(op);
		op_call(op, XS_DIRECTORY_PART, tx_id, path, number, len + 1);
		err = op_wait(op);
		if (!err)
			err = op_call_error(op, 0);
		if (err)
			return err;
		err = wire_directory_part_parse(op->calls[0]->reply, op->calls[0]->reply_len, &gen,
						&names, &next, &last);
		if (err || (!last && next == 0))
			return -EIO;
		if (offset == 0)
			first_gen = gen;
		changed |= gen != first_gen;
		err = listing_add_names(listing, names.pos, names.end - names.pos);
		if (err)
			return err == -EPROTO ? -EIO : err;
		offset += next;
	}
	return changed ? -EAGAIN : 0;
}

static int list_parts(struct op *op, uint32_t tx_id, const char *path, struct listing *listing)
{
	int err = -EAGAIN;

	for (int i = 0; i < LIST_RESTARTS && err == -EAGAIN; i++) {
		listing_clear(listing);
		err = list_parts_once(op, tx_id, path, listing);
	}
	if (err == -EAGAIN) {
		log_warning(op->fs->log, "%s keeps changing: listed as it was seen last", path);
		err = 0;
	}
	if (err == -EOPNOTSUPP) {
		log_error(op->fs->log,
			  "%s: too large to be listed: the server has no DIRECTORY_PART", path);
		err = -E2BIG;
	}
	return err;
}

int node_list(struct op *op, uint32_t tx_id, const char *path, struct listing *listing)
{
	int err;

	op_calls_clear(op);
	op_call(op, XS_DIRECTORY, tx_id, path, NULL, 0);
	err = op_wait(op);
	if (err)
		return err;
	if (op_call_raw_error(op, 0) == -E2BIG)
		return list_parts(op, tx_id, path, listing);
	err = op_call_error(op, 0);
	if (err)
		return err;
	err = listing_add_names(listing, op->calls[0]->reply, op->calls[0]->reply_len);
	return err == -EPROTO ? -EIO : err;
}

struct pending_names {
	struct listing *listing;
	int err;
};

static void add_pending(void *arg, const char *name)
{
	struct pending_names *pending = arg;

	/* It may be in the store already, written a moment ago. */
	for (unsigned i = 0; i < pending->listing->count; i++)
		if (!strcmp(pending->listing->names[i], name))
			return;
	if (!pending->err)
		pending->err = listing_add(pending->listing, name);
}

/* Keeps the names for the next who asks, if an event would tell when they are wrong. */
static void remember_listing(struct op *op, struct listing *listing)
{
	struct fs *fs = op->fs;
	char path[PATH_SIZE];

	if (!fs->caching || op->inode->view->tx_id || inodes_any_pending(&fs->inodes) ||
	    inode_path(&fs->inodes, op->inode, NULL, path))
		return;
	if (!op_is_covered(op, op->inode, path) || listing_sort(listing))
		return;
	/* First kept, then checked: an event between the two drops it, or is seen. */
	inode_set_listing(&fs->inodes, op->inode, listing);
	if (event_since(fs, op->seq, path))
		inode_set_listing(&fs->inodes, op->inode, NULL);
}

/* The names from the store are there: adds ours, and answers what asked for them. */
static void listing_complete(struct op *op, struct listing *listing, bool has_value)
{
	struct pending_names pending = { .listing = listing };

	if (has_value)
		pending.err = listing_add(listing, SPECIAL_VALUE_NAME);
	inode_for_each_pending(&op->fs->inodes, op->inode, add_pending, &pending);
	if (pending.err) {
		listing_put(listing);
		op_reply_error(op, pending.err);
		return;
	}
	remember_listing(op, listing);
	dir_listed(op, listing);
}

bool node_has_value(const struct op *op, unsigned i, const char *path)
{
	struct made *made = op->inode->view->made;

	if (op_call_raw_error(op, i) == 0 && op->calls[i]->reply_len > 0) {
		made_value_written(made, path);
		return true;
	}
	/* Whether it is empty is not known of one that must not be read. */
	return op->inode->view->layout == FS_NODES &&
	       (op_call_raw_error(op, i) || !made_has_no_value(made, path));
}

/* The directory does not fit into one reply: the pool reads it in parts. */
static void list_run(struct op *op)
{
	struct listing *listing = listing_new();
	char path[PATH_SIZE];
	bool has_value = false;
	int err = listing ? 0 : -ENOMEM;

	if (!err)
		err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (!err) {
		op_call(op, XS_READ, op->inode->view->tx_id, path, NULL, 0);
		err = op_wait(op);
		has_value = !err && node_has_value(op, 0, path);
	}
	if (!err)
		err = list_parts(op, op->inode->view->tx_id, path, listing);
	if (err) {
		listing_put(listing);
		op_reply_error(op, err);
		return;
	}
	listing_complete(op, listing, has_value);
}

static void list_done(struct op *op)
{
	struct listing *listing;
	char path[PATH_SIZE];
	int err;

	if (op_call_raw_error(op, 0) == -E2BIG) {
		op_run(op, list_run);
		return;
	}
	err = op_call_error(op, 0);
	note_root(op, err);
	listing = err ? NULL : listing_new();
	if (!err && !listing)
		err = -ENOMEM;
	if (!err)
		err = listing_add_names(listing, op->calls[0]->reply, op->calls[0]->reply_len);
	if (!err)
		err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err) {
		listing_put(listing);
		op_reply_error(op, err == -EPROTO ? -EIO : err);
		return;
	}
	node_saw(op, op->inode, 1, 0);
	listing_complete(op, listing, node_has_value(op, 1, path));
}

/* Asks for the names of op->inode; dir_listed() answers with them. */
static void list(struct op *op)
{
	struct listing *listing = inode_get_listing(&op->fs->inodes, op->inode);
	uint32_t tx_id = op->inode->view->tx_id;
	char path[PATH_SIZE];
	int err;

	if (listing) {
		dir_listed(op, listing);
		return;
	}
	err = inode_path(&op->fs->inodes, op->inode, NULL, path);
	if (err) {
		op_reply_error(op, err);
		return;
	}
	op_call(op, XS_DIRECTORY, tx_id, path, NULL, 0);
	op_call(op, XS_READ, tx_id, path, NULL, 0);
	op_submit(op, list_done);
}

void node_opendir(struct op *op)
{
	list(op);
}

void node_readdir(struct op *op)
{
	struct handle *handle = op->handle;

	/* rewinddir: a new snapshot.  The first reader gets the one that opendir took. */
	if (op->off == 0 && handle->listing_used) {
		list(op);
		return;
	}
	dir_reply(op);
}
