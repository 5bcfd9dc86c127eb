/* SPDX-License-Identifier: MIT */
/*
 * One file operation on its way: the FUSE request that asked for it, the store requests that it
 * needs, and the one reply that ends it.  For the operations of fs/.
 *
 *   op_new ──▶ op_call … op_submit(done) ──▶ [replies come] ──▶ done(op) ──▶ op_reply_…
 *         └──▶ op_run(run) ──▶ [pool thread] op_wait, job_… ──▶ op_reply_…
 *
 * The first form is for what needs one round trip: all its store requests go out together, and
 * `done` runs on the I/O thread when all are answered.  The second is for several dependent round
 * trips: straight-line code on a thread of the pool that may wait.  `done` may go on to either.
 *
 * Interrupts.  The kernel's FUSE_INTERRUPT puts the operation on a list; a moment later the I/O
 * thread gives its store requests up, which ends it with EINTR.  The moment is for signals that the
 * program handles and goes on: it does not expect that opening a file fails then, and from a store
 * that answers it does not.  The callback itself does nothing more, as libfuse calls it with a lock
 * held that replying needs.
 *
 * All of this is called with fs->lock held (fs_impl.h).
 */
#ifndef FS_OP_OP_H
#define FS_OP_OP_H

#include "fs/model/handle.h"
#include "fs/op/fs_impl.h"
#include "fs/op/op_count.h"
#include "fs/op/pool.h"
#include "fs/op/wakeup.h"
#include "ring/request.h"

/* Store requests that need no allocation of their own list. */
#define OP_INLINE_CALLS 4

struct op {
	struct fs *fs;
	fuse_req_t req;       /* NULL: nobody waits for a reply */
	uid_t user;           /* without one: on whose behalf it is */
	bool charged;         /* he is with one of his QUOTA_EMPTY, until it is over */
	uint64_t unique;      /* its number, 0: not known */
	LIST_ENTRY(op) unique_link; /* if it is */
	enum op_kind kind;    /* for logs and counters */
	struct inode *inode;  /* what it is about, with a reference; may be NULL */
	struct inode *target; /* new parent of a rename, or the directory that is asked for, with a
	                       * reference; may be NULL */
	struct handle *handle; /* borrowed: open until RELEASE; may be NULL */
	char *name;           /* in inode; owned, may be NULL */
	char *new_name;       /* in target; owned, may be NULL */
	char *data;           /* bytes to write, or what the operation keeps; owned, may be NULL */
	size_t data_len;      /* of `data` where the operation has put something else there */
	size_t size;          /* bytes to write, or room for what is read */
	off_t off;            /* where they are in the file */
	off_t new_size;       /* of a truncate */
	unsigned flags;       /* as the system call got them */
	unsigned revents;     /* of a POLL that asks the store */
	bool commit;          /* of a parked end of a transaction */
	bool was_empty;       /* of a rename: the node has neither value nor children */
	struct fuse_file_info fi;
	struct kept_poll *poll; /* of a POLL that may be kept; owned until it is; NULL: none */
	uint64_t seq;     /* of the last event when it began */
	uint64_t changes; /* of the table of inodes when it began */
	uint64_t events; /* inode->events before the store was asked */
	uint64_t foreign; /* inode_foreign() before that */
	uint32_t epoch;  /* the connection of the transaction that it runs in, 0: in none */
	bool wrote;      /* a change in a transaction was made, or may have been */
	int finding;     /* the error by tx_finding(), 0: none */

	/* Of transaction_start(). */
	struct transaction *tx;
	void (*tx_started)(struct op *op, struct transaction *tx, int err);

	/* The store requests of the present round, with a reference each. */
	struct request **calls;
	unsigned n_calls;
	unsigned max_calls;
	struct request *inline_calls[OP_INLINE_CALLS];
	bool no_memory; /* one could not be made */

	void (*done)(struct op *op);
	void (*run)(struct op *op);
	void (*not_run)(struct op *op, int error); /* instead of that */
	void (*then)(struct op *op); /* what goes on after node_flush_empty(), or untold_wait_briefly() */
	uint64_t until_ms;           /* of the latter: the time, by inode_now_ms(), past which to wait no more */

	/* Of op_ask(), and op_ask_node(). */
	uint32_t asks;
	void (*asked)(struct op *op);
	void (*again)(struct op *op);
	uint64_t moved; /* inode_moved() when its paths were made */

	void (*perms_set)(struct op *op); /* what goes on after perms_set() */
	struct perms_told perms_before, perms_noted; /* told.h; the same where nothing was noted */

	/* Of node_put_value(). */
	void (*put)(struct op *op, int err);
	size_t value_len;
	bool may_create; /* the node need not be there yet */
	bool keep;       /* if it is, it keeps its value */
	unsigned contents; /* of a RELEASE: inode->contents then */
	bool released;     /* of one: is on inode->releases */
	LIST_ENTRY(op) release_link;

	struct gather gather;
	struct pool_work work;
	uint64_t started_ns;
	uint64_t answered_ns; /* when the store answered last, 0: it was not asked, or did not */
	bool was_parked;      /* it may have waited for something else */

	/* Waits without a store request, and how that is ended; see op_park(). */
	void (*unpark)(struct op *op);
	TAILQ_ENTRY(op) parked_link;

	pthread_cond_t wake; /* one of the next three, or what else a thread of the pool waits for */
	bool interrupted;
	bool submitted; /* the calls are the channel's to end, and the interrupter's to give up */
	bool answered;  /* all calls of op_wait() are done */
	unsigned refs;
	struct op_list *due_list; /* fs->interrupted, fs->parked, or NULL */
	uint64_t due_ns; /* when it is given up */
	TAILQ_ENTRY(op) due_link;
};

/*
 * Begins an operation on behalf of `req` (NULL: on nobody's), about `nodeid` (0: none).
 * Returns it, or NULL having replied: ENOMEM, or ESTALE for a nodeid that is not known, or one in a
 * transaction that is over.
 */
struct op *op_new(struct fs *fs, fuse_req_t req, fuse_ino_t nodeid, enum op_kind kind);

/* Copies a name, or bytes, into the operation.  Return false having replied ENOMEM (the operation
 * is over then). */
bool op_set_name(struct op *op, const char *name);
bool op_set_data(struct op *op, const void *data, size_t size);

/*
 * Adds a store request to the round: `type` in transaction `tx_id` on `path`, with `len` more bytes
 * at `data`.  Its result will be op->calls[i], counted in the order of adding.  Without memory the
 * round ends with -ENOMEM in every call that is missing: see op_call_error().
 */
void op_call(struct op *op, uint32_t type, uint32_t tx_id, const char *path, const void *data,
	     size_t len);

/* The same for a request, in no transaction, whose whole payload is `len` bytes at `payload`. */
void op_call_message(struct op *op, uint32_t type, const void *payload, size_t len);

/* Sends the round off; `done` runs when all are answered, on the I/O thread, or here at once when
 * nothing could be sent.  The operation is no longer the caller's. */
void op_submit(struct op *op, void (*done)(struct op *op));

/*
 * The same for a round that only asks, and that nothing was waited for since its paths were made.  If something
 * is not there because this mount has renamed op->inode, or a directory above it, meanwhile, `again` begins
 * anew with no round instead of `done`, when that is over.
 */
void op_ask(struct op *op, void (*done)(struct op *op), void (*again)(struct op *op));

/* Asks so, with one request of `type` and nothing but the path, about the node of op->inode.  Takes the
 * operation, and replies if the inode has no path. */
void op_ask_node(struct op *op, uint32_t type, void (*done)(struct op *op));

/* For the pool: returns whether a rename of the directory that the operation works in, or of its target, has come as
 * far as the store, so that nobody knows where that is. */
bool op_is_astray(const struct op *op);

/* For the pool: waits until that is over.  Returns 0 or -EINTR. */
int op_wait_for_rename(struct op *op) MAY_WAIT;

/* A rename is over: what waited for that is asked for again. */
void ops_ask_again(struct fs *fs);

/* Hands the operation to the pool, where `run` goes on with it.  If it never gets there, as there is no memory, or it is
 * interrupted before, that replies with the error. */
void op_run(struct op *op, void (*run)(struct op *op));

/* The same, but calls `failed` then, at once or later, which replies. */
void op_run_else(struct op *op, void (*run)(struct op *op), void (*failed)(struct op *op, int error));

/*
 * Sends the round off and waits for all its answers.  Pool threads only.
 * Returns 0 (each call then has a result of its own), -EINTR, or -ENOMEM.
 */
int op_wait(struct op *op) MAY_WAIT;

/*
 * The same in two steps, for several operations at a time: sends the round off, and waits for its answers.
 * If the first fails (-EINTR, -ENOMEM) there is nothing to wait for.
 */
int op_wait_begin(struct op *op);
int op_wait_end(struct op *op) MAY_WAIT;

/* Sleeps for `ns` nanoseconds.  Pool threads only.  Returns 0 or -EINTR. */
int op_sleep(struct op *op, uint64_t ns) MAY_WAIT;

/* Returns how call `i` of the round ended: 0 or -errno as in xsfs's error table; -ESTALE for what
 * failed in a user's transaction because that is over. */
int op_call_error(const struct op *op, unsigned i);

/* Returns the same without translation. */
int op_call_raw_error(const struct op *op, unsigned i);

/* Drops the round, so that a new one can begin. */
void op_calls_clear(struct op *op);

/* Returns the process that asks, 0 where that is not known: nobody, or one in a namespace of its own. */
pid_t op_process(const struct op *op);

/* Returns the user who asks, or on whose behalf the operation is. */
uid_t op_user(const struct op *op);

/* Returns whether events tell of all that happens to an inode, whose node is `path`. */
bool op_is_covered(const struct op *op, const struct inode *inode, const char *path);

/*
 * The operation will wait for something else than the store.  When it is interrupted `unpark` runs
 * on the I/O thread: it takes the operation off the list where it waits, and ends it.
 * Returns 0; -EINTR if that has happened already, or -EIO if the store has died: then the caller ends
 * it.
 */
int op_park(struct op *op, void (*unpark)(struct op *op));

/* A parked operation is to wait no more, and is the caller's to go on with. */
void op_unpark(struct op *op);

/* Keeps the operation's poll, if it has one, in *kept, and frees the one that was there before. */
void op_keep_poll(struct op *op, struct kept_poll **kept);

/* Fills in what the table of inodes knows better: the number, and the time of the last change, if any. */
void op_stamp(const struct inode *inode, struct stat *st);

/* The ends: each replies and frees the operation. */
void op_reply_error(struct op *op, int error); /* 0 or -errno */
void op_reply_entry(struct op *op, struct inode *inode, const struct stat *attr);
void op_reply_create(struct op *op, struct inode *inode, const struct stat *attr,
		     struct handle *handle);
void op_reply_open(struct op *op, struct handle *handle);
void op_reply_attr(struct op *op, const struct stat *attr);
void op_reply_buf(struct op *op, const void *buf, size_t size);
void op_reply_write(struct op *op, size_t count);
void op_reply_xattr(struct op *op, const void *value, size_t len); /* at most op->size bytes */
void op_reply_readlink(struct op *op, const char *target);
void op_reply_poll(struct op *op, unsigned revents);
void op_reply_open_stream(struct op *op, struct handle *handle); /* FOPEN_STREAM */

/* Begins what a request of the kernel asks for: calls a function of the session's table, as
 * fuse_session_process_buf() does.  Any thread. */
void ops_process(struct fs *fs, const struct fuse_buf *buf) REQUIRES(fs_lock_held);

/*
 * Ends the operations of the interrupted list that had their time to end by themselves.  I/O thread.
 * Returns the milliseconds after which to call it again, or -1 if there is no other on the list.
 */
int ops_interrupt(struct fs *fs) REQUIRES(fs_lock_held);

#endif
