/* SPDX-License-Identifier: MIT */
/*
 * The names in directories.  One round trip, which ends in list_done() on the I/O thread; a directory
 * that does not fit into one reply is read in parts, on the pool.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/model/listing.h"
#include "fs/model/name_parts.h"
#include "fs/node/dir.h"
#include "fs/node/node.h"

/* Asks for the part at `offset`.  Returns 0 or an error. */
MAY_WAIT static int ask_part(struct op *op, uint32_t tx_id, const char *path, size_t offset)
{
	char number[24];
	int len = snprintf(number, sizeof(number), "%zu", offset), err;

	op_calls_clear(op);
	op_call(op, XS_DIRECTORY_PART, tx_id, path, number, len + 1);
	err = op_wait(op);
	return err ? err : op_call_error(op, 0);
}

/* The directory does not fit into one reply. */
MAY_WAIT static int list_parts(struct op *op, uint32_t tx_id, const char *path,
			       struct listing *listing)
{
	struct name_parts parts = { 0 };
	int rc;

	do {
		rc = ask_part(op, tx_id, path, parts.offset);
		if (!rc)
			rc = name_parts_add(&parts, op->calls[0]->reply, op->calls[0]->reply_len);
	} while (rc == NAME_PARTS_MORE);
	if (rc == NAME_PARTS_CHANGING)
		rate_log(&op->fs->rates.listings, op->fs->log, LOGGER_WARNING,
			 "%s keeps changing: listed as it was seen last", path);
	if (rc == -EOPNOTSUPP) {
		rate_log(&op->fs->rates.listings, op->fs->log, LOGGER_ERROR,
			 "%s: too large to be listed: the server has no DIRECTORY_PART", path);
		rc = -E2BIG;
	}
	if (rc >= 0)
		rc = listing_add_names(listing, parts.names, parts.len);
	name_parts_deinit(&parts);
	return rc == -EPROTO ? -EIO : rc;
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

/* Keeps the names for later listings, if an event would tell when they become wrong. */
static void remember_listing(struct op *op, struct listing *listing)
{
	struct fs *fs = op->fs;
	char path[PATH_SIZE];

	if (!fs->caching || op->inode->view->tx_id || fs->inodes.unwritten > 0 ||
	    inode_path(&fs->inodes, op->inode, NULL, path))
		return;
	if (!op_is_covered(op, op->inode, path) || listing_sort(listing))
		return;
	/* Stored first and checked afterwards: an event between the two drops them, or is
	 * seen by the check. */
	inode_set_listing(&fs->inodes, op->inode, listing);
	if (events_since(&fs->events, op->seq, path))
		inode_set_listing(&fs->inodes, op->inode, NULL);
}

/* The names from the store have arrived: adds our own, and answers the operation that
 * asked for them. */
static void listing_complete(struct op *op, struct listing *listing, bool has_value)
{
	int err = 0;

	if (has_value)
		err = listing_add(listing, NAME_OF_VALUE);
	if (!err)
		err = inode_add_unwritten(op->inode, listing);
	if (err) {
		listing_put(listing);
		op_reply_error(op, err);
		return;
	}
	remember_listing(op, listing);
	if (op->fs->inodes.telling && !op->inode->view->tx)
		told_listing(op->inode, listing);
	dir_listed(op, listing);
}

/* Reads the directory in parts.  Returns 0 or an error. */
MAY_WAIT static int read_in_parts(struct op *op, struct listing *listing, bool *has_value)
{
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	if (err)
		return err;
	op_calls_clear(op);
	op_call(op, XS_READ, op->inode->view->tx_id, path, NULL, 0);
	err = op_wait(op);
	if (!err)
		err = node_value_error(op, 0);
	*has_value = !err && node_has_value(op, 0, path);
	return err ? err : list_parts(op, op->inode->view->tx_id, path, listing);
}

/* The directory does not fit into one reply: the pool reads it in parts, and from the start again where it
 * is after a rename that came in between. */
MAY_WAIT static void list_run(struct op *op)
{
	struct listing *listing = listing_new();
	bool has_value = false;
	uint64_t moved;
	int err;

	do {
		moved = inode_moved(op->inode);
		err = listing ? read_in_parts(op, listing, &has_value) : -ENOMEM;
		if (err == -ENOENT && op_is_astray(op) && op_wait_for_rename(op))
			err = -EINTR;
	} while (err == -ENOENT && inode_moved(op->inode) != moved);
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
	node_note_root(op, err);
	/* A listing without `.value` would say that there is none. */
	if (!err)
		err = node_value_error(op, 1);
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
	op_ask(op, list_done, list);
}

void node_opendir(struct op *op)
{
	list(op);
}

void node_readdir(struct op *op)
{
	struct handle *handle = op->handle;

	/* rewinddir: takes a new snapshot.  The first reader gets the one that opendir took. */
	if (op->off == 0 && handle->listing_used) {
		list(op);
		return;
	}
	dir_reply(op);
}
