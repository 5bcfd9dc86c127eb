/* SPDX-License-Identifier: MIT */
/*
 * What happens to the server, or to a mount, in the middle of a history, and who has to wait until it is over.
 * Times are of CLOCK_MONOTONIC in ns.  Any thread, but disaster_plan() to disaster_over() are for the recorder's own.
 */
#ifndef TESTS_HISTORY_DISASTER_H
#define TESTS_HISTORY_DISASTER_H

#include <pthread.h>
#include <sys/types.h>

#include "tests/history/history.h"

/* How the victim is hit. */
enum blow {
	BLOW_ALL,  /* it is stopped first, until every client waits for it or has ended */
	BLOW_ANY,  /* at once */
	BLOW_SOME, /* it is stopped for a moment first */
	BLOWS
};

struct strike {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum disaster kind;
	enum blow blow;
	int mount; /* DISASTER_MOUNT: which */
	unsigned after; /* so many steps it comes */
	unsigned begun, inside, running; /* steps that have begun, steps under way, clients that have not ended */
	bool down;
	int64_t from, to; /* FOREVER: not yet */
	unsigned servers, mounts[2]; /* how many were there before these */
	unsigned long lost, met; /* steps of all histories that failed so; that were under way meanwhile */
};

void strike_init(struct strike *s);

/* Before a history of so many clients. */
void strike_plan(struct strike *s, enum disaster kind, enum blow blow, int mount, unsigned clients, unsigned after);

/* Waits for its time, or until all clients have ended, lets it happen, and returns when whoever serves the others is
 * there again.  Clients of what is down wait until strike_over(). */
void strike_now(struct strike *s);
void strike_over(struct strike *s);

/* A step begins: waits while the view is down; returns the time. */
int64_t strike_step_begins(struct strike *s, unsigned view);

/* A step of that time ends.  Returns whether it may have failed, if it has, because of what happened meanwhile. */
bool strike_step_ends(struct strike *s, unsigned view, int64_t from, int64_t to, bool failed);

/* It was not begun after all. */
void strike_step_left_out(struct strike *s);
void strike_client_ends(struct strike *s);

/* Whether a step of that time can have been lost. */
bool strike_meets(struct strike *s, unsigned view, int64_t from, int64_t to);

/* Numbers that change when the files that a view had open, or its connections, are of no more use. */
unsigned strike_files(struct strike *s, unsigned view);
unsigned strike_connections(struct strike *s, unsigned view);

#endif
