/* SPDX-License-Identifier: MIT */
/*
 * `.dump` and `.json`: the subtree of a directory's node as text, made while it is read.
 *
 * An open file has a walk and a window of its text: the part that the walk has produced and nobody
 * has read, and some of the part read last.  A program may go back that far, as a shell does that
 * reads lines; it may go forward to any offset.  A read from the start begins a new walk.  If
 * nobody reads, the walk stops when the window is full.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/node/node.h"
#include "fs/special/print.h"
#include "fs/special/special_files.h"
#include "fs/special/walk.h"

/* Bytes to produce before somebody asks for them. */
#define AHEAD_MAX (256 << 10)

/* Bytes to keep before the last read: more than programs read at a time to find a line. */
#define BEHIND_MAX (128 << 10)

/* A large read gets as many bytes as were read before it, within these bounds: so the first text
 * comes soon, and after that much of it at a time. */
#define ENOUGH_MIN (4 << 10)
#define ENOUGH_MAX (64 << 10)

struct bulk {
	struct walk_owner owner;
	struct fs *fs;
	const struct special *special;
	const struct print_format *format;
	unsigned refs; /* one of the open file, and one of each walk */

	struct walk *walk; /* NULL: none has begun */
	struct print text; /* starts at offset `base` */
	off_t base;
	off_t wanted;      /* end of the last read, or the furthest that a read waits for */
	bool over;         /* there is no more text, for this reason: */
	int error;
	struct op_list parked;
};

static void bulk_put(struct bulk *bulk)
{
	if (--bulk->refs > 0)
		return;
	free(bulk->text.data);
	free(bulk);
}

static void bulk_get(struct bulk *bulk)
{
	bulk->refs++;
}

static void walk_gone(struct walk_owner *owner)
{
	bulk_put((struct bulk *)owner);
}

/* ---- the text ---- */

static off_t text_end(const struct bulk *bulk)
{
	return bulk->base + (off_t)bulk->text.len;
}

/* Text is wanted up to `off`, unless a read waits for something further on: it would wait for ever
 * if the text stopped before. */
static void bulk_want(struct bulk *bulk, off_t off)
{
	const struct op *op;

	bulk->wanted = off;
	TAILQ_FOREACH(op, &bulk->parked, parked_link)
		if (op->off > bulk->wanted)
			bulk->wanted = op->off;
}

/* Drops text that no read waits for and none is expected to go back to. */
static void drop_read(struct bulk *bulk)
{
	off_t end = text_end(bulk), keep = bulk->wanted < end ? bulk->wanted : end;
	const struct op *op;
	size_t drop;

	TAILQ_FOREACH(op, &bulk->parked, parked_link)
		if (op->off < keep)
			keep = op->off;
	/* Rarely, so that moving the rest costs nothing. */
	if (keep - bulk->base < 2 * BEHIND_MAX)
		return;
	drop = keep - bulk->base - BEHIND_MAX;
	memmove(bulk->text.data, bulk->text.data + drop, bulk->text.len - drop);
	bulk->text.len -= drop;
	bulk->base += drop;
}

static void bulk_end(struct bulk *bulk, int error)
{
	unsigned unreadable = walk_unreadable(bulk->walk);

	bulk->over = true;
	bulk->error = error;
	if (unreadable)
		rate_log(&bulk->fs->rates.nodes, bulk->fs->log, LOGGER_WARNING,
			 "%u nodes below %s could not be read and are left out of its %s",
			 unreadable, walk_path(bulk->walk), bulk->special->name);
}

/* Turns what the walk has produced into text, up to the wanted offset and some more. */
static void make_text(struct bulk *bulk)
{
	struct walk_node node;
	int step = WALK_NODE;

	while (bulk->walk && !bulk->over && step != WALK_WAIT &&
	       text_end(bulk) - bulk->wanted < AHEAD_MAX) {
		step = walk_next(bulk->walk, &node);
		if (step == WALK_NODE)
			bulk->format->node(&bulk->text, &node);
		else if (step == WALK_LEAVE)
			bulk->format->leave(&bulk->text, node.depth);
		else if (step == WALK_END)
			bulk->format->end(&bulk->text);
		if (bulk->text.no_memory)
			step = -ENOMEM;
		if (step < 0 || step == WALK_END)
			bulk_end(bulk, step < 0 ? step : 0);
		drop_read(bulk);
	}
}

/* Returns whether a read can be answered now. */
static bool can_answer(const struct bulk *bulk, const struct op *op)
{
	off_t there = text_end(bulk) - op->off, enough = op->off;

	if (enough < ENOUGH_MIN)
		enough = ENOUGH_MIN;
	if (enough > ENOUGH_MAX)
		enough = ENOUGH_MAX;
	if (enough > (off_t)op->size)
		enough = op->size;
	return bulk->over || op->off < bulk->base || there >= enough;
}

/* Puts the answer to a read that can be answered into op->data and op->size.  Returns 0, or the
 * error to reply with. */
static int take_answer(struct bulk *bulk, struct op *op)
{
	off_t there = text_end(bulk) - op->off;

	if (op->off < bulk->base)
		return -ESPIPE;
	if (there <= 0) {
		op->size = 0;
		return bulk->error;
	}
	if (op->size > (size_t)there)
		op->size = there;
	op->data = malloc(op->size ? op->size : 1);
	if (!op->data)
		return -ENOMEM;
	memcpy(op->data, bulk->text.data + (op->off - bulk->base), op->size);
	bulk_want(bulk, op->off + (off_t)op->size);
	return 0;
}

/* ---- reads ---- */

static void bulk_unpark_read(struct op *op)
{
	struct bulk *bulk = op->handle->own;

	TAILQ_REMOVE(&bulk->parked, op, parked_link);
	op_reply_error(op, -EINTR);
}

static void answer(struct op *op, int error)
{
	if (error)
		op_reply_error(op, error);
	else
		op_reply_buf(op, op->data, op->size);
}

/* Takes a waiting read that can be answered, together with its answer.  Returns NULL
 * if there is none. */
static struct op *take_read(struct bulk *bulk, int *error)
{
	struct op *op;

	TAILQ_FOREACH(op, &bulk->parked, parked_link)
		if (can_answer(bulk, op))
			break;
	if (!op)
		return NULL;
	op_unpark(op);
	TAILQ_REMOVE(&bulk->parked, op, parked_link);
	*error = take_answer(bulk, op);
	return op;
}

/* The walk has produced something. */
static void bulk_ready(struct walk_owner *owner, struct walk *walk)
{
	struct bulk *bulk = (struct bulk *)owner;
	struct op *op = NULL;
	int error = 0;
	bool current;

	do {
		current = walk == bulk->walk;
		if (current) {
			make_text(bulk);
			op = take_read(bulk, &error);
		}
		if (current && op)
			answer(op, error);
	} while (current && op);
	if (current)
		walk_go(walk);
}

/* Begins a walk.  Returns 0 or -errno. */
static int bulk_begin(struct bulk *bulk, struct op *op)
{
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	if (err)
		return err;
	bulk->walk = walk_new(op->fs, op->inode->view, path, &bulk->owner);
	if (!bulk->walk)
		return -ENOMEM;
	bulk_get(bulk);
	bulk->text.len = 0;
	bulk->text.no_memory = false;
	bulk->text.not_first = false;
	bulk->base = 0;
	bulk->over = false;
	bulk->error = 0;
	return 0;
}

static void bulk_read(struct op *op)
{
	struct bulk *bulk = op->handle->own;
	struct walk *old = NULL, *walk = NULL;
	bool wait = false;
	int err = 0;

	if (op->off == 0 && (bulk->wanted > 0 || bulk->over)) {
		old = bulk->walk;
		bulk->walk = NULL;
	}
	bulk_want(bulk, op->off);
	if (!bulk->walk)
		err = bulk_begin(bulk, op);
	if (err) {
		/* Other reads wait for what the old walk produces. */
		bulk->walk = old;
		old = NULL;
	} else {
		walk = walk_get(bulk->walk);
		make_text(bulk);
		wait = !can_answer(bulk, op);
		err = wait ? op_park(op, bulk_unpark_read) : take_answer(bulk, op);
		wait &= !err;
		if (wait)
			TAILQ_INSERT_TAIL(&bulk->parked, op, parked_link);
	}
	if (old) {
		walk_stop(old);
		walk_put(old);
	}
	/* More must be requested before the answer is sent, because the answer may be the last one
	 * wanted of the file: once a waiting read is over, the file may be closed at any moment. */
	if (walk)
		walk_go(walk);
	walk_put(walk);
	if (!wait)
		answer(op, err);
}

/* ---- open files ---- */

static void bulk_close(struct fs *fs, void *own)
{
	struct bulk *bulk = own;
	struct walk *walk;

	(void)fs;
	walk = bulk->walk;
	bulk->walk = NULL;
	if (walk)
		walk_stop(walk);
	walk_put(walk);
	bulk_put(bulk);
}

static void bulk_open(struct op *op, const struct print_format *format)
{
	struct bulk *bulk = NULL;

	if ((op->flags & O_ACCMODE) != O_RDONLY) {
		op_reply_error(op, -EACCES);
		return;
	}
	op->handle = handle_new(&op->fs->handles, op->inode, op->flags);
	if (op->handle)
		bulk = calloc(1, sizeof(*bulk));
	if (!bulk) {
		handle_free(op->handle);
		op_reply_error(op, -ENOMEM);
		return;
	}
	bulk->owner.ready = bulk_ready;
	bulk->owner.gone = walk_gone;
	bulk->fs = op->fs;
	bulk->special = op->inode->special;
	bulk->format = format;
	bulk->refs = 1;
	TAILQ_INIT(&bulk->parked);
	handle_set_own(op->handle, bulk, bulk_close);
	op_reply_open(op, op->handle);
}

static void dump_open(struct op *op)
{
	bulk_open(op, &print_dump);
}

const struct special special_dump = {
	.name = ".dump",
	.place = SPECIAL_IN_NODES,
	.mode = S_IFREG | 0444,
	.open = dump_open,
	.read = bulk_read,
};

static void json_open(struct op *op)
{
	bulk_open(op, &print_json);
}

const struct special special_json = {
	.name = ".json",
	.place = SPECIAL_IN_NODES,
	.mode = S_IFREG | 0444,
	.open = json_open,
	.read = bulk_read,
};
