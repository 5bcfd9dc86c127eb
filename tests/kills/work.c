/* SPDX-License-Identifier: MIT */
/* What the workers do. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

#include "tests/kills/kills.h"

/* The value of a key that is moved, which stays the same. */
#define MOVED "7\n"

static unsigned self, seed;
static int raw = -1; /* .xsfs/xenbus */

/* ---- which states are possible ---- */

static bool toggles(enum kind kind)
{
	return kind == KIND_FILE || kind == KIND_DIR || kind == KIND_MOVE;
}

static struct seen state_after(enum kind kind, uint64_t number)
{
	switch (kind) {
	case KIND_FILE:
		return (struct seen){ .exists = number % 2, .number = number % 2 ? number : 0 };
	case KIND_DIR:
		return (struct seen){ .exists = number % 2, .empty = number % 2 };
	case KIND_MOVE:
		return (struct seen){ .exists = true, .number = number % 2 };
	default:
		return (struct seen){ .exists = true, .number = number };
	}
}

static bool same(const struct seen *a, const struct seen *b)
{
	return a->exists == b->exists && a->empty == b->empty && a->number == b->number;
}

/* Whether the operation that was tried leaves an empty key if it ends after its first step. */
static bool opens_empty(const struct worker *worker)
{
	switch (worker->kind) {
	case KIND_WRITE:
		return true;
	case KIND_EDIT:
		return !worker->before.exists;
	case KIND_FILE:
		return worker->tried % 2;
	default:
		return false;
	}
}

bool is_possible(const struct worker *worker, const struct seen *seen, uint64_t now)
{
	struct seen next = state_after(worker->kind, worker->tried);

	if (worker->kind == KIND_READ || worker->kind == KIND_WAIT || same(seen, &worker->before))
		return true;
	if (!seen->exists && (worker->acked_age != now || !is_calm(now)))
		return true;
	/* It was being made. */
	if (worker->kind == KIND_MOVE && (!worker->before.exists || worker->before.empty))
		return seen->number == worker->before.number;
	if (worker->tried == worker->acked)
		return false;
	/* Between the opening and the write it is empty. */
	if (seen->exists && seen->empty && opens_empty(worker))
		return true;
	return same(seen, &next);
}

/* ---- operations: 0 or an errno ---- */

static void own_key(char *path, const char *middle, const char *key)
{
	key_path(path, PATH_MAX, shared->workers[self].mount, middle, self, key);
}

static int write_file(const char *path, int flags, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	if (close(fd) < 0 && !err)
		err = errno;
	return err;
}

static int do_write(uint64_t number)
{
	char path[PATH_MAX], text[32];

	own_key(path, "", "k");
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)number);
	return write_file(path, O_CREAT | O_TRUNC, text);
}

/* All numbers have the same length here, so that no byte of an old one stays. */
static int do_edit(uint64_t number)
{
	char path[PATH_MAX], text[32];
	int err;

	own_key(path, "", "k");
	snprintf(text, sizeof(text), "%020llu\n", (unsigned long long)number);
	err = write_file(path, 0, text);
	return err == ENOENT ? write_file(path, O_CREAT, text) : err;
}

static int do_file(uint64_t number)
{
	char path[PATH_MAX], text[32];

	own_key(path, "", "k");
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)number);
	if (number % 2)
		return write_file(path, O_CREAT | O_EXCL, text);
	return unlink(path) < 0 ? errno : 0;
}

static int do_dir(uint64_t number)
{
	char path[PATH_MAX];

	own_key(path, "", "k");
	return (number % 2 ? mkdir(path, 0700) : rmdir(path)) < 0 ? errno : 0;
}

static int do_move(uint64_t number)
{
	char a[PATH_MAX], b[PATH_MAX];

	own_key(a, "", "a");
	own_key(b, "", "b");
	return (number % 2 ? rename(a, b) : rename(b, a)) < 0 ? errno : 0;
}

static int do_tx(uint64_t number)
{
	char path[PATH_MAX], name[64], middle[96], text[32];
	int fd, err = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/.xsfs/transaction", config.mounts[shared->workers[self].mount]);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno;
	n = read(fd, name, sizeof(name) - 1);
	if (n <= 0) {
		err = n < 0 ? errno : EIO;
		close(fd);
		return err;
	}
	name[n - 1] = '\0';
	snprintf(middle, sizeof(middle), "/.xsfs/tx/%s", name);
	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)number);
	for (const char *const *key = (const char *const[]){ "x", "y", NULL }; *key && !err; key++) {
		own_key(path, middle, *key);
		err = write_file(path, O_CREAT | O_TRUNC, text);
	}
	if (!err && write(fd, "commit\n", 7) < 0)
		err = errno;
	close(fd);
	return err;
}

/* One request of the raw client; EPIPE also ends the client. */
static int raw_request(uint32_t type, const char *text, size_t len)
{
	char answer[XENSTORE_PAYLOAD_MAX + 1];
	size_t answer_len;
	int err = store_request(raw, type, 0, text, len, answer, &answer_len);

	if (err == EPIPE) {
		close(raw);
		raw = -1;
	}
	return err;
}

static int raw_open(void)
{
	char path[PATH_MAX];
	int len;

	snprintf(path, sizeof(path), "%s/.xsfs/xenbus", config.mounts[shared->workers[self].mount]);
	raw = open(path, O_RDWR | O_CLOEXEC);
	if (raw < 0)
		return errno;
	/* They stay, for whoever ends this process; the store may have no room for more. */
	len = snprintf(path, sizeof(path), "%s/w%u", config.node, self) + 1;
	memcpy(path + len, "token", sizeof("token"));
	if (raw_request(XS_WATCH, path, len + sizeof("token")) == EPIPE || raw_request(XS_TRANSACTION_START, "", 1) == EPIPE)
		return EPIPE;
	return 0;
}

static int do_raw(uint64_t number)
{
	char body[PATH_MAX];
	int len, err = raw < 0 ? raw_open() : 0;

	if (err)
		return err;
	len = snprintf(body, sizeof(body), "%s/w%u/k", config.node, self) + 1;
	len += snprintf(body + len, sizeof(body) - len, "%llu", (unsigned long long)number);
	return raw_request(XS_WRITE, body, len);
}

static int operate_once(enum kind kind, uint64_t number)
{
	switch (kind) {
	case KIND_WRITE:
		return do_write(number);
	case KIND_EDIT:
		return do_edit(number);
	case KIND_FILE:
		return do_file(number);
	case KIND_DIR:
		return do_dir(number);
	case KIND_MOVE:
		return do_move(number);
	case KIND_TX:
		return do_tx(number);
	default:
		return do_raw(number);
	}
}

/* ---- the journal ---- */

/* What was alive before and after an operation. */
struct ages {
	uint64_t store, mount;
};

static struct ages ages(void)
{
	return (struct ages){ shared->store, shared->mounts[shared->workers[self].mount] };
}

static bool all_alive(struct ages before)
{
	struct ages after = ages();

	return is_calm(before.store) && is_calm(before.mount) && before.store == after.store &&
	       before.mount == after.mount;
}

/* An operation failed.  That is wrong if nothing had died, unless it is a conflict, or took too long. */
static void failed(const char *what, int err, struct ages before)
{
	shared->failed++;
	/* After its death a store is empty, and a mount that caches may not have heard of that when it was asked for the
	 * directory. */
	if (err == ENOENT && shared->workers[self].worked_age != before.store)
		return;
	if (err == ETIMEDOUT || err == EBUSY || err == ENOTDIR || (err == ECANCELED && shared->workers[self].kind == KIND_TX))
		return;
	if (all_alive(before))
		wrong("w%u (kind %u): %s: %s", self, shared->workers[self].kind, what, strerror(err));
}

/* Notes what the keys have now, in a store that was as old as that before it was known.  Whoever kills this process
 * in between finds a journal that allows what it says now, or that and what it said before. */
static void note(struct seen seen, uint64_t store_age)
{
	struct worker *worker = &shared->workers[self];

	worker->acked_age = store_age;
	worker->before = seen;
	worker->acked = worker->tried;
	worker->floor = seen.number;
	worker->floor_age = store_age;
}

static int make_place(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", config.mounts[shared->workers[self].mount], config.below);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return errno;
	own_key(path, "", "");
	return mkdir(path, 0700) < 0 && errno != EEXIST ? errno : 0;
}

/* Finds out in which state the keys are.  Returns whether that is known now. */
static bool settle(void)
{
	struct worker *worker = &shared->workers[self];
	struct ages before = ages();
	char path[PATH_MAX];
	struct seen seen;
	int err = make_place();

	if (!err)
		err = look_through_mount(self, worker->mount, &seen);
	if (err) {
		failed("look", err, before);
		return false;
	}
	/* It may have been the directory below the mount. */
	if (!is_calm(before.mount) || before.mount != ages().mount)
		return false;
	if (!is_possible(worker, &seen, shared->store))
		wrong("w%u (kind %u): it has %d/%d/%llu; acknowledged %llu, tried %llu", self, worker->kind, seen.exists,
		      seen.empty, (unsigned long long)seen.number, (unsigned long long)worker->acked,
		      (unsigned long long)worker->tried);
	if (toggles(worker->kind) && (worker->kind == KIND_MOVE ? seen.number : seen.exists) != worker->tried % 2)
		worker->tried++;
	note(seen, before.store);
	if (worker->kind != KIND_MOVE || (seen.exists && !seen.empty))
		return true;
	own_key(path, "", seen.number ? "b" : "a");
	err = write_file(path, O_CREAT, MOVED);
	if (err)
		failed("first write", err, before);
	else
		note((struct seen){ .exists = true, .number = seen.number }, before.store);
	return !err;
}

/* Does one operation; returns whether it is known how that ended. */
static bool operate(void)
{
	struct worker *worker = &shared->workers[self];
	struct ages before = ages();
	uint64_t number = worker->tried + 1;
	int err;

	worker->tried = number;
	err = operate_once(worker->kind, number);
	if (err) {
		failed("operation", err, before);
		return false;
	}
	note(state_after(worker->kind, number), before.store);
	worker->worked_age = before.store;
	shared->operations[worker->kind]++;
	return true;
}

/* ---- those who only look ---- */

/* Reads the number of another worker: it is none that was written before what that had acknowledged. */
static void read_other(void)
{
	unsigned id = rand_r(&seed) % WORKERS, mount = rand_r(&seed) % MOUNTS;
	struct worker *other = &shared->workers[id];
	uint64_t store = shared->store, on = shared->mounts[mount], floor_age, floor, first;
	struct seen seen = { 0 };
	char path[PATH_MAX];
	int err;

	if (other->kind != KIND_WRITE && other->kind != KIND_EDIT && other->kind != KIND_RAW)
		return;
	floor_age = other->floor_age;
	floor = other->floor;
	first = other->first;
	key_path(path, sizeof(path), mount, "", id, "k");
	err = read_number(path, &seen);
	shared->operations[KIND_READ]++;
	if (!is_calm(on) || on != shared->mounts[mount])
		return;
	if (err && !is_missing(err)) {
		if (err != ETIMEDOUT && is_calm(store) && store == shared->store)
			wrong("read of w%u: %s", id, strerror(err));
		return;
	}
	if (seen.number && (seen.number < first || seen.number > other->tried))
		wrong("read of w%u: %llu; there were %llu to %llu", id, (unsigned long long)seen.number,
		      (unsigned long long)first, (unsigned long long)other->tried);
	/* The floor was this store's, if nothing has changed. */
	if (is_calm(store) && floor_age == store && shared->store == store && !seen.empty && seen.number < floor)
		wrong("read of w%u: %llu, after %llu was acknowledged", id, (unsigned long long)seen.number,
		      (unsigned long long)floor);
}

/* Has a stream, a transaction and a polled key open, for whoever kills it to find. */
static void wait_for_changes(void)
{
	unsigned mount = shared->workers[self].mount;
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLPRI } };
	char path[PATH_MAX], text[512];
	int transaction;

	snprintf(path, sizeof(path), "%s/.xsfs/transaction", config.mounts[mount]);
	transaction = open(path, O_RDWR | O_CLOEXEC);
	if (transaction >= 0 && read(transaction, text, sizeof(text)) < 0)
		shared->failed++;
	snprintf(path, sizeof(path), "%s/.xsfs/watch", config.mounts[mount]);
	fds[0].fd = open(path, O_RDWR | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s\n", config.node);
	if (fds[0].fd >= 0 && write(fds[0].fd, path, strlen(path)) < 0)
		shared->failed++;
	key_path(path, sizeof(path), mount, "", rand_r(&seed) % WORKERS, "k");
	fds[1].fd = open(path, O_RDONLY | O_CLOEXEC);
	for (unsigned i = 0; i < 20 && fds[0].fd >= 0; i++) {
		if (poll(fds, 2, 100) <= 0 || (fds[0].revents & POLLERR))
			break;
		if (fds[0].revents && read(fds[0].fd, text, sizeof(text)) <= 0)
			break;
		if (fds[1].revents && pread(fds[1].fd, text, sizeof(text), 0) < 0)
			break;
		shared->operations[KIND_WAIT]++;
	}
	close(transaction);
	close(fds[0].fd);
	close(fds[1].fd);
	usleep(1000);
}

void work(unsigned id)
{
	bool known = false;

	self = id;
	seed = getpid();
	for (;;) {
		switch (shared->workers[id].kind) {
		case KIND_READ:
			read_other();
			break;
		case KIND_WAIT:
			wait_for_changes();
			break;
		default:
			known = known ? operate() : settle();
			/* Whatever has died takes its time to come back. */
			if (!known)
				usleep(500);
		}
	}
}
