/* SPDX-License-Identifier: MIT */
/*
 * A mounted filesystem without /dev/fuse and without a server, for the unit tests of fs/ from fs/op
 * upwards: a struct fs as far as the tested floor needs it, on the channel of chan_fixture.h, whose
 * store is played by the test, in a session of libfuse whose kernel is played by the test.  One
 * thread, which is the I/O thread, plus the pool's.  The test holds fs->lock, and releases it while
 * it waits for the pool and looks at what the kernel got.
 */
#ifndef TESTS_FS_FIXTURE_H
#define TESTS_FS_FIXTURE_H

#include "fs/op/op.h"
#include "tests/chan_fixture.h"

/* The lock is taken when the fixture is made and released when it is freed, which an analysis of
 * single functions cannot follow. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wthread-safety-analysis"
#endif

/* Returns for how many seconds a test waits for something that must come (XSFS_TEST_PATIENCE). */
unsigned patience_s(void);

/* A message that the kernel got: an answer or a notification. */
struct kernel_msg {
	uint64_t unique; /* of the request that is answered; 0: a notification */
	int error;       /* 0 or -errno; of a notification: enum fuse_notify_code */
	size_t len;      /* of what follows the header */
	char body[512];  /* as much of it as fits */
	struct kernel_msg *next;
};

struct fs_fixture {
	struct fs fs; /* first: the session's user data */
	struct fixture *base;

	/* Stand-ins for the floors above, and records of their calls. */
	bool covered;       /* what fs.covers answers */
	const char *uncovered; /* except this path and everything below it */
	unsigned told;      /* calls of fs.tell_kernel */

	/* Frees what a higher floor has added, after the open files.  NULL: nothing to free. */
	void (*deinit)(struct fs_fixture *fx);

	uint64_t unique;    /* of the last request of the kernel */
	bool kernel_gone;   /* the kernel rejects the answer, as its caller was interrupted */
	char *deepest;      /* the lowest place on the test's stack from which the kernel got a message */

	/* Private. */
	pthread_t test_thread;
	uint64_t requests;  /* of the kernel, interruptions included */
	struct op *begun;   /* by the request being processed */
	pthread_mutex_t lock; /* guards the messages, because polls are notified without fs->lock */
	struct kernel_msg *first, **last, *taken;
};

/* Makes a fixture. */
struct fs_fixture *fs_fixture_new(void);

/* Ends everything that waits for the store or in the pool, as fs_run() does at its end. */
void fs_fixture_shutdown(struct fs_fixture *fx);

/* Frees it. */
void fs_fixture_free(struct fs_fixture *fx);

/* For cmocka: a fixture of the floor fs/op. */
int fs_fixture_setup(void **state);
int fs_fixture_teardown(void **state);

/* ---- the kernel ---- */

/* The kernel sends a request about `nodeid`.  Returns the operation that op_new() made for it, or
 * NULL if op_new() has answered already.  The request's number is ->unique. */
struct op *kernel_asks(struct fs_fixture *fx, uint64_t nodeid);

/* The same for a POLL with the handle `kh`, whose caller wants to be notified. */
struct op *kernel_polls(struct fs_fixture *fx, uint64_t nodeid, uint64_t kh);

/* The kernel says that the caller of a request was interrupted.  Returns the number of that message. */
uint64_t kernel_interrupts(struct fs_fixture *fx, uint64_t unique);

/* Lets the time pass that interrupted operations are given to end by themselves. */
void grace_is_over(struct fs_fixture *fx);

/* Returns the next message that the kernel got, valid until the next call.  Waits for the pool, and
 * fails the test if nothing comes. */
const struct kernel_msg *kernel_hears(struct fs_fixture *fx);

/* Fails the test unless the next message is the answer to the last request (or to `unique`),
 * with that error. */
const struct kernel_msg *kernel_hears_error(struct fs_fixture *fx, int error);
const struct kernel_msg *kernel_hears_of(struct fs_fixture *fx, uint64_t unique, int error);

/* Fails the test unless the next message is the notification of the poll `kh`. */
void kernel_hears_poll(struct fs_fixture *fx, uint64_t kh);

/* Fails the test if the kernel has got any message. */
void kernel_hears_nothing(struct fs_fixture *fx);

/* ---- the store ---- */

/* Takes the next message of the channel, waiting for it if need be. */
struct fake_msg store_gets(struct fs_fixture *fx, uint32_t type, const char *path);

/* The same, and answers with a string, without its NUL, or by an error's name. */
void store_answers(struct fs_fixture *fx, uint32_t type, const char *path, const char *body);
void store_refuses(struct fs_fixture *fx, uint32_t type, const char *path, const char *error);

/* Fails the test if the channel has sent another message. */
void store_gets_nothing(struct fs_fixture *fx);

/* ---- the pool ---- */

/* Services the channel until `done` returns true; fails the test if that takes too long. */
void wait_until(struct fs_fixture *fx, bool (*done)(void *arg), void *arg);

/* ---- inodes ---- */

/* Returns the inode of a name in the root, which the kernel knows; borrowed. */
struct inode *known_inode(struct fs_fixture *fx, const char *name, enum inode_kind kind);

/* Starts a user's transaction, to which the store gives the number `tx_id`.  Returns its open file;
 * the transaction is the file's `own`, and ends when the file is closed. */
struct handle *open_transaction(struct fs_fixture *fx, const char *tx_id);

/* Waits until an operation on the pool waits for its turn in the transaction. */
void wait_for_turns(struct fs_fixture *fx, struct transaction *tx);

#endif
