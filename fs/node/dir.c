/* SPDX-License-Identifier: MIT */
/* Pages of directory entries.  Nothing waits here. */
#include <errno.h>
#include <stdlib.h>

#include "fs/model/listing.h"
#include "fs/node/dir.h"
#include "fs/node/protect.h"

void dir_listed(struct op *op, struct listing *listing)
{
	struct handle *handle = op->handle;
	struct listing *old;

	if (handle) {
		old = handle->listing;
		handle->listing = listing;
		listing_put(old);
		dir_reply(op);
		return;
	}
	handle = handle_new(&op->fs->handles, op->inode, op->flags);
	if (!handle || protect_opened(op, handle)) {
		handle_free(handle);
		listing_put(listing);
		op_reply_error(op, -ENOMEM);
		return;
	}
	handle->listing = listing;
	op_reply_open(op, handle);
}

/* Returns the name at position `i`, or NULL past the end. */
static const char *entry_name(const struct listing *listing, off_t i)
{
	if (i < 2)
		return i == 0 ? "." : "..";
	return i - 2 < listing->count ? listing->names[i - 2] : NULL;
}

/* In one layout every node is a directory; in the other only a lookup can tell. */
static mode_t entry_type(const struct op *op, off_t i, const char *name)
{
	if (i < 2)
		return S_IFDIR;
	if (op->inode->kind == INODE_DIR && op->inode->view->layout == FS_NODES)
		return name_is_legal(name) ? S_IFDIR : S_IFREG;
	return 0;
}

/* The number that a lookup would show, because find(1) takes it from here. */
static ino_t entry_number(const struct op *op, off_t i, const char *name, uint64_t prefix)
{
	struct inodes *inodes = &op->fs->inodes;

	if (i < 2)
		return i == 0 ? op->inode->number : inode_parent_number(op->inode);
	return inode_child_number(inodes, op->inode, prefix, name);
}

void dir_reply(struct op *op)
{
	struct handle *handle = op->handle;
	uint64_t prefix = inode_number_prefix(op->inode);
	struct stat st = { 0 };
	size_t used = 0, size;
	const char *name;
	char *buf = malloc(op->size ? op->size : 1);
	off_t i;

	if (!buf) {
		op_reply_error(op, -ENOMEM);
		return;
	}
	handle->listing_used = true;
	for (i = op->off; (name = entry_name(handle->listing, i)); i++) {
		st.st_mode = entry_type(op, i, name);
		st.st_ino = entry_number(op, i, name, prefix);
		size = fuse_add_direntry(op->req, buf + used, op->size - used, name, &st, i + 1);
		if (size > op->size - used)
			break;
		used += size;
	}
	op_reply_buf(op, buf, used);
	free(buf);
}
