/* SPDX-License-Identifier: MIT */
/*
 * The FUSE operations: each unpacks its arguments into a struct op and passes it on to the node or
 * the special file concerned.  They run on the threads that read /dev/fuse and never wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <linux/xattr.h>

#include "fs/node/node.h"
#include "fs/node/protect.h"
#include "fs/op/inode_ops.h"
#include "fs/ops.h"
#include "fs/settings.h"
#include "fs/special/special.h"

static struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static bool is_special(const struct op *op)
{
	return op->inode->kind == INODE_SPECIAL;
}

static struct handle *handle_of(const struct fuse_file_info *fi)
{
	return fi ? (struct handle *)(uintptr_t)fi->fh : NULL;
}

/* Calls the inode's function for the operation; `otherwise` is the reply if the inode has none. */
static void call(struct op *op, void (*what)(struct op *op), int otherwise)
{
	if (what)
		what(op);
	else
		op_reply_error(op, otherwise);
}

/* Returns an operation on `name` in the directory `parent`, or NULL after replying. */
static struct op *op_new_named(fuse_req_t req, fuse_ino_t parent, const char *name,
			       enum op_kind kind)
{
	struct op *op = op_new(fs_of(req), req, parent, kind);

	return op && op_set_name(op, name) ? op : NULL;
}

/* Returns the special file that op->name stands for.  If only special files can have such a name
 * but there is none, or the directory takes no other names, replies `otherwise` and sets *over. */
static const struct special *special_of(struct op *op, int otherwise, bool *over)
{
	const struct special *special = special_find(op->fs, op->inode, op->name);

	*over = !special && (special_is_name(op->name) || is_special(op));
	if (*over)
		op_reply_error(op, otherwise);
	return special;
}

static void ops_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fs *fs = userdata;

	fs->greeted = true;
	/* O_TRUNC must arrive with the open, so that a value is replaced in one step. */
	conn->want |= conn->capable & (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS);
	/* Requests are small: copying them is cheaper than pipes. */
	conn->want &= ~(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
	/* Without cached attributes READDIRPLUS would bring nothing. */
	conn->want &= ~(FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
	fs->can_expire = conn->capable & FUSE_CAP_EXPIRE_ONLY;
	if (fs->can_expire)
		conn->want |= FUSE_CAP_EXPIRE_ONLY;
	/* FOPEN_NOFLUSH is older than any flag that would tell of it. */
	fs->can_close = conn->proto_major > 7 || conn->proto_minor >= 35;
	if (fs->config.cache != FS_CACHE_OFF && !fs->can_expire)
		log_info(fs->log, "this kernel cannot forget a name gently (Linux 6.2 can): "
				  "directories are looked up each time");
}

static void ops_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = op_new_named(req, parent, name, OP_LOOKUP);
	const struct special *special;
	bool over;

	if (!op)
		return;
	if (is_special(op) && op->inode->special->lookup_in) {
		op->inode->special->lookup_in(op);
		return;
	}
	special = special_of(op, -ENOENT, &over);
	if (over)
		return;
	if (special)
		special_lookup_in(op, special);
	else
		node_lookup(op);
}

static void ops_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	inode_forget(&fs_of(req)->inodes, ino, nlookup);
	fuse_reply_none(req);
}

static void ops_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		inode_forget(&fs_of(req)->inodes, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void ops_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct op *op = op_new(fs_of(req), req, ino, OP_GETATTR);

	if (!op)
		return;
	op->handle = handle_of(fi);
	call(op, op->inode->ops->getattr, -EINVAL);
}

static void ops_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
			struct fuse_file_info *fi)
{
	const int modes = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID |
			  FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME;
	struct op *op = op_new(fs_of(req), req, ino, OP_SETATTR);

	if (!op)
		return;
	op->handle = handle_of(fi);
	op->new_size = attr->st_size;
	if (to_set & FUSE_SET_ATTR_SIZE)
		call(op, op->inode->ops->truncate, -EISDIR);
	else if ((to_set & modes) && op->fs->config.strict_modes)
		op_reply_error(op, -EPERM);
	else
		call(op, op->inode->ops->touch, -EPERM);
}

static void ops_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct op *op = op_new(fs_of(req), req, ino, OP_READLINK);

	if (!op)
		return;
	call(op, op->inode->ops->readlink, -EINVAL);
}

static void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct op *op = op_new_named(req, parent, name, OP_MKNOD);
	bool over;

	(void)rdev;
	if (!op)
		return;
	if (!S_ISREG(mode) || special_of(op, -EINVAL, &over)) {
		op_reply_error(op, -EPERM);
		return;
	}
	if (!over)
		node_mknod(op);
}

static void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct op *op = op_new_named(req, parent, name, OP_MKDIR);
	bool over;

	(void)mode;
	if (!op)
		return;
	if (special_of(op, -EINVAL, &over))
		op_reply_error(op, -EPERM);
	else if (!over)
		node_mkdir(op);
}

static void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = op_new_named(req, parent, name, OP_UNLINK);
	const struct special *special;
	bool over;

	if (!op)
		return;
	special = special_of(op, -ENOENT, &over);
	if (over)
		return;
	if (protect_keeps(op))
		op_reply_error(op, -EPERM);
	else if (special)
		special_unlink_in(op, special);
	else
		node_unlink(op);
}

static void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = op_new_named(req, parent, name, OP_RMDIR);
	bool over;

	if (!op)
		return;
	if (special_of(op, is_special(op) ? -EPERM : -ENOENT, &over))
		op_reply_error(op, -EPERM);
	else if (!over && protect_keeps(op))
		op_reply_error(op, -EPERM);
	else if (!over)
		node_rmdir(op);
}

static void ops_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	(void)link;
	(void)parent;
	(void)name;
	/* The error of a filesystem without links, see symlink(2). */
	fuse_reply_err(req, EPERM);
}

static void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

static void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		       const char *new_name, unsigned int flags)
{
	struct op *op = op_new_named(req, parent, name, OP_RENAME);
	int err = 0;

	if (!op)
		return;
	op->flags = flags;
	op->new_name = strdup(new_name);
	op->target = inode_get(&op->fs->inodes, new_parent);
	if (!op->new_name)
		err = -ENOMEM;
	else if (!op->target)
		err = -ESTALE;
	else if (!strcmp(name, NAME_OF_VALUE) || !strcmp(new_name, NAME_OF_VALUE))
		/* A value can be copied to or from a node, which mv does on EXDEV. */
		err = -EXDEV;
	else if (special_is_name(name) || is_special(op) ||
		 special_find(op->fs, op->target, new_name))
		err = -EPERM;
	else if (op->target->kind != INODE_DIR)
		err = -EPERM;
	if (err)
		op_reply_error(op, err);
	else
		node_rename(op);
}

static void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct op *op = op_new(fs_of(req), req, ino, OP_OPEN);

	if (!op)
		return;
	op->fi = *fi;
	op->flags = fi->flags;
	call(op, op->inode->ops->open, -EISDIR);
}

static void ops_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		       struct fuse_file_info *fi)
{
	struct op *op = op_new_named(req, parent, name, OP_CREATE);
	const struct special *special;
	bool over;

	(void)mode;
	if (!op)
		return;
	op->fi = *fi;
	op->flags = fi->flags;
	special = special_of(op, -EINVAL, &over);
	if (over)
		return;
	if (special)
		special_create_in(op, special);
	else
		node_create(op);
}

static void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct op *op = op_new(fs_of(req), req, ino, OP_READ);

	if (!op)
		return;
	op->handle = handle_of(fi);
	op->size = size;
	op->off = off;
	op->flags = fi->flags;
	call(op, op->inode->ops->read, -EISDIR);
}

static void ops_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		     struct fuse_pollhandle *ph)
{
	struct op *op = op_new(fs_of(req), req, ino, OP_POLL);

	if (!op) {
		if (ph)
			fuse_pollhandle_destroy(ph);
		return;
	}
	op->handle = handle_of(fi);
	if (ph && !(op->poll = kept_poll_new(ph, &op->fs->poll_counters))) {
		fuse_pollhandle_destroy(ph);
		op_reply_error(op, -ENOMEM);
		return;
	}
	call(op, op->inode->ops->poll, -EBADF);
}

static void ops_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	struct op *op = op_new(fs_of(req), req, ino, OP_WRITE);

	if (!op || !op_set_data(op, buf, size))
		return;
	op->handle = handle_of(fi);
	op->off = off;
	op->flags = fi->flags;
	call(op, op->inode->ops->write, -EISDIR);
}

static void ops_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *handle = handle_of(fi);
	struct op *op;

	/* Closing is not an error if nothing is lost by it. */
	if (view_is_over(handle->inode->view) && !handle_ends_empty(handle)) {
		fuse_reply_err(req, 0);
		return;
	}
	op = op_new(fs_of(req), req, ino, OP_FLUSH);
	if (!op)
		return;
	op->handle = handle;
	op->fi = *fi;
	call(op, op->inode->ops->flush, 0);
}

static void ops_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct op *op = op_new(fs_of(req), req, ino, OP_FSYNC);

	(void)datasync;
	if (!op)
		return;
	op->handle = handle_of(fi);
	call(op, op->inode->ops->fsync, -EINVAL);
}

static void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	node_release(fs_of(req), handle_of(fi));
	fuse_reply_err(req, 0);
}

static void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct op *op = op_new(fs_of(req), req, ino, OP_OPENDIR);

	if (!op)
		return;
	op->fi = *fi;
	call(op, op->inode->ops->opendir, -ENOTDIR);
}

static void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			struct fuse_file_info *fi)
{
	struct op *op = op_new(fs_of(req), req, ino, OP_READDIR);

	if (!op)
		return;
	op->handle = handle_of(fi);
	op->size = size;
	op->off = off;
	call(op, op->inode->ops->readdir, -ENOTDIR);
}

static void ops_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_free(handle_of(fi));
	fuse_reply_err(req, 0);
}

static void ops_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	/* Everything that was acknowledged is in the store already. */
	fuse_reply_err(req, 0);
}

static void ops_statfs(fuse_req_t req, fuse_ino_t ino)
{
	/* A store has no size.  Every kernel passes a name of 1024 bytes; newer ones
	 * pass longer names. */
	const struct statvfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 1024 };

	(void)ino;
	fuse_reply_statfs(req, &st);
}

/* Whether attributes of that kind exist here.  To hear that they are not supported is enough for ls(1)
 * once, while it looks for one that is only not there on each file. */
static bool is_user_xattr(const char *name)
{
	return !strncmp(name, XATTR_USER_PREFIX, XATTR_USER_PREFIX_LEN);
}

static void ops_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct op *op = op_new_named(req, ino, name, OP_GETXATTR);

	if (!op)
		return;
	op->size = size;
	if (is_user_xattr(name))
		call(op, op->inode->ops->getxattr, -ENODATA);
	else
		op_reply_error(op, -EOPNOTSUPP);
}

static void ops_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			 size_t size, int flags)
{
	struct op *op = op_new_named(req, ino, name, OP_SETXATTR);

	if (!op || !op_set_data(op, value, size))
		return;
	op->flags = flags;
	call(op, op->inode->ops->setxattr, -EOPNOTSUPP);
}

static void ops_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct op *op = op_new(fs_of(req), req, ino, OP_LISTXATTR);

	if (!op)
		return;
	op->size = size;
	call(op, op->inode->ops->listxattr, -EOPNOTSUPP);
}

static void ops_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct op *op = op_new_named(req, ino, name, OP_REMOVEXATTR);

	if (!op)
		return;
	if (is_user_xattr(name))
		call(op, op->inode->ops->removexattr, -ENODATA);
	else
		op_reply_error(op, -EOPNOTSUPP);
}

/* There is no access(): the kernel checks modes where they matter. */
const struct fuse_lowlevel_ops ops_table = {
	.init = ops_init,
	.lookup = ops_lookup,
	.forget = ops_forget,
	.forget_multi = ops_forget_multi,
	.getattr = ops_getattr,
	.setattr = ops_setattr,
	.readlink = ops_readlink,
	.mknod = ops_mknod,
	.mkdir = ops_mkdir,
	.unlink = ops_unlink,
	.rmdir = ops_rmdir,
	.symlink = ops_symlink,
	.link = ops_link,
	.rename = ops_rename,
	.open = ops_open,
	.create = ops_create,
	.read = ops_read,
	.write = ops_write,
	.poll = ops_poll,
	.flush = ops_flush,
	.fsync = ops_fsync,
	.release = ops_release,
	.opendir = ops_opendir,
	.readdir = ops_readdir,
	.releasedir = ops_releasedir,
	.fsyncdir = ops_fsyncdir,
	.statfs = ops_statfs,
	.getxattr = ops_getxattr,
	.setxattr = ops_setxattr,
	.listxattr = ops_listxattr,
	.removexattr = ops_removexattr,
	.ioctl = settings_ioctl,
};
