/* SPDX-License-Identifier: MIT */
/*
 * Processes that work on a store through two mounts, each of which keeps a journal: what it has tried
 * and what was acknowledged.  They are killed, and so are the mounts' daemons and the server; the
 * journal, in memory that all share, says what has to be in the store afterwards.
 *
 * A worker does one operation after the other on its own keys, with rising numbers.  Each operation
 * leads from one state to the next, so there are two states that a worker's keys can be in: that of
 * the last operation that was acknowledged, and that of the one which was tried last.
 */
#ifndef TESTS_KILLS_H
#define TESTS_KILLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/store_request.h"

#define WORKERS 20
#define MOUNTS 2
#define REPORTS_MAX 16

/* What a worker does. */
enum kind {
	KIND_WRITE,  /* writes a number to a key, as a shell does */
	KIND_EDIT,   /* overwrites the number in place */
	KIND_FILE,   /* creates a key exclusively and writes it, then removes it */
	KIND_DIR,    /* makes a directory, then removes it */
	KIND_MOVE,   /* renames a key to another name, and back */
	KIND_TX,     /* writes a number to two keys in a transaction of its own */
	KIND_RAW,    /* writes a number as a client of .xsfs/xenbus, which leaves things open there */
	KIND_READ,   /* reads the numbers of the others */
	KIND_WAIT,   /* waits for changes, with transactions and streams open */
	KINDS
};

/* The state of a worker's keys. */
struct seen {
	bool exists;
	bool empty;      /* made, and not written yet */
	uint64_t number; /* of the value; 0: it has none */
};

/*
 * The times of a thing that may die, in one word: odd while it is dying or not yet back, so that two
 * equal even words mean that nothing happened in between.
 */
typedef atomic_uint_fast64_t age;

struct worker {
	enum kind kind;
	unsigned mount;
	/* The worker's, read by others at any time: numbers of operations, and what a key has at least. */
	atomic_uint_fast64_t tried, acked, floor;
	age floor_age;        /* of the store that `floor` is about */
	atomic_uint_fast64_t first; /* lower numbers were in a store that has died */
	/* The worker's own, and the master's when it is dead. */
	uint64_t acked_age;   /* of the store, when the acknowledged operation began */
	struct seen before;   /* what that left */
	uint64_t worked_age;  /* of the store, when the last operation began that succeeded */
	/* The master's. */
	uint64_t tried_at_death;
	pid_t pid;            /* 0: none */
	int64_t due_ns;       /* when it is killed, or was */
	bool dying;
};

struct shared {
	age store, mounts[MOUNTS];
	atomic_uint_fast64_t wrong, killed, operations[KINDS], failed;
	char reports[REPORTS_MAX][256];
	struct worker workers[WORKERS];
};

struct config {
	const char *mounts[MOUNTS];
	const char *socket; /* the server's */
	const char *node;   /* below which everything happens */
	const char *below;  /* the same, as the mounts show it */
};

extern struct config config;
extern struct shared *shared;

/* Counts something that must not be, and keeps the text. */
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline bool is_calm(uint64_t word)
{
	return word % 2 == 0;
}

/* ---- work.c ---- */

/* Works for ever; in a process of its own. */
void work(unsigned id) __attribute__((noreturn));

/* Whether the worker's keys may be in that state, if `now` is the age of the store. */
bool is_possible(const struct worker *worker, const struct seen *seen, uint64_t now);

/* ---- look.c ---- */

/* Looks at the keys of a worker in the store itself, or through its mount.  Returns 0 or an errno. */
int look_in_store(int fd, unsigned id, struct seen *seen);
int look_through_mount(unsigned id, unsigned mount, struct seen *seen);

/* Whether an error says that a key is not there.  A directory that somebody else made and that has nothing in it is
 * shown as a file. */
bool is_missing(int err);

/* Reads a key; what it has is not one that a worker made: EBADMSG.  0 or an errno. */
int read_number(const char *file, struct seen *seen);

/* Writes the path of a key of a worker, "" for its directory, on a mount. */
void key_path(char *path, size_t size, unsigned mount, const char *middle, unsigned id, const char *key);

#endif
