/* SPDX-License-Identifier: MIT */
/* The machine of machine.h. */
#include <errno.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fs/events/cover.h"
#include "fs/events/notifier.h"
#include "fs/events/poll.h"
#include "fs/fs.h"
#include "fs/loop.h"
#include "fs/op/lock.h"
#include "fs/op/op.h"
#include "fs/op/pool.h"
#include "fs/op/transaction.h"
#include "ring/clock.h"
#include "tests/faults/machine_impl.h"
#include "tests/faults/memory.h"
#include "tests/faults/time.h"
#include "tests/kernel_read.h"

#define NSEC_PER_MSEC UINT64_C(1000000)

/* Room for the longest request. */
#define REQUEST_MAX 16384

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* ---- the kernel ---- */

/* Receives what libfuse writes to the kernel. */
static ssize_t kernel_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fs *fs = userdata;
	struct machine *m = (struct machine *)((char *)fs->log - offsetof(struct machine, log));
	struct machine_answer *answer;
	struct fuse_out_header header;
	size_t total = 0;

	(void)fd;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	memory_own_begin();
	answer = must(calloc(1, sizeof(*answer) + total));
	memory_own_end();
	memcpy(&header, iov[0].iov_base, sizeof(header));
	if (header.len != total || iov[0].iov_len != sizeof(header))
		abort();
	answer->unique = header.unique;
	answer->error = header.error;
	for (int i = 1; i < count; i++) {
		memcpy(answer->body + answer->len, iov[i].iov_base, iov[i].iov_len);
		answer->len += iov[i].iov_len;
	}
	pthread_mutex_lock(&m->lock);
	TAILQ_INSERT_TAIL(&m->answers, answer, link);
	pthread_mutex_unlock(&m->lock);
	return total;
}

uint64_t machine_ask(struct machine *m, uint32_t opcode, uint64_t nodeid, const struct iovec *args, int count)
{
	struct fuse_in_header header = {
		.len = sizeof(header),
		.opcode = opcode,
		.unique = ++m->unique,
		.nodeid = nodeid,
		.uid = getuid(),
		.gid = getgid(),
		.pid = getpid(),
	};
	char data[REQUEST_MAX];
	struct fuse_buf buf = { .mem = data };

	for (int i = 0; i < count; i++) {
		if (header.len + args[i].iov_len > sizeof(data))
			abort();
		if (args[i].iov_len)
			memcpy(data + header.len, args[i].iov_base, args[i].iov_len);
		header.len += args[i].iov_len;
	}
	memcpy(data, &header, sizeof(header));
	buf.size = header.len;
	fs_lock(m->fs);
	fuse_session_process_buf(m->fs->se, &buf);
	fs_unlock(m->fs);
	return header.unique;
}

/* Takes the answer to a request; whatever else is there is dropped. */
static struct machine_answer *take_answer(struct machine *m, uint64_t unique)
{
	struct machine_answer *answer, *next, *found = NULL;

	pthread_mutex_lock(&m->lock);
	for (answer = TAILQ_FIRST(&m->answers); answer; answer = next) {
		next = TAILQ_NEXT(answer, link);
		if (answer->unique == unique && unique) {
			TAILQ_REMOVE(&m->answers, answer, link);
			found = answer;
		} else if (!answer->unique || !unique) {
			TAILQ_REMOVE(&m->answers, answer, link);
			free(answer);
		}
	}
	pthread_mutex_unlock(&m->lock);
	return found;
}

/* ---- the loop ---- */

static int earlier(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

static int run_timers(struct fs *fs)
{
	return earlier(ops_interrupt(fs), earlier(transactions_expire(fs), polls_tell_unwatched(fs)));
}

/* Turns without end, while no time passes, are a loop that spins. */
#define TURNS_MAX 1000000

/* Does what can be done now.  Returns whether anything was, or is being, done. */
static bool turn(struct machine *m)
{
	/* Those that are awake now might act behind the back of what follows. */
	bool busy = threads_wait();

	if (m->turns++ > TURNS_MAX) {
		fprintf(stderr, "the loop spins, and nothing comes of it\n");
		abort();
	}
	fs_lock(m->fs);
	run_timers(m->fs);
	busy = chan_service(m->chan) > 0 || busy;
	memory_own_begin();
	busy = machine_serve(m) || busy;
	memory_own_end();
	if (!chan_may_sleep(m->chan))
		busy = true;
	fs_unlock(m->fs);
	return threads_wait() || busy;
}

/* Returns after how many milliseconds something will happen by itself, or -1. */
static int next_ms(struct machine *m)
{
	uint64_t now = clock_now_ns(CLOCK_MONOTONIC);
	const struct machine_packet *p;
	int ms;

	fs_lock(m->fs);
	ms = earlier(run_timers(m->fs), chan_timeout(m->chan));
	fs_unlock(m->fs);
	TAILQ_FOREACH(p, &m->packets, link)
		ms = earlier(ms, p->due_ns <= now ? 0 : (int)((p->due_ns - now) / NSEC_PER_MSEC) + 1);
	return earlier(ms, threads_due_ms());
}

/* Lets time pass up to what happens next, at most `*left` ms, which it takes away. Returns whether there was any. */
static bool skip(struct machine *m, uint64_t *left)
{
	int ms = next_ms(m);

	if (ms < 0 || (uint64_t)ms > *left)
		return false;
	/* One more, because each of these clocks is rounded in a way of its own. */
	ms++;
	*left -= (uint64_t)ms < *left ? (uint64_t)ms : *left;
	time_skip(ms);
	m->turns = 0;
	return true;
}

/* Does what is to be done when everybody sleeps.  Returns whether there was anything. */
static bool do_next(struct machine *m)
{
	const struct fault *fault = m->fault;
	void (*stir)(struct machine *m) = m->stir;

	if (m->armed && m->struck && fault && fault->later) {
		m->fault = NULL;
		fault->later(m);
		return true;
	}
	m->stir = NULL;
	if (stir)
		stir(m);
	return stir;
}

const struct machine_answer *machine_await(struct machine *m, uint64_t unique)
{
	uint64_t left = MACHINE_PATIENCE_MS;

	free(m->taken);
	m->taken = NULL;
	for (;;) {
		m->taken = take_answer(m, unique);
		if (m->taken)
			return m->taken;
		if (turn(m))
			continue;
		if (!do_next(m) && !skip(m, &left))
			return NULL;
	}
}

void machine_settle(struct machine *m, uint64_t ms)
{
	do {
		while (turn(m))
			;
	} while (skip(m, &ms));
	take_answer(m, 0);
}

/* ---- its life ---- */

static void forget_line(struct logger *log, enum log_level level, const char *fmt, va_list ap)
{
	struct machine *m = (struct machine *)((char *)log - offsetof(struct machine, log));
	char line[400];

	(void)level;
	/* Formatted, so that the sanitizers see what the arguments point to. */
	vsnprintf(line, sizeof(line), fmt, ap);
	if (log->debug)
		fprintf(stderr, "%s%s\n", m->armed ? "* " : "  ", line);
}

static void session_start(struct machine *m)
{
	static const struct fuse_custom_io io = { .writev = kernel_writev, .read = kernel_read };
	const struct fuse_init_in init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = 4096,
		.flags = FUSE_ATOMIC_O_TRUNC | FUSE_PARALLEL_DIROPS | FUSE_INIT_EXT,
	};
	struct iovec arg = { (void *)&init, sizeof(init) };

	/* libfuse closes the descriptor at the end, and uses it for nothing else. */
	if (fuse_session_custom_io(m->fs->se, &io, eventfd(0, EFD_CLOEXEC)))
		abort();
	if (!machine_await(m, machine_ask(m, FUSE_INIT, 0, &arg, 1)))
		abort();
}

/* As fs_run() does at its start. */
static void start_caching(struct machine *m)
{
	fs_lock(m->fs);
	if (notifier_start(m->fs))
		abort();
	m->fs->caching = true;
	m->fs->inodes.track_stale = true;
	m->fs->inodes.track_shown = m->fs->config.cache == FS_CACHE_FULL;
	cover_start(m->fs);
	fs_unlock(m->fs);
}

static void fs_start(struct machine *m, bool keeps_values)
{
	const struct chan_config chan_config = {
		.transport = &m->wire.transport,
		.log = &m->log,
		.timeout_ms = MACHINE_TIMEOUT_MS,
	};
	struct fs_config config = {
		.log = &m->log,
		.root = "/",
		.umask = 0077,
		.cache = keeps_values ? FS_CACHE_FULL : FS_CACHE_META,
		.privileged = true,
		.self_domid = -1,
		.threads = 1,
		.timeout_ms = MACHINE_TIMEOUT_MS,
		.streams = 1000,
		.watched = 1000000,
		.transactions = 1000,
	};
	char name[] = "test", *argv[] = { name, NULL };

	if (chan_new(&m->chan, &chan_config))
		abort();
	config.chan = m->chan;
	if (fs_new(&m->fs, &config, 1, argv))
		abort();
}

struct machine *machine_new(const struct fake_tree *tree, bool paged, size_t piece, bool keeps_values,
			    const struct fault *fault)
{
	struct machine *m = must(calloc(1, sizeof(*m)));

	m->log = (struct logger){ .vlog = forget_line, .debug = getenv("XSFS_FAULTS_TRACE") };
	TAILQ_INIT(&m->packets);
	TAILQ_INIT(&m->answers);
	pthread_mutex_init(&m->lock, NULL);
	m->server = machine_server_new(tree);
	wire_init(&m->wire, paged, piece);
	fs_start(m, keeps_values);
	session_start(m);
	if (fault && fault->from_start)
		machine_arm(m, fault, 0);
	start_caching(m);
	machine_settle(m, 0);
	return m;
}

/* As fs_run() does at its end. */
static void fs_end(struct machine *m)
{
	struct fs *fs = m->fs;

	fs_lock(fs);
	chan_shutdown(m->chan);
	fs_unlock(fs);
	pool_free(fs->pool);
	fs_lock(fs);
	fs->pool = NULL;
	loop_end_waiting(fs);
	fs_unlock(fs);
	while (!notifier_end(fs))
		sched_yield();
	if (fs->ops_now)
		abort();
	fs_free(fs);
	chan_free(m->chan);
}

void machine_free(struct machine *m)
{
	struct machine_answer *answer;

	fs_end(m);
	while ((answer = TAILQ_FIRST(&m->answers))) {
		TAILQ_REMOVE(&m->answers, answer, link);
		free(answer);
	}
	free(m->taken);
	machine_drop_packets(m);
	if (m->peer)
		fake_peer_free(m->peer);
	fake_server_free(m->server);
	wire_free(&m->wire);
	pthread_mutex_destroy(&m->lock);
	free(m);
}
