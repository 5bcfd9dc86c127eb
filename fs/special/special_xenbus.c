/* SPDX-License-Identifier: MIT */
/*
 * `.xsfs/xenbus`, which speaks the store's protocol as /dev/xen/xenbus does.
 *
 * A client that does not read the answers to its requests, and so waits in write(), must hold up
 * nobody but itself: special->single.
 */
#include <errno.h>
#include <fcntl.h>

#include "fs/special/raw.h"
#include "fs/special/special_files.h"

/* A client that cannot write would wait for an answer for ever: see watch_open(). */
static void xenbus_open(struct op *op)
{
	if ((op->flags & O_ACCMODE) == O_RDONLY) {
		op_reply_error(op, -EACCES);
		return;
	}
	op->handle = handle_new(&op->fs->handles, op->inode, op->flags);
	if (op->handle)
		handle_set_own(op->handle, raw_new(op->fs), raw_close);
	if (op->handle && op->handle->own) {
		op_reply_open_stream(op, op->handle);
		return;
	}
	handle_free(op->handle);
	op->handle = NULL;
	op_reply_error(op, -ENOMEM);
}

const struct special special_xenbus = {
	.name = "xenbus",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.mode = S_IFREG | 0600,
	.single = true,
	.owner_only = true,
	.open = xenbus_open,
	.read = raw_read,
	.write = raw_write,
	.poll = raw_poll,
	.truncate = special_getattr,
};
