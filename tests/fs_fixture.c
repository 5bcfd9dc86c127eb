/* SPDX-License-Identifier: MIT */
/* The fixture of fs_fixture.h. */
#include <errno.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/op/lock.h"
#include "fs/op/transaction_impl.h"
#include "tests/fs_fixture.h"
#include "tests/kernel_read.h"

/* Returns for how many seconds to wait before giving up on something expected, as
 * in functions.sh. */
unsigned patience_s(void)
{
	const char *value = getenv("XSFS_TEST_PATIENCE");

	return value ? strtoul(value, NULL, 10) : 120;
}

/* ---- the kernel ---- */

/* The stack grows downwards wherever this runs.  Threads of the pool have others. */
static void note_depth(struct fs_fixture *fx)
{
	char *here = __builtin_frame_address(0);

	if (pthread_equal(pthread_self(), fx->test_thread) && (!fx->deepest || here < fx->deepest))
		fx->deepest = here;
}

/* Receives what libfuse writes to the kernel. */
static ssize_t kernel_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fs_fixture *fx = userdata;
	struct kernel_msg *msg = calloc(1, sizeof(*msg));
	struct fuse_out_header header;
	size_t total = iov[0].iov_len, room;

	(void)fd;
	assert_non_null(msg);
	note_depth(fx);
	assert_true(iov[0].iov_len == sizeof(header));
	memcpy(&header, iov[0].iov_base, sizeof(header));
	msg->unique = header.unique;
	msg->error = header.error;
	for (int i = 1; i < count; i++) {
		room = sizeof(msg->body) - msg->len;
		memcpy(msg->body + msg->len, iov[i].iov_base,
		       iov[i].iov_len < room ? iov[i].iov_len : room);
		msg->len += iov[i].iov_len;
		total += iov[i].iov_len;
	}
	assert_int_equal(header.len, total);
	if (fx->kernel_gone) {
		free(msg);
		errno = ENOENT;
		return -1;
	}
	pthread_mutex_lock(&fx->lock);
	*fx->last = msg;
	fx->last = &msg->next;
	pthread_mutex_unlock(&fx->lock);
	return total;
}

static void begin_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs_fixture *fx = fuse_req_userdata(req);

	(void)fi;
	fx->begun = op_new(&fx->fs, req, ino, OP_GETATTR);
}

static void begin_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		       struct fuse_pollhandle *ph)
{
	struct fs_fixture *fx = fuse_req_userdata(req);

	(void)fi;
	fx->begun = op_new(&fx->fs, req, ino, OP_POLL);
	assert_non_null(fx->begun);
	fx->begun->poll = kept_poll_new(ph, &fx->fs.poll_counters);
	assert_non_null(fx->begun->poll);
}

static const struct fuse_lowlevel_ops session_ops = {
	.getattr = begin_getattr,
	.poll = begin_poll,
};

/* Gives libfuse a request.  Returns its number. */
static uint64_t kernel_sends(struct fs_fixture *fx, uint32_t opcode, uint64_t nodeid, const void *arg,
			 size_t size)
{
	struct fuse_in_header header = {
		.len = sizeof(header) + size,
		.opcode = opcode,
		.unique = ++fx->requests,
		.nodeid = nodeid,
		.uid = getuid(),
		.gid = getgid(),
	};
	char data[256];
	struct fuse_buf buf = { .mem = data, .size = header.len };

	assert_true(header.len <= sizeof(data));
	memcpy(data, &header, sizeof(header));
	memcpy(data + sizeof(header), arg, size);
	fx->begun = NULL;
	ops_process(&fx->fs, &buf);
	return header.unique;
}

static void session_start(struct fs_fixture *fx)
{
	static const struct fuse_custom_io io = { .writev = kernel_writev, .read = kernel_read };
	const struct fuse_init_in init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_readahead = 4096,
	};
	char name[] = "test", *argv[] = { name, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);

	fx->fs.se = fuse_session_new(&args, &session_ops, sizeof(session_ops), fx);
	fuse_opt_free_args(&args);
	assert_non_null(fx->fs.se);
	/* libfuse closes the descriptor at the end, and uses it for nothing else. */
	assert_int_equal(fuse_session_custom_io(fx->fs.se, &io, eventfd(0, EFD_CLOEXEC)), 0);
	fx->unique = kernel_sends(fx, FUSE_INIT, 0, &init, sizeof(init));
	kernel_hears_error(fx, 0);
}

struct op *kernel_asks(struct fs_fixture *fx, uint64_t nodeid)
{
	const struct fuse_getattr_in in = { 0 };

	fx->unique = kernel_sends(fx, FUSE_GETATTR, nodeid, &in, sizeof(in));
	return fx->begun;
}

struct op *kernel_polls(struct fs_fixture *fx, uint64_t nodeid, uint64_t kh)
{
	const struct fuse_poll_in in = { .kh = kh, .flags = FUSE_POLL_SCHEDULE_NOTIFY };

	fx->unique = kernel_sends(fx, FUSE_POLL, nodeid, &in, sizeof(in));
	return fx->begun;
}

uint64_t kernel_interrupts(struct fs_fixture *fx, uint64_t unique)
{
	const struct fuse_interrupt_in in = { .unique = unique };

	return kernel_sends(fx, FUSE_INTERRUPT, 0, &in, sizeof(in));
}

void grace_is_over(struct fs_fixture *fx)
{
	int wait_ms;

	while ((wait_ms = ops_interrupt(&fx->fs)) >= 0)
		poll(NULL, 0, wait_ms);
}

static struct kernel_msg *next_msg(struct fs_fixture *fx)
{
	struct kernel_msg *msg;

	pthread_mutex_lock(&fx->lock);
	msg = fx->first;
	if (msg)
		fx->first = msg->next;
	if (msg && !fx->first)
		fx->last = &fx->first;
	pthread_mutex_unlock(&fx->lock);
	return msg;
}

static bool has_msg(void *arg)
{
	struct fs_fixture *fx = arg;
	bool has;

	pthread_mutex_lock(&fx->lock);
	has = fx->first != NULL;
	pthread_mutex_unlock(&fx->lock);
	return has;
}

/* Releases the lock for a moment, in which polls are notified and the pool works. */
static void let_others_work(struct fs_fixture *fx)
{
	fs_unlock(&fx->fs);
	fs_lock(&fx->fs);
}

const struct kernel_msg *kernel_hears(struct fs_fixture *fx)
{
	let_others_work(fx);
	wait_until(fx, has_msg, fx);
	free(fx->taken);
	fx->taken = next_msg(fx);
	return fx->taken;
}

const struct kernel_msg *kernel_hears_of(struct fs_fixture *fx, uint64_t unique, int error)
{
	const struct kernel_msg *msg = kernel_hears(fx);

	assert_int_equal(msg->unique, unique);
	assert_int_equal(msg->error, error);
	return msg;
}

const struct kernel_msg *kernel_hears_error(struct fs_fixture *fx, int error)
{
	return kernel_hears_of(fx, fx->unique, error);
}

void kernel_hears_poll(struct fs_fixture *fx, uint64_t kh)
{
	const struct kernel_msg *msg = kernel_hears_of(fx, 0, FUSE_NOTIFY_POLL);
	struct fuse_notify_poll_wakeup_out out;

	memcpy(&out, msg->body, sizeof(out));
	assert_int_equal(out.kh, kh);
}

void kernel_hears_nothing(struct fs_fixture *fx)
{
	let_others_work(fx);
	if (has_msg(fx))
		fail_msg("the kernel got an answer to %llu, error %d",
			 (unsigned long long)fx->first->unique, fx->first->error);
}

/* ---- the store ---- */

static bool has_sent(void *arg)
{
	struct fs_fixture *fx = arg;

	return fake_store_sent(fx->base->store) > 0;
}

struct fake_msg store_gets(struct fs_fixture *fx, uint32_t type, const char *path)
{
	wait_until(fx, has_sent, fx);
	return take(fx->base, type, path);
}

void store_answers(struct fs_fixture *fx, uint32_t type, const char *path, const char *body)
{
	struct fake_msg msg = store_gets(fx, type, path);

	answer(fx->base, &msg, body);
}

void store_refuses(struct fs_fixture *fx, uint32_t type, const char *path, const char *error)
{
	struct fake_msg msg = store_gets(fx, type, path);

	fake_store_error(fx->base->store, &msg, error);
	pump(fx->base);
}

void store_gets_nothing(struct fs_fixture *fx)
{
	pump(fx->base);
	take_nothing(fx->base);
}

/* ---- waiting ---- */

void wait_until(struct fs_fixture *fx, bool (*done)(void *arg), void *arg)
{
	time_t end = time(NULL) + patience_s();

	pump(fx->base);
	while (!done(arg)) {
		if (time(NULL) > end)
			fail_msg("nothing came");
		fs_unlock(&fx->fs);
		poll(NULL, 0, 1);
		fs_lock(&fx->fs);
		pump(fx->base);
	}
}

/* ---- the filesystem ---- */

static bool covers(struct fs *fs, const char *path)
{
	struct fs_fixture *fx = (struct fs_fixture *)fs;

	return fx->covered && !(fx->uncovered && path_below(path, fx->uncovered));
}

static void tell_kernel(struct fs *fs)
{
	((struct fs_fixture *)fs)->told++;
}

struct fs_fixture *fs_fixture_new(void)
{
	static const uint64_t shares[QUOTA_KINDS] = { QUOTA_NONE, QUOTA_NONE, QUOTA_NONE, QUOTA_NONE, QUOTA_NONE };
	/* Tests call the operations of a floor themselves. */
	static const struct inode_ops *const no_ops[INODE_KINDS];
	struct fs_fixture *fx = calloc(1, sizeof(*fx));
	struct fs *fs;

	assert_non_null(fx);
	fx->test_thread = pthread_self();
	fx->base = fixture_new();
	fixture_start(fx->base);
	pthread_mutex_init(&fx->lock, NULL);
	fx->last = &fx->first;
	fs = &fx->fs;
	fs->config = (struct fs_config){
		.chan = fx->base->chan,
		.log = &fx->base->log,
		.root = "/",
		.umask = 0077,
		.privileged = true,
		.self_domid = -1,
		.threads = 1,
		.timeout_ms = 1000 * patience_s(),
	};
	fs->chan = fx->base->chan;
	fs->log = &fx->base->log;
	fs->root_view.empty_nodes = fs->nodes_view.empty_nodes = &fs->empty_nodes;
	fs->nodes_view.layout = FS_NODES;
	fs->wake_readers = -1;
	fs->covers = covers;
	fs->tell_kernel = tell_kernel;
	fs->root_listable = 1;
	TAILQ_INIT(&fs->interrupted);
	TAILQ_INIT(&fs->parked);
	TAILQ_INIT(&fs->untold);
	TAILQ_INIT(&fs->astray);
	fs_lock_init(fs);
	handles_init(&fs->handles, &fs->inodes, &fs->quotas, fs);
	empty_nodes_init(&fs->empty_nodes);
	quotas_init(&fs->quotas, shares, fs->log);
	events_init(&fs->events);
	fs->transactions = transactions_new();
	fs->pool = pool_new(fs, 2);
	assert_non_null(fs->transactions);
	assert_non_null(fs->pool);
	assert_int_equal(dirs_init(&fs->dirs, NULL), 0);
	assert_int_equal(inodes_init(&fs->inodes, "/", &fs->root_view, no_ops), 0);
	fs_lock(fs);
	session_start(fx);
	return fx;
}

void fs_fixture_shutdown(struct fs_fixture *fx)
{
	chan_shutdown(fx->fs.chan);
	fs_unlock(&fx->fs);
	pool_free(fx->fs.pool);
	fs_lock(&fx->fs);
	fx->fs.pool = NULL;
	transactions_shutdown(&fx->fs);
}

void fs_fixture_free(struct fs_fixture *fx)
{
	struct fs *fs = &fx->fs;

	fs_fixture_shutdown(fx);
	handles_deinit(&fs->handles);
	if (fx->deinit)
		fx->deinit(fx);
	fs_unlock(fs);
	assert_int_equal(fs->ops_now, 0);
	fuse_session_destroy(fs->se);
	inodes_deinit(&fs->inodes);
	transactions_free(fs->transactions);
	events_deinit(&fs->events);
	empty_nodes_deinit(&fs->empty_nodes);
	patterns_deinit(&fs->dirs);
	pthread_mutex_destroy(&fs->lock);
	fixture_free(fx->base);
	do {
		free(fx->taken);
		fx->taken = next_msg(fx);
	} while (fx->taken);
	pthread_mutex_destroy(&fx->lock);
	free(fx);
}

int fs_fixture_setup(void **state)
{
	*state = fs_fixture_new();
	return 0;
}

int fs_fixture_teardown(void **state)
{
	fs_fixture_free(*state);
	return 0;
}

struct inode *known_inode(struct fs_fixture *fx, const char *name, enum inode_kind kind)
{
	struct inodes *inodes = &fx->fs.inodes;
	struct inode *inode = inode_intern(inodes, inodes->root, name, kind, &fx->fs.root_view, NULL);

	assert_non_null(inode);
	inode_remember(inode);
	inode_put(inodes, inode);
	return inode;
}

static void close_transaction(struct fs *fs, void *own)
{
	(void)fs;
	transaction_close(own);
}

static void started(struct op *op, struct transaction *tx, int err)
{
	assert_int_equal(err, 0);
	handle_set_own(op->handle, tx, close_transaction);
	op_reply_open(op, op->handle);
}

struct handle *open_transaction(struct fs_fixture *fx, const char *tx_id)
{
	struct inode *inode = known_inode(fx, ".transaction", INODE_SPECIAL);
	struct op *op = kernel_asks(fx, inode->nodeid);
	struct handle *handle = handle_new(&fx->fs.handles, inode, 0);

	assert_non_null(handle);
	op->handle = handle;
	transaction_start(op, started);
	store_answers(fx, XS_TRANSACTION_START, "", tx_id);
	kernel_hears_error(fx, 0);
	return handle;
}

static bool has_waiters(void *arg)
{
	struct transaction *tx = arg;

	return !TAILQ_EMPTY(&tx->waiters);
}

void wait_for_turns(struct fs_fixture *fx, struct transaction *tx)
{
	wait_until(fx, has_waiters, tx);
}
