/* SPDX-License-Identifier: MIT */
/* The replies to operations, and how long the kernel may believe what they say. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>

#include "fs/op/op_impl.h"

/* For how many seconds the kernel may believe a name or an attribute without asking again.  Events
 * invalidate what has changed; this only bounds how long a mistake could last. */
#define META_VALID_SECONDS 60.0

/* The smallest page of any machine. */
#define PAGE_BYTES 4096

void op_stamp(const struct inode *inode, struct stat *st)
{
	struct timespec at = inode->changed_at;

	st->st_ino = inode->number;
	if (at.tv_sec)
		st->st_atim = st->st_mtim = st->st_ctim = at;
	/* Nobody but the owner of a transaction, and root, gets into it: a mere look from outside would make
	 * its commit fail. */
	if (inode->view->tx) {
		st->st_uid = inode->view->owner;
		st->st_mode &= ~(S_IRWXG | S_IRWXO);
	}
}

bool op_is_covered(const struct op *op, const struct inode *inode, const char *path)
{
	struct fs *fs = op->fs;
	char hidden[PATH_SIZE];

	if (!fs->covers(fs, path))
		return false;
	/* A server does not tell an unprivileged domain about nodes removed along with one that the
	 * domain may not see. */
	return fs->config.privileged || !inode_hidden_above(&fs->inodes, inode, hidden) ||
	       !fs->covers(fs, hidden);
}

/*
 * Returns for how many seconds the kernel may believe what we say of an inode: non-zero if an event
 * would tell of a change, and none has come since we asked the store.
 */
static double validity(const struct op *op, struct inode *inode)
{
	struct fs *fs = op->fs;
	char path[PATH_SIZE];
	pid_t process;

	if (!fs->caching || inode->unwritten || inode->view->tx_id || !inode->cacheable ||
	    inode_path(&fs->inodes, inode, NULL, path))
		return 0;
	/* Who has written must not read what the kernel was to be given before that. */
	if (inode->giving)
		return 0;
	/* A file that is empty because of a truncate is so only for the process that truncated it,
	 * so every process has to be answered anew. */
	if (inode_emptiers(inode, &process, 1) > 0)
		return 0;
	/* An answer obtained before a write of our own must not be kept beyond that write, whose
	 * event will tell. */
	if (inode_is_written(inode) || !op_is_covered(op, inode, path))
		return 0;
	/* In this order: an event that the check below misses finds the inode
	 * marked as believed. */
	inode_believed(inode);
	if (events_since(&fs->events, op->seq, path))
		return 0;
	inode->size_valid = true;
	return META_VALID_SECONDS;
}

static void fill_entry(struct op *op, struct fuse_entry_param *entry, struct inode *inode,
		       const struct stat *attr)
{
	*entry = (struct fuse_entry_param){
		.ino = inode->nodeid,
		.generation = op->fs->generation,
		.attr = *attr,
	};
	op_stamp(inode, &entry->attr);
	inode_size_sent(inode, attr->st_size);
	/* A directory that cannot be listed may become listable without an event
	 * that we would get. */
	if (S_ISDIR(attr->st_mode) && (attr->st_mode & 0777) == 0111)
		return;
	entry->attr_timeout = validity(op, inode);
	entry->entry_timeout = entry->attr_timeout;
	if (inode->kind == INODE_DIR && !op->fs->can_expire)
		entry->entry_timeout = 0;
}

/* The handle's reader, or poller, is answered: what it asks next it asks after that. */
static void begin_answer(struct op *op)
{
	if (op->handle)
		op->handle->answered = op->handle->inode->tellings;
	op_begin_reply(op, 0);
}

void op_reply_entry(struct op *op, struct inode *inode, const struct stat *attr)
{
	struct fuse_entry_param entry;

	op_begin_reply(op, 0);
	/* Counted before the kernel can answer with a FORGET, and before the time of validity is
	 * chosen: from here on an event finds the inode. */
	inode_remember(inode);
	fill_entry(op, &entry, inode, attr);
	if (fuse_reply_entry(op->req, &entry) < 0)
		inode_forget(&op->fs->inodes, entry.ino, 1);
	op_end(op);
}

/*
 * Returns whether the kernel may answer the reads of a file that is being opened, until it is told to
 * forget the content.  Not while it has yet to forget an older one: so whoever opens a file now reads
 * nothing that is older than the last event.  A content of several pages could be read half old, half new.
 */
static bool may_keep_content(const struct op *op, const struct handle *handle)
{
	struct inode *inode = handle->inode;
	struct fs *fs = op->fs;

	return fs->config.cache == FS_CACHE_FULL && !(handle->flags & (O_ACCMODE | O_TRUNC | O_DIRECT)) &&
	       inode_shows_current(inode) && inode->shown_size <= PAGE_BYTES &&
	       inode->stale == STALE_SETTLED && chan_is_connected(fs->chan) && validity(op, inode) > 0;
}

static bool is_tellers(const struct op *op)
{
	return op->fs->teller && fuse_req_ctx(op->req)->pid == op->fs->teller;
}

static void fill_open(const struct op *op, struct fuse_file_info *fi, struct handle *handle)
{
	fi->fh = (uintptr_t)handle;
	handle->cached = may_keep_content(op, handle);
	/* Values change behind the kernel's back: it must ask for each read, where it is not told. */
	fi->direct_io = !handle->cached;
	fi->keep_cache = handle->cached;
	handle->answered = handle->inode->tellings;
	if (handle->flags & O_TRUNC)
		inode_size_sent(handle->inode, 0);
	/*
	 * Only a writer has anything to report at close.  And when this process is killed, the files that the teller has
	 * open are closed before /dev/fuse is: a close that waits for us would wait for ever.
	 */
	fi->noflush = (fi->flags & O_ACCMODE) == O_RDONLY || is_tellers(op);
}

void op_reply_create(struct op *op, struct inode *inode, const struct stat *attr,
		     struct handle *handle)
{
	struct fuse_entry_param entry;
	struct fs *fs = op->fs;

	op_begin_reply(op, 0);
	inode_remember(inode);
	fill_entry(op, &entry, inode, attr);
	fill_open(op, &op->fi, handle);
	if (fuse_reply_create(op->req, &entry, &op->fi) < 0) {
		inode_forget(&fs->inodes, entry.ino, 1);
		handle_free(handle);
	}
	op_end(op);
}

void op_reply_open(struct op *op, struct handle *handle)
{
	op_begin_reply(op, 0);
	fill_open(op, &op->fi, handle);
	if (fuse_reply_open(op->req, &op->fi) < 0)
		handle_free(handle);
	op_end(op);
}

void op_reply_attr(struct op *op, const struct stat *attr)
{
	struct stat st = *attr;
	double valid = validity(op, op->inode);

	inode_size_sent(op->inode, st.st_size);
	if (op->handle)
		inode_size_asked(op->handle, st.st_size);
	begin_answer(op);
	op_stamp(op->inode, &st);
	fuse_reply_attr(op->req, &st, valid);
	op_end(op);
}

void op_reply_buf(struct op *op, const void *buf, size_t size)
{
	begin_answer(op);
	fuse_reply_buf(op->req, buf, size);
	op_end(op);
}

void op_reply_write(struct op *op, size_t count)
{
	inode_size_sent(op->inode, op->off + count);
	begin_answer(op);
	fuse_reply_write(op->req, count);
	op_end(op);
}

void op_reply_xattr(struct op *op, const void *value, size_t len)
{
	if (op->size == 0) {
		op_begin_reply(op, 0);
		fuse_reply_xattr(op->req, len);
		op_end(op);
	} else if (len > op->size) {
		op_reply_error(op, -ERANGE);
	} else {
		op_reply_buf(op, value, len);
	}
}

void op_reply_readlink(struct op *op, const char *target)
{
	op_begin_reply(op, 0);
	fuse_reply_readlink(op->req, target);
	op_end(op);
}

void op_reply_poll(struct op *op, unsigned revents)
{
	begin_answer(op);
	fuse_reply_poll(op->req, revents);
	op_end(op);
}

/* libfuse 3.14 cannot set FOPEN_STREAM, without which a blocked read() would block every write() on
 * the same open file.  So the reply is built by hand, as linux/fuse.h lays it out. */
void op_reply_open_stream(struct op *op, struct handle *handle)
{
	const struct fuse_open_out out = {
		.fh = (uintptr_t)handle,
		.open_flags = FOPEN_DIRECT_IO | FOPEN_STREAM,
	};

	op_begin_reply(op, 0);
	if (fuse_reply_buf(op->req, (const char *)&out, sizeof(out)) < 0)
		handle_free(handle);
	op_end(op);
}
