/* SPDX-License-Identifier: MIT */
/*
 * `transaction`, which starts a transaction when it is opened and ends it when a word is
 * written to it, and `tx`, the directory that holds one directory for each open transaction:
 * the store as seen inside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs/model/listing.h"
#include "fs/node/node.h"
#include "fs/op/transaction.h"
#include "fs/special/special_files.h"

static void file_close(struct fs *fs, void *own)
{
	(void)fs;
	transaction_close(own);
}

static void opened(struct op *op, struct transaction *tx, int err)
{
	struct handle *handle;

	if (err) {
		op_reply_error(op, err);
		return;
	}
	handle = handle_new(&op->fs->handles, op->inode, op->flags);
	if (!handle) {
		transaction_close(tx);
		op_reply_error(op, -ENOMEM);
		return;
	}
	handle_set_own(handle, tx, file_close);
	op_reply_open_stream(op, handle);
}

/* A file open only for reading could not end the transaction, and one open only for writing could
 * not tell its name. */
static void transaction_open(struct op *op)
{
	if ((op->flags & O_ACCMODE) != O_RDWR)
		op_reply_error(op, -EACCES);
	else
		transaction_start(op, opened);
}

static void file_read(struct op *op)
{
	transaction_touch(op->handle->own);
	transaction_read(op->handle->own, op);
}

static void file_poll(struct op *op)
{
	transaction_poll(op->handle->own, op);
}

/* Returns whether the data is this word, with or without a newline. */
static bool is_word(const struct op *op, const char *word)
{
	size_t len = strlen(word);

	return op->size >= len && !memcmp(op->data, word, len) &&
	       (op->size == len || (op->size == len + 1 && op->data[len] == '\n'));
}

static void file_write(struct op *op)
{
	if (is_word(op, "commit"))
		transaction_end(op->handle->own, op, true);
	else if (is_word(op, "abort"))
		transaction_end(op->handle->own, op, false);
	else
		op_reply_error(op, -EINVAL);
}

const struct special special_transaction = {
	.name = "transaction",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.mode = S_IFREG | 0666,
	.single = true, /* a commit waits for the store */
	.open = transaction_open,
	.read = file_read,
	.write = file_write,
	.poll = file_poll,
};

static void tx_lookup_in(struct op *op)
{
	struct fs *fs = op->fs;
	struct transaction *tx = transaction_find(fs, op->name);
	struct inode *inode;
	struct stat st;

	if (!tx) {
		op_reply_error(op, -ENOENT);
		return;
	}
	inode = inode_intern(&fs->inodes, op->inode, op->name, INODE_DIR,
			     transaction_view(tx, false), NULL);
	/* An attempt to list the root will show whether that is allowed. */
	node_attr_dir(fs, true, &st);
	if (inode) {
		transaction_set_root(tx, inode);
		op_reply_entry(op, inode, &st);
	} else {
		op_reply_error(op, -ENOMEM);
	}
	inode_put(&fs->inodes, inode);
	transaction_put(tx);
}

static int tx_list(struct op *op, struct listing *listing)
{
	return transactions_list(op->fs, listing);
}

/* It exists but is not listed, like `nodes`, because each of its entries is the whole store. */
const struct special special_tx = {
	.name = "tx",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.unlisted = true,
	.mode = S_IFDIR | 0777,
	.list = tx_list,
	.lookup_in = tx_lookup_in,
};
