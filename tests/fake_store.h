/* SPDX-License-Identifier: MIT */
/*
 * A store that does exactly what a test says, byte by byte: a transport in memory whose far side is
 * the test.  For the unit tests of ring/ and fs/.  It has no threads of its own: the test decides
 * every order; if there are several threads, it checks that the channel keeps to its rules.
 */
#ifndef TESTS_FAKE_STORE_H
#define TESTS_FAKE_STORE_H

#include <pthread.h>
#include <stdatomic.h>

#include "ring/transport.h"
#include "ring/wire.h"

/* Bytes under way. */
struct fake_bytes {
	char *data;
	size_t pos, len, size;
};

/* A message as the store got it; the body is terminated. */
struct fake_msg {
	struct xsd_sockmsg hdr;
	char body[WIRE_PAYLOAD_MAX + 1];
};

struct fake_store {
	struct transport transport; /* first; its limits may be changed before chan_new() */

	/* Set by the test, through the functions below once there are other threads. */
	size_t room;       /* bytes that send() still takes */
	size_t recv_piece; /* most bytes that one recv() gives */
	int connect_error; /* what connect() returns */
	int send_error;    /* what send() returns, if not 0 */
	bool eof;          /* the connection ends after everything there is to receive */
	bool resets_silence; /* what silent() returns */
	/* Runs once, inside send() after the copy, with no lock held. */
	void (*in_send)(struct fake_store *f, void *arg);
	void *in_send_arg;
	/* linger(), with no lock held; NULL: it never helps. */
	bool (*in_linger)(struct fake_store *f, bool want_send);

	/* For the test to inspect. */
	unsigned connects, disconnects, sends, recvs, polls, silences, lingers;
	unsigned wrong_thread; /* calls reserved for the I/O thread, made on another one */
	unsigned overlaps;     /* two threads in send(), or send() while disconnecting */
	bool freed;            /* the channel has freed its transport */

	/* Private. */
	pthread_mutex_t lock;
	bool has_io_thread;
	pthread_t io_thread;
	atomic_int senders;
	struct fake_bytes sent, replies;
	bool connected, want_room, level;
	int fd; /* readable while there is something for the channel to do */
};

/* Makes a store, or ends the test. */
struct fake_store *fake_store_new(void);

/* Frees what remains once the channel has freed its transport. */
void fake_store_free(struct fake_store *f);

/* The calling thread is the I/O thread from now on; wrong_thread counts calls on others. */
void fake_store_io_thread(struct fake_store *f);

/* Lets send() take `room` more bytes (SIZE_MAX: all). */
void fake_store_room(struct fake_store *f, size_t room);

/* Lets send() take nothing until it is given room again. */
void fake_store_fill(struct fake_store *f);

/* Returns how many bytes the channel has sent that were not taken yet. */
size_t fake_store_sent(struct fake_store *f);

/* Takes the next complete message that the channel sent.  Returns false if there is none. */
bool fake_store_take(struct fake_store *f, struct fake_msg *msg);

/* Sends bytes to the channel as they are. */
void fake_store_send(struct fake_store *f, const void *data, size_t len);

/* Sends a message with the ids and the type of `msg`, and `len` bytes of body. */
void fake_store_reply(struct fake_store *f, const struct fake_msg *msg, const void *body,
		      size_t len);

/* Answers `msg` with an XS_ERROR. */
void fake_store_error(struct fake_store *f, const struct fake_msg *msg, const char *name);

/* Sends a watch event. */
void fake_store_event(struct fake_store *f, const char *path, const char *token);

/* The connection ends after everything sent so far. */
void fake_store_eof(struct fake_store *f);

#endif
