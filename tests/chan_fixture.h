/* SPDX-License-Identifier: MIT */
/*
 * A channel on a fake store, and calls whose completions are counted.  For the unit tests of the
 * channel and of the watches, on the test's one thread, which is the I/O thread.
 */
#ifndef TESTS_CHAN_FIXTURE_H
#define TESTS_CHAN_FIXTURE_H

#include "ring/chan.h"
#include "tests/fake_store.h"

/* A request of a test and its result. */
struct call {
	struct request *req; /* with a reference */
	unsigned done;       /* completions */
	int error;           /* as the completion saw it */
	unsigned order;      /* position of the completion among all */
	void (*then)(struct call *call); /* run by the completion */
	struct fixture *fx;
	struct call *next;
};

struct fixture {
	struct fake_store *store;
	struct chan *chan;
	struct chan_config config;
	struct logger log;
	unsigned logged[LOGGER_DEBUG + 1]; /* lines, by level */
	struct call *calls;
	unsigned completions;
};

/* Makes the store, but not the channel yet. */
struct fixture *fixture_new(void);

/* Makes the channel, on the store and with ->config. */
void fixture_start(struct fixture *fx);

/* Frees everything; fails the test if the store's rules were broken or a call is not done. */
void fixture_free(struct fixture *fx);

/* For cmocka: a fixture with a started channel. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Makes a call with path and data (may be NULL), not submitted yet. */
struct call *call_new(struct fixture *fx, uint32_t type, const char *path, const char *data);

/* The same, and submits it. */
struct call *call_submit(struct fixture *fx, uint32_t type, const char *path, const char *data);

/* Services the channel until nothing is left to do without sleeping. */
void pump(struct fixture *fx);

/* Sleeps as an I/O thread does, then pumps.  Returns poll()'s result. */
int sleep_and_pump(struct fixture *fx);

/* Sleeps and pumps until `call` is done; fails the test after five seconds. */
void wait_done(struct fixture *fx, struct call *call);

/* Lets the I/O thread go to sleep, as far as the channel knows. */
void fall_asleep(struct fixture *fx);

/* Takes the next message from the store; fails the test unless it has that type and path. */
struct fake_msg take(struct fixture *fx, uint32_t type, const char *path);

/* Fails the test if a complete message is left to take. */
void take_nothing(struct fixture *fx);

/* Answers with a string, without its NUL, and pumps. */
void answer(struct fixture *fx, const struct fake_msg *msg, const char *body);

/* Returns the current counters. */
struct chan_stats stats(struct fixture *fx);

#endif
