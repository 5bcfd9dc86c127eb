/* SPDX-License-Identifier: MIT */
/*
 * Tests ring/client.[ch]: raw clients on a channel that they share.  The test plays the clients, the
 * store and the I/O thread, so it decides about every order.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring/client_impl.h"
#include "tests/chan_fixture.h"
#include "tests/failing_malloc.h"

#define CLIENTS 3

struct world {
	struct fixture *fx;
	struct watches *ws;
	struct client_counters counters;
	struct client *clients[CLIENTS];
	unsigned ready[CLIENTS]; /* how often it was told so */
};

struct ready_arg {
	struct world *w;
	unsigned i;
};

static struct ready_arg ready_args[CLIENTS];

static void on_ready(void *arg)
{
	struct ready_arg *ready = arg;

	ready->w->ready[ready->i]++;
}

static void open_client(struct world *w, unsigned i)
{
	ready_args[i] = (struct ready_arg){ w, i };
	w->clients[i] = client_new(&(struct client_config){
		.chan = w->fx->chan,
		.watches = w->ws,
		.domid = 5,
		.counters = &w->counters,
		.ready = on_ready,
		.arg = &ready_args[i],
	});
	assert_non_null(w->clients[i]);
}

static void close_client(struct world *w, unsigned i)
{
	client_close(w->clients[i]);
	w->clients[i] = NULL;
}

static int setup_with(void **state, unsigned timeout_ms, unsigned in_flight_max)
{
	struct world *w = calloc(1, sizeof(*w));

	w->fx = fixture_new();
	w->fx->config.timeout_ms = timeout_ms;
	w->fx->config.in_flight_max = in_flight_max;
	fixture_start(w->fx);
	w->ws = watches_new(w->fx->chan, &w->fx->log);
	assert_non_null(w->ws);
	for (unsigned i = 0; i < CLIENTS; i++)
		open_client(w, i);
	*state = w;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, 0, 0);
}

static int setup_deadline(void **state)
{
	return setup_with(state, 30, 0);
}

static int setup_slots(void **state)
{
	return setup_with(state, 0, 8);
}

static int teardown(void **state)
{
	struct world *w = *state;

	malloc_countdown = 0;
	for (unsigned i = 0; i < CLIENTS; i++)
		if (w->clients[i])
			client_close(w->clients[i]);
	chan_shutdown(w->fx->chan);
	watches_free(w->ws);
	/* Nothing of a client is left behind. */
	assert_int_equal(w->counters.clients, 0);
	assert_int_equal(w->counters.watches, 0);
	fixture_free(w->fx);
	free(w);
	return 0;
}

/* --- the client's side --- */

/* Makes a message at `to`; returns its size. */
static size_t message(char *to, uint32_t type, uint32_t req_id, uint32_t tx_id, const char *body,
		      size_t len)
{
	struct xsd_sockmsg hdr = { .type = type, .req_id = req_id, .tx_id = tx_id, .len = len };

	memcpy(to, &hdr, sizeof(hdr));
	if (len)
		memcpy(to + sizeof(hdr), body, len);
	return sizeof(hdr) + len;
}

static void put_in(struct world *w, unsigned i, uint32_t type, uint32_t req_id, uint32_t tx_id,
		   const char *body, size_t len)
{
	char buf[WIRE_HEADER_SIZE + WIRE_PAYLOAD_MAX];
	size_t size = message(buf, type, req_id, tx_id, body, len);

	assert_int_equal(client_write(w->clients[i], buf, size), size);
}

/* A message whose payload is a string with its NUL. */
static void put(struct world *w, unsigned i, uint32_t type, uint32_t req_id, const char *body)
{
	put_in(w, i, type, req_id, 0, body, strlen(body) + 1);
}

static void put_tx(struct world *w, unsigned i, uint32_t type, uint32_t req_id, uint32_t tx_id,
		   const char *body)
{
	put_in(w, i, type, req_id, tx_id, body, strlen(body) + 1);
}

/* WATCH and UNWATCH. */
static void put_watch(struct world *w, unsigned i, uint32_t type, uint32_t req_id,
		      const char *path, const char *token)
{
	char body[WIRE_PAYLOAD_MAX];
	size_t len = snprintf(body, sizeof(body), "%s%c%s", path, '\0', token) + 1;

	put_in(w, i, type, req_id, 0, body, len);
}

/* Takes the next message of the client; fails the test if it has none, or half of one. */
static struct fake_msg get(struct world *w, unsigned i)
{
	struct fake_msg msg;
	ssize_t n = client_read(w->clients[i], &msg.hdr, sizeof(msg.hdr));

	if (n != sizeof(msg.hdr))
		fail_msg("client %u has nothing to read: %zd", i, n);
	assert_in_range(msg.hdr.len, 0, WIRE_PAYLOAD_MAX);
	assert_int_equal(client_read(w->clients[i], msg.body, msg.hdr.len), msg.hdr.len);
	msg.body[msg.hdr.len] = '\0';
	return msg;
}

static void get_nothing(struct world *w, unsigned i)
{
	char byte;

	assert_int_equal(client_read(w->clients[i], &byte, 1), -EAGAIN);
	assert_false(client_poll(w->clients[i]) & POLLIN);
}

/* Takes an answer, with its ids, type and string. */
static void gets(struct world *w, unsigned i, uint32_t type, uint32_t req_id, uint32_t tx_id,
		 const char *body)
{
	struct fake_msg msg = get(w, i);

	assert_string_equal(wire_type_name(msg.hdr.type), wire_type_name(type));
	assert_int_equal(msg.hdr.req_id, req_id);
	assert_int_equal(msg.hdr.tx_id, tx_id);
	assert_string_equal(msg.body, body);
}

static void gets_error(struct world *w, unsigned i, uint32_t req_id, const char *name)
{
	gets(w, i, XS_ERROR, req_id, 0, name);
}

static void gets_event(struct world *w, unsigned i, const char *path, const char *token)
{
	struct fake_msg msg = get(w, i);

	assert_int_equal(msg.hdr.type, XS_WATCH_EVENT);
	assert_int_equal(msg.hdr.req_id, 0);
	assert_int_equal(msg.hdr.tx_id, 0);
	assert_int_equal(msg.hdr.len, strlen(path) + strlen(token) + 2);
	assert_string_equal(msg.body, path);
	assert_string_equal(msg.body + strlen(path) + 1, token);
}

/* --- the store's side --- */

/* Answers with a string and its NUL. */
static void serve(struct world *w, const struct fake_msg *msg, const char *body)
{
	fake_store_reply(w->fx->store, msg, body, strlen(body) + 1);
	pump(w->fx);
}

static void refuse(struct world *w, const struct fake_msg *msg, const char *name)
{
	fake_store_error(w->fx->store, msg, name);
	pump(w->fx);
}

static const char *token_of(const struct fake_msg *msg)
{
	return msg->body + strlen(msg->body) + 1;
}

static struct fake_msg serve_watch(struct world *w, const char *path)
{
	struct fake_msg msg = take(w->fx, XS_WATCH, path);

	serve(w, &msg, "OK");
	fake_store_event(w->fx->store, path, token_of(&msg));
	pump(w->fx);
	return msg;
}

static void serve_event(struct world *w, const char *path, const struct fake_msg *watch)
{
	fake_store_event(w->fx->store, path, token_of(watch));
	pump(w->fx);
}

/* A client starts a transaction that the store calls `server_id`; returns the client's name. */
static uint32_t start(struct world *w, unsigned i, const char *server_id)
{
	struct fake_msg msg;

	put(w, i, XS_TRANSACTION_START, 900, "");
	msg = take(w->fx, XS_TRANSACTION_START, "");
	serve(w, &msg, server_id);
	msg = get(w, i);
	assert_int_equal(msg.hdr.type, XS_TRANSACTION_START);
	assert_int_equal(msg.hdr.req_id, 900);
	return strtoul(msg.body, NULL, 10);
}

/* A WATCH that the store accepts, and its initial event. */
static struct fake_msg watch(struct world *w, unsigned i, const char *path, const char *token)
{
	struct fake_msg msg;

	put_watch(w, i, XS_WATCH, 901, path, token);
	msg = serve_watch(w, path);
	gets(w, i, XS_WATCH, 901, 0, "OK");
	gets_event(w, i, path, token);
	return msg;
}

static void reconnect(struct world *w)
{
	fake_store_eof(w->fx->store);
	pump(w->fx);
	while (stats(w->fx).state != CHAN_CONNECTED)
		sleep_and_pump(w->fx);
}

/* --- messages --------------------------------------------------------------------------------- */

static void there_and_back(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;

	put(w, 0, XS_READ, 77, "/a");
	msg = take(w->fx, XS_READ, "/a");
	assert_int_equal(msg.hdr.tx_id, 0);
	get_nothing(w, 0);
	assert_int_equal(w->ready[0], 0);
	answer(w->fx, &msg, "value");
	assert_int_equal(w->ready[0], 1);
	assert_true(client_poll(w->clients[0]) & POLLIN);
	gets(w, 0, XS_READ, 77, 0, "value");
	get_nothing(w, 0);
	/* Values are bytes. */
	put_in(w, 0, XS_WRITE, 78, 0, "/a\0x\0y", 6);
	msg = take(w->fx, XS_WRITE, "/a");
	assert_int_equal(msg.hdr.len, 6);
	assert_memory_equal(msg.body, "/a\0x\0y", 6);
	fake_store_reply(w->fx->store, &msg, "\0b\0", 3);
	pump(w->fx);
	msg = get(w, 0);
	assert_int_equal(msg.hdr.len, 3);
	assert_memory_equal(msg.body, "\0b\0", 3);
}

static void ids_may_be_equal(void **state)
{
	struct world *w = *state;
	struct fake_msg msg[3];

	put(w, 0, XS_READ, 1, "/a");
	put(w, 0, XS_READ, 1, "/b");
	put(w, 1, XS_READ, 1, "/c");
	msg[0] = take(w->fx, XS_READ, "/a");
	msg[1] = take(w->fx, XS_READ, "/b");
	msg[2] = take(w->fx, XS_READ, "/c");
	assert_int_not_equal(msg[0].hdr.req_id, msg[1].hdr.req_id);
	assert_int_not_equal(msg[0].hdr.req_id, msg[2].hdr.req_id);
	assert_int_not_equal(msg[1].hdr.req_id, msg[2].hdr.req_id);
	/* In another order than they were asked. */
	answer(w->fx, &msg[2], "c");
	answer(w->fx, &msg[1], "b");
	answer(w->fx, &msg[0], "a");
	gets(w, 0, XS_READ, 1, 0, "b");
	gets(w, 0, XS_READ, 1, 0, "a");
	gets(w, 1, XS_READ, 1, 0, "c");
}

static void errors_in_the_stores_words(void **state)
{
	static const char *const names[] = { "ENOENT", "EQUOTA", "EWHATEVER" };
	struct world *w = *state;
	struct fake_msg msg;

	for (unsigned i = 0; i < 3; i++) {
		put(w, 0, XS_READ, i, "/a");
		msg = take(w->fx, XS_READ, "/a");
		refuse(w, &msg, names[i]);
		gets_error(w, 0, i, names[i]);
	}
}

/* Every way to cut two messages in three. */
static void any_cut(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	char buf[100];
	size_t size = message(buf, XS_READ, 1, 0, "/a", 3);

	size += message(buf + size, XS_WRITE, 2, 0, "/b\0v", 4);
	for (size_t one = 0; one <= size; one++) {
		for (size_t two = one; two <= size; two++) {
			assert_int_equal(client_write(w->clients[0], buf, one), one);
			assert_int_equal(client_write(w->clients[0], buf + one, two - one),
					 two - one);
			assert_int_equal(client_write(w->clients[0], buf + two, size - two),
					 size - two);
			msg = take(w->fx, XS_READ, "/a");
			answer(w->fx, &msg, "v");
			msg = take(w->fx, XS_WRITE, "/b");
			assert_int_equal(msg.hdr.len, 4);
			answer(w->fx, &msg, "OK");
			gets(w, 0, XS_READ, 1, 0, "v");
			gets(w, 0, XS_WRITE, 2, 0, "OK");
			take_nothing(w->fx);
		}
	}
}

static void byte_by_byte(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	char in[100], out[100];
	size_t size = message(in, XS_READ, 1, 0, "/a", 3);

	for (size_t i = 0; i < size; i++) {
		take_nothing(w->fx);
		assert_int_equal(client_write(w->clients[0], in + i, 1), 1);
	}
	msg = take(w->fx, XS_READ, "/a");
	answer(w->fx, &msg, "value");
	size = WIRE_HEADER_SIZE + 5;
	for (size_t i = 0; i < size; i++) {
		assert_true(client_poll(w->clients[0]) & POLLIN);
		assert_int_equal(client_read(w->clients[0], out + i, 1), 1);
	}
	get_nothing(w, 0);
	assert_memory_equal(out + WIRE_HEADER_SIZE, "value", 5);
	/* And several in one piece. */
	for (unsigned i = 0; i < 3; i++) {
		put(w, 0, XS_READ, i, "/a");
		msg = take(w->fx, XS_READ, "/a");
		answer(w->fx, &msg, "x");
	}
	assert_int_equal(client_read(w->clients[0], out, sizeof(out)), 3 * (WIRE_HEADER_SIZE + 1));
	get_nothing(w, 0);
	assert_int_equal(client_write(w->clients[0], in, 0), 0);
	assert_int_equal(client_read(w->clients[0], in, 0), 0);
}

static void too_large(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	char buf[100];
	size_t good = message(buf, XS_READ, 1, 0, "/a", 3);
	size_t bad = message(buf + good, XS_READ, 2, 0, NULL, 0);

	buf[good + 12] = 1;
	buf[good + 13] = 0x10; /* 4097 */
	/* What is in front of it is taken; it is not, however it comes. */
	assert_int_equal(client_write(w->clients[0], buf, good + bad), good);
	msg = take(w->fx, XS_READ, "/a");
	answer(w->fx, &msg, "v");
	gets(w, 0, XS_READ, 1, 0, "v");
	assert_int_equal(client_write(w->clients[0], buf + good, bad), -E2BIG);
	assert_int_equal(client_write(w->clients[0], buf + good, 10), 10);
	assert_int_equal(client_write(w->clients[0], buf + good + 10, 6), -E2BIG);
	take_nothing(w->fx);
	/* It is forgotten: a new message begins. */
	put(w, 0, XS_READ, 3, "/b");
	take(w->fx, XS_READ, "/b");
}

/* What the protocol allows may still be more than the transport carries. */
static void larger_than_the_transport(void **state)
{
	static char body[WIRE_PAYLOAD_MAX] = "/a";
	struct world *w = *state;

	w->fx->store->transport.payload_max = 4080;
	put_in(w, 0, XS_WRITE, 5, 0, body, 4081);
	gets_error(w, 0, 5, "E2BIG");
	assert_int_equal(w->ready[0], 1);
	put_in(w, 0, XS_WRITE, 6, 0, body, 4080);
	take(w->fx, XS_WRITE, "/a");
}

static void garbage_stays_here(void **state)
{
	static const uint32_t types[] = { XS_WATCH_EVENT, XS_ERROR, XS_SET_TARGET + 1,
					  WIRE_TYPE_COUNT, 99, UINT32_MAX };
	static const struct {
		uint32_t type;
		const char *body;
		size_t len;
	} payloads[] = {
		{ XS_READ, "", 0 },           { XS_READ, "/a", 2 },
		{ XS_READ, "/a\0/b", 6 },     { XS_DIRECTORY, "/a", 2 },
		{ XS_GET_PERMS, "/a", 2 },    { XS_MKDIR, "/a", 2 },
		{ XS_RM, "", 0 },             { XS_WRITE, "/a", 2 },
		{ XS_WRITE, "", 0 },          { XS_SET_PERMS, "/a", 3 },
		{ XS_SET_PERMS, "/a\0n0", 5 }, { XS_TRANSACTION_END, "T", 1 },
		{ XS_INTRODUCE, "1\0001", 4 }, { XS_RELEASE, "1", 1 },
		{ XS_GET_DOMAIN_PATH, "", 0 }, { XS_IS_DOMAIN_INTRODUCED, "1", 1 },
		{ XS_RESUME, "1", 1 },        { XS_SET_TARGET, "1", 2 },
		{ XS_DIRECTORY_PART, "/", 2 }, { XS_CONTROL, "help", 4 },
		{ XS_CONTROL, "", 0 },        { XS_WATCH, "", 0 },
		{ XS_WATCH, "/a", 3 },        { XS_WATCH, "/a\0t", 4 },
		{ XS_WATCH, "/a\0t\0x", 6 },  { XS_WATCH, "/a\0t\0001\0x", 8 },
		{ XS_WATCH, "/a\0t\00012345678901234", 20 }, { XS_UNWATCH, "/a", 3 },
		{ XS_UNWATCH, "/a\0t\0x", 7 }, { XS_UNWATCH, "", 0 },
	};
	struct world *w = *state;

	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		put(w, 0, types[i], i, "/a");
		gets_error(w, 0, i, "ENOSYS");
	}
	for (unsigned i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		put_in(w, 0, payloads[i].type, i, 0, payloads[i].body, payloads[i].len);
		gets_error(w, 0, i, "EINVAL");
	}
	take_nothing(w->fx);
	assert_true(w->ready[0] > 0);
}

/* All that the servers know goes there as it is. */
static void all_types(void **state)
{
	static const struct {
		uint32_t type;
		const char *body;
		size_t len;
	} all[] = {
		{ XS_CONTROL, "print\0x", 8 },      { XS_DIRECTORY, "/", 2 },
		{ XS_READ, "/a", 3 },               { XS_GET_PERMS, "/a", 3 },
		{ XS_INTRODUCE, "1\0002\0003", 6 }, { XS_RELEASE, "1", 2 },
		{ XS_GET_DOMAIN_PATH, "1", 2 },     { XS_WRITE, "/a\0v", 4 },
		{ XS_MKDIR, "/a", 3 },              { XS_RM, "/a", 3 },
		{ XS_SET_PERMS, "/a\0n0", 6 },      { XS_IS_DOMAIN_INTRODUCED, "1", 2 },
		{ XS_RESUME, "1", 2 },              { XS_SET_TARGET, "1\0002", 4 },
		{ XS_DIRECTORY_PART, "/\0000", 4 }, { WIRE_GET_FEATURE, "1", 2 },
		{ WIRE_SET_FEATURE, "1\0001", 4 },  { WIRE_GET_QUOTA, "", 0 },
		{ WIRE_SET_QUOTA, "a\0001", 4 },    { XS_TRANSACTION_END, "T", 2 },
	};
	struct world *w = *state;
	struct fake_msg msg;

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		put_in(w, 0, all[i].type, i, 0, all[i].body, all[i].len);
		msg = take(w->fx, all[i].type, all[i].body);
		assert_int_equal(msg.hdr.len, all[i].len);
		assert_memory_equal(msg.body, all[i].body, all[i].len);
		answer(w->fx, &msg, "yes");
		gets(w, 0, all[i].type, i, 0, "yes");
	}
}

/* --- bounds ----------------------------------------------------------------------------------- */

static void in_flight_is_bounded(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	char one[100], all[CLIENT_IN_FLIGHT * 100];
	size_t size = message(one, XS_READ, 1, 0, "/a", 3), len = 0;

	for (unsigned i = 0; i < CLIENT_IN_FLIGHT + 4; i++)
		len += message(all + len, XS_READ, i, 0, "/a", 3);
	assert_int_equal(client_write(w->clients[0], all, len), CLIENT_IN_FLIGHT * size);
	assert_int_equal(client_write(w->clients[0], one, size), -EAGAIN);
	assert_int_equal(client_write(w->clients[0], one, 1), -EAGAIN);
	assert_false(client_poll(w->clients[0]) & POLLOUT);
	/* Nobody else is held up. */
	put(w, 1, XS_READ, 1, "/b");
	msg = take(w->fx, XS_READ, "/a");
	answer(w->fx, &msg, "v");
	assert_int_equal(w->ready[0], 1);
	assert_true(client_poll(w->clients[0]) & POLLOUT);
	/* One begun may be finished, whatever else is under way. */
	assert_int_equal(client_write(w->clients[0], one, 5), 5);
	assert_true(client_poll(w->clients[0]) & POLLOUT);
	assert_int_equal(client_write(w->clients[0], one + 5, size - 5), size - 5);
	assert_int_equal(client_write(w->clients[0], one, size), -EAGAIN);
}

static void answers_are_bounded(void **state)
{
	static char value[WIRE_PAYLOAD_MAX];
	struct world *w = *state;
	struct fake_msg msg;
	unsigned asked = 0;
	char one[100];
	size_t size = message(one, XS_READ, 1, 0, "/a", 3);

	memset(value, 'x', sizeof(value));
	while (client_write(w->clients[0], one, size) == (ssize_t)size) {
		msg = take(w->fx, XS_READ, "/a");
		fake_store_reply(w->fx->store, &msg, value, sizeof(value));
		pump(w->fx);
		assert_in_range(++asked, 1, CLIENT_ANSWERS_MAX / sizeof(value));
	}
	assert_true(asked > CLIENT_ANSWERS_MAX / (sizeof(value) + 1024));
	assert_int_equal(client_write(w->clients[0], one, size), -EAGAIN);
	assert_int_equal(client_poll(w->clients[0]), POLLIN);
	for (; asked; asked--)
		assert_int_equal(get(w, 0).hdr.len, sizeof(value));
	get_nothing(w, 0);
	assert_int_equal(client_write(w->clients[0], one, size), size);
}

static void events_are_merged(void **state)
{
	struct world *w = *state;
	struct fake_msg msg = watch(w, 0, "/a", "t");

	for (unsigned i = 0; i < 1000; i++) {
		serve_event(w, "/a/b", &msg);
		serve_event(w, "/a/c", &msg);
	}
	gets_event(w, 0, "/a/b", "t");
	gets_event(w, 0, "/a/c", "t");
	get_nothing(w, 0);
	assert_int_equal(w->counters.events_merged, 1998);
	/* What was read may come again. */
	serve_event(w, "/a/b", &msg);
	gets_event(w, 0, "/a/b", "t");
}

static void events_are_bounded(void **state)
{
	struct world *w = *state;
	struct fake_msg a = watch(w, 0, "/a", "t"), b = watch(w, 0, "/b", "u");
	char path[2000];
	unsigned count = 0;
	struct fake_msg got;

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/a/%01900u", i);
		serve_event(w, path, &a);
	}
	serve_event(w, "/b/x", &b);
	assert_in_range(w->clients[0]->event_bytes, 100000, CLIENT_EVENTS_MAX);
	/* It can still ask. */
	assert_true(client_poll(w->clients[0]) & POLLOUT);
	for (;;) {
		got = get(w, 0);
		if (strlen(got.body) < 1000)
			break;
		count++;
	}
	assert_in_range(count, 50, CLIENT_EVENTS_MAX / 1900);
	/* Of what did not fit each watch tells once, of its own path. */
	assert_string_equal(got.body, "/b/x");
	gets_event(w, 0, "/a", "t");
	get_nothing(w, 0);
	serve_event(w, "/a/1", &a);
	gets_event(w, 0, "/a/1", "t");
}

static void no_memory_for_an_event(void **state)
{
	struct world *w = *state;
	struct fake_msg msg = watch(w, 0, "/a", "t");
	char byte;

	fake_store_event(w->fx->store, "/a/b", token_of(&msg));
	malloc_countdown = 1;
	pump(w->fx);
	assert_int_equal(malloc_countdown, 0);
	assert_true(client_poll(w->clients[0]) & POLLIN);
	malloc_countdown = 1;
	assert_int_equal(client_read(w->clients[0], &byte, 1), -ENOMEM);
	gets_event(w, 0, "/a", "t");
	get_nothing(w, 0);
}

static void take_and_refuse(struct world *w)
{
	struct fake_msg msg;

	assert_true(fake_store_take(w->fx->store, &msg));
	refuse(w, &msg, "EIO");
	gets_error(w, 0, 9, "EIO");
	take_nothing(w->fx);
}

/* Each allocation of a message in turn: it is refused whole, or answered. */
static void no_memory_for_a_message(void **state)
{
	static const struct {
		uint32_t type;
		const char *body;
		size_t len;
	} kinds[] = { { XS_READ, "/a", 3 }, { XS_TRANSACTION_START, "", 1 }, { XS_WATCH, "/w\0t", 5 } };
	struct world *w = *state;
	unsigned refused = 0, answered = 0;
	char buf[100];
	size_t size;
	ssize_t n;

	for (unsigned kind = 0; kind < 3; kind++) {
		size = message(buf, kinds[kind].type, 9, 0, kinds[kind].body, kinds[kind].len);
		for (unsigned i = 1;; i++) {
			/* The header comes in two pieces. */
			assert_int_equal(client_write(w->clients[0], buf, 7), 7);
			malloc_countdown = i;
			n = client_write(w->clients[0], buf + 7, size - 7);
			if (malloc_countdown) {
				malloc_countdown = 0;
				assert_int_equal(n, size - 7);
				break;
			}
			if (n == -ENOMEM) {
				/* Not a byte of it was taken: it can be tried again. */
				refused++;
				n = client_write(w->clients[0], buf + 7, size - 7);
				take_and_refuse(w);
			} else {
				gets_error(w, 0, 9, "ENOMEM");
				answered++;
			}
			assert_int_equal(n, size - 7);
		}
		take_and_refuse(w);
	}
	assert_true(refused >= 6);
	assert_true(answered >= 3);
	assert_int_equal(w->counters.watches, 0);
}

/* --- transactions ----------------------------------------------------------------------------- */

static void transaction_ids_are_the_clients(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	uint32_t a = start(w, 0, "1000"), b = start(w, 1, "2000"), c = start(w, 0, "3000");

	/* As each had them alone. */
	assert_int_equal(a, 1);
	assert_int_equal(b, 1);
	assert_int_equal(c, 2);
	assert_int_equal(w->counters.transactions, 3);
	put_tx(w, 0, XS_READ, 5, a, "/a");
	msg = take(w->fx, XS_READ, "/a");
	assert_int_equal(msg.hdr.tx_id, 1000);
	answer(w->fx, &msg, "v");
	gets(w, 0, XS_READ, 5, a, "v");
	put_tx(w, 0, XS_MKDIR, 6, c, "/a");
	msg = take(w->fx, XS_MKDIR, "/a");
	assert_int_equal(msg.hdr.tx_id, 3000);
	refuse(w, &msg, "EINVAL");
	gets(w, 0, XS_ERROR, 6, c, "EINVAL");
	/* A foreign one, and one that never was. */
	put_tx(w, 1, XS_READ, 7, c, "/a");
	gets(w, 1, XS_ERROR, 7, c, "ENOENT");
	put_tx(w, 2, XS_TRANSACTION_END, 7, a, "T");
	gets(w, 2, XS_ERROR, 7, a, "ENOENT");
	put_tx(w, 1, XS_READ, 8, 2000, "/a");
	gets(w, 1, XS_ERROR, 8, 2000, "ENOENT");
	/* Nested: the answer is the server's own. */
	put_tx(w, 0, XS_TRANSACTION_START, 9, a, "");
	msg = take(w->fx, XS_TRANSACTION_START, "");
	assert_int_equal(msg.hdr.tx_id, 1000);
	refuse(w, &msg, "EBUSY");
	gets(w, 0, XS_ERROR, 9, a, "EBUSY");
	put_tx(w, 0, XS_TRANSACTION_END, 10, a, "T");
	msg = take(w->fx, XS_TRANSACTION_END, "T");
	assert_int_equal(msg.hdr.tx_id, 1000);
	refuse(w, &msg, "EAGAIN");
	gets(w, 0, XS_ERROR, 10, a, "EAGAIN");
	put_tx(w, 0, XS_READ, 11, a, "/a");
	gets(w, 0, XS_ERROR, 11, a, "ENOENT");
	assert_int_equal(w->counters.transactions, 2);
	take_nothing(w->fx);
}

/* One whose end the server did not understand is still there. */
static void transaction_after_a_bad_end(void **state)
{
	struct world *w = *state;
	uint32_t tx = start(w, 0, "1000");
	struct fake_msg msg;

	put_tx(w, 0, XS_TRANSACTION_END, 1, tx, "X");
	msg = take(w->fx, XS_TRANSACTION_END, "X");
	refuse(w, &msg, "EINVAL");
	gets(w, 0, XS_ERROR, 1, tx, "EINVAL");
	put_tx(w, 0, XS_TRANSACTION_END, 2, tx, "X");
	msg = take(w->fx, XS_TRANSACTION_END, "X");
	close_client(w, 0);
	take_nothing(w->fx);
	refuse(w, &msg, "EINVAL");
	msg = take(w->fx, XS_TRANSACTION_END, "F");
	assert_int_equal(msg.hdr.tx_id, 1000);
	answer(w->fx, &msg, "OK");
}

static void empty_start_is_padded(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;

	put_in(w, 0, XS_TRANSACTION_START, 3, 0, NULL, 0);
	msg = take(w->fx, XS_TRANSACTION_START, "");
	assert_int_equal(msg.hdr.len, 1);
	serve(w, &msg, "4711");
	gets(w, 0, XS_TRANSACTION_START, 3, 0, "1");
}

static void nonsense_for_a_start(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;

	put(w, 0, XS_TRANSACTION_START, 3, "");
	msg = take(w->fx, XS_TRANSACTION_START, "");
	serve(w, &msg, "x1");
	gets_error(w, 0, 3, "EIO");
	assert_int_equal(w->counters.transactions, 0);
}

static void connection_lost(void **state)
{
	struct world *w = *state;
	uint32_t a = start(w, 0, "1"), b;
	struct fake_msg msg;

	put_tx(w, 0, XS_READ, 1, a, "/a");
	put(w, 0, XS_TRANSACTION_START, 2, "");
	take(w->fx, XS_READ, "/a");
	take(w->fx, XS_TRANSACTION_START, "");
	reconnect(w);
	gets(w, 0, XS_ERROR, 1, a, "EIO");
	gets(w, 0, XS_ERROR, 2, 0, "EIO");
	/* Its transaction went with the connection, although the server has one of that number. */
	b = start(w, 1, "1");
	put_tx(w, 0, XS_READ, 3, a, "/a");
	gets(w, 0, XS_ERROR, 3, a, "ENOENT");
	put_tx(w, 0, XS_TRANSACTION_END, 4, a, "T");
	gets(w, 0, XS_ERROR, 4, a, "ENOENT");
	assert_int_equal(w->counters.transactions, 1);
	close_client(w, 0);
	take_nothing(w->fx);
	put_tx(w, 1, XS_TRANSACTION_END, 5, b, "T");
	msg = take(w->fx, XS_TRANSACTION_END, "T");
	answer(w->fx, &msg, "OK");
	gets(w, 1, XS_TRANSACTION_END, 5, b, "OK");
}

static void deadline(void **state)
{
	struct world *w = *state;
	uint32_t tx = start(w, 0, "1");

	put_tx(w, 0, XS_READ, 1, tx, "/a");
	put(w, 0, XS_READ, 2, "/a");
	while (stats(w->fx).timeouts < 2)
		sleep_and_pump(w->fx);
	gets(w, 0, XS_ERROR, 1, tx, "EIO");
	gets(w, 0, XS_ERROR, 2, 0, "EIO");
}

/* An end that never reached the server, as there was no room, has ended nothing. */
static void deadline_of_an_end_that_was_not_sent(void **state)
{
	struct world *w = *state;
	uint32_t tx = start(w, 0, "1");
	struct fake_msg msg;

	w->fx->store->room = 0;
	put_tx(w, 0, XS_TRANSACTION_END, 1, tx, "T");
	while (stats(w->fx).timeouts < 1)
		sleep_and_pump(w->fx);
	gets(w, 0, XS_ERROR, 1, tx, "EIO");
	close_client(w, 0);
	/* The abort has time. */
	usleep(100000);
	pump(w->fx);
	fake_store_room(w->fx->store, SIZE_MAX);
	pump(w->fx);
	msg = take(w->fx, XS_TRANSACTION_END, "F");
	assert_int_equal(msg.hdr.tx_id, 1);
	answer(w->fx, &msg, "OK");
}

/* --- watches ---------------------------------------------------------------------------------- */

static void watch_and_events(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;

	put_watch(w, 0, XS_WATCH, 8, "/a", "my token\n\x01");
	msg = take(w->fx, XS_WATCH, "/a");
	/* The token is ours on the wire. */
	assert_string_not_equal(token_of(&msg), "my token\n\x01");
	serve(w, &msg, "OK");
	get_nothing(w, 0);
	serve_event(w, "/a", &msg);
	assert_true(w->ready[0] > 0);
	gets(w, 0, XS_WATCH, 8, 0, "OK");
	gets_event(w, 0, "/a", "my token\n\x01");
	get_nothing(w, 0);
	serve_event(w, "/a/b", &msg);
	gets_event(w, 0, "/a/b", "my token\n\x01");
	assert_int_equal(w->counters.watches, 1);
	put_watch(w, 0, XS_UNWATCH, 9, "/a", "my token\n\x01");
	gets(w, 0, XS_UNWATCH, 9, 0, "OK");
	take(w->fx, XS_UNWATCH, "/a");
	serve_event(w, "/a/b", &msg);
	get_nothing(w, 0);
	put_watch(w, 0, XS_UNWATCH, 10, "/a", "my token\n\x01");
	gets_error(w, 0, 10, "ENOENT");
}

static void watches_share_the_servers(void **state)
{
	struct world *w = *state;
	struct fake_msg msg = watch(w, 0, "/a", "t");

	/* Another token, another client, an empty token: answered at once. */
	put_watch(w, 0, XS_WATCH, 1, "/a", "u");
	gets(w, 0, XS_WATCH, 1, 0, "OK");
	gets_event(w, 0, "/a", "u");
	put_watch(w, 1, XS_WATCH, 2, "/a", "t");
	gets(w, 1, XS_WATCH, 2, 0, "OK");
	gets_event(w, 1, "/a", "t");
	put_watch(w, 1, XS_WATCH, 3, "/a", "");
	gets(w, 1, XS_WATCH, 3, 0, "OK");
	gets_event(w, 1, "/a", "");
	take_nothing(w->fx);
	/* The same once more: not twice. */
	put_watch(w, 0, XS_WATCH, 4, "/a", "t");
	gets_error(w, 0, 4, "EEXIST");
	serve_event(w, "/a/x", &msg);
	gets_event(w, 0, "/a/x", "t");
	gets_event(w, 0, "/a/x", "u");
	get_nothing(w, 0);
	gets_event(w, 1, "/a/x", "t");
	gets_event(w, 1, "/a/x", "");
	get_nothing(w, 1);
	get_nothing(w, 2);
	/* The server's goes with the last. */
	put_watch(w, 0, XS_UNWATCH, 5, "/a", "t");
	put_watch(w, 0, XS_UNWATCH, 6, "/a", "u");
	put_watch(w, 1, XS_UNWATCH, 7, "/a", "t");
	take_nothing(w->fx);
	close_client(w, 1);
	take(w->fx, XS_UNWATCH, "/a");
	take_nothing(w->fx);
}

static void relative_paths(void **state)
{
	struct world *w = *state;
	struct fake_msg msg = watch(w, 0, "foo", "t");

	/* As it was written, also of what is below; the node is one, however it is called. */
	serve_event(w, "foo/bar", &msg);
	gets_event(w, 0, "foo/bar", "t");
	put_watch(w, 0, XS_WATCH, 1, "/local/domain/5/foo", "t");
	gets_error(w, 0, 1, "EEXIST");
	put_watch(w, 0, XS_UNWATCH, 2, "/local/domain/5/foo", "t");
	gets(w, 0, XS_UNWATCH, 2, 0, "OK");
	take(w->fx, XS_UNWATCH, "foo");
	watch(w, 0, "@introduceDomain", "i");
}

static void refused_watch(void **state)
{
	static const char *const errors[] = { "EINVAL", "E2BIG", "EQUOTA", "ENOSPC", "EACCES" };
	struct world *w = *state;
	struct fake_msg msg;

	for (unsigned i = 0; i < 5; i++) {
		put_watch(w, 0, XS_WATCH, i, "/a b", "t");
		msg = take(w->fx, XS_WATCH, "/a b");
		refuse(w, &msg, errors[i]);
		gets_error(w, 0, i, errors[i]);
		get_nothing(w, 0);
		assert_int_equal(w->counters.watches, 0);
	}
	put_watch(w, 0, XS_UNWATCH, 9, "/a b", "t");
	gets_error(w, 0, 9, "ENOENT");
}

static void depth(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;

	put_in(w, 0, XS_WATCH, 1, 0, "/a\0t\0001", 7);
	msg = take(w->fx, XS_WATCH, "/a");
	assert_int_equal(msg.hdr.len, 3 + strlen(token_of(&msg)) + 1 + 2);
	assert_string_equal(token_of(&msg) + strlen(token_of(&msg)) + 1, "1");
	/* A server that does not know it. */
	refuse(w, &msg, "EINVAL");
	gets_error(w, 0, 1, "EINVAL");
	/* One that does: another than that of all depths. */
	put_in(w, 0, XS_WATCH, 2, 0, "/a\0t\0001", 7);
	msg = serve_watch(w, "/a");
	gets(w, 0, XS_WATCH, 2, 0, "OK");
	gets_event(w, 0, "/a", "t");
	watch(w, 1, "/a", "t");
	put_watch(w, 0, XS_UNWATCH, 3, "/a", "t");
	msg = take(w->fx, XS_UNWATCH, "/a");
	assert_int_equal(msg.hdr.len, 3 + strlen(token_of(&msg)) + 1);
	take_nothing(w->fx);
}

static void unwatch_before_the_answer(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;

	put_watch(w, 0, XS_WATCH, 1, "/a", "t");
	put_watch(w, 0, XS_UNWATCH, 2, "/a", "t");
	put_watch(w, 0, XS_UNWATCH, 3, "/a", "t");
	gets_error(w, 0, 3, "ENOENT");
	get_nothing(w, 0);
	msg = serve_watch(w, "/a");
	gets(w, 0, XS_WATCH, 1, 0, "OK");
	gets_event(w, 0, "/a", "t");
	gets(w, 0, XS_UNWATCH, 2, 0, "OK");
	take(w->fx, XS_UNWATCH, "/a");
	/* And of one that there is not. */
	put_watch(w, 0, XS_WATCH, 1, "/a b", "t");
	put_watch(w, 0, XS_UNWATCH, 2, "/a b", "t");
	msg = take(w->fx, XS_WATCH, "/a b");
	refuse(w, &msg, "EINVAL");
	gets_error(w, 0, 1, "EINVAL");
	gets_error(w, 0, 2, "ENOENT");
	assert_int_equal(w->counters.watches, 0);
}

static void watches_are_bounded(void **state)
{
	struct world *w = *state;
	char token[20];

	watch(w, 0, "/a", "first");
	for (unsigned i = 1; i < CLIENT_WATCHES_MAX; i++) {
		snprintf(token, sizeof(token), "%u", i);
		put_watch(w, 0, XS_WATCH, i, "/a", token);
		gets(w, 0, XS_WATCH, i, 0, "OK");
		gets_event(w, 0, "/a", token);
	}
	put_watch(w, 0, XS_WATCH, 1, "/a", "last");
	gets_error(w, 0, 1, "E2BIG");
	put_watch(w, 1, XS_WATCH, 1, "/a", "last");
	gets(w, 1, XS_WATCH, 1, 0, "OK");
}

static void set_again(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;

	watch(w, 0, "/a", "t");
	reconnect(w);
	get_nothing(w, 0);
	msg = serve_watch(w, "/a");
	/* Anything may have changed. */
	gets_event(w, 0, "/a", "t");
	get_nothing(w, 0);
	serve_event(w, "/a/b", &msg);
	gets_event(w, 0, "/a/b", "t");
	client_resync(w->clients[0]);
	gets_event(w, 0, "/a", "t");
	get_nothing(w, 0);
}

static void reset(void **state)
{
	struct world *w = *state;
	uint32_t a = start(w, 0, "1"), b = start(w, 1, "2"), c;
	struct fake_msg msg, late;

	watch(w, 0, "/a", "t");
	msg = watch(w, 0, "/b", "t");
	put_watch(w, 1, XS_WATCH, 1, "/b", "t");
	gets(w, 1, XS_WATCH, 1, 0, "OK");
	gets_event(w, 1, "/b", "t");
	put(w, 0, XS_TRANSACTION_START, 2, "");
	late = take(w->fx, XS_TRANSACTION_START, "");
	put_watch(w, 0, XS_WATCH, 3, "/c", "t");
	take(w->fx, XS_WATCH, "/c");
	put_tx(w, 0, XS_MKDIR, 4, a, "/x");
	put_in(w, 0, XS_RESET_WATCHES, 5, 0, NULL, 0);
	/* What was done in the transaction comes first. */
	take(w->fx, XS_MKDIR, "/x");
	while (fake_store_take(w->fx->store, &msg) && msg.hdr.type == XS_UNWATCH)
		;
	assert_int_equal(msg.hdr.type, XS_TRANSACTION_END);
	assert_int_equal(msg.hdr.tx_id, 1);
	assert_string_equal(msg.body, "F");
	answer(w->fx, &msg, "OK");
	gets(w, 0, XS_WATCH, 3, 0, "OK");
	gets(w, 0, XS_RESET_WATCHES, 5, 0, "OK");
	assert_int_equal(w->counters.watches, 1);
	/* Its start is answered, and over. */
	serve(w, &late, "3");
	msg = take(w->fx, XS_TRANSACTION_END, "F");
	assert_int_equal(msg.hdr.tx_id, 3);
	msg = get(w, 0);
	assert_int_equal(msg.hdr.type, XS_TRANSACTION_START);
	c = strtoul(msg.body, NULL, 10);
	put_tx(w, 0, XS_READ, 6, c, "/a");
	gets(w, 0, XS_ERROR, 6, c, "ENOENT");
	put_tx(w, 0, XS_READ, 6, a, "/a");
	gets(w, 0, XS_ERROR, 6, a, "ENOENT");
	/* The other client has lost nothing. */
	put_tx(w, 1, XS_READ, 7, b, "/a");
	msg = take(w->fx, XS_READ, "/a");
	assert_int_equal(msg.hdr.tx_id, 2);
	assert_int_equal(w->clients[1]->watches != NULL, 1);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void closed_with_requests_in_flight(void **state)
{
	struct world *w = *state;
	struct fake_msg read, write;

	put(w, 0, XS_READ, 1, "/a");
	put_in(w, 0, XS_WRITE, 2, 0, "/b\0v", 4);
	read = take(w->fx, XS_READ, "/a");
	write = take(w->fx, XS_WRITE, "/b");
	close_client(w, 0);
	assert_int_equal(stats(w->fx).abandoned, 1);
	answer(w->fx, &read, "v");
	answer(w->fx, &write, "OK");
	assert_int_equal(stats(w->fx).late_replies, 1);
	assert_int_equal(stats(w->fx).in_flight, 0);
	assert_int_equal(w->ready[0], 0);
	put(w, 1, XS_READ, 1, "/a");
	take(w->fx, XS_READ, "/a");
}

/* What was written is carried out, what was only asked is not, if it is not on the wire yet. */
static void closed_with_requests_queued(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;

	w->fx->store->room = 0;
	put(w, 0, XS_READ, 1, "/a");
	put_in(w, 0, XS_WRITE, 2, 0, "/b\0v", 4);
	put(w, 0, XS_TRANSACTION_START, 3, "");
	put(w, 0, XS_RM, 4, "/c");
	close_client(w, 0);
	fake_store_room(w->fx->store, SIZE_MAX);
	pump(w->fx);
	msg = take(w->fx, XS_WRITE, "/b");
	answer(w->fx, &msg, "OK");
	msg = take(w->fx, XS_RM, "/c");
	answer(w->fx, &msg, "OK");
	take_nothing(w->fx);
	assert_int_equal(stats(w->fx).in_flight, 0);
}

static void closed_with_transactions(void **state)
{
	struct world *w = *state;
	uint32_t a = start(w, 0, "10"), b = start(w, 0, "20"), c = start(w, 0, "30");
	struct fake_msg msg, end, late;
	unsigned ids = 0;

	put(w, 0, XS_TRANSACTION_START, 1, "");
	late = take(w->fx, XS_TRANSACTION_START, "");
	/* Being committed: neither what belongs to it nor that is given up. */
	w->fx->store->room = 0;
	put_tx(w, 0, XS_READ, 2, b, "/in/b");
	put_tx(w, 0, XS_TRANSACTION_END, 3, b, "T");
	put_tx(w, 0, XS_MKDIR, 4, c, "/in/c");
	close_client(w, 0);
	fake_store_room(w->fx->store, SIZE_MAX);
	pump(w->fx);
	take(w->fx, XS_READ, "/in/b");
	end = take(w->fx, XS_TRANSACTION_END, "T");
	assert_int_equal(end.hdr.tx_id, 20);
	take(w->fx, XS_MKDIR, "/in/c");
	for (unsigned i = 0; i < 2; i++) {
		msg = take(w->fx, XS_TRANSACTION_END, "F");
		ids += msg.hdr.tx_id;
		answer(w->fx, &msg, "OK");
	}
	assert_int_equal(ids, 10 + 30);
	answer(w->fx, &end, "OK");
	take_nothing(w->fx);
	/* The start that nobody waits for any more is ended. */
	serve(w, &late, "40");
	msg = take(w->fx, XS_TRANSACTION_END, "F");
	assert_int_equal(msg.hdr.tx_id, 40);
	answer(w->fx, &msg, "OK");
	assert_int_equal(w->counters.transactions, 0);
	(void)a;
}

static void closed_with_watches(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;

	watch(w, 0, "/a", "t");
	put_watch(w, 0, XS_WATCH, 1, "/b", "t");
	put_watch(w, 0, XS_UNWATCH, 2, "/b", "t");
	put_watch(w, 1, XS_WATCH, 3, "/b", "t");
	msg = take(w->fx, XS_WATCH, "/b");
	close_client(w, 0);
	take(w->fx, XS_UNWATCH, "/a");
	take_nothing(w->fx);
	answer(w->fx, &msg, "OK");
	serve_event(w, "/b", &msg);
	gets(w, 1, XS_WATCH, 3, 0, "OK");
	gets_event(w, 1, "/b", "t");
}

static void closed_in_the_middle(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	char buf[100];
	size_t size = message(buf, XS_WRITE, 1, 0, "/a\0value", 8);

	/* Half a message does nothing, and half an answer may be left. */
	assert_int_equal(client_write(w->clients[0], buf, size - 1), size - 1);
	close_client(w, 0);
	assert_int_equal(client_write(w->clients[1], buf, 3), 3);
	close_client(w, 1);
	put(w, 2, XS_READ, 1, "/a");
	msg = take(w->fx, XS_READ, "/a");
	answer(w->fx, &msg, "v");
	assert_int_equal(client_read(w->clients[2], buf, 3), 3);
	close_client(w, 2);
	take_nothing(w->fx);
}

static void shutdown_answers(void **state)
{
	struct world *w = *state;

	put(w, 0, XS_READ, 1, "/a");
	put_watch(w, 0, XS_WATCH, 2, "/a", "t");
	put(w, 0, XS_TRANSACTION_START, 3, "");
	take(w->fx, XS_READ, "/a");
	take(w->fx, XS_WATCH, "/a");
	take(w->fx, XS_TRANSACTION_START, "");
	start(w, 1, "1");
	chan_shutdown(w->fx->chan);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(get(w, 0).body, "EIO");
	put(w, 0, XS_READ, 4, "/a");
	gets_error(w, 0, 4, "EIO");
}

/* One that takes all it can leaves room for others. */
static void slots_are_shared(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	unsigned count = 0;

	for (unsigned i = 0; i < CLIENT_IN_FLIGHT; i++)
		put(w, 0, XS_READ, i, "/a");
	while (fake_store_take(w->fx->store, &msg))
		count++;
	assert_int_equal(count, 4);
	call_submit(w->fx, XS_READ, "/files", NULL);
	msg = take(w->fx, XS_READ, "/files");
	answer(w->fx, &msg, "v");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_DEADLINE(name) cmocka_unit_test_setup_teardown(name, setup_deadline, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(there_and_back),
		TEST(ids_may_be_equal),
		TEST(errors_in_the_stores_words),
		TEST(any_cut),
		TEST(byte_by_byte),
		TEST(too_large),
		TEST(larger_than_the_transport),
		TEST(garbage_stays_here),
		TEST(all_types),
		TEST(in_flight_is_bounded),
		TEST(answers_are_bounded),
		TEST(events_are_merged),
		TEST(events_are_bounded),
		TEST(no_memory_for_an_event),
		TEST(no_memory_for_a_message),
		TEST(transaction_ids_are_the_clients),
		TEST(transaction_after_a_bad_end),
		TEST(empty_start_is_padded),
		TEST(nonsense_for_a_start),
		TEST(connection_lost),
		TEST_DEADLINE(deadline),
		TEST_DEADLINE(deadline_of_an_end_that_was_not_sent),
		TEST(watch_and_events),
		TEST(watches_share_the_servers),
		TEST(relative_paths),
		TEST(refused_watch),
		TEST(depth),
		TEST(unwatch_before_the_answer),
		TEST(watches_are_bounded),
		TEST(set_again),
		TEST(reset),
		TEST(closed_with_requests_in_flight),
		TEST(closed_with_requests_queued),
		TEST(closed_with_transactions),
		TEST(closed_with_watches),
		TEST(closed_in_the_middle),
			TEST(shutdown_answers),
		cmocka_unit_test_setup_teardown(slots_are_shared, setup_slots, teardown),
	};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
