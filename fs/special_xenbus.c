/* SPDX-License-Identifier: MIT */
/*
 * `.xsfs/xenbus`, which speaks the store's protocol as /dev/xen/xenbus does.
 *
 * It is root's, whatever the mount's options say: here is what the files do not offer, such as
 * introducing domains.
 *
 * A client that does not read what it asked for, and so waits in write(), is to hold up nobody but
 * itself: special->single.
 */
#include <errno.h>
#include <unistd.h>

#include "fs/node.h"
#include "fs/raw.h"
#include "fs/special.h"

static void attr(const struct fs *fs, struct stat *st)
{
	node_attr_file(fs, 0, st);
	st->st_mode = special_xenbus.mode;
	st->st_uid = geteuid();
	st->st_gid = getegid();
}

static void xenbus_lookup(struct op *op, const struct special *special)
{
	struct stat st;

	attr(op->fs, &st);
	special_reply_entry(op, special, &st);
}

static void xenbus_getattr(struct op *op)
{
	struct stat st;

	attr(op->fs, &st);
	op_reply_attr(op, &st);
}

/* Without default_permissions the kernel does not look at the mode. */
static bool may_open(const struct op *op)
{
	uid_t uid = fuse_req_ctx(op->req)->uid;

	return uid == 0 || uid == geteuid();
}

static void xenbus_open(struct op *op)
{
	if (!may_open(op)) {
		op_reply_error(op, -EACCES);
		return;
	}
	op->handle = handle_new(op->fs, op->inode, op->flags);
	if (op->handle)
		op->handle->own = raw_new(op->fs);
	if (op->handle && op->handle->own) {
		op_reply_open_stream(op, op->handle);
		return;
	}
	handle_free(op->fs, op->handle);
	op->handle = NULL;
	op_reply_error(op, -ENOMEM);
}

const struct special special_xenbus = {
	.name = "xenbus",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.mode = S_IFREG | 0600,
	.single = true,
	.lookup = xenbus_lookup,
	.getattr = xenbus_getattr,
	.open = xenbus_open,
	.read = raw_read,
	.write = raw_write,
	.poll = raw_poll,
	.close = raw_close,
	.truncate = xenbus_getattr,
};
