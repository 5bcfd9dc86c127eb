/* SPDX-License-Identifier: MIT */
/* Protected directories, and the programs that walk down from them.  Nothing waits here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/guarded.h"
#include "fs/node/protect.h"
#include "fs/op/process.h"

/* An open directory from which, as far as is known, a tree is being removed. */
struct descent {
	struct handle *handle; /* its owner, which frees this */
	pid_t process;         /* 0: a process that is not visible from here */
	bool returned;         /* it has come back up to this directory, so it must have read it */
	LIST_ENTRY(descent) link;
};

struct protect {
	struct patterns guarded;
	LIST_HEAD(, descent) descents;
	struct rate rate; /* of the log's lines about refusals */
};

int protect_new(struct protect **out, const char *option)
{
	struct protect *protect = calloc(1, sizeof(*protect));
	int err = protect ? guarded_init(&protect->guarded, option) : -ENOMEM;

	*out = NULL;
	if (err || patterns_are_empty(&protect->guarded)) {
		if (!err)
			patterns_deinit(&protect->guarded);
		free(protect);
		return err;
	}
	LIST_INIT(&protect->descents);
	*out = protect;
	return 0;
}

void protect_free(struct protect *protect)
{
	if (!protect)
		return;
	patterns_deinit(&protect->guarded);
	free(protect);
}

static bool is_at(struct op *op, const struct descent *d, const struct inode *dir)
{
	(void)op;
	return d->handle->inode == dir;
}

/* Returns the directory above, with a reference; NULL above the mount's root. */
static struct inode *above(struct op *op, const struct inode *dir)
{
	return dir == op->fs->inodes.root ? NULL : inode_get_parent(dir);
}

static bool is_below(struct op *op, const struct descent *d, const struct inode *dir)
{
	struct inode *parent = above(op, d->handle->inode);
	bool is = parent == dir;

	inode_put(&op->fs->inodes, parent);
	return is;
}

/* Returns whether the requesting process has come down to `dir`, or to a directory in it, and has
 * read that directory. */
static bool descended(struct op *op, const struct inode *dir,
		      bool (*is_there)(struct op *op, const struct descent *d, const struct inode *dir))
{
	struct protect *protect = op->fs->protect;
	pid_t process = -1;
	struct descent *d;
	bool found = false;

	LIST_FOREACH(d, &protect->descents, link) {
		if (!is_there(op, d, dir))
			continue;
		if (process < 0)
			process = process_of(fuse_req_ctx(op->req)->pid);
		found = d->process == process && (d->returned || d->handle->listing_used);
		if (found)
			break;
	}
	return found;
}

static bool is_guarded(const struct protect *protect, const char *path)
{
	return strcmp(path, "/") == 0 || patterns_have(&protect->guarded, path);
}

/* Returns whether op->inode begins or continues a tree that must be kept. */
static bool is_descent(struct op *op)
{
	struct inodes *inodes = &op->fs->inodes;
	struct inode *parent;
	char path[PATH_SIZE];
	bool is;

	if (op->inode->kind != INODE_DIR || inode_path(inodes, op->inode, NULL, path))
		return false;
	if (is_guarded(op->fs->protect, path))
		return true;
	parent = above(op, op->inode);
	is = parent && descended(op, parent, is_at);
	inode_put(inodes, parent);
	return is;
}

static void descent_close(struct fs *fs, void *own)
{
	struct descent *d = own;

	(void)fs;
	LIST_REMOVE(d, link);
	free(d);
}

int protect_opened(struct op *op, struct handle *handle)
{
	struct protect *protect = op->fs->protect;
	struct descent *d;
	bool returned;

	if (!protect)
		return 0;
	/* rm keeps only a few directories open: it comes back to the others through "..". */
	returned = descended(op, op->inode, is_below);
	if (!returned && !is_descent(op))
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->handle = handle;
	d->returned = returned;
	d->process = process_of(fuse_req_ctx(op->req)->pid);
	LIST_INSERT_HEAD(&protect->descents, d, link);
	handle_set_own(handle, d, descent_close);
	return 0;
}

/* Logs why somebody got EPERM. */
static void tell(struct op *op, const char *path)
{
	unsigned long missed;

	if (rate_allows(&op->fs->protect->rate, 1, &missed))
		log_warning(op->fs->log, "process %d must not remove or move %s: a running host needs it; "
					 "see protect= in xsfs(8) (%lu lines like this were left out)",
			    (int)fuse_req_ctx(op->req)->pid, path, missed);
}

static bool keep(struct op *op, const char *path, bool kept)
{
	if (kept)
		tell(op, path);
	return kept;
}

bool protect_keeps(struct op *op)
{
	const struct protect *protect = op->fs->protect;
	char path[PATH_SIZE];

	if (!protect || inode_path(&op->fs->inodes, op->inode, op->name, path))
		return false;
	/* A star would match the dot of `.value`. */
	return keep(op, path, (name_is_legal(op->name) && is_guarded(protect, path)) ||
			      descended(op, op->inode, is_at));
}

bool protect_keeps_place(struct op *op, const char *path)
{
	const struct protect *protect = op->fs->protect;

	return protect && keep(op, path, is_guarded(protect, path) ||
					 patterns_have_below(&protect->guarded, path));
}

bool protect_keeps_target(struct op *op, const char *path)
{
	const struct protect *protect = op->fs->protect;

	return protect && keep(op, path, is_guarded(protect, path));
}
