/* SPDX-License-Identifier: MIT */
/*
 * Decides whether a node is a file or a directory, from what the store says and from what is
 * remembered of it.  For all other files about nodes.  Nothing waits here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/text.h"
#include "fs/node/node.h"
#include "fs/op/process.h"

/* ---- what the store says ---- */

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
	/* It cannot be listed, but nodes below it may be reachable. */
	if (!readable)
		st->st_mode = S_IFDIR | 0111;
}

void node_attr_file(const struct fs *fs, size_t size, struct stat *st)
{
	attr_common(fs, S_IFREG | 0666, st);
	st->st_size = size;
	st->st_blocks = (size + 511) / 512;
}

/* ---- file or directory ---- */

bool node_stays_dir(struct op *op, const char *path)
{
	struct inode *dir;
	bool sticky;

	if (op->inode->view->layout == FS_NODES ||
	    empty_nodes_has(op->inode->view->empty_nodes, path))
		return true;
	dir = inode_find(&op->fs->inodes, op->inode, op->name, INODE_DIR);
	sticky = dir && dir->sticky;
	inode_put(&op->fs->inodes, dir);
	return sticky;
}

bool node_is_meant_dir(const struct op *op, const char *path)
{
	return patterns_have(&op->fs->dirs, path) &&
	       !empty_nodes_is_file(op->inode->view->empty_nodes, path);
}

bool node_is_dir(struct op *op, const struct node_facts *facts, const char *path)
{
	if (!facts->readable || facts->has_children || node_stays_dir(op, path))
		return true;
	/* A value must be visible, wherever a guest has put it. */
	return facts->value_len == 0 && node_is_meant_dir(op, path);
}

void node_made_file(const struct op *op, const char *path)
{
	if (patterns_have(&op->fs->dirs, path))
		empty_nodes_as_file(op->inode->view->empty_nodes, path);
}

bool node_has_value(const struct op *op, unsigned i, const char *path)
{
	struct empty_nodes *empty_nodes = op->inode->view->empty_nodes;

	if (op_call_raw_error(op, i) == 0 && op->calls[i]->reply_len > 0) {
		empty_nodes_value_written(empty_nodes, path);
		return true;
	}
	/* Nobody can tell whether an unreadable value is empty. */
	return op->inode->view->layout == FS_NODES &&
	       (op_call_raw_error(op, i) || !empty_nodes_has_no_value(empty_nodes, path));
}

int node_value_error(const struct op *op, unsigned i)
{
	int err = op_call_error(op, i);

	return err == -EACCES ? 0 : err;
}

/* ---- a file that was emptied ---- */

/* How many open files to try process_descends() for; there is rarely more than one. */
#define EMPTIERS_MAX 8

bool node_sees_empty(struct op *op)
{
	pid_t processes[EMPTIERS_MAX];
	bool sees = false;
	unsigned count;

	if (op->handle)
		return handle_reads_empty(op->handle);
	count = inode_emptiers(op->inode, processes, EMPTIERS_MAX);
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

	/* The view of a transaction is looked up outside the transaction. */
	if (inode->view->tx || inode_path(&fs->inodes, inode, NULL, path))
		return;
	covered = fs->caching && op_is_covered(op, inode, path);
	if (read >= 0 && !op_call_raw_error(op, read)) {
		inode_saw_value(inode, op->calls[read]->reply,
				op->calls[read]->reply_len);
		if (fs->inodes.track_shown && inode->kind != INODE_DIR)
			inode_show(inode, fs->config.format, op->calls[read]->reply,
				   op->calls[read]->reply_len,
				   covered && !events_since(&fs->events, op->seq, path));
	}
	if (dir < 0 || inode->kind != INODE_DIR)
		return;
	names = op_call_raw_error(op, dir) ? NULL : op->calls[dir];
	if (names || op_call_raw_error(op, dir) == -E2BIG)
		inode_saw_names(&fs->inodes, inode, names ? names->reply : NULL,
				names ? names->reply_len : 0, covered,
				!covered || !events_since(&fs->events, op->seq, path));
}

void node_found(struct op *op, struct inode *inode, const char *path)
{
	if (inode->view->tx)
		return;
	inode_found(inode, events_since(&op->fs->events, op->seq, path) ? 0 : inode_foreign(inode));
}

void node_confirm(struct op *op, struct inode *inode, const char *path)
{
	struct fs *fs = op->fs;

	if (fs->caching && !inode->view->tx && op_is_covered(op, inode, path))
		inode_confirm(&fs->inodes, inode, op->changes,
			      !events_since(&fs->events, op->seq, path));
}

void node_confirm_file(struct op *op, struct inode *inode, size_t value_len)
{
	char path[PATH_SIZE];

	inode_saw_length(inode, value_len);
	inode->value_len = value_len;
	if (!inode->unwritten && !inode_path(&op->fs->inodes, inode, NULL, path))
		node_confirm(op, inode, path);
}

void node_note_root(const struct op *op, int err)
{
	struct fs *fs = op->fs;

	if (op->inode == fs->inodes.root && !fs->config.privileged && (!err || err == -EACCES))
		fs->root_listable = !err;
}

/* ---- replies ---- */

void node_reply_found(struct op *op, const char *path, bool dir, bool readable, size_t value_len)
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
		/* From now on the kernel takes it for a directory, and `rm -r` relies on that. */
		inode->sticky = readable;
		inode->hidden = !readable;
		if (readable)
			node_confirm(op, inode, path);
		node_attr_dir(fs, readable, &st);
	} else {
		node_confirm_file(op, inode, value_len);
		node_attr_file(fs, text_size(fs->config.format, value_len), &st);
	}
	node_found(op, inode, path);
	if (op->n_calls == 2)
		node_saw(op, inode, 0, 1);
	op_reply_entry(op, inode, &st);
	inode_put(&fs->inodes, inode);
}

void node_reply_removed(struct op *op)
{
	struct fs *fs = op->fs;
	/* Who asks while it is removed must not see it empty: that it never was. */
	size_t len = op->inode->kind == INODE_LEAF ? op->inode->value_len : 0;
	struct stat st;

	free(inode_get_last(op->inode, &len));
	if (op->inode->kind == INODE_DIR)
		node_attr_dir(fs, true, &st);
	else
		node_attr_file(fs, text_size(fs->config.format, len), &st);
	st.st_nlink = 0;
	op_reply_attr(op, &st);
}
