/* SPDX-License-Identifier: MIT */
/* How an operation is interrupted, and how it waits for something else than the store. */
#include <errno.h>
#include <linux/fuse.h>

#include "fs/op/op_impl.h"
#include "ring/clock.h"

#define NSEC_PER_MSEC 1000000L

/* The time in which an interrupted operation may still end by itself. */
#define INTERRUPT_GRACE_NS (10 * NSEC_PER_MSEC)

/* Puts the operation, unless it is there, at the end of a list, which gives it up after `ns`. */
static void give_up_later(struct op *op, struct op_list *list, uint64_t ns)
{
	if (op->due_list != list) {
		if (op->due_list)
			TAILQ_REMOVE(op->due_list, op, due_link);
		else
			op->refs++;
		op->due_list = list;
		op->due_ns = clock_now_ns(CLOCK_MONOTONIC) + ns;
		TAILQ_INSERT_TAIL(list, op, due_link);
	}
}

/* The caller is gone.  libfuse, if it is that which says so, holds its lock of the request, and calls this
 * only out of fuse_session_process_buf() and fuse_req_interrupt_func(), so that fs->lock is held, too. */
static void op_interrupted(fuse_req_t req, void *arg)
{
	struct op *op = arg;
	struct fs *fs = op->fs;

	(void)req;
	give_up_later(op, &fs->interrupted, INTERRUPT_GRACE_NS);
	fs->ops_interrupted++;
	/* The I/O thread may be asleep if another thread read the FUSE_INTERRUPT. */
	chan_wake(fs->chan);
}

static struct op_bucket *bucket_of(struct fs *fs, uint64_t unique)
{
	return &fs->by_unique[unique / 2 % OPS_BY_UNIQUE];
}

void op_arm(struct op *op)
{
	op->unique = op->fs->unique;
	if (op->unique)
		LIST_INSERT_HEAD(bucket_of(op->fs, op->unique), op, unique_link);
	fuse_req_interrupt_func(op->req, op_interrupted, op);
}

/*
 * libfuse looks for an interrupted request among all that there are, one after the other: the end of a
 * program with 60,000 threads that wait would take it ten seconds.  Returns whether we have found it.
 */
static bool found_interrupted(struct fs *fs, const struct fuse_buf *buf)
{
	const struct fuse_in_header *header = buf->mem;
	const struct fuse_interrupt_in *in = (const void *)(header + 1);
	struct op *op;

	if (header->opcode != FUSE_INTERRUPT || buf->size < sizeof(*header) + sizeof(*in))
		return false;
	LIST_FOREACH(op, bucket_of(fs, in->unique), unique_link) {
		if (op->unique == in->unique) {
			op_interrupted(op->req, op);
			return true;
		}
	}
	return false;
}

void ops_process(struct fs *fs, const struct fuse_buf *buf)
{
	const struct fuse_in_header *header = buf->mem;

	/* What comes before its request, which another thread has received, is left to libfuse. */
	if (found_interrupted(fs, buf))
		return;
	fs->unique = header->unique;
	fuse_session_process_buf(fs->se, buf);
	fs->unique = 0;
}

/* A kernel that ends mounts whose answers take too long is answered before that. */
static void park_bounded(struct op *op)
{
	struct fs *fs = op->fs;

	if (!op->due_list)
		give_up_later(op, &fs->parked, fs->config.park_ms * NSEC_PER_MSEC);
	chan_wake(fs->chan);
}

int op_park(struct op *op, void (*unpark)(struct op *op))
{
	if (op->interrupted)
		return -EINTR;
	if (op->fs->store_died)
		return -EIO;
	op->was_parked = true;
	op->unpark = unpark;
	if (op->fs->config.park_ms)
		park_bounded(op);
	return 0;
}

void op_unpark(struct op *op)
{
	op->unpark = NULL;
}

/* Returns call `i` of a round under way, with a reference; NULL: there is none. */
static struct request *submitted_call(struct op *op, unsigned i)
{
	return op->submitted && i < op->n_calls ? request_get(op->calls[i]) : NULL;
}

/* Gives up what the operation waits for; whoever waits, or `done`, then ends it. */
static void op_give_up(struct op *op)
{
	void (*unpark)(struct op *op);
	struct request *call;
	bool unqueued;

	op->interrupted = true;
	unqueued = pool_cancel(op->fs->pool, &op->work);
	unpark = op->unpark;
	op->unpark = NULL;
	pthread_cond_signal(&op->wake);

	/* From now on no round begins; with the last call the operation may be over. */
	for (unsigned i = 0; (call = submitted_call(op, i)); i++) {
		chan_abandon(op->fs->chan, call, -EINTR);
		request_put(call);
	}
	if (unpark)
		unpark(op);
	else if (unqueued)
		op->not_run(op, -EINTR);
}

/* Returns the first of a list if it is due; else NULL, and *wait_ms ends when it will be. */
static struct op *first_due(struct op_list *list, uint64_t now, int *wait_ms)
{
	struct op *op = TAILQ_FIRST(list);
	int ms;

	if (!op || op->due_ns <= now)
		return op;
	ms = (op->due_ns - now) / NSEC_PER_MSEC + 1;
	if (*wait_ms < 0 || ms < *wait_ms)
		*wait_ms = ms;
	return NULL;
}

/* Whether an operation has to be given up. */
static bool any_due(struct fs *fs, uint64_t now)
{
	int unused = -1;

	return first_due(&fs->interrupted, now, &unused) || first_due(&fs->parked, now, &unused);
}

int ops_interrupt(struct fs *fs)
{
	uint64_t now;
	struct op *op;
	int wait_ms = -1;

	/* This is called all the time: the clock is left alone when there is nothing to do. */
	if (TAILQ_EMPTY(&fs->interrupted) && TAILQ_EMPTY(&fs->parked))
		return -1;
	now = clock_now_ns(CLOCK_MONOTONIC);
	/* On a busy machine this may run long after it was due.  An answer that has come by now ends the
	 * operation: to its caller it was never late. */
	if (any_due(fs, now))
		chan_service(fs->chan);
	while ((op = first_due(&fs->interrupted, now, &wait_ms)) ||
	       (op = first_due(&fs->parked, now, &wait_ms))) {
		TAILQ_REMOVE(op->due_list, op, due_link);
		op->due_list = NULL;
		op_give_up(op);
		op_put(op);
	}
	return wait_ms;
}

void op_disarm(struct op *op)
{
	if (!op->req)
		return;
	fuse_req_interrupt_func(op->req, NULL, NULL);
	if (op->unique)
		LIST_REMOVE(op, unique_link);
	op->unique = 0;
	if (!op->due_list)
		return;
	TAILQ_REMOVE(op->due_list, op, due_link);
	op->due_list = NULL;
	op_put(op);
}
