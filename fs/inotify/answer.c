/* SPDX-License-Identifier: MIT */
/*
 * Answers to the requests that the teller's operations on our own mount cause.  They must never reach the store:
 * there they would remove what others have made meanwhile, and make what others have removed.
 *
 * A request counts as the teller's by its thread id, which no other process can have as long as the thread
 * runs.  The kernel gives it as seen in the pid namespace that the mount was made in, and 0 for a process that is not
 * there.  Such a request is answered here if it is part of what the teller is doing at this moment, and
 * is refused otherwise; only what ends an open file goes on to libfuse, as the kernel gives no thread for that.
 * So if a request of another process could ever pass for one of these, it would fail and change nothing; and
 * that one of these passes for another's is excluded by the probe with which the teller begins.
 *
 * The requests are taken before libfuse sees them, so that this is one place for all of them, and answered as
 * linux/fuse.h lays them out.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>

#include "fs/inotify/inotify_impl.h"
#include "fs/node/node.h"
#include "fs/special/special.h"

/* What setting times, and nothing else, may ask for. */
#define TIMES (FATTR_ATIME | FATTR_MTIME | FATTR_CTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW | FATTR_FH | FATTR_LOCKOWNER)

static void reply(struct fs *fs, const struct fuse_in_header *in, int err, const void *body, size_t len)
{
	struct fuse_out_header out = { .len = sizeof(out) + len, .error = err, .unique = in->unique };
	struct iovec iov[2] = {
		{ .iov_base = &out, .iov_len = sizeof(out) },
		{ .iov_base = (void *)body, .iov_len = len },
	};

	/* It fails only if nobody waits for it any more. */
	if (writev(fuse_session_fd(fs->se), iov, len ? 2 : 1) < 0 && body && len == sizeof(struct fuse_entry_out))
		inode_forget(&fs->inodes, ((const struct fuse_entry_out *)body)->nodeid, 1);
}

/* `.xsfs` is one, too. */
static bool is_dir(const struct inode *inode)
{
	return inode->kind == INODE_DIR || (inode->special && S_ISDIR(inode->special->mode));
}

static void fill_attr(struct fs *fs, const struct inode *inode, size_t size, struct fuse_attr *attr)
{
	struct stat st;
	pid_t emptier;

	/* The kernel has one size of a file for all, and whoever has emptied it may be about to look at that: with
	 * another one it would write behind what is not there. */
	if (inode_emptiers(inode, &emptier, 1))
		size = 0;
	if (is_dir(inode))
		node_attr_dir(fs, inode != fs->inodes.root || fs->root_listable != 0, &st);
	else
		node_attr_file(fs, size, &st);
	op_stamp(inode, &st);
	*attr = (struct fuse_attr){
		.ino = st.st_ino,
		.size = st.st_size,
		.blocks = st.st_blocks,
		.atime = st.st_atim.tv_sec,
		.atimensec = st.st_atim.tv_nsec,
		.mtime = st.st_mtim.tv_sec,
		.mtimensec = st.st_mtim.tv_nsec,
		.ctime = st.st_ctim.tv_sec,
		.ctimensec = st.st_ctim.tv_nsec,
		.mode = st.st_mode,
		.nlink = st.st_nlink,
		.uid = st.st_uid,
		.gid = st.st_gid,
		.blksize = st.st_blksize,
	};
}

/* The kernel may believe none of this for longer than the operation takes: so who asks after the event asks us. */
static void reply_entry(struct fs *fs, const struct fuse_in_header *in, struct inode *inode, size_t size)
{
	struct fuse_entry_out out = { .nodeid = inode->nodeid, .generation = fs->generation };
	struct expected *e = fs->inotify->expected;
	uint64_t before;

	before = e->top ? e->top->told.stirred : 0;
	inode_remember(inode);
	e->lookups += inode == e->inode;
	/* This was nobody else. */
	if (e->top)
		e->stirred += e->top->told.stirred - before;
	fill_attr(fs, inode, size, &out.attr);
	reply(fs, in, 0, &out, sizeof(out));
}

static void reply_attr(struct fs *fs, const struct fuse_in_header *in, const struct inode *inode, size_t size)
{
	struct fuse_attr_out out = { 0 };

	fill_attr(fs, inode, size, &out.attr);
	reply(fs, in, 0, &out, sizeof(out));
}

/* Refuses a request that is not part of what the teller does. */
static void refuse(struct fs *fs, const struct fuse_in_header *in)
{
	/* Any other error would have the kernel forget the name, and unmount what is mounted there. */
	const int err = in->opcode == FUSE_LOOKUP ? -EINTR : -EIO;

	if (fs->inotify->expected)
		fs->inotify->expected->refused = true;
	fs->inotify_counters.refused++;
	reply(fs, in, err, NULL, 0);
}

/* Returns whether the request is about the expected name, in time. */
static bool is_name(struct expected *e, const struct fuse_in_header *in, const char *name)
{
	if (!e || in->nodeid != e->dir->nodeid || strcmp(name, e->name) != 0)
		return false;
	/* Whoever made or removed something here has been told of it by the kernel, and it may be this.  What is
	 * back already must not be taken away from somebody who has just found it, nor what is being moved. */
	if (e->dir->told.changes != e->changes || inode_is_removed(e->dir) ||
	    inode_moved(e->dir) != e->moved || inode_is_moving(e->inode ? e->inode : e->dir) ||
	    (e->top && e->top->told.stirred != e->stirred) ||
	    (e->inode && (e->inode->removed || e->inode->parent != e->dir)))
		e->overtaken = true;
	return !e->overtaken;
}

/* Returns the directory that a name on the way to the expected one leads to, or NULL. */
static struct inode *on_the_way(const struct expected *e, const struct fuse_in_header *in, const char *name)
{
	struct inode *inode = e ? e->dir : NULL;

	for (; inode && inode->parent && !inode->removed; inode = inode->parent)
		if (inode->parent->nodeid == in->nodeid && !strcmp(inode->name, name))
			return inode;
	return NULL;
}

static void answer_lookup(struct fs *fs, const struct fuse_in_header *in, const char *name)
{
	struct expected *e = fs->inotify->expected;
	struct inode *way = on_the_way(e, in, name);

	if (way)
		reply_entry(fs, in, way, 0);
	else if (!is_name(e, in, name))
		refuse(fs, in);
	else if (e->kind == RAISE_PROBE || e->kind == RAISE_CREATE)
		reply(fs, in, -ENOENT, NULL, 0);
	else
		reply_entry(fs, in, e->inode, e->size);
}

static void answer_make(struct fs *fs, const struct fuse_in_header *in, const char *name, bool dir)
{
	struct expected *e = fs->inotify->expected;

	if (!is_name(e, in, name) || e->done || e->is_dir != dir ||
	    (e->kind != RAISE_CREATE && e->kind != RAISE_PROBE)) {
		refuse(fs, in);
		return;
	}
	e->done = true;
	if (e->kind == RAISE_PROBE) {
		reply(fs, in, -INOTIFY_PROBE_ERROR, NULL, 0);
		return;
	}
	/* Not only when the teller goes on: what a user, or somebody else in the store, does until then comes after. */
	told_new(e->inode);
	reply_entry(fs, in, e->inode, e->size);
}

static void answer_remove(struct fs *fs, const struct fuse_in_header *in, const char *name, bool dir)
{
	struct expected *e = fs->inotify->expected;

	if (!is_name(e, in, name) || e->done || e->is_dir != dir || e->kind != RAISE_DELETE) {
		refuse(fs, in);
		return;
	}
	/* Nobody had, when this began; a name that the kernel knew is opened without asking for it. */
	if (dir && inode_is_open(e->inode)) {
		e->overtaken = true;
		refuse(fs, in);
		return;
	}
	e->done = true;
	/* As in answer_make(): an event below a directory that is made again finds no inode of it from now on. */
	told_gone(e->inode);
	/* The kernel marks the directory dead: its nodeid must not be given out again (fs/model/inode.h).  A file
	 * lives on for who has it open. */
	if (dir)
		inode_remove_dir(&fs->inodes, e->inode, &fs->wakeups);
	reply(fs, in, 0, NULL, 0);
}

static void answer_setattr(struct fs *fs, const struct fuse_in_header *in, const struct fuse_setattr_in *arg)
{
	struct expected *e = fs->inotify->expected;
	bool fits = e && e->inode && in->nodeid == e->inode->nodeid && !(arg->valid & ~TIMES) &&
		    (e->kind == RAISE_MODIFY || e->kind == RAISE_ATTRIB);

	if (fits)
		reply_attr(fs, in, e->inode, e->size);
	else
		refuse(fs, in);
}

/* The kernel may want to know the permissions, where it is mounted with uid= those of all directories on the way. */
static void answer_getattr(struct fs *fs, const struct fuse_in_header *in)
{
	struct expected *e = fs->inotify->expected;
	const struct inode *dir = e ? e->dir : fs->inodes.root;

	while (dir && dir->nodeid != in->nodeid)
		dir = dir->parent;
	if (dir)
		reply_attr(fs, in, dir, 0);
	else if (e && e->inode && in->nodeid == e->inode->nodeid)
		reply_attr(fs, in, e->inode, e->size);
	else
		refuse(fs, in);
}

/* A file that was opened for its event gets a handle like any other: it is not written to. */
static bool may_open(struct fs *fs, const struct fuse_in_header *in, const struct fuse_open_in *arg)
{
	const struct expected *e = fs->inotify->expected;

	return e && e->kind == RAISE_MODIFY && e->inode && in->nodeid == e->inode->nodeid &&
	       !(arg->flags & O_TRUNC);
}

/* Returns the name behind `skip` bytes of the body, or "" if there is none. */
static const char *name_at(const struct fuse_in_header *in, size_t skip)
{
	const char *name = (const char *)(in + 1) + skip;
	size_t before = sizeof(*in) + skip;

	return in->len > before && memchr(name, '\0', in->len - before) ? name : "";
}

/* Answers a request of the teller's; false: libfuse is to. */
static bool answer(struct fs *fs, const struct fuse_in_header *in)
{
	const void *body = in + 1;
	size_t len = in->len - sizeof(*in);

	switch (in->opcode) {
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
	case FUSE_STATFS:
	case FUSE_ACCESS:
		return false;
	case FUSE_OPEN:
		if (len >= sizeof(struct fuse_open_in) && may_open(fs, in, body))
			return false;
		refuse(fs, in);
		return true;
	case FUSE_LOOKUP:
		answer_lookup(fs, in, name_at(in, 0));
		return true;
	case FUSE_MKNOD:
		answer_make(fs, in, name_at(in, sizeof(struct fuse_mknod_in)), false);
		return true;
	case FUSE_MKDIR:
		answer_make(fs, in, name_at(in, sizeof(struct fuse_mkdir_in)), true);
		return true;
	case FUSE_UNLINK:
		answer_remove(fs, in, name_at(in, 0), false);
		return true;
	case FUSE_RMDIR:
		answer_remove(fs, in, name_at(in, 0), true);
		return true;
	case FUSE_GETATTR:
		answer_getattr(fs, in);
		return true;
	case FUSE_SETATTR:
		if (len >= sizeof(struct fuse_setattr_in))
			answer_setattr(fs, in, body);
		else
			refuse(fs, in);
		return true;
	default:
		refuse(fs, in);
		return true;
	}
}

bool inotify_answers(struct fs *fs, const struct fuse_buf *buf)
{
	const struct fuse_in_header *in = buf->mem;

	if (!fs->inotify || !fs->teller || (buf->flags & FUSE_BUF_IS_FD) || buf->size < sizeof(*in))
		return false;
	return in->pid == (uint32_t)fs->teller && answer(fs, in);
}
