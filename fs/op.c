/* SPDX-License-Identifier: MIT */
/*
 * Operations: their rounds of store requests, their interruption, their one reply.
 *
 * An operation is freed by its reply, yet the interrupted list may hold it a moment longer: two
 * references, as with requests.
 */
#include <errno.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>

#include "fs/error.h"
#include "fs/op.h"
#include "fs/process.h"
#include "fs/special.h"

#define NSEC_PER_SEC 1000000000L
#define NSEC_PER_MSEC 1000000L

/* How long an interrupted operation may still end by itself. */
#define INTERRUPT_GRACE_NS (10 * NSEC_PER_MSEC)

/* How long the kernel may believe a name or an attribute without asking again.  Events drop what
 * has changed; this only bounds for how long a mistake could last. */
#define META_VALID_SECONDS 60.0

/* The lowest limit that servers have on the length of paths (oxenstored's quota-path-max), below
 * the protocol's XENSTORE_ABS_PATH_MAX. */
#define SERVER_PATH_MAX 1024

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * (uint64_t)NSEC_PER_SEC + ts.tv_nsec;
}

static void op_put(struct op *op)
{
	if (atomic_fetch_sub_explicit(&op->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_cond_destroy(&op->changed);
	pthread_mutex_destroy(&op->lock);
	free(op);
}

/* libfuse says that the caller is gone; it holds the request's lock. */
static void op_interrupted(fuse_req_t req, void *arg)
{
	struct op *op = arg;
	struct fs *fs = op->fs;

	(void)req;
	pthread_mutex_lock(&fs->interrupted_lock);
	if (!op->on_interrupted_list) {
		op->on_interrupted_list = true;
		op->interrupted_ns = now_ns();
		atomic_fetch_add(&op->refs, 1);
		TAILQ_INSERT_TAIL(&fs->interrupted, op, interrupted_link);
		atomic_store(&fs->any_interrupted, true);
	}
	pthread_mutex_unlock(&fs->interrupted_lock);
	atomic_fetch_add(&fs->ops_interrupted, 1);
	/* The I/O thread may be asleep if another thread read the FUSE_INTERRUPT. */
	chan_wake(fs->chan);
}

struct op *op_new(struct fs *fs, fuse_req_t req, fuse_ino_t nodeid, const char *what)
{
	struct inode *inode = NULL;
	struct op *op = NULL;
	int err = ESTALE;
	bool over = false;

	if (nodeid)
		inode = inode_get(&fs->inodes, nodeid);
	if (inode && inode->view->tx) {
		over = transaction_is_over(inode->view->tx);
		transaction_touch(inode->view->tx);
	}
	if (!nodeid || (inode && !over)) {
		err = ENOMEM;
		op = calloc(1, sizeof(*op));
	}
	if (!op) {
		inode_put(&fs->inodes, inode);
		if (req)
			fuse_reply_err(req, err);
		return NULL;
	}
	op->fs = fs;
	op->req = req;
	op->what = what;
	op->inode = inode;
	op->calls = op->inline_calls;
	op->max_calls = OP_INLINE_CALLS;
	op->started_ns = now_ns();
	op->seq = event_seq(fs);
	op->epoch = inode ? inode->view->epoch : 0;
	atomic_init(&op->refs, 1);
	pthread_mutex_init(&op->lock, NULL);
	pthread_cond_init(&op->changed, NULL);
	atomic_fetch_add_explicit(&fs->ops_started, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&fs->ops_now, 1, memory_order_relaxed);
	if (req)
		fuse_req_interrupt_func(req, op_interrupted, op);
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
static bool calls_grow_locked(struct op *op)
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
	pthread_mutex_lock(&op->lock);
	if (req && calls_grow_locked(op)) {
		op->calls[op->n_calls++] = req;
	} else {
		request_put(req);
		op->no_memory = true;
	}
	pthread_mutex_unlock(&op->lock);
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

/* Returns the user's transaction that the operation is in, or NULL. */
static struct transaction *transaction_of(const struct op *op)
{
	return op->inode ? op->inode->view->tx : NULL;
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
	transaction_note(transaction_of(op), op);
}

static void op_gathered(struct gather *g)
{
	struct op *op = (struct op *)((char *)g - offsetof(struct op, gather));

	if (transaction_of(op))
		note_changes(op);
	op->done(op);
}

/* Gets the round ready to go.  Returns 0, or why it cannot. */
static int round_begin(struct op *op)
{
	int err = 0;

	pthread_mutex_lock(&op->lock);
	if (op->no_memory)
		err = -ENOMEM;
	else if (op->interrupted)
		err = -EINTR;
	atomic_store(&op->gather.pending, op->n_calls);
	op->submitted = !err;
	op->answered = false;
	pthread_mutex_unlock(&op->lock);
	return err;
}

/* Ends a round that was never sent. */
static void round_fail(struct op *op, int err)
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
		round_fail(op, err);
		done(op);
		return;
	}
	/* From here on the operation may be over, and gone, at any moment. */
	chan_submit_all(op->fs->chan, op->calls, op->n_calls);
}

static void op_answered(struct op *op)
{
	pthread_mutex_lock(&op->lock);
	op->answered = true;
	pthread_cond_signal(&op->changed);
	pthread_mutex_unlock(&op->lock);
}

int op_wait(struct op *op)
{
	int err = round_begin(op);

	op->done = op_answered;
	op->gather.complete = op_gathered;
	if (err) {
		round_fail(op, err);
		return err;
	}
	chan_submit_all(op->fs->chan, op->calls, op->n_calls);
	pthread_mutex_lock(&op->lock);
	while (!op->answered)
		pthread_cond_wait(&op->changed, &op->lock);
	if (op->interrupted)
		err = -EINTR;
	pthread_mutex_unlock(&op->lock);
	return err;
}

int op_sleep(struct op *op, uint64_t ns)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += ns % NSEC_PER_SEC;
	until.tv_sec += ns / NSEC_PER_SEC + until.tv_nsec / NSEC_PER_SEC;
	until.tv_nsec %= NSEC_PER_SEC;
	pthread_mutex_lock(&op->lock);
	while (!op->interrupted && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&op->changed, &op->lock, &until);
	err = op->interrupted ? -EINTR : 0;
	pthread_mutex_unlock(&op->lock);
	return err;
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
	if (err != -EINTR && transaction_of(op) && transaction_is_over(transaction_of(op)))
		return -ESTALE;
	/* A path of ours is well formed; what such a server means is its length. */
	if (err == -EINVAL && strlen(op->calls[i]->payload) > SERVER_PATH_MAX)
		return -ENAMETOOLONG;
	return error_from_store(op->calls[i]->msg.type, err);
}

void op_calls_clear(struct op *op)
{
	pthread_mutex_lock(&op->lock);
	for (unsigned i = 0; i < op->n_calls; i++)
		request_put(op->calls[i]);
	op->n_calls = 0;
	op->submitted = false;
	pthread_mutex_unlock(&op->lock);
	op->no_memory = false;
}

static void op_work(struct pool_work *work)
{
	struct op *op = (struct op *)((char *)work - offsetof(struct op, work));

	op->run(op);
}

void op_run(struct op *op, void (*run)(struct op *op))
{
	int err;

	op_calls_clear(op);
	op->run = run;
	op->work.run = op_work;
	pthread_mutex_lock(&op->lock);
	/* Under the lock, so that the interrupter finds it queued or already interrupted. */
	if (op->interrupted)
		err = -EINTR;
	else if (!op->fs->pool)
		err = -EIO; /* loop_answer(): the pool has ended already */
	else
		err = pool_submit(op->fs->pool, &op->work);
	pthread_mutex_unlock(&op->lock);
	if (err)
		op_reply_error(op, err);
}

int op_park(struct op *op, void (*unpark)(struct op *op))
{
	int err;

	pthread_mutex_lock(&op->lock);
	err = op->interrupted ? -EINTR : 0;
	op->unpark = err ? NULL : unpark;
	pthread_mutex_unlock(&op->lock);
	return err;
}

bool op_unpark(struct op *op)
{
	bool parked;

	pthread_mutex_lock(&op->lock);
	parked = op->unpark != NULL;
	op->unpark = NULL;
	pthread_mutex_unlock(&op->lock);
	return parked;
}

/* Returns call `i` of a round under way, with a reference; NULL: there is none. */
static struct request *submitted_call(struct op *op, unsigned i)
{
	struct request *call = NULL;

	pthread_mutex_lock(&op->lock);
	if (op->submitted && i < op->n_calls)
		call = request_get(op->calls[i]);
	pthread_mutex_unlock(&op->lock);
	return call;
}

/* Gives up what the operation waits for; whoever waits, or `done`, then ends it. */
static void op_give_up(struct op *op)
{
	void (*unpark)(struct op *op);
	struct request *call;
	bool unqueued;

	pthread_mutex_lock(&op->lock);
	op->interrupted = true;
	unqueued = pool_cancel(op->fs->pool, &op->work);
	/* Whoever takes this decides how the operation goes on, and until then it cannot end. */
	unpark = op->unpark;
	op->unpark = NULL;
	pthread_cond_signal(&op->changed);
	pthread_mutex_unlock(&op->lock);

	/* From now on no round begins; with the last call the operation may be over. */
	for (unsigned i = 0; (call = submitted_call(op, i)); i++) {
		chan_abandon(op->fs->chan, call, -EINTR);
		request_put(call);
	}
	if (unpark)
		unpark(op);
	else if (unqueued)
		op_reply_error(op, -EINTR);
}

int ops_interrupt(struct fs *fs)
{
	uint64_t now, due;
	struct op *op;
	int wait_ms = -1;

	/* Looked at first: this is called all the time. */
	if (!atomic_load(&fs->any_interrupted))
		return -1;
	now = now_ns();
	pthread_mutex_lock(&fs->interrupted_lock);
	while ((op = TAILQ_FIRST(&fs->interrupted))) {
		due = op->interrupted_ns + INTERRUPT_GRACE_NS;
		if (now < due) {
			wait_ms = (due - now) / NSEC_PER_MSEC + 1;
			break;
		}
		TAILQ_REMOVE(&fs->interrupted, op, interrupted_link);
		op->on_interrupted_list = false;
		pthread_mutex_unlock(&fs->interrupted_lock);
		op_give_up(op);
		op_put(op);
		pthread_mutex_lock(&fs->interrupted_lock);
	}
	if (!op)
		atomic_store(&fs->any_interrupted, false);
	pthread_mutex_unlock(&fs->interrupted_lock);
	return wait_ms;
}

/*
 * Gets the operation ready for its reply: no interruption can find it afterwards.  Disarming waits
 * for a callback that is running, so it needs to hold no lock that the callback takes.
 */
static void op_disarm(struct op *op)
{
	struct fs *fs = op->fs;
	bool listed;

	if (!op->req)
		return;
	fuse_req_interrupt_func(op->req, NULL, NULL);
	pthread_mutex_lock(&fs->interrupted_lock);
	listed = op->on_interrupted_list;
	if (listed)
		TAILQ_REMOVE(&fs->interrupted, op, interrupted_link);
	op->on_interrupted_list = false;
	pthread_mutex_unlock(&fs->interrupted_lock);
	if (listed)
		op_put(op);
}

/* Drops all that the operation holds, after its reply. */
static void op_end(struct op *op)
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
	if (op->poll)
		fuse_pollhandle_destroy(op->poll);
	atomic_fetch_sub_explicit(&fs->ops_now, 1, memory_order_relaxed);
	op_put(op);
}

static void log_op(const struct op *op, int error)
{
	if (op->fs->log && op->fs->log->debug)
		log_debug(op->fs->log, "fuse %s ino %llu%s%s: %s, %llu us", op->what,
			  op->inode ? (unsigned long long)op->inode->nodeid : 0ULL,
			  op->name ? " " : "", op->name ? op->name : "",
			  error ? strerror(-error) : "ok",
			  (unsigned long long)((now_ns() - op->started_ns) / 1000));
}

void op_reply_error(struct op *op, int error)
{
	op_disarm(op);
	log_op(op, error);
	if (op->req)
		fuse_reply_err(op->req, -error);
	op_end(op);
}

/* What the table of inodes knows better: the number, and the time of the last change, if there was one. */
static void stamp(struct op *op, const struct inode *inode, struct stat *st)
{
	struct timespec at = inode_changed_at(&op->fs->inodes, inode);

	st->st_ino = inode->number;
	if (at.tv_sec)
		st->st_atim = st->st_mtim = st->st_ctim = at;
}

pid_t op_process(const struct op *op)
{
	return op->req ? process_of(fuse_req_ctx(op->req)->pid) : 0;
}

bool op_is_covered(const struct op *op, const struct inode *inode, const char *path)
{
	struct fs *fs = op->fs;
	char hidden[PATH_SIZE];

	if (!cover_has(fs, path))
		return false;
	/* A server does not tell an unprivileged domain of what is removed with a node that it may
	 * not see. */
	return fs->config.privileged || !inode_hidden_above(&fs->inodes, inode, hidden) ||
	       !cover_has(fs, hidden);
}

/*
 * Returns for how many seconds the kernel may believe what we say of an inode: for as long as no
 * event drops it, if one would come and none has come since we asked the store.
 */
static double validity(const struct op *op, struct inode *inode)
{
	struct fs *fs = op->fs;
	char path[PATH_SIZE];
	pid_t process;

	if (!fs->caching || inode_is_pending(&fs->inodes, inode) || inode->view->tx_id ||
	    (inode->kind == INODE_SPECIAL && !special_is_cacheable(inode->special)) ||
	    inode_path(&fs->inodes, inode, NULL, path))
		return 0;
	/* What is empty by a truncate is so for who did it only, and each is to be answered. */
	if (inode_emptiers(&fs->inodes, inode, &process, 1) > 0)
		return 0;
	/* What was asked before a write of our own must not be kept beyond it: the event will tell. */
	if (inode_is_written(&fs->inodes, inode) || !op_is_covered(op, inode, path))
		return 0;
	/* In this order: an event that is not seen here finds the inode believed. */
	inode_believed(&fs->inodes, inode);
	if (event_since(fs, op->seq, path))
		return 0;
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
	stamp(op, inode, &entry->attr);
	/* What cannot be listed may become so without an event that we would get. */
	if (S_ISDIR(attr->st_mode) && (attr->st_mode & 0777) == 0111)
		return;
	entry->attr_timeout = validity(op, inode);
	entry->entry_timeout = entry->attr_timeout;
	if (inode->kind == INODE_DIR && !op->fs->can_expire)
		entry->entry_timeout = 0;
}

void op_reply_entry(struct op *op, struct inode *inode, const struct stat *attr)
{
	struct fuse_entry_param entry;

	op_disarm(op);
	log_op(op, 0);
	/* Counted before the kernel can answer with a FORGET, and before it is decided for how long
	 * it may believe this: from here on an event finds the inode. */
	inode_remember(&op->fs->inodes, inode);
	fill_entry(op, &entry, inode, attr);
	if (fuse_reply_entry(op->req, &entry) < 0)
		inode_forget(&op->fs->inodes, entry.ino, 1);
	op_end(op);
}

static void fill_open(struct fuse_file_info *fi, struct handle *handle)
{
	fi->fh = (uintptr_t)handle;
	/* Values change behind the kernel's back: it is to ask for each read. */
	fi->direct_io = 1;
	/* Only who writes has something to say at close. */
	fi->noflush = (fi->flags & O_ACCMODE) == O_RDONLY;
}

void op_reply_create(struct op *op, struct inode *inode, const struct stat *attr,
		     struct handle *handle)
{
	struct fuse_entry_param entry;
	struct fs *fs = op->fs;

	op_disarm(op);
	log_op(op, 0);
	inode_remember(&fs->inodes, inode);
	fill_entry(op, &entry, inode, attr);
	fill_open(&op->fi, handle);
	if (fuse_reply_create(op->req, &entry, &op->fi) < 0) {
		inode_forget(&fs->inodes, entry.ino, 1);
		handle_free(fs, handle);
	}
	op_end(op);
}

void op_reply_open(struct op *op, struct handle *handle)
{
	op_disarm(op);
	log_op(op, 0);
	fill_open(&op->fi, handle);
	if (fuse_reply_open(op->req, &op->fi) < 0)
		handle_free(op->fs, handle);
	op_end(op);
}

void op_reply_attr(struct op *op, const struct stat *attr)
{
	struct stat st = *attr;
	double valid = validity(op, op->inode);

	op_disarm(op);
	log_op(op, 0);
	stamp(op, op->inode, &st);
	fuse_reply_attr(op->req, &st, valid);
	op_end(op);
}

void op_reply_buf(struct op *op, const void *buf, size_t size)
{
	op_disarm(op);
	log_op(op, 0);
	fuse_reply_buf(op->req, buf, size);
	op_end(op);
}

void op_reply_write(struct op *op, size_t count)
{
	op_disarm(op);
	log_op(op, 0);
	fuse_reply_write(op->req, count);
	op_end(op);
}

void op_reply_xattr(struct op *op, const void *value, size_t len)
{
	if (op->size == 0) {
		op_disarm(op);
		log_op(op, 0);
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
	op_disarm(op);
	log_op(op, 0);
	fuse_reply_readlink(op->req, target);
	op_end(op);
}

void op_reply_poll(struct op *op, unsigned revents)
{
	op_disarm(op);
	log_op(op, 0);
	fuse_reply_poll(op->req, revents);
	op_end(op);
}

/* libfuse 3.14 cannot set FOPEN_STREAM, without which a blocked read() would block every write()
 * on the same open file: the answer is made by hand, as linux/fuse.h lays it out. */
void op_reply_open_stream(struct op *op, struct handle *handle)
{
	const struct fuse_open_out out = {
		.fh = (uintptr_t)handle,
		.open_flags = FOPEN_DIRECT_IO | FOPEN_STREAM,
	};

	op_disarm(op);
	log_op(op, 0);
	if (fuse_reply_buf(op->req, (const char *)&out, sizeof(out)) < 0)
		handle_free(op->fs, handle);
	op_end(op);
}
