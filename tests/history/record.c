/* SPDX-License-Identifier: MIT */
/*
 * Records histories: a thread for each client, which does random operations on the small tree
 * through a mount, a raw client or the server's socket, and notes when and what came of it.
 *
 * The seed decides what each client does; how they meet is chance.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

#include "tests/history/disaster.h"
#include "tests/history/history.h"
#include "tests/store_request.h"

/* A key beside p and q, so that their directory is one whatever happens. */
#define KEEP "keep"

/* How long a mount may take to show what the store has, and a history to end. */
#define SETTLE_NS INT64_C(60000000000)
#define END_SECONDS 120

#define PATH_MAX_ 512
#define STEPS_PER_CLIENT 40

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#endif

struct client {
	struct recorder *recorder;
	pthread_t thread;
	unsigned id;
	unsigned view;
	unsigned random;
	unsigned n_written; /* values, for their names */
	unsigned slot;      /* of the last open file */
	int fds[VIEWS];     /* connections of the raw views; -1: not open */
	unsigned connections[VIEWS]; /* strike_connections() when they were made */
	unsigned files;     /* strike_files() of the last open file */
	struct texts *texts;
	unsigned n_steps;
	struct step steps[STEPS_PER_CLIENT];
};

struct recorder {
	struct record_config config;
	struct client clients[CLIENTS_MAX];
	int direct;        /* the recorder's own connection */
	unsigned n_clients; /* of this history */
	unsigned n_ops;
	unsigned base;     /* number of the directory in use */
	unsigned base_used; /* histories in it */
	int64_t began;
	struct strike strike;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned round;    /* which history, for the threads */
	unsigned running;
	bool stop;
};

static int64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static unsigned chance(unsigned *random, unsigned n)
{
	*random = *random * 1103515245 + 12345;
	return (*random >> 8) % n;
}

/* ---- the store's protocol ---- */

/* One request and its answer where the connection must not end; returns 0 or an errno.  The body has a NUL behind it. */
static int request(int fd, uint32_t type, uint32_t tx, const void *body, size_t len, char *answer,
		   size_t *answer_len)
{
	int err = store_request(fd, type, tx, body, len, answer, answer_len);

	if (err == EPIPE) {
		fprintf(stderr, "histories: a connection to the store ended: %s\n", strerror(errno));
		exit(2);
	}
	return err;
}

static int connect_to(const char *path)
{
	int fd = store_connect(path);

	if (fd < 0) {
		fprintf(stderr, "histories: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static void node_path(const struct recorder *r, const char *name, char *path)
{
	snprintf(path, PATH_MAX_, "%s/%u%s%s", r->config.node, r->base, *name ? "/" : "", name);
}

static unsigned names_of_answer(const char *answer, size_t len, int path)
{
	char name[PATH_MAX_];
	unsigned names = 0;
	int child;

	for (size_t at = 0; at < len; at += strlen(answer + at) + 1) {
		if (!answer[at])
			continue;
		snprintf(name, sizeof(name), "%s%s%s", path == PATH_BASE ? "" : path_name(path),
			 path == PATH_BASE ? "" : "/", answer + at);
		child = path_of_name(name);
		if (child == PATH_NONE || child == PATH_BASE) {
			if (path != PATH_BASE || strcmp(answer + at, KEEP))
				names |= NAMES_UNKNOWN;
		} else {
			names |= 1u << child;
		}
	}
	return names;
}

/* Carries out what `sub` says, and notes what came of it there. */
static void do_sub(const struct recorder *r, int fd, uint32_t tx, struct texts *texts,
		   struct sub *sub)
{
	static const uint32_t types[OPS] = {
		[OP_XS_READ] = XS_READ, [OP_XS_WRITE] = XS_WRITE, [OP_XS_MKDIR] = XS_MKDIR,
		[OP_XS_RM] = XS_RM, [OP_XS_DIRECTORY] = XS_DIRECTORY,
	};
	char body[PATH_MAX_ + 256], answer[XENSTORE_PAYLOAD_MAX + 1];
	size_t len, answer_len;

	node_path(r, sub->path == PATH_BASE ? "" : path_name(sub->path), body);
	len = strlen(body) + 1;
	if (sub->op == OP_XS_WRITE) {
		const char *text = texts->text[sub->value];

		memcpy(body + len, text, strlen(text));
		len += strlen(text);
	}
	sub->err = store_request(fd, types[sub->op], tx, body, len, answer, &answer_len);
	if (!sub->err && sub->op == OP_XS_READ)
		sub->value = value_of_text(texts, answer, answer_len);
	if (!sub->err && sub->op == OP_XS_DIRECTORY)
		sub->names = names_of_answer(answer, answer_len, sub->path);
}

/* ---- files ---- */

/* Writes where a path is, seen through a view of a mount. */
static void file_path(const struct recorder *r, unsigned view, int path, const char *more,
		      char *file)
{
	int mount = view_mount(view);

	assert(mount >= 0);
	snprintf(file, PATH_MAX_, "%s%s%s/%u%s%s%s", r->config.mounts[mount],
		 view_is_nodes(view) ? "/.xsfs/nodes" : "", r->config.node, r->base,
		 path == PATH_BASE ? "" : "/", path == PATH_BASE ? "" : path_name(path), more);
}

static void value_path(const struct recorder *r, unsigned view, int path, char *file)
{
	file_path(r, view, path, view_is_nodes(view) ? "/.value" : "", file);
}

/* Reads the value of an open file: 0 or an errno. */
static int read_value(int fd, struct texts *texts, uint16_t *value)
{
	char text[4096];
	ssize_t n = read(fd, text, sizeof(text));

	if (n < 0)
		return errno;
	if (n > 0 && text[n - 1] == '\n')
		n--;
	*value = value_of_text(texts, text, n);
	return 0;
}

/* What getdents64(2) gives. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

/* Adds a name to those seen. */
static void add_name(const char *name, int path, bool nodes, unsigned *seen, bool *keep)
{
	char text[PATH_MAX_] = { 0 };
	unsigned more = 0;

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return;
	snprintf(text, sizeof(text) - 1, "%s", name);
	if (path == PATH_BASE && !strcmp(name, KEEP))
		*keep = true;
	else if (strcmp(name, ".value") != 0)
		more = names_of_answer(text, strlen(text) + 1, path);
	else if (path != PATH_BASE || !nodes)
		more = NAMES_VALUE;
	if (*seen & more)
		more |= NAMES_UNKNOWN;
	*seen |= more;
}

/* Not by readdir(3), which makes an end of the error that a removed directory has. */
static int list_names(const char *file, int path, bool nodes, uint8_t *names)
{
	int fd = open(file, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	_Alignas(8) char buf[4096];
	unsigned seen = 0;
	bool keep = false;
	long n;

	if (fd < 0)
		return errno;
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n;) {
			struct entry *entry = (struct entry *)(buf + at);

			add_name(entry->name, path, nodes, &seen, &keep);
			at += entry->length;
		}
	err = n < 0 ? errno : 0;
	close(fd);
	if (path == PATH_BASE && !keep)
		seen |= NAMES_UNKNOWN;
	*names = seen;
	return err;
}

static int stat_file(const char *file, uint8_t *kind, uint32_t *size)
{
	struct stat st;

	if (lstat(file, &st))
		return errno;
	*kind = S_ISDIR(st.st_mode) ? KIND_DIR : KIND_FILE;
	*size = S_ISDIR(st.st_mode) ? 0 : st.st_size;
	return 0;
}

/* ---- steps ---- */

/* Begins a step; its time is the last thing that is taken.  Returns NULL for one on an open file whose mount is
 * dead. */
static struct step *begin(struct client *c, unsigned op, int path)
{
	struct recorder *r = c->recorder;
	struct step *step;
	int64_t from = strike_step_begins(&r->strike, c->view);

	if (op > OP_OPEN && op <= OP_CLOSE && strike_files(&r->strike, c->view) != c->files) {
		strike_step_left_out(&r->strike);
		return NULL;
	}
	if (c->n_steps == STEPS_PER_CLIENT)
		abort();
	step = &c->steps[c->n_steps++];
	*step = (struct step){ .client = c->id, .view = c->view, .op = op, .path = path,
			       .path2 = PATH_NONE };
	if (op <= OP_CLOSE)
		step->slot = c->slot;
	step->from = (r->config.disaster ? from : now()) - r->began;
	return step;
}

/* Whether it only looks, so that nothing is to be said of it when it has failed for want of an answer. */
static bool only_looks(const struct step *step)
{
	return step->op == OP_READ || step->op == OP_LIST || step->op == OP_STAT || step->op == OP_XS_READ ||
	       step->op == OP_XS_DIRECTORY;
}

/* Nor does a transaction, neither by an XS_RM in it. */
static void leave_out_base(struct step *step)
{
	unsigned n = 0;

	for (unsigned i = 0; i < step->n_subs; i++) {
		const struct sub *sub = &step->subs[i];

		if (sub->path != PATH_BASE &&
		    !(sub->op == OP_XS_RM && sub->err && path_parent(sub->path) == PATH_BASE))
			step->subs[n++] = *sub;
	}
	step->n_subs = n;
}

static void end(struct client *c, struct step *step, int err)
{
	struct recorder *r = c->recorder;

	step->to = step->back = now() - r->began;
	step->err = err;
	if (strike_step_ends(&r->strike, step->view, step->from + r->began, step->to + r->began, err != 0)) {
		/* Of the directory that all are in this says nothing while it is missing. */
		if (only_looks(step) && (err || step->path == PATH_BASE)) {
			c->n_steps--;
			return;
		}
		leave_out_base(step);
		if (err)
			step->err = err = LOST;
	} else if (err == EPIPE && view_is_raw(step->view)) {
		fprintf(stderr, "histories: a connection to the store ended: %s\n", strerror(errno));
		exit(2);
	}
	/* It may still happen. */
	if (err == EINTR || err == ETIMEDOUT || err == LOST)
		step->to = step->back = FOREVER;
}

/* Lets others come in between, or not. */
static void think(struct client *c)
{
	int64_t until;

	switch (chance(&c->random, 8)) {
	case 0:
		sched_yield();
		break;
	case 1:
		until = now() + chance(&c->random, 60000);
		while (now() < until)
			continue;
		break;
	case 2:
		usleep(chance(&c->random, 150));
		break;
	}
}

/* Sometimes leaves a file open for as long as others need to remove it. */
static void linger(struct client *c)
{
	think(c);
	if (chance(&c->random, 3) == 0)
		usleep(chance(&c->random, 3000));
}

static uint16_t new_value(struct client *c)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%c%u", 'a' + c->id, ++c->n_written);

	/* Sizes tell them apart too. */
	for (unsigned more = chance(&c->random, 9); more > 0; more--)
		text[len++] = '-';
	return value_of_text(c->texts, text, len);
}

static int some_path(struct client *c)
{
	return chance(&c->random, 8) % PATHS;
}

static int open_step(struct client *c, int path, unsigned flags, int *fd)
{
	const struct recorder *r = c->recorder;
	int how = flags & OPEN_WRITE ? O_WRONLY : O_RDONLY;
	char file[PATH_MAX_];
	struct step *step;

	if (flags & OPEN_TRUNC)
		how |= O_TRUNC;
	if (flags & OPEN_CREAT)
		how |= O_CREAT;
	if (flags & OPEN_EXCL)
		how |= O_EXCL;
	if (flags & OPEN_APPEND)
		how |= O_APPEND;
	value_path(r, c->view, path, file);
	c->slot = (c->slot + 1) % SLOTS;
	step = begin(c, OP_OPEN, path);
	c->files = strike_files(&c->recorder->strike, c->view);
	step->flags = flags;
	*fd = open(file, how | O_CLOEXEC, 0600);
	end(c, step, *fd < 0 ? errno : 0);
	return step->err;
}

static void close_step(struct client *c, int fd)
{
	struct recorder *r = c->recorder;
	struct step *step = begin(c, OP_CLOSE, PATH_NONE);
	int err;

	err = close(fd) ? errno : 0;
	if (!step)
		return;
	/* What other errors say the model knows without them. */
	if (!strike_meets(&r->strike, step->view, step->from + r->began, now()))
		err = 0;
	end(c, step, err);
	/* recorder_run() says when that has surely happened. */
	step->to = FOREVER;
}

static void write_step(struct client *c, int fd)
{
	uint16_t value = new_value(c);
	char text[80];
	int len = snprintf(text, sizeof(text), "%s\n", c->texts->text[value]);
	struct step *step = begin(c, OP_WRITE, PATH_NONE);
	ssize_t n;

	if (!step)
		return;
	step->value = value;
	n = write(fd, text, len);
	end(c, step, n == len ? 0 : n < 0 ? errno : EIO);
}

static void read_file(struct client *c)
{
	struct step *step;
	int fd, err;

	if (open_step(c, some_path(c), 0, &fd))
		return;
	think(c);
	step = begin(c, OP_READ, PATH_NONE);
	if (step) {
		err = read_value(fd, c->texts, &step->value);
		end(c, step, err);
	}
	close(fd);
}

static void write_file(struct client *c, unsigned flags)
{
	int fd;

	if (open_step(c, some_path(c), flags | OPEN_WRITE, &fd))
		return;
	linger(c);
	write_step(c, fd);
	close_step(c, fd);
}

/* Makes it empty by saying nothing. */
static void empty_file(struct client *c)
{
	unsigned flags = OPEN_WRITE | OPEN_TRUNC;
	struct step *step;
	int fd, err;

	if (!view_is_nodes(c->view) && chance(&c->random, 2))
		flags |= OPEN_CREAT;
	if (open_step(c, some_path(c), flags, &fd))
		return;
	linger(c);
	if (chance(&c->random, 2)) {
		step = begin(c, OP_FSYNC, PATH_NONE);
		if (step) {
			err = fsync(fd) ? errno : 0;
			end(c, step, err);
		}
	}
	close_step(c, fd);
}

static void path_step(struct client *c, unsigned op)
{
	const struct recorder *r = c->recorder;
	int path = some_path(c), err = 0;
	bool value = op == OP_TRUNCATE || op == OP_UNLINK;
	char file[PATH_MAX_];
	struct step *step;

	if ((op == OP_LIST || op == OP_STAT) && chance(&c->random, 2))
		path = chance(&c->random, 2);
	if (op == OP_LIST && chance(&c->random, 4) == 0 && !view_is_nodes(c->view))
		path = PATH_BASE;
	if (value)
		value_path(r, c->view, path, file);
	else
		file_path(r, c->view, path, "", file);
	step = begin(c, op, path);
	switch (op) {
	case OP_TRUNCATE:
		err = truncate(file, 0);
		break;
	case OP_UNLINK:
		err = unlink(file);
		break;
	case OP_MKDIR:
		err = mkdir(file, 0700);
		break;
	case OP_RMDIR:
		err = rmdir(file);
		break;
	case OP_MKNOD:
		err = mknod(file, S_IFREG | 0600, 0);
		break;
	case OP_LIST:
		err = list_names(file, path, view_is_nodes(c->view), &step->names);
		end(c, step, err);
		return;
	case OP_STAT:
		err = stat_file(file, &step->kind, &step->size);
		end(c, step, err);
		return;
	}
	end(c, step, err ? errno : 0);
}

static void rename_step(struct client *c)
{
	const struct recorder *r = c->recorder;
	char from[PATH_MAX_], to[PATH_MAX_];
	int path = some_path(c), path2 = some_path(c);
	unsigned flags = chance(&c->random, 3) ? 0 : OPEN_EXCL;
	struct step *step;

	/* Nothing is to come to be deeper than the model's tree. */
	if (path < 2 && path2 >= 2)
		path2 = chance(&c->random, 2);
	file_path(r, c->view, path, "", from);
	file_path(r, c->view, path2, "", to);
	step = begin(c, OP_RENAME, path);
	step->path2 = path2;
	step->flags = flags;
	end(c, step, syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to,
			     flags ? RENAME_NOREPLACE : 0) ? errno : 0);
}

/* ---- requests ---- */

/* Returns -1 if there is none to be had. */
static int connection(struct client *c)
{
	char file[PATH_MAX_];
	int *fd = &c->fds[c->view];
	unsigned connections = strike_connections(&c->recorder->strike, c->view);

	if (*fd >= 0 && connections == c->connections[c->view])
		return *fd;
	if (*fd >= 0)
		close(*fd);
	c->connections[c->view] = connections;
	if (c->view == VIEW_DIRECT) {
		*fd = store_connect(c->recorder->config.socket);
		return *fd;
	}
	snprintf(file, sizeof(file), "%s/.xsfs/xenbus",
		 c->recorder->config.mounts[view_mount(c->view)]);
	*fd = open(file, O_RDWR | O_CLOEXEC);
	return *fd;
}

static struct sub some_request(struct client *c, bool in_tx)
{
	static const uint8_t ops[] = {
		OP_XS_READ, OP_XS_READ, OP_XS_READ, OP_XS_WRITE, OP_XS_WRITE, OP_XS_WRITE,
		OP_XS_MKDIR, OP_XS_RM, OP_XS_RM, OP_XS_DIRECTORY, OP_XS_DIRECTORY,
	};
	struct sub sub = { .path = some_path(c) };

	do
		sub.op = ops[chance(&c->random, sizeof(ops))];
	/* xenstored tells nobody of a node that a transaction makes above one which it removes again: a listing in a
	 * cache never shows it. */
	while (in_tx ? sub.op == OP_XS_RM && path_parent(sub.path) != PATH_BASE :
		       !(c->recorder->config.ops >> sub.op & 1));
	if (sub.op == OP_XS_WRITE)
		sub.value = chance(&c->random, 6) ? new_value(c) : VALUE_EMPTY;
	if (sub.op == OP_XS_DIRECTORY && chance(&c->random, 4) == 0)
		sub.path = PATH_BASE;
	return sub;
}

static void request_step(struct client *c)
{
	struct sub sub = some_request(c, false);
	struct step *step = begin(c, sub.op, sub.path);

	do_sub(c->recorder, connection(c), 0, c->texts, &sub);
	step->value = sub.value;
	step->names = sub.names;
	end(c, step, sub.err);
}

/* Returns 0 or an errno; EPIPE: before the transaction was to end. */
static int tx_requests(struct client *c, struct step *step, int fd, uint32_t *tx)
{
	char answer[XENSTORE_PAYLOAD_MAX + 1];
	size_t len;
	int err = store_request(fd, XS_TRANSACTION_START, 0, "", 1, answer, &len);

	if (err)
		return err;
	*tx = strtoul(answer, NULL, 10);
	step->n_subs = 1 + chance(&c->random, 3);
	for (unsigned i = 0; i < step->n_subs && err != EPIPE; i++) {
		step->subs[i] = some_request(c, true);
		do_sub(c->recorder, fd, *tx, c->texts, &step->subs[i]);
		err = step->subs[i].err;
	}
	think(c);
	return err == EPIPE ? err : 0;
}

static void tx_step(struct client *c)
{
	char answer[XENSTORE_PAYLOAD_MAX + 1];
	struct step *step = begin(c, OP_XS_TX, PATH_NONE);
	int fd = connection(c), err;
	size_t len;
	uint32_t tx;

	err = tx_requests(c, step, fd, &tx);
	if (err) {
		end(c, step, err);
		/* What was lost before its end has no effect. */
		if (step->err == LOST)
			c->n_steps--;
		return;
	}
	end(c, step, store_request(fd, XS_TRANSACTION_END, tx, "T", 2, answer, &len));
}

/* ---- a client ---- */

static void some_step(struct client *c)
{
	static const uint8_t ops[] = {
		OP_READ, OP_READ, OP_READ, OP_WRITE, OP_WRITE, OP_WRITE, OP_WRITE, OP_WRITE,
		OP_OPEN, OP_OPEN, OP_FSYNC, OP_TRUNCATE, OP_UNLINK, OP_UNLINK, OP_UNLINK,
		OP_MKDIR, OP_MKDIR, OP_MKDIR, OP_RMDIR, OP_RMDIR, OP_RMDIR, OP_MKNOD,
		OP_RENAME, OP_RENAME, OP_RENAME, OP_RENAME, OP_LIST, OP_LIST, OP_STAT, OP_STAT,
	};
	bool nodes = view_is_nodes(c->view);
	unsigned op;

	if (view_is_raw(c->view)) {
		if ((c->recorder->config.ops >> OP_XS_TX & 1) && chance(&c->random, 5) == 0)
			tx_step(c);
		else
			request_step(c);
		return;
	}
	do
		op = ops[chance(&c->random, sizeof(ops))];
	while (!(c->recorder->config.ops >> op & 1) ||
	       (nodes && (op == OP_OPEN || op == OP_MKNOD)));
	switch (op) {
	case OP_READ:
		read_file(c);
		break;
	case OP_WRITE:
		switch (nodes ? 4 : chance(&c->random, 5)) {
		case 0:
			write_file(c, OPEN_APPEND);
			break;
		case 1:
			write_file(c, OPEN_APPEND | OPEN_CREAT);
			break;
		case 2:
		case 3:
			write_file(c, OPEN_TRUNC | OPEN_CREAT);
			break;
		default:
			write_file(c, chance(&c->random, 4) ? OPEN_TRUNC : OPEN_APPEND);
		}
		break;
	case OP_OPEN:
		write_file(c, OPEN_CREAT | OPEN_EXCL);
		break;
	case OP_FSYNC:
		empty_file(c);
		break;
	case OP_RENAME:
		rename_step(c);
		break;
	default:
		path_step(c, op);
	}
}

static void *client_run(void *arg)
{
	struct client *c = arg;
	struct recorder *r = c->recorder;
	unsigned round = 0;

	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		if (r->round == round || c->id >= r->n_clients) {
			round = r->round;
			pthread_cond_wait(&r->changed, &r->lock);
			continue;
		}
		round = r->round;
		pthread_mutex_unlock(&r->lock);
		for (unsigned i = 0; i < r->n_ops; i++) {
			some_step(c);
			think(c);
			/* It takes a while, in which some are to go on. */
			if (r->config.disaster == DISASTER_UPDATE)
				usleep(chance(&c->random, 30000));
		}
		strike_client_ends(&r->strike);
		pthread_mutex_lock(&r->lock);
		r->running--;
		pthread_cond_broadcast(&r->changed);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* ---- a history ---- */

/* Until it is there: the store may be one that loses writes. */
static void direct_write(struct recorder *r, const char *name, const char *text)
{
	char body[PATH_MAX_ + 256], answer[XENSTORE_PAYLOAD_MAX + 1];
	size_t len, answer_len;

	node_path(r, name, body);
	len = strlen(body) + 1;
	memcpy(body + len, text, strlen(text));
	do
		request(r->direct, XS_WRITE, 0, body, len + strlen(text), answer, &answer_len);
	while (request(r->direct, XS_READ, 0, body, len, answer, &answer_len) ||
	       strcmp(answer, text) != 0);
}

static int direct(struct recorder *r, struct texts *texts, struct sub *sub)
{
	do_sub(r, r->direct, 0, texts, sub);
	return sub->err;
}

static void next_base(struct recorder *r)
{
	r->base++;
	r->base_used = 0;
}

/* Removes all that was there, and makes what is to be there. */
static void make_tree(struct recorder *r, struct history *h, unsigned *random)
{
	char body[PATH_MAX_], answer[XENSTORE_PAYLOAD_MAX + 1], text[32];
	size_t len;

	node_path(r, "", body);
	request(r->direct, XS_RM, 0, body, strlen(body) + 1, answer, &len);
	if (r->base_used == r->config.reuse) {
		next_base(r);
		/* Somebody may have been here before. */
		node_path(r, "", body);
		request(r->direct, XS_RM, 0, body, strlen(body) + 1, answer, &len);
	}
	h->reused = r->base_used++ > 0;
	direct_write(r, KEEP, "kept");
	for (int i = 0; i < PATHS; i++) {
		h->initial[i] = VALUE_ABSENT;
		if (chance(random, 2) ||
		    (path_parent(i) != PATH_BASE && h->initial[path_parent(i)] == VALUE_ABSENT))
			continue;
		snprintf(text, sizeof(text), "i%d", i);
		if (chance(random, 3) == 0)
			*text = '\0';
		h->initial[i] = value_of_text(h->texts, text, strlen(text));
		direct_write(r, path_name(i), text);
	}
}

/* Returns whether a mount shows a path as it is in the store, and says what is wrong. */
static bool shows_path(struct recorder *r, struct history *h, const uint16_t *values, unsigned view,
		       int path, char *why, size_t size)
{
	unsigned has = 0, children = 0;
	uint32_t bytes = 0, right;
	uint8_t kind = KIND_NONE, names = 0;
	char file[PATH_MAX_];
	int err;

	for (int i = 0; i < PATHS; i++)
		if (path_parent(i) == path && values[i] != VALUE_ABSENT)
			children |= 1u << i;
	has = path == PATH_BASE || values[path] != VALUE_ABSENT;
	file_path(r, view, path, "", file);
	err = stat_file(file, &kind, &bytes);
	if (err != (has ? 0 : ENOENT) &&
	    !(err == ENOTDIR && path_parent(path) != PATH_BASE && !has)) {
		struct stat st;
		struct sub sub = { .op = OP_XS_READ, .path = path };
		char base[PATH_MAX_];
		int base_err, top_err;

		file_path(r, view, PATH_BASE, "", base);
		base_err = lstat(base, &st) ? errno : 0;
		*strrchr(base, '/') = '\0';
		top_err = lstat(base, &st) ? errno : 0;
		snprintf(why, size, "stat %s: %s, base %s, above %s, store: ", file, strerror(err),
			 strerror(base_err), strerror(top_err));
		err = direct(r, h->texts, &sub);
		snprintf(why + strlen(why), size - strlen(why), "%s %s",
			 err ? strerror(err) : "has it:", err ? "" : h->texts->text[sub.value]);
		return false;
	}
	if (!has)
		return true;
	right = path == PATH_BASE || values[path] == VALUE_EMPTY ? 0 :
		strlen(h->texts->text[values[path]]) + 1;
	if (kind == KIND_FILE && (children || path == PATH_BASE || bytes != right)) {
		snprintf(why, size, "stat %s: a file of %" PRIu32 " bytes, children 0x%x", file,
			 bytes, children);
		return false;
	}
	if (kind == KIND_FILE)
		return true;
	err = list_names(file, path, view_is_nodes(view), &names);
	if (view_is_nodes(view) ? path != PATH_BASE : right > 0)
		children |= NAMES_VALUE;
	/* An empty one is there or not. */
	if (view_is_nodes(view) && path != PATH_BASE && right == 0)
		names |= NAMES_VALUE;
	if (err || names != children) {
		snprintf(why, size, "list %s: %s, 0x%x instead of 0x%x", file, strerror(err), names,
			 children);
		return false;
	}
	return true;
}

/* Waits until the mounts show what the store has. */
static bool settles(struct recorder *r, struct history *h, const uint16_t *values, char *why,
		    size_t size)
{
	int64_t until = now() + SETTLE_NS;

	for (;;) {
		bool right = true;

		for (unsigned view = 0; view <= VIEW_NODES_B && right; view++) {
			if (!r->config.mounts[view_mount(view)])
				continue;
			for (int path = 0; path <= PATH_BASE && right; path++)
				right = shows_path(r, h, values, view, path, why, size);
		}
		if (right || now() > until)
			return right;
		usleep(200);
	}
}

/* Returns how many operations are under way in a mount, without the one that asks. */
static int under_way(const char *mount)
{
	char file[PATH_MAX_], stats[16384];
	const char *found;
	ssize_t n = -1;
	int fd;

	snprintf(file, sizeof(file), "%s/.xsfs/stats", mount);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, stats, sizeof(stats) - 1);
	close(fd);
	stats[n > 0 ? n : 0] = '\0';
	found = strstr(stats, "\nfuse_operations_now ");
	if (!found) {
		fprintf(stderr, "histories: %s: does not tell what is under way\n", file);
		exit(2);
	}
	return atoi(found + strlen("\nfuse_operations_now ")) - 1;
}

/* What a close still had to do comes before the answer to a later request, unless it meets somebody else's changes:
 * then the mount tries until it is done. */
static void finish_closes(struct recorder *r)
{
	int64_t until = now() + SETTLE_NS;
	char file[PATH_MAX_], text[16];

	for (int m = 0; m < 2; m++) {
		int fd;

		if (!r->config.mounts[m])
			continue;
		snprintf(file, sizeof(file), "%s%s/%u/" KEEP, r->config.mounts[m], r->config.node,
			 r->base);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, text, sizeof(text)) < 0)
			fprintf(stderr, "histories: %s: %s\n", file, strerror(errno));
		close(fd);
		while (under_way(r->config.mounts[m]) > 0 && now() < until)
			usleep(200);
	}
}

/* The directory that all are in is there again, if it was lost. */
static void remake_base(struct recorder *r)
{
	close(r->direct);
	r->direct = connect_to(r->config.socket);
	direct_write(r, KEEP, "kept");
}

/* What is to happen in the middle of the history. */
static void disaster(struct recorder *r)
{
	strike_now(&r->strike);
	if (r->config.disaster == DISASTER_ANEW)
		remake_base(r);
	strike_over(&r->strike);
}

/* Returns a mount that a client uses; there is one then. */
static int used_mount(struct recorder *r, unsigned *random)
{
	for (unsigned i = 0, first = chance(random, r->n_clients); i < r->n_clients; i++) {
		int mount = view_mount(r->clients[(first + i) % r->n_clients].view);

		if (mount >= 0)
			return mount;
	}
	r->clients[0].view = VIEW_A;
	return 0;
}

static void plan_disaster(struct recorder *r, uint64_t seed, unsigned *random)
{
	static const enum blow blows[] = { BLOW_ALL, BLOW_ANY, BLOW_SOME, BLOW_ANY };
	enum blow blow = blows[seed % 4];
	unsigned steps = blow == BLOW_ALL ? 2 : r->n_clients * r->n_ops;

	strike_plan(&r->strike, r->config.disaster, blow, used_mount(r, random), r->n_clients, 1 + chance(random, steps));
}

static void run_clients(struct recorder *r)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += END_SECONDS;
	pthread_mutex_lock(&r->lock);
	r->began = now();
	r->running = r->n_clients;
	r->round++;
	pthread_cond_broadcast(&r->changed);
	if (r->config.disaster) {
		pthread_mutex_unlock(&r->lock);
		disaster(r);
		pthread_mutex_lock(&r->lock);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += END_SECONDS;
	}
	while (r->running && !err)
		err = pthread_cond_timedwait(&r->changed, &r->lock, &until);
	pthread_mutex_unlock(&r->lock);
	if (err) {
		fprintf(stderr, "histories: an operation does not end\n");
		exit(3);
	}
}

static void gather(struct recorder *r, struct history *h)
{
	int64_t done = now() - r->began;

	h->n_steps = 0;
	for (unsigned i = 0; i < r->n_clients; i++)
		for (unsigned j = 0; j < r->clients[i].n_steps; j++) {
			struct step *step = &h->steps[h->n_steps++];
			struct texts *texts = r->clients[i].texts;

			*step = r->clients[i].steps[j];
			if (step->op == OP_CLOSE)
				step->to = done;
			/* Nobody may write any more what it had left, as it does not wait for an empty value (xsfs(5)). */
			if (step->op == OP_CLOSE && strike_meets(&r->strike, step->view, step->from + r->began, FOREVER))
				step->to = step->back = FOREVER;
			if (step->value > VALUE_EMPTY)
				step->value = value_of_text(h->texts, texts->text[step->value],
							    strlen(texts->text[step->value]));
			for (unsigned k = 0; k < step->n_subs; k++) {
				struct sub *sub = &step->subs[k];

				if (sub->value > VALUE_EMPTY)
					sub->value = value_of_text(h->texts,
								   texts->text[sub->value],
								   strlen(texts->text[sub->value]));
			}
		}
}

/* So is what happened to whoever serves the clients. */
static void add_disaster(const struct recorder *r, struct history *h)
{
	const struct strike *s = &r->strike;
	struct step *step = &h->steps[h->n_steps];

	if (s->kind != DISASTER_ANEW && s->kind != DISASTER_MOUNT)
		return;
	*step = (struct step){ .op = OP_NEW_SERVER, .view = VIEW_DIRECT, .path = PATH_NONE, .path2 = PATH_NONE };
	if (s->kind == DISASTER_MOUNT) {
		step->op = OP_NEW_MOUNT;
		step->view = VIEW_A + s->mount;
	}
	step->from = s->from - r->began;
	step->to = step->back = s->to - r->began;
	h->n_steps++;
}

/* The store's last word is part of the history. */
static void last_look(struct recorder *r, struct history *h, uint16_t *values)
{
	for (int i = 0; i < PATHS; i++) {
		struct step *step = &h->steps[h->n_steps++];
		struct sub sub = { .op = OP_XS_READ, .path = i };

		*step = (struct step){ .view = VIEW_DIRECT, .op = OP_XS_READ, .path = i,
				       .path2 = PATH_NONE };
		step->from = now() - r->began;
		step->err = direct(r, h->texts, &sub);
		step->to = step->back = now() - r->began;
		step->value = sub.value;
		values[i] = step->err ? VALUE_ABSENT : sub.value;
	}
}

static unsigned some_view(const struct recorder *r, unsigned *random)
{
	static const uint8_t views[] = {
		VIEW_A, VIEW_A, VIEW_A, VIEW_A, VIEW_B, VIEW_B, VIEW_B, VIEW_NODES_A, VIEW_NODES_A,
		VIEW_NODES_B, VIEW_RAW_A, VIEW_RAW_B, VIEW_DIRECT, VIEW_DIRECT,
	};
	unsigned view;

	do
		view = views[chance(random, sizeof(views))];
	while (!(r->config.views >> view & 1) ||
	       (view != VIEW_DIRECT && !r->config.mounts[view_mount(view)]));
	return view;
}

int recorder_run(struct recorder *r, uint64_t seed, struct history *h, char *why, size_t size)
{
	unsigned random = seed * 2654435761u + 1;
	uint16_t values[PATHS];
	bool settled;

	h->seed = seed;
	h->cached = r->config.cached;
	h->values = r->config.values;
	chance(&random, 2);
	make_tree(r, h, &random);
	if (!settles(r, h, h->initial, why, size)) {
		next_base(r);
		return 1;
	}
	/* Clients that have nothing to do this time look whether they have when one wakes them. */
	pthread_mutex_lock(&r->lock);
	r->n_clients = 2 + chance(&random, r->config.clients_max - 1);
	r->n_ops = 3 + chance(&random, r->config.ops_max - 2);
	pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < r->n_clients; i++) {
		struct client *c = &r->clients[i];

		c->view = some_view(r, &random);
		c->random = random ^ (i * 7919 + 1);
		c->n_written = c->n_steps = c->slot = 0;
		while (c->texts->count > 2)
			free(c->texts->text[--c->texts->count]);
	}
	if (r->config.disaster)
		plan_disaster(r, seed, &random);
	/* As that takes time. */
	for (unsigned i = 0; i < r->n_clients; i++)
		if (view_is_raw(r->clients[i].view) && connection(&r->clients[i]) < 0) {
			fprintf(stderr, "histories: no connection to the store: %s\n", strerror(errno));
			exit(2);
		}
	run_clients(r);
	finish_closes(r);
	gather(r, h);
	add_disaster(r, h);
	last_look(r, h, values);
	settled = settles(r, h, values, why, size);
	if (!settled)
		next_base(r);
	return !settled;
}

struct recorder *recorder_new(const struct record_config *config)
{
	struct recorder *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->config = *config;
	r->direct = connect_to(config->socket);
	strike_init(&r->strike);
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	for (unsigned i = 0; i < config->clients_max; i++) {
		struct client *c = &r->clients[i];
		struct history texts;

		c->recorder = r;
		c->id = i;
		history_init(&texts);
		c->texts = texts.texts;
		for (unsigned j = 0; j < VIEWS; j++)
			c->fds[j] = -1;
		if (pthread_create(&c->thread, NULL, client_run, c))
			abort();
	}
	return r;
}

unsigned long recorder_lost(const struct recorder *r, unsigned long *met)
{
	*met = r->strike.met;
	return r->strike.lost;
}

void recorder_free(struct recorder *r)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < r->config.clients_max; i++) {
		struct client *c = &r->clients[i];
		struct history texts = { .texts = c->texts };

		pthread_join(c->thread, NULL);
		history_deinit(&texts);
		for (unsigned j = 0; j < VIEWS; j++)
			if (c->fds[j] >= 0)
				close(c->fds[j]);
	}
	close(r->direct);
	free(r);
}
