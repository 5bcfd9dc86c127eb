/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target for all of fs/: a mount without /dev/fuse, between a kernel that sends requests in any order
 * (fuzz_kernel.c) and a store that answers as it likes.  Its threads take turns (fuzz_turns.c), and time passes
 * when the input says so.  Whatever happens, each request gets one answer, and nothing is left behind.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fs/events/cover.h"
#include "fs/events/poll.h"
#include "fs/events/untold.h"
#include "fs/fs.h"
#include "fs/loop.h"
#include "fs/model/listing.h"
#include "fs/op/op.h"
#include "fs/op/transaction.h"
#include "fs/special/special_files.h"
#include "tests/fake_store.h"
#include "tests/fuzz.h"
#include "tests/fuzz_kernel.h"
#include "tests/fuzz_turns.h"

#define PENDING_MAX 64

struct mount {
	struct fuzz in;
	struct fake_store *store;
	struct chan *chan;
	struct fs *fs;
	struct fake_msg pending[PENDING_MAX]; /* what the store got and did not answer */
	unsigned n_pending;
	unsigned tx; /* the number of the last transaction */
	char token[32];
};

/* Formats a line, and forgets it. */
static void ignore(struct logger *log, enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];

	(void)log;
	(void)level;
	vsnprintf(line, sizeof(line), fmt, ap);
}

/* ---- the store ---- */

/* Lets everything happen that can. */
static void pump(struct mount *m)
{
	struct fake_msg *msg;

	do {
		turns_run(true);
		do {
			while (chan_service(m->chan) > 0)
				;
		} while (!chan_may_sleep(m->chan));
		turns_run(true);
	} while (chan_service(m->chan) > 0);
	while (m->n_pending < PENDING_MAX && fake_store_take(m->store, &m->pending[m->n_pending])) {
		msg = &m->pending[m->n_pending++];
		assert(msg->hdr.len <= WIRE_PAYLOAD_MAX);
		if (msg->hdr.type == XS_WATCH)
			snprintf(m->token, sizeof(m->token), "%s", msg->body + strlen(msg->body) + 1);
	}
	/* Polls are notified. */
	fs_unlock(m->fs);
	fs_lock(m->fs);
}

static void reply(struct mount *m, const struct fake_msg *msg, const void *body, size_t len)
{
	fake_store_reply(m->store, msg, body, len);
}

/* Answers as a store with a few nodes would. */
static void answer_usual(struct mount *m, const struct fake_msg *msg)
{
	char text[32];

	switch (msg->hdr.type) {
	case XS_TRANSACTION_START:
		snprintf(text, sizeof(text), "%u", ++m->tx);
		reply(m, msg, text, strlen(text) + 1);
		break;
	case XS_READ:
		reply(m, msg, "value", 5);
		break;
	case XS_DIRECTORY:
		if (strlen(msg->body) < 8)
			reply(m, msg, "a\0b\0" "c", 6);
		else
			reply(m, msg, "", 0);
		break;
	case XS_DIRECTORY_PART:
		reply(m, msg, "1\0a\0\0", 5);
		break;
	case XS_GET_PERMS:
		reply(m, msg, "n0\0r1", 6);
		break;
	case XS_WATCH:
		reply(m, msg, "OK", 3);
		fake_store_event(m->store, msg->body, msg->body + strlen(msg->body) + 1);
		break;
	default:
		reply(m, msg, "OK", 3);
	}
}

static void take_pending(struct mount *m, unsigned i, struct fake_msg *msg)
{
	*msg = m->pending[i];
	m->n_pending--;
	memmove(&m->pending[i], &m->pending[i + 1], (m->n_pending - i) * sizeof(m->pending[0]));
}

/* Answers all that it has got, and what comes of that. */
static void answer_all(struct mount *m)
{
	struct fake_msg msg;

	for (unsigned i = 0; i < 500 && m->n_pending; i++) {
		take_pending(m, 0, &msg);
		answer_usual(m, &msg);
		pump(m);
	}
}

static void answer_one(struct mount *m)
{
	static const char *const errors[] = { "ENOENT", "EAGAIN", "EACCES", "EQUOTA", "E2BIG", "EINVAL",
					      "EEXIST", "ENOTEMPTY", "ENOSYS", "EWHAT" };
	unsigned i = m->n_pending ? fuzz_below(&m->in, m->n_pending) : 0;
	struct fake_msg msg;
	char data[256];

	if (!m->n_pending)
		return;
	take_pending(m, i, &msg);
	switch (fuzz_below(&m->in, 5)) {
	case 0:
		answer_usual(m, &msg);
		break;
	case 1:
		fake_store_error(m->store, &msg, errors[fuzz_below(&m->in, 10)]);
		break;
	case 2:
		reply(m, &msg, data, fuzz_bytes(&m->in, data, sizeof(data)));
		break;
	case 3:
		msg.hdr.type = fuzz_byte(&m->in);
		answer_usual(m, &msg);
		break;
	default:
		answer_usual(m, &msg);
		answer_usual(m, &msg);
	}
}

static void send_event(struct mount *m)
{
	static const char *const paths[] = { "/a", "/a/b", "/", "/b", "/c/a", "@releaseDomain" };
	unsigned which = fuzz_byte(&m->in);
	char path[64];

	if (which < 6)
		snprintf(path, sizeof(path), "%s", paths[which]);
	else
		fuzz_string(&m->in, path, sizeof(path));
	fake_store_event(m->store, path, m->token);
}

static void end_connection(struct mount *m)
{
	m->n_pending = 0;
	fake_store_eof(m->store);
	pump(m);
	fuzz_time_passes(2000);
}

static void send_bytes(struct mount *m)
{
	char data[64];

	fake_store_send(m->store, data, fuzz_bytes(&m->in, data, sizeof(data)));
}

/* ---- what else happens ---- */

static void time_passes(struct mount *m)
{
	fuzz_time_passes(fuzz_byte(&m->in) * fuzz_byte(&m->in));
	ops_interrupt(m->fs);
	transactions_expire(m->fs);
	polls_tell_unwatched(m->fs);
	untold_give_up(m->fs);
}

/* What the notifier does, without asking anybody. */
static void tell_kernel(struct mount *m)
{
	struct stale stale;
	bool last;

	while (inode_take_stale(&m->fs->inodes, &stale)) {
		stale.given = stale.content;
		last = inode_told(&m->fs->inodes, &stale);
		untold_told(m->fs, stale.inode);
		if (last)
			inode_put(&m->fs->inodes, stale.inode);
	}
}

static void ask(struct mount *m)
{
	kernel_asks(m->fs, &m->in);
}

/* Returns the name of a transaction, which has the time in it, or "none"; valid until the next call. */
static const char *transaction_name(struct mount *m)
{
	struct listing *listing = listing_new();
	static char name[64];

	assert(listing && transactions_list(m->fs, listing) == 0);
	snprintf(name, sizeof(name), "%s", listing->count ? listing->names[listing->count - 1] : "none");
	listing_put(listing);
	return name;
}

/* Opens one of the files that there may be, with a store that answers. */
static void open_file(struct mount *m)
{
	static const char *const paths[] = {
		"a", ".value", ".watch", ".next", "a/.dump", ".json", "a/.perms", ".xsfs/watch", ".xsfs/transaction",
		".xsfs/xenbus", ".xsfs/control", ".xsfs/stats", ".xsfs/nodes/a/.value", ".xsfs/nodes/a/b/.watch",
		".xsfs/tx/TX/a", ".xsfs/tx/TX/.json", ".xsfs/nodes/.dump", ".xsfs/README", ".xsfs/tx/TX/b/.value", "a/b",
	};
	char path[64], *rest = path, *name;

	strcpy(path, paths[fuzz_below(&m->in, sizeof(paths) / sizeof(paths[0]))]);
	kernel_goes_to_root();
	while ((name = strsep(&rest, "/"))) {
		kernel_looks_up(m->fs, !strcmp(name, "TX") ? transaction_name(m) : name);
		pump(m);
		answer_all(m);
		if (!kernel_arrived())
			return;
	}
	kernel_opens(m->fs, &m->in);
}

static void gap(struct mount *m)
{
	fs_unlock(m->fs);
	fs_gap(m->fs);
	fs_lock(m->fs);
}

/* Each line of a report is one, without anything that a terminal would obey. */
static void check_report(struct mount *m, const struct special *special)
{
	char *text = NULL;
	size_t size = 0;

	assert(special->text(m->fs, &text, &size) == 0);
	for (size_t i = 0; i < size; i++)
		assert((unsigned char)text[i] >= ' ' || text[i] == '\n');
	assert(!size || text[size - 1] == '\n');
	free(text);
}

static void reports(struct mount *m)
{
	check_report(m, &special_stats);
	check_report(m, &special_metrics);
	check_report(m, &special_requests);
}

/* ---- its life ---- */

static struct logger quiet = { .vlog = ignore, .debug = true };

static void begin(struct mount *m)
{
	unsigned bits = fuzz_byte(&m->in), more = fuzz_byte(&m->in);
	char name[] = "fuzz", *argv[] = { name, NULL };
	struct fs_config config = {
		.log = &quiet,
		.root = more & 1 ? "/a" : "/",
		.format = bits & 1 ? FS_RAW : FS_TEXT,
		.layout = bits & 2 ? FS_NODES : FS_TREE,
		.cache = !(bits & 4) ? FS_CACHE_OFF : more & 8 ? FS_CACHE_FULL : FS_CACHE_META,
		.umask = 0077,
		.strict_modes = bits & 8,
		.privileged = bits & 16,
		.self_domid = bits & 32 ? 1 : -1,
		.threads = 1,
		.timeout_ms = 5000,
		.protect = more & 2 ? "none" : NULL,
		.dirs = more & 4 ? "/a/*" : NULL,
		.park_ms = bits & 64 ? 1000 : 0,
		.streams = 4,
		.watched = 4096,
		.transactions = 3,
		.tx_idle_s = 2,
	};

	m->store = fake_store_new();
	assert(chan_new(&m->chan, &(struct chan_config){ .transport = &m->store->transport,
							 .log = &quiet,
							 .timeout_ms = 5000 }) == 0);
	config.chan = m->chan;
	assert(fs_new(&m->fs, &config, 1, argv) == 0);
	fs_lock(m->fs);
	turns_begin(m->fs);
	kernel_begin(m->fs);
	if (config.cache != FS_CACHE_OFF) {
		m->fs->caching = true;
		m->fs->inodes.track_stale = true;
		m->fs->inodes.track_shown = config.cache == FS_CACHE_FULL;
		cover_start(m->fs);
	}
	pump(m);
}

/* As fs_run() ends. */
static void end(struct mount *m)
{
	struct fs *fs = m->fs;

	if (fuzz_below(&m->in, 2))
		answer_all(m);
	chan_shutdown(m->chan);
	turns_end_sleep();
	turns_end();
	fs_unlock(fs);
	pool_free(fs->pool);
	fs_lock(fs);
	fs->pool = NULL;
	loop_end_waiting(fs);
	tell_kernel(m);
	fs_unlock(fs);
	kernel_ends();
	assert(fs->ops_now == 0);
	fs_free(fs);
	chan_free(m->chan);
	fake_store_free(m->store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const commands[])(struct mount *m) = {
		ask, ask, ask, open_file, answer_all, answer_one, send_event, send_bytes, end_connection, time_passes,
		tell_kernel, reports, gap,
	};
	struct mount *m = calloc(1, sizeof(*m));

	assert(m);
	m->in = (struct fuzz){ data, data + size };
	begin(m);
	while (!fuzz_is_over(&m->in)) {
		commands[fuzz_below(&m->in, sizeof(commands) / sizeof(commands[0]))](m);
		pump(m);
	}
	end(m);
	free(m);
	return 0;
}
