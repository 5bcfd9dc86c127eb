/* SPDX-License-Identifier: MIT */
/*
 * The whole filesystem between a kernel and a server that the test plays: everything that a mount has but the mount.
 * The test's thread is the I/O thread; the pool and the notifier have theirs.
 *
 * Nothing happens by itself: machine_await() turns the loop, has the server answer, and lets time pass only when
 * everybody sleeps.  So what is not answered by then never will be.
 */
#ifndef TESTS_FAULTS_MACHINE_H
#define TESTS_FAULTS_MACHINE_H

#include "fs/op/fs_impl.h"
#include "tests/fake_server.h"
#include "tests/faults/wire.h"

/* The lock is taken and released in other functions than those that need it, which the analysis cannot follow. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wthread-safety-analysis"
#endif

/* How long an operation waits for the store, and when a test gives up: several operations' deadlines, one after
 * the other. */
#define MACHINE_TIMEOUT_MS 10000
#define MACHINE_PATIENCE_MS (10 * MACHINE_TIMEOUT_MS)

/* A request that nobody will ever answer; no errno. */
#define NO_ANSWER (-100000)

struct machine;

/* What the server does to the request that is struck. */
struct fault {
	const char *name;
	/* Instead of carrying it out; NULL: it is carried out. */
	void (*instead)(struct machine *m, const struct wire_msg *msg);
	/* With its answer, which may be changed, instead of sending it; NULL: it is sent. */
	void (*spoil)(struct machine *m, struct xsd_sockmsg *hdr, const void *body, size_t len);
	/* Once, when nothing more happens and the operation still waits. */
	void (*later)(struct machine *m);
	bool every;    /* strikes every request from the first on */
	bool from_start; /* and those of the mount's beginning, too */
	bool memory;   /* it is an allocation that fails, and the server is sound */
	bool drops;    /* the connection has to be made anew */
	bool paged;    /* only where the bytes go through a page */
	bool harmless; /* no operation may notice */
	bool lies;     /* the store says what is not so, and who believes it cannot be blamed */
	bool answers;  /* the store refuses, so that its error is an answer */
	bool interrupts; /* the caller gives up */
};

/* An answer of the filesystem, or a notification (unique 0). */
struct machine_answer {
	TAILQ_ENTRY(machine_answer) link;
	uint64_t unique;
	int error;
	size_t len;
	char body[];
};

/* Bytes of the server's on their way to the channel. */
struct machine_packet {
	TAILQ_ENTRY(machine_packet) link;
	uint64_t due_ns; /* CLOCK_MONOTONIC */
	size_t len;
	char data[];
};

struct machine {
	struct fs *fs;
	struct chan *chan;
	struct logger log;
	struct wire wire;
	struct fake_server *server;
	struct fake_peer *peer; /* NULL: not connected */

	/* The fault, and which request it strikes, counted from 0. */
	const struct fault *fault;
	unsigned strike_at;
	unsigned requests; /* since machine_arm() */
	bool armed;
	bool struck;
	bool died;           /* the store, for good */
	unsigned unanswered; /* requests on this connection that the server will never answer */
	uint64_t unique; /* of the last request of the kernel */
	uint64_t waiting; /* of the one that is waited for, or was in vain; 0: none */

	/* What another client does, once, when nothing more happens and the operation still waits. */
	void (*stir)(struct machine *m);

	/* What the operation has told its caller. */
	char said[16384];
	size_t said_len;

	/* Private. */
	bool spoiling, muted;
	unsigned turns; /* since time last passed */
	TAILQ_HEAD(machine_packets, machine_packet) packets;
	uint64_t busy_until_ns; /* when what was begun to be sent ends */
	pthread_mutex_t lock; /* guards the answers: the notifier sends, too */
	TAILQ_HEAD(, machine_answer) answers;
	struct machine_answer *taken;
};

/* Makes a filesystem on a tree (copied), over a page or a stream of which each receive gets `piece` bytes at most.
 * `keeps_values`: with cache=full, else cache=meta.  `fault`: see from_start; NULL: none. */
struct machine *machine_new(const struct fake_tree *tree, bool paged, size_t piece, bool keeps_values,
			    const struct fault *fault);

void machine_free(struct machine *m);

/* Arms the fault for request `strike_at` from now on, or (NULL) counts only. */
void machine_arm(struct machine *m, const struct fault *fault, unsigned strike_at);

/* Makes the server sound again: all that it held back goes out, and it accepts connections. */
void machine_heal(struct machine *m);

/* Sends a request of the kernel: a header, and `count` pieces of arguments.  Returns its number. */
uint64_t machine_ask(struct machine *m, uint32_t opcode, uint64_t nodeid, const struct iovec *args, int count);

/* Returns the answer, valid until the next call, or NULL when nothing more will happen. */
const struct machine_answer *machine_await(struct machine *m, uint64_t unique);

/* Goes on until nothing happens any more by itself within `ms`. */
void machine_settle(struct machine *m, uint64_t ms);

/* For faults: sends bytes after `delay_ms`; the same in two pieces, the second after that time, and nothing else in
 * between; a message; and closes the connection. */
void machine_send(struct machine *m, const void *data, size_t len, unsigned delay_ms);
void machine_pieces(struct machine *m, const void *data, size_t len, size_t first, unsigned delay_ms);
void machine_hang_up(struct machine *m);
void machine_message(struct machine *m, const struct xsd_sockmsg *hdr, const void *body, size_t len, unsigned delay_ms);

/* Carries a request out, as a sound server does. */
void machine_carry_out(struct machine *m, const struct wire_msg *msg);

/* Does what a server does even if it answers by an error; the caller sends that. */
void machine_refuse(struct machine *m, const struct wire_msg *msg);

#endif
