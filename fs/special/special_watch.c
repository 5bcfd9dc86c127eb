/* SPDX-License-Identifier: MIT */
/*
 * The streams.  `.watch` reports events at and below a directory's node; `.next` reports that
 * node's values, one after each change; to `.xsfs/watch` paths are written, one a line, each with a
 * leading `-` to remove it again.
 *
 * "@releaseDomain/7" tells of one domain, which servers can from Xen 4.22 on.  Older ones set such
 * a watch and never fire it, so the server is asked for its features first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "fs/events/stream.h"
#include "fs/node/node.h"
#include "fs/op/features.h"
#include "fs/special/special_files.h"

/* Gives the operation a handle with an empty stream: of the values of a path, or (NULL) of events.
 * Returns false after replying. */
static bool open_stream(struct op *op, const char *value_of)
{
	struct stream *stream = NULL;
	int err = -ENOMEM;

	op->handle = handle_new(&op->fs->handles, op->inode, op->flags);
	if (op->handle)
		err = stream_new(op->fs, op_user(op), value_of, &stream);
	if (!err) {
		handle_set_own(op->handle, stream, stream_close);
		return true;
	}
	handle_free(op->handle);
	op->handle = NULL;
	op_reply_error(op, err);
	return false;
}

static void node_opened(struct op *op, int error)
{
	if (error) {
		handle_free(op->handle);
		op_reply_error(op, error);
		return;
	}
	op_reply_open_stream(op, op->handle);
}

/* Opens a stream of either kind about the node. */
static void node_open_stream(struct op *op, bool of_values)
{
	char path[PATH_SIZE], *paths[] = { path };
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	if (!err && (op->flags & O_ACCMODE) != O_RDONLY)
		err = -EACCES;
	if (err) {
		op_reply_error(op, err);
		return;
	}
	if (open_stream(op, of_values ? path : NULL))
		stream_subscribe(op->handle->own, op, paths, 1, node_opened);
}

static void subtree_open(struct op *op)
{
	node_open_stream(op, false);
}

const struct special special_subtree = {
	.name = ".watch",
	.place = SPECIAL_IN_NODES,
	.of_mount = true,
	.mode = S_IFREG | 0444,
	.open = subtree_open,
	.read = stream_read,
	.poll = stream_poll,
};

static void next_open(struct op *op)
{
	node_open_stream(op, true);
}

const struct special special_next = {
	.name = ".next",
	.place = SPECIAL_IN_NODES,
	.of_mount = true,
	.mode = S_IFREG | 0444,
	.open = next_open,
	.read = stream_read,
	.poll = stream_poll,
};

/* A stream that cannot be written to gets no path, so nothing could ever be read from it.  A
 * program that copies every file it finds must not wait for that. */
static void watch_open(struct op *op)
{
	if ((op->flags & O_ACCMODE) == O_RDONLY)
		op_reply_error(op, -EACCES);
	else if (open_stream(op, NULL))
		op_reply_open_stream(op, op->handle);
}

/* "@introduceDomain/N" and "@releaseDomain/N". */
static bool is_of_one_domain(const char *path, size_t len)
{
	static const char *const events[] = { "@introduceDomain/", "@releaseDomain/" };
	uint64_t domid;
	size_t begin;

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		begin = strlen(events[i]);
		if (len > begin && !memcmp(path, events[i], begin))
			return !wire_number_parse(path + begin, len - begin, UINT16_MAX, &domid);
	}
	return false;
}

static bool path_can_be_watched(const char *path)
{
	if (path[0] != '@')
		return path_is_legal(path);
	return name_is_legal(path) || is_of_one_domain(path, strlen(path));
}

/* The lines in op->data, cut in place.  `paths` has room for one path for every two bytes. */
struct wanted {
	char **add;
	char **remove;
	unsigned n_add;
	unsigned n_remove;
};

static int parse(char *text, struct wanted *wanted)
{
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		if (*line == '-')
			wanted->remove[wanted->n_remove++] = ++line;
		else
			wanted->add[wanted->n_add++] = line;
		if (!path_can_be_watched(line))
			return -EINVAL;
	}
	return 0;
}

static void watch_written(struct op *op, int error)
{
	if (error)
		op_reply_error(op, error);
	else
		op_reply_write(op, op->size);
}

/* Takes paths away, and then adds others. */
static void watch_apply(struct op *op, const struct wanted *wanted)
{
	struct stream *stream = op->handle->own;
	int err = 0;

	for (unsigned i = 0; i < wanted->n_remove && !err; i++)
		err = stream_unsubscribe(stream, wanted->remove[i]);
	if (err)
		op_reply_error(op, err);
	else
		stream_subscribe(stream, op, wanted->add, wanted->n_add, watch_written);
}

/* Does what op->data says: all of it, or nothing if a line is bad. */
static void watch_parse(struct op *op)
{
	size_t max = op->size / 2 + 1;
	struct wanted wanted = {
		.add = calloc(max, sizeof(char *)),
		.remove = calloc(max, sizeof(char *)),
	};
	int err = wanted.add && wanted.remove ? parse(op->data, &wanted) : -ENOMEM;

	if (err)
		op_reply_error(op, err);
	else
		watch_apply(op, &wanted);
	free(wanted.add);
	free(wanted.remove);
}

static void features_known(struct op *op)
{
	int err = op_take_feature(op, FEATURE_WATCH_DEPTH);

	if (err)
		op_reply_error(op, err);
	else
		watch_parse(op);
}

/* Returns whether a path is added that only newer servers know. */
static bool needs_features(const char *text)
{
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (is_of_one_domain(text, len))
			return true;
	}
	return false;
}

static void watch_write(struct op *op)
{
	op->data[op->size] = '\0';
	if (op->size > WIRE_PAYLOAD_MAX * 16 || strlen(op->data) != op->size) {
		op_reply_error(op, -EINVAL);
	} else if (needs_features(op->data)) {
		op_call_features(op);
		op_submit(op, features_known);
	} else {
		watch_parse(op);
	}
}

const struct special special_watch = {
	.name = "watch",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.mode = S_IFREG | 0666,
	.open = watch_open,
	.read = stream_read,
	.write = watch_write,
	.poll = stream_poll,
	.truncate = special_getattr,
};
