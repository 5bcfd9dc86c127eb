/* SPDX-License-Identifier: MIT */
/*
 * Operations: their rounds of store requests, their work on the pool, their end.
 *
 * An operation is freed by its reply, yet op_give_up() may hold it a moment longer: two references, as
 * with requests.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/error.h"
#include "fs/op/lock.h"
#include "fs/op/op_impl.h"
#include "fs/op/process.h"
#include "ring/clock.h"


/* The lowest limit that servers have on the length of paths (oxenstored's quota-path-max), below
 * the protocol's XENSTORE_ABS_PATH_MAX. */
#define SERVER_PATH_MAX 1024

void op_put(struct op *op)
{
	if (--op->refs > 0)
		return;
	pthread_cond_destroy(&op->wake);
	free(op);
}

struct op *op_new(struct fs *fs, fuse_req_t req, fuse_ino_t nodeid, enum op_kind kind)
{
	struct inode *inode = NULL;
	struct op *op = NULL;
	int err = ESTALE;

	op_count_start(&fs->op_counters, kind);
	if (nodeid)
		inode = inode_get(&fs->inodes, nodeid);
	if (inode && inode->view->hooks)
		inode->view->hooks->touch(inode->view);
	if (!nodeid || (inode && !view_is_over(inode->view))) {
		err = ENOMEM;
		op = calloc(1, sizeof(*op));
	}
	if (!op) {
		inode_put(&fs->inodes, inode);
		op_count_error(&fs->op_counters, -err);
		if (req)
			fuse_reply_err(req, err);
		return NULL;
	}
	op->fs = fs;
	op->req = req;
	op->kind = kind;
	op->inode = inode;
	op->calls = op->inline_calls;
	op->max_calls = OP_INLINE_CALLS;
	op->started_ns = clock_now_ns(CLOCK_MONOTONIC);
	op->seq = fs->events.seq;
	op->changes = fs->inodes.changes;
	op->epoch = inode ? inode->view->epoch : 0;
	op->refs = 1;
	fs_cond_init(&op->wake);
	fs->ops_now++;
	if (req)
		op_arm(op);
	return op;
}

bool op_set_name(struct op *op, const char *name)
{
	op->name = strdup(name);
	if (op->name)
		return true;
	op_reply_error(op, -ENOMEM);
	return false;
}

bool op_set_data(struct op *op, const void *data, size_t size)
{
	op->data = malloc(size + 1);
	if (!op->data) {
		op_reply_error(op, -ENOMEM);
		return false;
	}
	memcpy(op->data, data, size);
	op->size = size;
	return true;
}

/* Makes room for one more call.  Returns false without memory. */
static bool calls_grow(struct op *op)
{
	unsigned max = op->max_calls * 2;
	struct request **calls;

	if (op->n_calls < op->max_calls)
		return true;
	calls = malloc(max * sizeof(*calls));
	if (!calls)
		return false;
	memcpy(calls, op->calls, op->n_calls * sizeof(*calls));
	if (op->calls != op->inline_calls)
		free(op->calls);
	op->calls = calls;
	op->max_calls = max;
	return true;
}

/* Adds a request, which is taken, to the round; NULL: there was no memory for it. */
static void add_call(struct op *op, struct request *req)
{
	if (req) {
		req->gather = &op->gather;
		/* The number may mean another transaction on the next connection. */
		req->epoch = req->msg.tx_id ? op->epoch : 0;
	}
	if (req && calls_grow(op)) {
		op->calls[op->n_calls++] = req;
	} else {
		request_put(req);
		op->no_memory = true;
	}
}

void op_call(struct op *op, uint32_t type, uint32_t tx_id, const char *path, const void *data,
	     size_t len)
{
	add_call(op, request_new_path(type, tx_id, path, data, len));
}

void op_call_message(struct op *op, uint32_t type, const void *payload, size_t len)
{
	/* A NUL behind it, which is not sent: others look at the payload as a string. */
	struct request *req = request_new(type, 0, len + 1);

	if (req) {
		memcpy(req->payload, payload, len);
		req->payload[len] = '\0';
		req->msg.len = len;
	}
	add_call(op, req);
}

/* Returns the view that the operation is in if that may end, or NULL. */
static const struct view *view_of(const struct op *op)
{
	return op->inode && op->inode->view->hooks ? op->inode->view : NULL;
}

/* Keeps in mind what the round changed in a user's transaction.  What was given up on the wire may
 * have happened. */
static void note_changes(struct op *op)
{
	const struct request *req;
	bool change;

	for (unsigned i = 0; i < op->n_calls; i++) {
		req = op->calls[i];
		change = req->msg.type == XS_WRITE || req->msg.type == XS_MKDIR ||
			 req->msg.type == XS_RM || req->msg.type == XS_SET_PERMS;
		if (change && (!req->error || req->error == -EINTR || req->error == -ETIMEDOUT))
			op->wrote = true;
	}
	view_of(op)->hooks->answered(view_of(op), op);
}

static void op_gathered(struct gather *g)
{
	struct op *op = (struct op *)((char *)g - offsetof(struct op, gather));

	op->answered_ns = g->answered_ns;
	if (view_of(op))
		note_changes(op);
	op->done(op);
}

/* Gets the round ready to go.  Returns 0, or why it cannot. */
static int round_begin(struct op *op)
{
	int err = 0;

	if (op->no_memory)
		err = -ENOMEM;
	else if (op->interrupted)
		err = -EINTR;
	atomic_store(&op->gather.pending, op->n_calls);
	op->submitted = !err;
	op->answered = false;
	return err;
}

void op_fail_calls(struct op *op, int err)
{
	for (unsigned i = 0; i < op->n_calls; i++)
		op->calls[i]->error = err;
}

void op_submit(struct op *op, void (*done)(struct op *op))
{
	int err = round_begin(op);

	op->done = done;
	op->gather.complete = op_gathered;
	if (err || op->n_calls == 0) {
		op_fail_calls(op, err);
		done(op);
		return;
	}
	/* From here on the operation may be over, and gone, at any moment. */
	chan_submit_all(op->fs->chan, op->calls, op->n_calls);
}

static void op_answered(struct op *op)
{
	op->answered = true;
	pthread_cond_signal(&op->wake);
}

int op_wait_begin(struct op *op)
{
	int err = round_begin(op);

	op->done = op_answered;
	op->gather.complete = op_gathered;
	if (err)
		op_fail_calls(op, err);
	else
		chan_submit_all(op->fs->chan, op->calls, op->n_calls);
	return err;
}

int op_wait_end(struct op *op)
{
	while (!op->answered)
		fs_wait(op->fs, &op->wake, NULL);
	return op->interrupted ? -EINTR : 0;
}

int op_wait(struct op *op)
{
	int err = op_wait_begin(op);

	return err ? err : op_wait_end(op);
}

int op_sleep(struct op *op, uint64_t ns)
{
	const struct timespec until = fs_time_after(ns);
	int err = 0;

	while (!op->interrupted && err != ETIMEDOUT)
		err = fs_wait(op->fs, &op->wake, &until);
	return op->interrupted ? -EINTR : 0;
}

int op_call_raw_error(const struct op *op, unsigned i)
{
	return i < op->n_calls ? op->calls[i]->error : -ENOMEM;
}

int op_call_error(const struct op *op, unsigned i)
{
	int err = op_call_raw_error(op, i);

	if (!err || i >= op->n_calls)
		return err;
	if (err != -EINTR && view_of(op) && view_is_over(view_of(op)))
		return -ESTALE;
	/* A path of ours is well formed; what such a server means is its length. */
	if (err == -EINVAL && strlen(op->calls[i]->payload) > SERVER_PATH_MAX)
		return -ENAMETOOLONG;
	return error_from_store(op->calls[i]->msg.type, err);
}

void op_calls_clear(struct op *op)
{
	for (unsigned i = 0; i < op->n_calls; i++)
		request_put(op->calls[i]);
	op->n_calls = 0;
	op->submitted = false;
	op->no_memory = false;
}

static void op_work(struct pool_work *work)
{
	struct op *op = (struct op *)((char *)work - offsetof(struct op, work));

	op->run(op);
}

void op_run_else(struct op *op, void (*run)(struct op *op), void (*failed)(struct op *op, int error))
{
	int err;

	op_calls_clear(op);
	op->run = run;
	op->not_run = failed;
	op->work.run = op_work;
	op->work.uid = op_user(op);
	if (op->interrupted)
		err = -EINTR;
	else if (!op->fs->pool)
		err = -EIO; /* loop_answer(): the pool has ended already */
	else
		err = pool_submit(op->fs->pool, &op->work);
	if (err)
		failed(op, err);
}

void op_run(struct op *op, void (*run)(struct op *op))
{
	op_run_else(op, run, op_reply_error);
}

void op_keep_poll(struct op *op, struct kept_poll **kept)
{
	if (!op->poll)
		return;
	kept_poll_free(*kept);
	*kept = op->poll;
	op->poll = NULL;
}

void op_end(struct op *op)
{
	struct fs *fs = op->fs;

	op_calls_clear(op);
	if (op->calls != op->inline_calls)
		free(op->calls);
	op->calls = op->inline_calls;
	inode_put(&fs->inodes, op->inode);
	inode_put(&fs->inodes, op->target);
	free(op->name);
	free(op->new_name);
	free(op->data);
	kept_poll_free(op->poll);
	fs->ops_now--;
	op_put(op);
}

static void log_op(const struct op *op, int error)
{
	if (op->fs->log && op->fs->log->debug)
		log_debug(op->fs->log, "fuse %s ino %llu%s%s: %s, %llu us", op_kind_name(op->kind),
			  op->inode ? (unsigned long long)op->inode->nodeid : 0ULL,
			  op->name ? " " : "", op->name ? op->name : "",
			  error ? strerror(-error) : "ok",
			  (unsigned long long)((clock_now_ns(CLOCK_MONOTONIC) - op->started_ns) / 1000));
}

static void count_end(const struct op *op, int error)
{
	struct op_counters *counters = &op->fs->op_counters;

	op_count_error(counters, error);
	/* The time that a program waits for an event says nothing about the store. */
	if (op->answered_ns && !op->was_parked)
		op_count_latency(counters, op->kind, op->answered_ns - op->started_ns);
}

void op_begin_reply(struct op *op, int error)
{
	count_end(op, error);
	log_op(op, error);
	op_disarm(op);
}

void op_reply_error(struct op *op, int error)
{
	op_begin_reply(op, error);
	if (op->req)
		fuse_reply_err(op->req, -error);
	op_end(op);
}

uid_t op_user(const struct op *op)
{
	return op->req ? fuse_req_ctx(op->req)->uid : op->user;
}

pid_t op_process(const struct op *op)
{
	return op->req ? process_of(fuse_req_ctx(op->req)->pid) : 0;
}
