/* SPDX-License-Identifier: MIT */
/*
 * Tests ring/chan.c, chan_io.c and chan_receive.c when something goes wrong: no memory, lost connections, requests
 * given up at every stage, a server that breaks the rules, the end.  The test's only thread plays
 * all parts, so that it decides every order.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring/chan_impl.h"
#include "tests/chan_fixture.h"

/* --- no memory -------------------------------------------------------------------------------- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

/* Calls of malloc() that fail from now on. */
static unsigned failing_mallocs;

void *__wrap_malloc(size_t size)
{
	if (failing_mallocs == 0)
		return __real_malloc(size);
	failing_mallocs--;
	errno = ENOMEM;
	return NULL;
}

/* A reply too long to fit into its request. */
static char long_body[500];

static void no_memory_keeps_the_order(void **state)
{
	struct fixture *fx = *state;
	struct call *first = call_submit(fx, XS_READ, "/a", NULL);
	struct call *second = call_submit(fx, XS_READ, "/b", NULL);
	struct fake_msg a = take(fx, XS_READ, "/a"), b = take(fx, XS_READ, "/b");

	memset(long_body, 'x', sizeof(long_body));
	fake_store_reply(fx->store, &a, long_body, sizeof(long_body));
	fake_store_reply(fx->store, &b, "v", 1);
	failing_mallocs = 1;
	pump(fx);
	assert_int_equal(first->done + second->done, 0);
	wait_done(fx, second);
	assert_int_equal(first->order, 1);
	assert_memory_equal(first->req->reply, long_body, sizeof(long_body));
	assert_string_equal(second->req->reply, "v");
}

static void no_memory_does_not_spin(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");
	struct pollfd fds[CHAN_POLLFDS];
	unsigned rounds = 0;

	fake_store_reply(fx->store, &msg, long_body, sizeof(long_body));
	failing_mallocs = 5;
	while (!call->done) {
		if (chan_service(fx->chan) > 0 || !chan_may_sleep(fx->chan))
			continue;
		/* The reply that waits must not wake it. */
		assert_int_equal(chan_pollfds(fx->chan, fds), 1);
		assert_in_range(chan_timeout(fx->chan), 0, 20);
		poll(fds, 1, chan_timeout(fx->chan));
		assert_in_range(++rounds, 1, 20);
	}
	assert_int_equal(failing_mallocs, 0);
	assert_in_range(rounds, 5, 20);
	assert_int_equal(stats(fx).out_of_memory, 5);
}

static void no_memory_is_logged_once(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	fake_store_reply(fx->store, &msg, long_body, sizeof(long_body));
	failing_mallocs = 4;
	wait_done(fx, call);
	assert_int_equal(fx->logged[LOGGER_ERROR], 1);
}

static void no_memory_keeps_nobody_waiting_who_gave_up(void **state)
{
	struct fixture *fx = *state;
	struct call *first = call_submit(fx, XS_READ, "/a", NULL);
	struct call *second = call_submit(fx, XS_READ, "/b", NULL);
	struct fake_msg a = take(fx, XS_READ, "/a"), b = take(fx, XS_READ, "/b");

	fake_store_reply(fx->store, &a, long_body, sizeof(long_body));
	fake_store_reply(fx->store, &b, "v", 1);
	failing_mallocs = 1;
	pump(fx);
	chan_abandon(fx->chan, first->req, -EINTR);
	/* Swallowing needs no memory. */
	failing_mallocs = UINT_MAX;
	wait_done(fx, second);
	failing_mallocs = 0;
	assert_int_equal(first->error, -EINTR);
	assert_int_equal(second->error, 0);
}

static void no_memory_to_undo_a_start(void **state)
{
	struct fixture *fx = *state;
	struct call *start = call_submit(fx, XS_TRANSACTION_START, "", NULL);
	struct fake_msg msg = take(fx, XS_TRANSACTION_START, "");
	struct fake_msg end;

	chan_abandon(fx->chan, start->req, -EINTR);
	fake_store_reply(fx->store, &msg, "12", 3);
	failing_mallocs = 1;
	pump(fx);
	while (!fake_store_sent(fx->store))
		sleep_and_pump(fx);
	end = take(fx, XS_TRANSACTION_END, "F");
	assert_int_equal(end.hdr.tx_id, 12);
}

/* --- giving up -------------------------------------------------------------------------------- */

static void abandoned_while_queued(void **state)
{
	struct fixture *fx = fixture_new();
	struct fake_msg msg;
	struct call *call;

	*state = fx;
	fx->config.in_flight_max = 1;
	fixture_start(fx);
	call_submit(fx, XS_READ, "/a", NULL);
	call = call_submit(fx, XS_WRITE, "/b", "v");
	chan_abandon(fx->chan, call->req, -EINTR);
	assert_int_equal(call->error, -EINTR);
	msg = take(fx, XS_READ, "/a");
	answer(fx, &msg, "v");
	/* It never was on the wire. */
	assert_int_equal(fake_store_sent(fx->store), 0);
	assert_int_equal(stats(fx).abandoned, 0);
}

static void abandoned_before_its_first_byte(void **state)
{
	struct fixture *fx = *state;
	struct call *a, *b, *c;
	struct request *reqs[3];

	/* All are handed to the transport, which takes a part of the first. */
	fx->store->room = 5;
	reqs[0] = (a = call_new(fx, XS_WRITE, "/a", "v"))->req;
	reqs[1] = (b = call_new(fx, XS_WRITE, "/b", "v"))->req;
	reqs[2] = (c = call_new(fx, XS_WRITE, "/c", "v"))->req;
	chan_submit_all(fx->chan, reqs, 3);
	chan_abandon(fx->chan, b->req, -EINTR);
	assert_int_equal(b->error, -EINTR);
	/* Its issuer can tell that it never was on the wire. */
	assert_int_equal(b->req->msg.req_id, 0);
	assert_int_equal(stats(fx).in_flight, 2);
	fake_store_room(fx->store, SIZE_MAX);
	pump(fx);
	take(fx, XS_WRITE, "/a");
	take(fx, XS_WRITE, "/c");
	assert_int_equal(fake_store_sent(fx->store), 0);
	assert_int_equal(a->done + c->done, 0);
}

static void abandoned_while_partly_sent(void **state)
{
	struct fixture *fx = *state;
	struct call *first, *second;
	struct fake_msg msg;

	fx->store->room = 20;
	first = call_submit(fx, XS_WRITE, "/a", "value");
	second = call_submit(fx, XS_READ, "/b", NULL);
	chan_abandon(fx->chan, first->req, -EINTR);
	assert_int_equal(first->error, -EINTR);
	/* What was begun is finished, or the next message would be taken for its rest. */
	fake_store_room(fx->store, SIZE_MAX);
	pump(fx);
	msg = take(fx, XS_WRITE, "/a");
	assert_string_equal(msg.body + 3, "value");
	answer(fx, &msg, "OK");
	msg = take(fx, XS_READ, "/b");
	answer(fx, &msg, "v");
	assert_string_equal(second->req->reply, "v");
	assert_int_equal(stats(fx).late_replies, 1);
}

static void abandon_in_send(struct fake_store *store, void *arg)
{
	struct call *call = arg;

	(void)store;
	chan_abandon(call->fx->chan, call->req, -EINTR);
	/* The issuer's reference may go as well: the sender has one of its own. */
	assert_int_equal(call->done, 1);
}

static void abandoned_inside_send(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_new(fx, XS_READ, "/a", NULL);
	struct fake_msg msg;

	fx->store->in_send = abandon_in_send;
	fx->store->in_send_arg = call;
	chan_submit(fx->chan, call->req);
	msg = take(fx, XS_READ, "/a");
	answer(fx, &msg, "v");
	assert_int_equal(call->done, 1);
	assert_int_equal(stats(fx).late_replies, 1);
}

static void abandoned_keeps_its_id(void **state)
{
	struct fixture *fx = fixture_new();
	struct call *first, *second;
	struct fake_msg msg;

	*state = fx;
	fx->config.in_flight_max = 1;
	fixture_start(fx);
	first = call_submit(fx, XS_READ, "/a", NULL);
	chan_abandon(fx->chan, first->req, -EINTR);
	second = call_submit(fx, XS_READ, "/b", NULL);
	msg = take(fx, XS_READ, "/a");
	/* Its slot is taken until its reply comes. */
	assert_int_equal(fake_store_sent(fx->store), 0);
	assert_false(chan_busy(fx->chan));
	answer(fx, &msg, "old");
	msg = take(fx, XS_READ, "/b");
	answer(fx, &msg, "new");
	assert_string_equal(second->req->reply, "new");
}

static void abandoned_while_half_received(void **state)
{
	struct fixture *fx = *state;
	struct call *first = call_submit(fx, XS_READ, "/a", NULL);
	struct call *second = call_submit(fx, XS_READ, "/b", NULL);
	struct fake_msg a = take(fx, XS_READ, "/a"), b = take(fx, XS_READ, "/b");

	a.hdr.len = sizeof(long_body);
	fake_store_send(fx->store, &a.hdr, sizeof(a.hdr));
	fake_store_send(fx->store, long_body, 100);
	pump(fx);
	chan_abandon(fx->chan, first->req, -EINTR);
	assert_int_equal(first->error, -EINTR);
	assert_null(first->req->reply);
	fake_store_send(fx->store, long_body, sizeof(long_body) - 100);
	fake_store_reply(fx->store, &b, "v", 1);
	pump(fx);
	assert_null(first->req->reply);
	assert_string_equal(second->req->reply, "v");
	assert_int_equal(stats(fx).late_replies, 1);
}

static void abandoned_when_done(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	answer(fx, &msg, "v");
	chan_abandon(fx->chan, call->req, -EINTR);
	assert_int_equal(call->done, 1);
	assert_int_equal(call->req->error, 0);
}

static void abandoned_twice(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);

	chan_abandon(fx->chan, call->req, -EINTR);
	chan_abandon(fx->chan, call->req, -ETIMEDOUT);
	assert_int_equal(call->done, 1);
	assert_int_equal(call->req->error, -EINTR);
}

static void abandoned_before_it_is_submitted(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_new(fx, XS_WRITE, "/a", "v");

	chan_abandon(fx->chan, call->req, -EINTR);
	assert_int_equal(call->done, 0);
	chan_submit(fx->chan, call->req);
	assert_int_equal(call->error, -EINTR);
	assert_int_equal(fake_store_sent(fx->store), 0);
}

/* --- transactions that nobody wants any more -------------------------------------------------- */

static void late_start_is_ended(void **state)
{
	struct fixture *fx = *state;
	struct call *start = call_submit(fx, XS_TRANSACTION_START, "", NULL);
	struct fake_msg msg = take(fx, XS_TRANSACTION_START, "");

	chan_abandon(fx->chan, start->req, -EINTR);
	answer(fx, &msg, "4711");
	msg = take(fx, XS_TRANSACTION_END, "F");
	assert_int_equal(msg.hdr.tx_id, 4711);
	assert_int_equal(msg.hdr.len, 2);
	answer(fx, &msg, "OK");
	assert_int_equal(stats(fx).in_flight, 0);
	/* The issuer may still look at what it had sent. */
	assert_int_equal(start->req->msg.type, XS_TRANSACTION_START);
}

static void half_received_start_is_ended(void **state)
{
	struct fixture *fx = *state;
	struct call *start = call_submit(fx, XS_TRANSACTION_START, "", NULL);
	struct fake_msg msg = take(fx, XS_TRANSACTION_START, "");

	msg.hdr.len = 3;
	fake_store_send(fx->store, &msg.hdr, sizeof(msg.hdr));
	fake_store_send(fx->store, "7", 1);
	pump(fx);
	chan_abandon(fx->chan, start->req, -EINTR);
	fake_store_send(fx->store, "8", 2);
	pump(fx);
	msg = take(fx, XS_TRANSACTION_END, "F");
	assert_int_equal(msg.hdr.tx_id, 78);
}

static void expired_start_is_ended(void **state)
{
	struct fixture *fx = *state;
	struct call *start = call_new(fx, XS_TRANSACTION_START, "", NULL);
	struct fake_msg msg;

	start->req->timeout_ms = 10;
	chan_submit(fx->chan, start->req);
	wait_done(fx, start);
	msg = take(fx, XS_TRANSACTION_START, "");
	answer(fx, &msg, "5");
	msg = take(fx, XS_TRANSACTION_END, "F");
	answer(fx, &msg, "OK");
	assert_int_equal(stats(fx).in_flight, 0);
	/* One was abandoned, and its reply was late; the END is the channel's own. */
	assert_int_equal(stats(fx).abandoned, 1);
	assert_int_equal(stats(fx).late_replies, 1);
}

static void refused_start_needs_no_end(void **state)
{
	struct fixture *fx = *state;
	struct call *start = call_submit(fx, XS_TRANSACTION_START, "", NULL);
	struct fake_msg msg = take(fx, XS_TRANSACTION_START, "");

	chan_abandon(fx->chan, start->req, -EINTR);
	fake_store_error(fx->store, &msg, "ENOSPC");
	pump(fx);
	take_nothing(fx);
	assert_int_equal(stats(fx).in_flight, 0);
}

static void late_start_without_a_number(void **state)
{
	struct fixture *fx = *state;
	struct call *start = call_submit(fx, XS_TRANSACTION_START, "", NULL);
	struct fake_msg msg = take(fx, XS_TRANSACTION_START, "");

	chan_abandon(fx->chan, start->req, -EINTR);
	answer(fx, &msg, "-1");
	take_nothing(fx);
	assert_int_equal(stats(fx).in_flight, 0);
}

static void late_start_with_a_huge_body(void **state)
{
	struct fixture *fx = *state;
	struct call *start = call_submit(fx, XS_TRANSACTION_START, "", NULL);
	struct fake_msg msg = take(fx, XS_TRANSACTION_START, "");
	static const char body[200000];

	chan_abandon(fx->chan, start->req, -EINTR);
	fake_store_reply(fx->store, &msg, body, sizeof(body));
	pump(fx);
	take_nothing(fx);
	assert_int_equal(stats(fx).in_flight, 0);
	assert_int_equal(stats(fx).late_replies, 1);
}

static void end_is_lost_with_its_connection(void **state)
{
	struct fixture *fx = *state;
	struct call *start = call_submit(fx, XS_TRANSACTION_START, "", NULL);
	struct fake_msg msg = take(fx, XS_TRANSACTION_START, "");

	chan_abandon(fx->chan, start->req, -EINTR);
	fx->store->room = 0;
	/* A request in front of it, so that the END stays in the queue. */
	call_submit(fx, XS_READ, "/a", NULL);
	answer(fx, &msg, "4711");
	fake_store_eof(fx->store);
	pump(fx);
	fake_store_room(fx->store, SIZE_MAX);
	while (stats(fx).reconnects == 0)
		sleep_and_pump(fx);
	/* The number belongs to somebody else on a new connection. */
	take_nothing(fx);
	assert_int_equal(stats(fx).queued + stats(fx).in_flight, 0);
}

/* --- the connection --------------------------------------------------------------------------- */

static void reconnect(struct fixture *fx)
{
	uint64_t reconnects = stats(fx).reconnects;

	fake_store_eof(fx->store);
	while (stats(fx).reconnects == reconnects)
		sleep_and_pump(fx);
}

static void lost_in_flight_fails_once(void **state)
{
	struct fixture *fx = *state;
	struct call *calls[3];

	for (int i = 0; i < 3; i++)
		calls[i] = call_submit(fx, XS_READ, "/a", NULL);
	reconnect(fx);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(calls[i]->done, 1);
		assert_int_equal(calls[i]->error, -EIO);
	}
	assert_int_equal(stats(fx).in_flight, 0);
	take_nothing(fx);
}

static void queued_goes_to_the_new_connection(void **state)
{
	struct fixture *fx = fixture_new();
	struct call *first, *second;
	struct fake_msg msg;

	*state = fx;
	fx->config.in_flight_max = 1;
	fixture_start(fx);
	first = call_submit(fx, XS_READ, "/a", NULL);
	second = call_submit(fx, XS_READ, "/b", NULL);
	reconnect(fx);
	assert_int_equal(first->error, -EIO);
	assert_int_equal(second->done, 0);
	msg = take(fx, XS_READ, "/b");
	answer(fx, &msg, "v");
	assert_string_equal(second->req->reply, "v");
}

static void submitted_meanwhile_goes_to_the_new_connection(void **state)
{
	struct fixture *fx = *state;
	struct call *call;

	fx->store->connect_error = -ECONNREFUSED;
	fake_store_eof(fx->store);
	pump(fx);
	assert_int_equal(stats(fx).state, CHAN_CONNECTING);
	call = call_submit(fx, XS_READ, "/a", NULL);
	assert_int_equal(call->done, 0);
	fx->store->connect_error = 0;
	while (!fake_store_sent(fx->store))
		sleep_and_pump(fx);
	take(fx, XS_READ, "/a");
}

static void new_connection_starts_with_a_whole_message(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	/* The old one ends in the middle of a message, both ways. */
	msg.hdr.len = 100;
	fake_store_send(fx->store, &msg.hdr, sizeof(msg.hdr));
	fake_store_send(fx->store, "half", 4);
	fx->store->room = 5;
	call_submit(fx, XS_READ, "/b", NULL);
	reconnect(fx);
	assert_int_equal(call->error, -EIO);
	assert_null(call->req->reply);
	fake_store_room(fx->store, SIZE_MAX);
	call = call_submit(fx, XS_READ, "/c", NULL);
	msg = take(fx, XS_READ, "/c");
	answer(fx, &msg, "v");
	assert_string_equal(call->req->reply, "v");
}

static void requests_of_an_old_connection_are_stale(void **state)
{
	struct fixture *fx = fixture_new();
	struct call *queued, *late;
	uint32_t epoch;

	*state = fx;
	fx->config.in_flight_max = 1;
	fixture_start(fx);
	epoch = chan_epoch(fx->chan);
	call_submit(fx, XS_READ, "/a", NULL);
	queued = call_new(fx, XS_READ, "/b", NULL);
	queued->req->epoch = epoch;
	chan_submit(fx->chan, queued->req);
	reconnect(fx);
	assert_int_equal(queued->error, -ESTALE);
	assert_int_not_equal(chan_epoch(fx->chan), epoch);
	late = call_new(fx, XS_READ, "/c", NULL);
	late->req->epoch = epoch;
	chan_submit(fx->chan, late->req);
	assert_int_equal(late->error, -ESTALE);
	late = call_new(fx, XS_READ, "/d", NULL);
	late->req->epoch = chan_epoch(fx->chan);
	chan_submit(fx->chan, late->req);
	take(fx, XS_READ, "/d");
}

static void sender_finds_the_loss(void **state)
{
	struct fixture *fx = *state;
	struct call *call;

	fall_asleep(fx);
	fx->store->send_error = -EPIPE;
	call = call_submit(fx, XS_READ, "/a", NULL);
	/* Only the I/O thread handles it, so it is woken. */
	assert_int_equal(call->done, 0);
	assert_int_equal(stats(fx).wakeups_sent, 1);
	assert_int_equal(fx->store->disconnects, 0);
	wait_done(fx, call);
	assert_int_equal(call->error, -EIO);
	assert_int_equal(fx->store->disconnects, 1);
}

static void lose_in_send(struct fake_store *store, void *arg)
{
	struct fixture *fx = arg;

	fake_store_eof(store);
	chan_service(fx->chan);
	/* A thread is in send(), so the connection must not be taken from under it. */
	assert_int_equal(store->disconnects, 0);
	assert_true(chan_may_sleep(fx->chan));
}

static void loss_waits_for_the_sender(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_new(fx, XS_READ, "/a", NULL);

	fx->store->in_send = lose_in_send;
	fx->store->in_send_arg = fx;
	chan_submit(fx->chan, call->req);
	/* The sender woke the I/O thread, which had gone to sleep over it. */
	assert_int_equal(stats(fx).wakeups_sent, 1);
	pump(fx);
	assert_int_equal(call->error, -EIO);
	assert_int_equal(fx->store->disconnects, 1);
}

/* So often it connects, the first time included, with 10, 20, 40 and 80 ms in between. */
#define CONNECTS 5
#define BACK_OFF_NS (150 * UINT64_C(1000000))

static void failing_reconnects_back_off(void **state)
{
	struct fixture *fx = *state;
	uint64_t begin = chan_now();
	unsigned rounds = 0, warnings;

	fx->store->connect_error = -ECONNREFUSED;
	fake_store_eof(fx->store);
	while (fx->store->connects < CONNECTS) {
		sleep_and_pump(fx);
		assert_true(++rounds < 40);
	}
	assert_true(chan_now() - begin >= BACK_OFF_NS);
	warnings = fx->logged[LOGGER_WARNING];
	assert_in_range(warnings, 1, 2);
}

static void flapping_server_backs_off(void **state)
{
	struct fixture *fx = *state;
	uint64_t begin = chan_now();
	unsigned rounds = 0;

	while (fx->store->connects < CONNECTS) {
		/* It takes every connection and says nonsense at once. */
		fake_store_event(fx->store, "/a", "1");
		fake_store_eof(fx->store);
		sleep_and_pump(fx);
		assert_true(++rounds < 60);
	}
	assert_true(chan_now() - begin >= BACK_OFF_NS);
}

static void waiting_for_a_connection_ends_at_the_deadline(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_new(fx, XS_READ, "/a", NULL);

	fx->store->connect_error = -ECONNREFUSED;
	fake_store_eof(fx->store);
	pump(fx);
	call->req->timeout_ms = 30;
	chan_submit(fx->chan, call->req);
	wait_done(fx, call);
	assert_int_equal(call->error, -EIO);
}

/* Makes a call that is never answered, and waits for its end. */
static void call_in_vain(struct fixture *fx, int error)
{
	struct call *call = call_new(fx, XS_READ, "/a", NULL);

	call->req->timeout_ms = 10;
	chan_submit(fx->chan, call->req);
	wait_done(fx, call);
	assert_int_equal(call->error, error);
}

/* A ring does not tell that its server died: after three deadlines it is asked what to do. */
static void silence_is_ended_by_a_new_connection(void **state)
{
	struct fixture *fx = *state;
	struct call *call;
	struct fake_msg msg;

	fx->store->resets_silence = true;
	call_in_vain(fx, -ETIMEDOUT);
	call_in_vain(fx, -ETIMEDOUT);
	assert_int_equal(fx->store->silences, 0);
	call_in_vain(fx, -ETIMEDOUT);
	pump(fx);
	assert_int_equal(fx->store->silences, 1);
	assert_int_equal(fx->store->disconnects, 1);
	while (fake_store_take(fx->store, &msg))
		;
	call = call_submit(fx, XS_READ, "/b", NULL);
	while (!fake_store_take(fx->store, &msg))
		assert_true(sleep_and_pump(fx) >= 0);
	answer(fx, &msg, "v");
	assert_string_equal(call->req->reply, "v");
	assert_int_equal(stats(fx).reconnects, 1);
}

/* Many that wait for the same answer are one silence. */
static void deadlines_that_pass_together_are_one(void **state)
{
	struct fixture *fx = *state;
	struct call *calls[8];

	for (unsigned i = 0; i < 8; i++) {
		calls[i] = call_new(fx, XS_READ, "/a", NULL);
		calls[i]->req->timeout_ms = 10 + i;
		chan_submit(fx->chan, calls[i]->req);
	}
	wait_done(fx, calls[7]);
	pump(fx);
	assert_int_equal(stats(fx).timeouts, 8);
	assert_int_equal(fx->store->silences, 0);
}

static void a_sign_of_life_ends_the_silence(void **state)
{
	struct fixture *fx = *state;

	for (unsigned i = 0; i < 6; i++) {
		call_in_vain(fx, -ETIMEDOUT);
		if (i % 2)
			fake_store_event(fx->store, "/x", "1");
		pump(fx);
	}
	assert_int_equal(fx->store->silences, 0);
}

/* Requests that were given up take all the room on the wire, so a waiting one expires as well. */
static void silence_of_a_full_wire(void **state)
{
	struct fixture *fx = fixture_new();

	*state = fx;
	fx->config.in_flight_max = 1;
	fixture_start(fx);
	fx->store->resets_silence = true;
	for (unsigned i = 0; i < 3; i++)
		call_in_vain(fx, -ETIMEDOUT);
	pump(fx);
	assert_int_equal(fx->store->silences, 1);
	assert_int_equal(fx->store->disconnects, 1);
}

/* If a new connection would be no better, nothing changes, except that the transport is
 * asked now and then. */
static void silence_that_has_to_be_borne(void **state)
{
	struct fixture *fx = *state;

	for (unsigned i = 0; i < 7; i++)
		call_in_vain(fx, -ETIMEDOUT);
	pump(fx);
	assert_int_equal(fx->store->silences, 2);
	assert_int_equal(fx->store->disconnects, 0);
	assert_int_equal(stats(fx).state, CHAN_CONNECTED);
}

/* A server that has yet to hear of us. */
static void first_connection_may_come_later(void **state)
{
	struct fixture *fx = fixture_new();
	struct call *call;
	struct fake_msg msg;

	*state = fx;
	fx->store->connect_error = -EAGAIN;
	fx->config.connect_later = true;
	fx->config.timeout_ms = 60000;
	fixture_start(fx);
	assert_int_equal(stats(fx).state, CHAN_CONNECTING);
	call_in_vain(fx, -EIO);
	call = call_submit(fx, XS_READ, "/a", NULL);
	pump(fx);
	take_nothing(fx);
	fx->store->connect_error = 0;
	while (!fake_store_take(fx->store, &msg))
		assert_true(sleep_and_pump(fx) >= 0);
	answer(fx, &msg, "v");
	assert_string_equal(call->req->reply, "v");
	assert_int_equal(stats(fx).state, CHAN_CONNECTED);
}

static void count_connected(void *arg, uint32_t epoch)
{
	*(uint32_t *)arg = epoch;
}

static void handler_hears_of_the_new_connection(void **state)
{
	struct fixture *fx = *state;
	uint32_t epoch = 0;

	chan_set_handlers(fx->chan, &(struct chan_handlers){ .connected = count_connected,
							     .arg = &epoch });
	reconnect(fx);
	assert_int_equal(epoch, chan_epoch(fx->chan));
}

/* A ring that only the toolstack can bring back. */
static void dead_ring_keeps_nobody_waiting(void **state)
{
	struct fixture *fx = fixture_new();
	struct call *in_flight, *queued, *later;

	*state = fx;
	fx->config.in_flight_max = 1;
	fixture_start(fx);
	in_flight = call_submit(fx, XS_READ, "/a", NULL);
	queued = call_submit(fx, XS_READ, "/b", NULL);
	fx->store->connect_error = -ENOTCONN;
	fake_store_eof(fx->store);
	wait_done(fx, queued);
	assert_int_equal(in_flight->error, -EIO);
	assert_int_equal(queued->error, -EIO);
	assert_int_equal(stats(fx).state, CHAN_DEAD);
	later = call_submit(fx, XS_READ, "/c", NULL);
	assert_int_equal(later->error, -EIO);
	assert_in_range(chan_timeout(fx->chan), 1, 1000);
	/* It is reset, and alive again. */
	fx->store->connect_error = 0;
	while (stats(fx).state != CHAN_CONNECTED)
		sleep_and_pump(fx);
	call_submit(fx, XS_READ, "/d", NULL);
	take(fx, XS_READ, "/d");
}

static void declared_dead(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	unsigned connects = fx->store->connects;

	fall_asleep(fx);
	chan_set_dead(fx->chan);
	assert_int_equal(stats(fx).wakeups_sent, 1);
	wait_done(fx, call);
	assert_int_equal(call->error, -EIO);
	while (stats(fx).state != CHAN_DEAD)
		sleep_and_pump(fx);
	call = call_submit(fx, XS_READ, "/b", NULL);
	assert_int_equal(call->error, -EIO);
	/* For good: nobody looks again, nobody wakes up. */
	pump(fx);
	assert_true(chan_may_sleep(fx->chan));
	assert_int_equal(chan_timeout(fx->chan), -1);
	assert_int_equal(fx->store->connects, connects);
}

static void declared_dead_while_connecting(void **state)
{
	struct fixture *fx = *state;
	struct call *call;

	fx->store->connect_error = -ECONNREFUSED;
	fake_store_eof(fx->store);
	pump(fx);
	/* As if it had been tried for long. */
	fx->chan->connect_at_ns = UINT64_MAX;
	call = call_submit(fx, XS_READ, "/a", NULL);
	chan_set_dead(fx->chan);
	assert_true(chan_may_sleep(fx->chan));
	assert_int_equal(chan_timeout(fx->chan), 0);
	chan_service(fx->chan);
	assert_int_equal(call->error, -EIO);
}

static void first_connection_fails(void **state)
{
	struct fake_store *store = fake_store_new();
	struct chan_config config = { .transport = &store->transport };
	struct chan *chan;

	(void)state;
	store->connect_error = -EACCES;
	assert_int_equal(chan_new(&chan, &config), -EACCES);
	assert_true(store->freed);
	fake_store_free(store);
}

/* --- a server that breaks the rules ----------------------------------------------------------- */

static void unknown_id_is_ignored(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a"), other = msg;

	other.hdr.req_id ^= 1 << 20;
	for (int i = 0; i < 3; i++)
		answer(fx, &other, "wrong");
	assert_int_equal(call->done, 0);
	answer(fx, &msg, "v");
	assert_string_equal(call->req->reply, "v");
	assert_int_equal(stats(fx).unknown_replies, 3);
	assert_int_equal(fx->logged[LOGGER_WARNING], 1);
}

static void second_reply_is_ignored(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	answer(fx, &msg, "1");
	answer(fx, &msg, "2");
	assert_string_equal(call->req->reply, "1");
	assert_int_equal(stats(fx).unknown_replies, 1);
}

/* The stale reply of a predecessor names an id that is given out while its body comes in. */
static void unknown_id_becomes_known(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");
	uint32_t id = msg.hdr.req_id;

	answer(fx, &msg, "v");
	msg.hdr.req_id = id + (1 << TABLE_SLOT_BITS);
	msg.hdr.len = 5;
	fake_store_send(fx->store, &msg.hdr, sizeof(msg.hdr));
	fake_store_send(fx->store, "st", 2);
	pump(fx);
	call = call_submit(fx, XS_READ, "/b", NULL);
	msg = take(fx, XS_READ, "/b");
	assert_int_equal(msg.hdr.req_id, id + (1 << TABLE_SLOT_BITS));
	fake_store_send(fx->store, "ale", 3);
	pump(fx);
	assert_int_equal(call->done, 0);
	answer(fx, &msg, "v");
	assert_string_equal(call->req->reply, "v");
}

/* Fails the test unless the connection is dropped because of the bytes sent, and everything in
 * flight with it. */
static void assert_dropped(struct fixture *fx, const struct call *call)
{
	unsigned disconnects = fx->store->disconnects;

	pump(fx);
	assert_int_equal(fx->store->disconnects, disconnects + 1);
	assert_int_equal(call->done, 1);
	assert_int_equal(call->error, -EIO);
	while (stats(fx).reconnects == 0)
		sleep_and_pump(fx);
}

static void wrong_type_drops_the_connection(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	msg.hdr.type = XS_WRITE;
	fake_store_reply(fx->store, &msg, "OK", 3);
	assert_dropped(fx, call);
}

static void huge_length_drops_the_connection(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	msg.hdr.len = UINT32_MAX;
	fake_store_send(fx->store, &msg.hdr, sizeof(msg.hdr));
	assert_dropped(fx, call);
}

static void huge_event_drops_the_connection(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct xsd_sockmsg hdr = { .type = XS_WATCH_EVENT, .len = WIRE_EVENT_MAX + 1 };

	fake_store_send(fx->store, &hdr, sizeof(hdr));
	assert_dropped(fx, call);
}

static void malformed_event_drops_the_connection(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct xsd_sockmsg hdr = { .type = XS_WATCH_EVENT, .len = 4 };

	fake_store_send(fx->store, &hdr, sizeof(hdr));
	fake_store_send(fx->store, "/a\0t", 4);
	assert_dropped(fx, call);
}

static void garbage_drops_the_connection(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	char garbage[64];

	memset(garbage, 0xa5, sizeof(garbage));
	fake_store_send(fx->store, garbage, sizeof(garbage));
	assert_dropped(fx, call);
}

static void reply_to_what_was_not_sent_drops_the_connection(void **state)
{
	struct fixture *fx = *state;
	struct call *call;
	struct fake_msg msg = { .hdr = { .type = XS_READ } };

	fx->store->room = 5;
	call = call_submit(fx, XS_READ, "/a", NULL);
	msg.hdr.req_id = call->req->msg.req_id;
	fake_store_reply(fx->store, &msg, "v", 1);
	assert_dropped(fx, call);
}

static void half_a_reply_then_the_end(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	msg.hdr.len = sizeof(long_body);
	fake_store_send(fx->store, &msg.hdr, sizeof(msg.hdr));
	fake_store_send(fx->store, long_body, 10);
	fake_store_eof(fx->store);
	assert_dropped(fx, call);
}

static void half_a_header_then_the_end(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	fake_store_send(fx->store, &msg.hdr, 7);
	fake_store_eof(fx->store);
	assert_dropped(fx, call);
}

static void error_without_a_name(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	msg.hdr.type = XS_ERROR;
	fake_store_reply(fx->store, &msg, "ENOENT", 6);
	pump(fx);
	assert_int_equal(call->error, -EIO);
	assert_null(call->req->reply);
	assert_int_equal(fx->store->disconnects, 0);
}

static void count_event(void *arg, const char *path, const char *token)
{
	assert_string_equal(path, "/a");
	assert_string_equal(token, "t");
	++*(unsigned *)arg;
}

/* /dev/xen/xenbus leaves the ids of events as they happen to be. */
static void event_with_the_id_of_a_request(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");
	unsigned events = 0;

	chan_set_handlers(fx->chan, &(struct chan_handlers){ .event = count_event,
							     .arg = &events });
	msg.hdr.type = XS_WATCH_EVENT;
	fake_store_reply(fx->store, &msg, "/a\0t", 5);
	pump(fx);
	assert_int_equal(events, 1);
	assert_int_equal(call->done, 0);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void shutdown_ends_everything(void **state)
{
	struct fixture *fx = *state;
	struct call *half, *gone, *sent, *part, *queued, *later;
	struct fake_msg msg;

	half = call_submit(fx, XS_READ, "/half", NULL);
	msg = take(fx, XS_READ, "/half");
	gone = call_submit(fx, XS_READ, "/gone", NULL);
	chan_abandon(fx->chan, gone->req, -EINTR);
	sent = call_new(fx, XS_READ, "/sent", NULL);
	sent->req->timeout_ms = 1000;
	chan_submit(fx->chan, sent->req);
	msg.hdr.len = sizeof(long_body);
	fake_store_send(fx->store, &msg.hdr, sizeof(msg.hdr));
	fake_store_send(fx->store, long_body, 10);
	pump(fx);
	fx->store->room = 5;
	part = call_submit(fx, XS_READ, "/part", NULL);
	queued = call_submit(fx, XS_READ, "/queued", NULL);

	chan_shutdown(fx->chan);
	assert_int_equal(half->error, -ESHUTDOWN);
	assert_int_equal(gone->error, -EINTR);
	assert_int_equal(sent->error, -ESHUTDOWN);
	assert_int_equal(part->error, -ESHUTDOWN);
	assert_int_equal(queued->error, -ESHUTDOWN);
	assert_int_equal(fx->store->disconnects, 1);
	later = call_submit(fx, XS_READ, "/later", NULL);
	assert_int_equal(later->error, -ESHUTDOWN);
}

static void shutdown_is_final(void **state)
{
	struct fixture *fx = *state;

	/* The loss of the connection is known, but not yet dealt with. */
	fx->store->send_error = -EPIPE;
	call_submit(fx, XS_READ, "/a", NULL);
	chan_shutdown(fx->chan);
	for (int i = 0; i < 3; i++)
		chan_service(fx->chan);
	assert_true(chan_may_sleep(fx->chan));
	assert_int_equal(chan_timeout(fx->chan), -1);
	assert_int_equal(stats(fx).state, CHAN_SHUTDOWN);
	assert_int_equal(fx->store->connects, 1);
}

static void shut_down(struct call *call)
{
	chan_shutdown(call->fx->chan);
}

static void completion_shuts_down(void **state)
{
	struct fixture *fx = *state;
	struct call *first = call_submit(fx, XS_READ, "/a", NULL);
	struct call *second = call_submit(fx, XS_READ, "/b", NULL);
	struct fake_msg a = take(fx, XS_READ, "/a"), b = take(fx, XS_READ, "/b");

	first->then = shut_down;
	fake_store_reply(fx->store, &a, long_body, sizeof(long_body));
	fake_store_reply(fx->store, &b, "v", 1);
	chan_service(fx->chan);
	assert_int_equal(first->error, 0);
	assert_int_equal(second->error, -ESHUTDOWN);
	chan_service(fx->chan);
	assert_int_equal(stats(fx).state, CHAN_SHUTDOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
/* These start the channel themselves. */
#define TEST_OWN(name) cmocka_unit_test_teardown(name, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_memory_keeps_the_order),
		TEST(no_memory_does_not_spin),
		TEST(no_memory_is_logged_once),
		TEST(no_memory_keeps_nobody_waiting_who_gave_up),
		TEST(no_memory_to_undo_a_start),
		TEST_OWN(abandoned_while_queued),
		TEST(abandoned_before_its_first_byte),
		TEST(abandoned_while_partly_sent),
		TEST(abandoned_inside_send),
		TEST_OWN(abandoned_keeps_its_id),
		TEST(abandoned_while_half_received),
		TEST(abandoned_when_done),
		TEST(abandoned_twice),
		TEST(abandoned_before_it_is_submitted),
		TEST(late_start_is_ended),
		TEST(half_received_start_is_ended),
		TEST(expired_start_is_ended),
		TEST(refused_start_needs_no_end),
		TEST(late_start_without_a_number),
		TEST(late_start_with_a_huge_body),
		TEST(end_is_lost_with_its_connection),
		TEST(lost_in_flight_fails_once),
		TEST_OWN(queued_goes_to_the_new_connection),
		TEST(submitted_meanwhile_goes_to_the_new_connection),
		TEST(new_connection_starts_with_a_whole_message),
		TEST_OWN(requests_of_an_old_connection_are_stale),
		TEST(sender_finds_the_loss),
		TEST(loss_waits_for_the_sender),
		TEST(failing_reconnects_back_off),
		TEST(flapping_server_backs_off),
		TEST(waiting_for_a_connection_ends_at_the_deadline),
		TEST(silence_is_ended_by_a_new_connection),
		TEST(deadlines_that_pass_together_are_one),
		TEST(a_sign_of_life_ends_the_silence),
		TEST_OWN(silence_of_a_full_wire),
		TEST(silence_that_has_to_be_borne),
		TEST_OWN(first_connection_may_come_later),
		TEST(handler_hears_of_the_new_connection),
		TEST_OWN(dead_ring_keeps_nobody_waiting),
		TEST(declared_dead),
		TEST(declared_dead_while_connecting),
		cmocka_unit_test(first_connection_fails),
		TEST(unknown_id_is_ignored),
		TEST(second_reply_is_ignored),
		TEST(unknown_id_becomes_known),
		TEST(wrong_type_drops_the_connection),
		TEST(huge_length_drops_the_connection),
		TEST(huge_event_drops_the_connection),
		TEST(malformed_event_drops_the_connection),
		TEST(garbage_drops_the_connection),
		TEST(reply_to_what_was_not_sent_drops_the_connection),
		TEST(half_a_reply_then_the_end),
		TEST(half_a_header_then_the_end),
		TEST(error_without_a_name),
		TEST(event_with_the_id_of_a_request),
		TEST(shutdown_ends_everything),
		TEST(shutdown_is_final),
		TEST(completion_shuts_down),
	};

	return cmocka_run_group_tests_name("chan_fault", tests, NULL, NULL);
}
