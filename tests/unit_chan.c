/* SPDX-License-Identifier: MIT */
/*
 * Tests ring/chan.c, chan_io.c and chan_receive.c when all goes well: which thread reads and writes, ids, orders,
 * pieces, wake-ups, slots, gathers, deadlines.  The test's only thread plays all parts;
 * unit_chan_fault.c covers failures and unit_chan_threads.c threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring/chan_impl.h"
#include "tests/chan_fixture.h"

/* --- reading and writing ---------------------------------------------------------------------- */

static void reply_is_delivered(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	fake_store_reply(fx->store, &msg, "val\0ue", 6);
	pump(fx);
	assert_int_equal(call->done, 1);
	assert_int_equal(call->error, 0);
	assert_int_equal(call->req->reply_len, 6);
	assert_memory_equal(call->req->reply, "val\0ue", 7);
}

static void error_is_delivered(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	fake_store_error(fx->store, &msg, "ENOENT");
	pump(fx);
	assert_int_equal(call->error, -ENOENT);
	assert_null(call->req->reply);
}

static void long_reply_is_delivered(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_DIRECTORY, "/a", NULL);
	struct fake_msg msg = take(fx, XS_DIRECTORY, "/a");
	static char body[100000];

	/* Longer than the protocol allows, as oxenstored's are over a socket. */
	memset(body, 'x', sizeof(body));
	fake_store_reply(fx->store, &msg, body, sizeof(body));
	pump(fx);
	assert_int_equal(call->req->reply_len, sizeof(body));
	assert_memory_equal(call->req->reply, body, sizeof(body));
}

static void only_service_receives(void **state)
{
	struct fixture *fx = *state;
	struct call *first = call_submit(fx, XS_READ, "/a", NULL), *second;
	struct fake_msg msg = take(fx, XS_READ, "/a");

	fake_store_reply(fx->store, &msg, "v", 1);
	second = call_submit(fx, XS_READ, "/b", NULL);
	chan_abandon(fx->chan, second->req, -EINTR);
	chan_busy(fx->chan);
	assert_int_equal(fx->store->recvs, 0);
	assert_int_equal(first->done, 0);
	pump(fx);
	assert_int_equal(first->done, 1);
}

static void submitter_writes_at_once(void **state)
{
	struct fixture *fx = *state;

	call_submit(fx, XS_WRITE, "/a", "v");
	take(fx, XS_WRITE, "/a");
}

static void submitter_queues_behind_a_full_transport(void **state)
{
	struct fixture *fx = *state;
	struct call *first, *second;
	struct fake_msg msg;

	fx->store->room = 5;
	first = call_submit(fx, XS_READ, "/a", NULL);
	second = call_submit(fx, XS_READ, "/b", NULL);
	/* The second submitter saw that there was no room, and did not try. */
	assert_int_equal(fx->store->sends, 1);
	assert_int_equal(second->req->state, REQUEST_QUEUED);
	fake_store_room(fx->store, SIZE_MAX);
	pump(fx);
	msg = take(fx, XS_READ, "/a");
	answer(fx, &msg, "1");
	msg = take(fx, XS_READ, "/b");
	answer(fx, &msg, "2");
	assert_string_equal(first->req->reply, "1");
	assert_string_equal(second->req->reply, "2");
}

static void submit_in_send(struct fake_store *store, void *arg)
{
	struct fixture *fx = arg;

	call_submit(fx, XS_READ, "/nested", NULL);
	/* Somebody is sending: queued, not written. */
	assert_int_equal(store->sends, 1);
}

static void submitter_queues_behind_another(void **state)
{
	struct fixture *fx = *state;

	fx->store->in_send = submit_in_send;
	fx->store->in_send_arg = fx;
	call_submit(fx, XS_READ, "/a", NULL);
	/* The one who was sending took the other's request along. */
	take(fx, XS_READ, "/a");
	take(fx, XS_READ, "/nested");
}

static void service_in_send(struct fake_store *store, void *arg)
{
	struct fixture *fx = arg;

	(void)store;
	chan_service(fx->chan);
}

static void reply_needs_no_sender(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	fake_store_reply(fx->store, &msg, "v", 1);
	fx->store->in_send = service_in_send;
	fx->store->in_send_arg = fx;
	call_submit(fx, XS_READ, "/b", NULL);
	/* Delivered while another thread was in send(). */
	assert_int_equal(call->done, 1);
}

static void reply_in_send(struct fake_store *store, void *arg)
{
	struct fixture *fx = arg;
	struct fake_msg msg = take(fx, XS_READ, "/a");

	fake_store_reply(store, &msg, "v", 1);
	chan_service(fx->chan);
}

static void reply_overtakes_its_sender(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_new(fx, XS_READ, "/a", NULL);

	fx->store->in_send = reply_in_send;
	fx->store->in_send_arg = fx;
	chan_submit(fx->chan, call->req);
	assert_int_equal(call->done, 1);
	assert_string_equal(call->req->reply, "v");
}

static void several_travel_together(void **state)
{
	struct fixture *fx = *state;
	struct request *reqs[5];

	for (int i = 0; i < 5; i++)
		reqs[i] = call_new(fx, XS_READ, "/a", NULL)->req;
	chan_submit_all(fx->chan, reqs, 5);
	assert_int_equal(fx->store->sends, 1);
	for (int i = 0; i < 5; i++)
		take(fx, XS_READ, "/a");
}

static void too_large_is_refused(void **state)
{
	struct fixture *fx = *state;
	char value[WIRE_PAYLOAD_MAX];
	struct call *call;

	memset(value, 'x', sizeof(value));
	value[sizeof(value) - 3] = '\0';
	call = call_submit(fx, XS_WRITE, "/", value);
	assert_int_equal(call->req->msg.len, WIRE_PAYLOAD_MAX - 1);
	assert_int_equal(call->done, 0);
	value[sizeof(value) - 3] = 'x';
	value[sizeof(value) - 1] = '\0';
	call = call_submit(fx, XS_WRITE, "/", value);
	assert_int_equal(call->req->msg.len, WIRE_PAYLOAD_MAX + 1);
	assert_int_equal(call->done, 1);
	assert_int_equal(call->error, -EMSGSIZE);
	assert_int_equal(stats(fx).refused, 1);
	take(fx, XS_WRITE, "/");
	assert_int_equal(fake_store_sent(fx->store), 0);
}

/* --- ids, orders, pieces ---------------------------------------------------------------------- */

static void ids_are_the_channels_own(void **state)
{
	struct fixture *fx = *state;
	struct call *calls[3];
	struct fake_msg msgs[3];

	for (int i = 0; i < 3; i++) {
		calls[i] = call_new(fx, XS_READ, "/a", NULL);
		/* As a foreign client would have it. */
		calls[i]->req->msg.req_id = 7;
		chan_submit(fx->chan, calls[i]->req);
		msgs[i] = take(fx, XS_READ, "/a");
		assert_int_not_equal(msgs[i].hdr.req_id, 0);
	}
	assert_int_not_equal(msgs[0].hdr.req_id, msgs[1].hdr.req_id);
	assert_int_not_equal(msgs[1].hdr.req_id, msgs[2].hdr.req_id);
	assert_int_not_equal(msgs[0].hdr.req_id, msgs[2].hdr.req_id);
	answer(fx, &msgs[1], "1");
	assert_int_equal(calls[0]->done, 0);
	assert_int_equal(calls[1]->done, 1);
	assert_int_equal(calls[2]->done, 0);
}

static void replies_in_any_order(void **state)
{
	static const int order[] = { 3, 0, 4, 2, 1 };
	struct fixture *fx = *state;
	struct call *calls[5];
	struct fake_msg msgs[5];
	char body[2] = "";

	for (int i = 0; i < 5; i++)
		calls[i] = call_submit(fx, XS_READ, "/a", NULL);
	for (int i = 0; i < 5; i++)
		msgs[i] = take(fx, XS_READ, "/a");
	for (int i = 0; i < 5; i++) {
		body[0] = '0' + order[i];
		fake_store_reply(fx->store, &msgs[order[i]], body, 1);
	}
	pump(fx);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(calls[order[i]]->order, i + 1);
		assert_int_equal(calls[i]->req->reply[0], '0' + i);
	}
}

static void ids_wrap(void **state)
{
	struct fixture *fx = *state;
	struct call *held, *call;
	struct fake_msg held_msg, msg;

	/* A few steps before the ids begin again, one request is in flight for long. */
	fx->chan->table.count = UINT32_MAX - 3;
	held = call_submit(fx, XS_READ, "/held", NULL);
	held_msg = take(fx, XS_READ, "/held");
	fx->chan->table.count = (held_msg.hdr.req_id >> TABLE_SLOT_BITS) - 4;
	for (int i = 0; i < 10; i++) {
		call = call_submit(fx, XS_READ, "/a", NULL);
		msg = take(fx, XS_READ, "/a");
		assert_int_not_equal(msg.hdr.req_id, 0);
		assert_int_not_equal(msg.hdr.req_id, held_msg.hdr.req_id);
		answer(fx, &msg, "v");
		assert_int_equal(call->done, 1);
		assert_int_equal(held->done, 0);
	}
	answer(fx, &held_msg, "v");
	assert_int_equal(held->done, 1);
}

static void sent_byte_by_byte(void **state)
{
	struct fixture *fx = *state;
	struct call *first, *second;
	struct fake_msg msg;

	fx->store->room = 0;
	first = call_submit(fx, XS_WRITE, "/a", "one");
	second = call_submit(fx, XS_WRITE, "/b", "two");
	for (size_t i = 0; i < request_size(first->req) + request_size(second->req); i++) {
		fake_store_room(fx->store, 1);
		pump(fx);
		assert_int_equal(fake_store_sent(fx->store), i + 1);
	}
	msg = take(fx, XS_WRITE, "/a");
	assert_memory_equal(msg.body, "/a\0one", 6);
	answer(fx, &msg, "OK");
	msg = take(fx, XS_WRITE, "/b");
	assert_memory_equal(msg.body, "/b\0two", 6);
	answer(fx, &msg, "OK");
	assert_int_equal(first->done + second->done, 2);
	assert_int_equal(stats(fx).bytes_sent,
			 request_size(first->req) + request_size(second->req));
}

static void received_byte_by_byte(void **state)
{
	struct fixture *fx = *state;
	struct call *first = call_submit(fx, XS_READ, "/a", NULL);
	struct call *second = call_submit(fx, XS_READ, "/b", NULL);
	struct fake_msg a = take(fx, XS_READ, "/a"), b = take(fx, XS_READ, "/b");

	fx->store->recv_piece = 1;
	fake_store_reply(fx->store, &a, "", 0);
	fake_store_reply(fx->store, &b, "two", 3);
	pump(fx);
	assert_int_equal(first->req->reply_len, 0);
	assert_string_equal(second->req->reply, "two");
	assert_int_equal(stats(fx).bytes_received, 2 * WIRE_HEADER_SIZE + 3);
}

static bool send_the_rest(struct fake_store *f, bool want_send)
{
	assert_false(want_send);
	fake_store_send(f, "lue", 3);
	return true;
}

static bool make_room(struct fake_store *f, bool want_send)
{
	assert_true(want_send);
	fake_store_room(f, 5);
	return true;
}

static void rest_of_a_reply_is_waited_for(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg;

	msg = take(fx, XS_READ, "/a");
	msg.hdr.len = 5;
	fx->store->in_linger = send_the_rest;
	/* Between two messages there is nothing to wait for. */
	chan_service(fx->chan);
	assert_int_equal(fx->store->lingers, 0);
	fake_store_send(fx->store, &msg.hdr, sizeof(msg.hdr));
	fake_store_send(fx->store, "va", 2);
	assert_int_equal(chan_service(fx->chan), 1);
	assert_int_equal(fx->store->lingers, 1);
	assert_int_equal(call->done, 1);
	assert_memory_equal(call->req->reply, "value", 5);
}

static void rest_of_a_reply_is_not_waited_for_long(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg;

	msg = take(fx, XS_READ, "/a");
	msg.hdr.len = 5;
	fake_store_send(fx->store, &msg.hdr, sizeof(msg.hdr));
	assert_int_equal(chan_service(fx->chan), 0);
	assert_int_equal(fx->store->lingers, 1);
	fake_store_send(fx->store, "value", 5);
	pump(fx);
	assert_int_equal(call->done, 1);
}

static void room_is_not_waited_for_beside_others(void **state)
{
	struct fixture *fx = *state;
	struct call *other = call_submit(fx, XS_READ, "/a", NULL), *call;
	struct fake_msg msg = take(fx, XS_READ, "/a");

	fake_store_fill(fx->store);
	fx->store->in_linger = make_room;
	call = call_submit(fx, XS_WRITE, "/b", "value");
	fake_store_room(fx->store, 5);
	pump(fx);
	assert_int_equal(fx->store->lingers, 0);
	answer(fx, &msg, "v");
	assert_int_equal(other->done, 1);
	fake_store_room(fx->store, 5);
	pump(fx);
	assert_true(fx->store->lingers > 0);
	msg = take(fx, XS_WRITE, "/b");
	answer(fx, &msg, "OK");
	assert_int_equal(call->done, 1);
}

static void room_for_the_rest_is_waited_for(void **state)
{
	struct fixture *fx = *state;
	struct call *call;
	struct fake_msg msg;

	/* The whole message finds no room: its turn comes when it comes. */
	fake_store_fill(fx->store);
	fx->store->in_linger = make_room;
	call = call_submit(fx, XS_WRITE, "/a", "value");
	assert_int_equal(fx->store->lingers, 0);
	assert_int_equal(fake_store_sent(fx->store), 0);
	/* One that has begun goes on. */
	fake_store_room(fx->store, 5);
	pump(fx);
	assert_int_equal(fake_store_sent(fx->store), request_size(call->req));
	assert_int_equal(fx->store->lingers, (request_size(call->req) - 1) / 5);
	msg = take(fx, XS_WRITE, "/a");
	answer(fx, &msg, "OK");
	assert_int_equal(call->done, 1);
}

static void received_with_gaps(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	msg.hdr.len = 3;
	memcpy(msg.body, "val", 3);
	for (size_t i = 0; i < WIRE_HEADER_SIZE + 3; i++) {
		assert_int_equal(call->done, 0);
		fake_store_send(fx->store, (char *)&msg + i, 1);
		pump(fx);
	}
	assert_string_equal(call->req->reply, "val");
}

/* --- wake-ups --------------------------------------------------------------------------------- */

static void running_thread_is_not_woken(void **state)
{
	struct fixture *fx = *state;

	fx->store->room = 20;
	pump(fx);
	for (int i = 0; i < 10; i++)
		call_submit(fx, XS_READ, "/a", NULL);
	chan_wake(fx->chan);
	assert_int_equal(stats(fx).wakeups_sent, 0);
	assert_int_equal(stats(fx).wakeups_saved, 10);
}

static void sleeper_is_not_woken_for_what_was_sent(void **state)
{
	struct fixture *fx = *state;

	fall_asleep(fx);
	call_submit(fx, XS_READ, "/a", NULL);
	assert_int_equal(stats(fx).wakeups_sent, 0);
}

static void sleeper_is_woken_once_for_room(void **state)
{
	struct fixture *fx = *state;
	struct pollfd fds[CHAN_POLLFDS];

	fx->store->room = 5;
	fall_asleep(fx);
	for (int i = 0; i < 10; i++)
		call_submit(fx, XS_READ, "/a", NULL);
	assert_int_equal(stats(fx).wakeups_sent, 1);
	/* Now it watches for room: nobody needs to tell it that there is still none. */
	fall_asleep(fx);
	call_submit(fx, XS_READ, "/a", NULL);
	assert_int_equal(stats(fx).wakeups_sent, 1);
	fake_store_room(fx->store, SIZE_MAX);
	assert_int_equal(poll(fds, chan_pollfds(fx->chan, fds), 5000), 1);
	pump(fx);
	for (int i = 0; i < 11; i++)
		take(fx, XS_READ, "/a");
}

static void sleeper_is_woken_by_a_reply(void **state)
{
	struct fixture *fx = *state;
	struct pollfd fds[CHAN_POLLFDS];
	struct call *call;
	struct fake_msg msg;

	fall_asleep(fx);
	call = call_submit(fx, XS_READ, "/a", NULL);
	msg = take(fx, XS_READ, "/a");
	fake_store_reply(fx->store, &msg, "v", 1);
	assert_int_equal(poll(fds, chan_pollfds(fx->chan, fds), 5000), 1);
	pump(fx);
	assert_int_equal(call->done, 1);
}

static void wake_up_is_seen_once(void **state)
{
	struct fixture *fx = *state;
	struct pollfd fds[CHAN_POLLFDS];

	fall_asleep(fx);
	chan_wake(fx->chan);
	chan_wake(fx->chan);
	assert_int_equal(stats(fx).wakeups_sent, 1);
	assert_int_equal(poll(fds, chan_pollfds(fx->chan, fds), 1000), 1);
	chan_service(fx->chan);
	assert_true(chan_may_sleep(fx->chan));
	assert_int_equal(poll(fds, chan_pollfds(fx->chan, fds), 0), 0);
}

static void idle_sleeps_for_ever(void **state)
{
	struct fixture *fx = *state;
	struct fake_msg msg;

	fx->chan->timeout_ms = 1000;
	fall_asleep(fx);
	assert_int_equal(chan_timeout(fx->chan), -1);
	call_submit(fx, XS_READ, "/a", NULL);
	msg = take(fx, XS_READ, "/a");
	answer(fx, &msg, "v");
	pump(fx);
	fall_asleep(fx);
	assert_int_equal(chan_timeout(fx->chan), -1);
}

/* The first deadline after a rest needs a wake-up, as the sleep was for ever; those of a busy
 * channel do not. */
static void deadlines_of_a_busy_channel_need_no_wake_up(void **state)
{
	struct fixture *fx = *state;
	struct fake_msg msg;

	fx->chan->timeout_ms = 5000;
	fall_asleep(fx);
	call_submit(fx, XS_READ, "/a", NULL);
	assert_int_equal(stats(fx).wakeups_sent, 1);
	for (int i = 0; i < 20; i++) {
		msg = take(fx, XS_READ, "/a");
		fake_store_reply(fx->store, &msg, "v", 1);
		while (chan_service(fx->chan) > 0)
			;
		assert_true(chan_may_sleep(fx->chan));
		assert_in_range(chan_timeout(fx->chan), 1, 5000);
		call_submit(fx, XS_READ, "/a", NULL);
	}
	assert_int_equal(stats(fx).wakeups_sent, 1);
}

static void nearer_deadline_wakes_the_sleeper(void **state)
{
	struct fixture *fx = *state;
	struct call *call;

	fx->chan->timeout_ms = 5000;
	call_submit(fx, XS_READ, "/a", NULL);
	fall_asleep(fx);
	call = call_new(fx, XS_READ, "/b", NULL);
	call->req->timeout_ms = 20;
	chan_submit(fx->chan, call->req);
	assert_int_equal(stats(fx).wakeups_sent, 1);
	wait_done(fx, call);
	assert_int_equal(call->error, -ETIMEDOUT);
}

/* --- deadlines -------------------------------------------------------------------------------- */

static void deadline_passes(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_new(fx, XS_READ, "/a", NULL), *other;
	struct fake_msg msg;

	call->req->timeout_ms = 20;
	chan_submit(fx->chan, call->req);
	other = call_submit(fx, XS_READ, "/b", NULL);
	wait_done(fx, call);
	assert_int_equal(call->error, -ETIMEDOUT);
	assert_int_equal(other->done, 0);
	assert_int_equal(stats(fx).timeouts, 1);
	/* Its reply, too late, hurts nobody. */
	msg = take(fx, XS_READ, "/a");
	answer(fx, &msg, "late");
	msg = take(fx, XS_READ, "/b");
	answer(fx, &msg, "v");
	assert_string_equal(other->req->reply, "v");
	assert_int_equal(stats(fx).late_replies, 1);
}

static void deadlines_are_kept_in_order(void **state)
{
	static const unsigned timeouts[] = { 300, 100, 400, 200 };
	static const unsigned order[] = { 3, 1, 4, 2 };
	struct fixture *fx = *state;
	struct call *calls[4];

	for (int i = 0; i < 4; i++) {
		calls[i] = call_new(fx, XS_READ, "/a", NULL);
		calls[i]->req->timeout_ms = timeouts[i];
		chan_submit(fx->chan, calls[i]->req);
	}
	wait_done(fx, calls[2]);
	for (int i = 0; i < 4; i++)
		assert_int_equal(calls[i]->order, order[i]);
}

static void queued_requests_expire_too(void **state)
{
	struct fixture *fx = *state;
	struct call *call;

	fx->store->room = 0;
	call_submit(fx, XS_READ, "/a", NULL);
	call = call_new(fx, XS_WRITE, "/b", "v");
	call->req->timeout_ms = 20;
	chan_submit(fx->chan, call->req);
	wait_done(fx, call);
	assert_int_equal(call->error, -ETIMEDOUT);
	fake_store_room(fx->store, SIZE_MAX);
	pump(fx);
	take(fx, XS_READ, "/a");
	assert_int_equal(fake_store_sent(fx->store), 0);
}

/* --- slots ------------------------------------------------------------------------------------ */

static void in_flight_is_bounded(void **state)
{
	struct fixture *fx = *state;
	struct fake_msg msg;

	for (int i = 0; i < 40; i++)
		call_submit(fx, XS_READ, "/a", NULL);
	assert_int_equal(stats(fx).in_flight, 16);
	assert_int_equal(stats(fx).queued, 24);
	for (int i = 0; i < 40; i++) {
		msg = take(fx, XS_READ, "/a");
		answer(fx, &msg, "v");
		assert_in_range(stats(fx).in_flight, 0, 16);
	}
	assert_int_equal(fx->completions, 40);
	assert_int_equal(stats(fx).in_flight_high, 16);
}

static void config_lowers_the_bound(void **state)
{
	struct fixture *fx = fixture_new();

	*state = fx;
	fx->config.in_flight_max = 3;
	fixture_start(fx);
	for (int i = 0; i < 9; i++)
		call_submit(fx, XS_READ, "/a", NULL);
	assert_int_equal(stats(fx).in_flight, 3);
}

static struct call *submit_bulk(struct fixture *fx, const char *path)
{
	struct call *call = call_new(fx, XS_READ, path, NULL);

	call->req->bulk = true;
	chan_submit(fx->chan, call->req);
	return call;
}

static void bulk_gets_half(void **state)
{
	struct fixture *fx = *state;

	for (int i = 0; i < 40; i++)
		submit_bulk(fx, "/bulk");
	assert_int_equal(stats(fx).in_flight, 8);
	/* Others find room at once. */
	for (int i = 0; i < 8; i++)
		call_submit(fx, XS_READ, "/a", NULL);
	assert_int_equal(stats(fx).in_flight, 16);
	assert_int_equal(fx->chan->bulk_in_flight, 8);
}

static void bulk_is_not_starved(void **state)
{
	struct fixture *fx = *state;
	struct fake_msg msg;
	unsigned bulk = 0;

	for (int i = 0; i < 200; i++)
		call_submit(fx, XS_READ, "/a", NULL);
	for (int i = 0; i < 10; i++)
		submit_bulk(fx, "/bulk");
	for (int i = 0; i < 100; i++) {
		assert_true(fake_store_take(fx->store, &msg));
		bulk += !strcmp(msg.body, "/bulk");
		answer(fx, &msg, "v");
	}
	assert_int_equal(bulk, 10);
}

static void bulk_works_with_one_slot(void **state)
{
	struct fixture *fx = fixture_new();
	struct fake_msg msg;
	struct call *call;

	*state = fx;
	fx->config.in_flight_max = 1;
	fixture_start(fx);
	call_submit(fx, XS_READ, "/a", NULL);
	call = submit_bulk(fx, "/bulk");
	msg = take(fx, XS_READ, "/a");
	answer(fx, &msg, "v");
	msg = take(fx, XS_READ, "/bulk");
	answer(fx, &msg, "v");
	assert_int_equal(call->done, 1);
}

/* --- completion ------------------------------------------------------------------------------- */

struct counted_gather {
	struct gather gather;
	unsigned done;
};

static void gather_complete(struct gather *g)
{
	((struct counted_gather *)g)->done++;
}

static void gather_completes_once_at_the_end(void **state)
{
	struct fixture *fx = *state;
	struct counted_gather g = { .gather = { .pending = 3, .complete = gather_complete } };
	struct request *reqs[3];
	struct fake_msg msg;

	for (int i = 0; i < 3; i++) {
		reqs[i] = call_new(fx, XS_READ, "/a", NULL)->req;
		reqs[i]->gather = &g.gather;
	}
	/* One of them is refused at once, one is given up. */
	reqs[1]->epoch = 77;
	chan_submit_all(fx->chan, reqs, 3);
	assert_int_equal(fx->completions, 1);
	chan_abandon(fx->chan, reqs[0], -EINTR);
	assert_int_equal(g.done, 0);
	take(fx, XS_READ, "/a");
	msg = take(fx, XS_READ, "/a");
	answer(fx, &msg, "v");
	assert_int_equal(g.done, 1);
	assert_true(g.gather.answered_ns != 0);
	assert_int_equal(g.gather.answered_ns, reqs[2]->answered_ns);
}

static void submit_next(struct call *call)
{
	/* No lock is held: everything may be called. */
	stats(call->fx);
	if (call->fx->completions < 50)
		call_submit(call->fx, XS_READ, "/next", NULL)->then = submit_next;
}

static void completion_submits(void **state)
{
	struct fixture *fx = *state;
	struct fake_msg msg;

	call_submit(fx, XS_READ, "/next", NULL)->then = submit_next;
	for (int i = 0; i < 50; i++) {
		msg = take(fx, XS_READ, "/next");
		answer(fx, &msg, "v");
	}
	assert_int_equal(fx->completions, 50);
	assert_int_equal(stats(fx).in_flight, 0);
}

static void issuer_may_let_go_at_once(void **state)
{
	struct fixture *fx = *state;
	struct request *req = request_new_path(XS_READ, 0, "/a", NULL, 0);
	struct fake_msg msg;

	chan_submit(fx->chan, req);
	request_put(req);
	msg = take(fx, XS_READ, "/a");
	answer(fx, &msg, "v");
	assert_int_equal(stats(fx).completed, 1);
}

static void reply_at_once(struct fake_store *store, void *arg)
{
	struct fixture *fx = arg;
	struct fake_msg msg = take(fx, XS_READ, "/a");

	fake_store_reply(store, &msg, "v", 1);
}

static void wait_services(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_new(fx, XS_READ, "/a", NULL);

	fx->store->in_send = reply_at_once;
	fx->store->in_send_arg = fx;
	chan_submit(fx->chan, call->req);
	assert_int_equal(chan_wait(fx->chan, call->req), 0);
	assert_string_equal(call->req->reply, "v");
}

/* --- looking at it ---------------------------------------------------------------------------- */

struct seen {
	unsigned count, sent, abandoned;
	char paths[100];
};

static void see(void *arg, const struct chan_request_info *info)
{
	struct seen *seen = arg;

	seen->count++;
	seen->sent += info->sent;
	seen->abandoned += info->abandoned;
	assert_int_equal(info->sent, info->id != 0);
	strcat(seen->paths, info->path);
}

static void requests_are_listed(void **state)
{
	struct fixture *fx = *state;
	struct seen seen = { 0 };
	struct call *call;

	call = call_submit(fx, XS_READ, "/sent", NULL);
	chan_abandon(fx->chan, call->req, -EINTR);
	fx->store->room = 0;
	call_submit(fx, XS_READ, "/part", NULL);
	call = call_new(fx, XS_READ, "/queued", NULL);
	call->req->msg.req_id = 99;
	chan_submit(fx->chan, call->req);
	chan_for_each(fx->chan, see, &seen);
	assert_int_equal(seen.count, 3);
	assert_int_equal(seen.sent, 2);
	assert_int_equal(seen.abandoned, 1);
	assert_string_equal(seen.paths, "/sent/part/queued");
}

static void latency_buckets_grow(void **state)
{
	(void)state;
	for (unsigned i = 1; i < CHAN_LATENCY_BUCKETS; i++)
		assert_true(chan_latency_bound(i) > chan_latency_bound(i - 1));
}

static void latencies_are_below_the_bound_of_their_bucket(void **state)
{
	(void)state;
	assert_int_equal(chan_latency_bucket(0), 0);
	for (unsigned i = 0; i < CHAN_LATENCY_BUCKETS - 1; i++) {
		assert_int_equal(chan_latency_bucket(chan_latency_bound(i) - 1), i);
		assert_int_equal(chan_latency_bucket(chan_latency_bound(i)), i + 1);
	}
	assert_int_equal(chan_latency_bucket(UINT64_MAX), CHAN_LATENCY_BUCKETS - 1);
}

static void latencies_are_counted_by_type(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");
	uint64_t reads = 0, writes = 0;
	struct chan_stats st;

	usleep(1000);
	answer(fx, &msg, "v");
	assert_true(call->req->answered_ns >= call->req->submitted_ns + 1000000);
	st = stats(fx);
	for (unsigned i = 0; i < CHAN_LATENCY_BUCKETS; i++) {
		reads += st.latency[XS_READ][i];
		writes += st.latency[XS_WRITE][i];
	}
	assert_int_equal(reads, 1);
	assert_int_equal(writes, 0);
	assert_int_equal(st.latency_ns[XS_READ], call->req->answered_ns - call->req->submitted_ns);
}

static void errors_are_counted_by_errno(void **state)
{
	struct fixture *fx = *state;
	struct call *call = call_submit(fx, XS_READ, "/a", NULL);
	struct fake_msg msg = take(fx, XS_READ, "/a");

	fake_store_error(fx->store, &msg, "ENOENT");
	pump(fx);
	call = call_submit(fx, XS_READ, "/b", NULL);
	chan_abandon(fx->chan, call->req, -EINTR);
	assert_int_equal(call->req->answered_ns, 0);
	assert_int_equal(stats(fx).errors, 2);
	assert_int_equal(stats(fx).errors_by[ENOENT], 1);
	assert_int_equal(stats(fx).errors_by[EINTR], 1);
	assert_int_equal(chan_error_index(-CHAN_ERRNOS), 0);
	assert_int_equal(chan_error_index(-(CHAN_ERRNOS - 1)), CHAN_ERRNOS - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
/* These start the channel themselves. */
#define TEST_OWN(name) cmocka_unit_test_teardown(name, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reply_is_delivered),
		TEST(error_is_delivered),
		TEST(long_reply_is_delivered),
		TEST(only_service_receives),
		TEST(submitter_writes_at_once),
		TEST(submitter_queues_behind_a_full_transport),
		TEST(submitter_queues_behind_another),
		TEST(reply_needs_no_sender),
		TEST(reply_overtakes_its_sender),
		TEST(several_travel_together),
		TEST(too_large_is_refused),
		TEST(ids_are_the_channels_own),
		TEST(replies_in_any_order),
		TEST(ids_wrap),
		TEST(sent_byte_by_byte),
		TEST(received_byte_by_byte),
		TEST(received_with_gaps),
		TEST(rest_of_a_reply_is_waited_for),
		TEST(rest_of_a_reply_is_not_waited_for_long),
		TEST(room_for_the_rest_is_waited_for),
		TEST(room_is_not_waited_for_beside_others),
		TEST(running_thread_is_not_woken),
		TEST(sleeper_is_not_woken_for_what_was_sent),
		TEST(sleeper_is_woken_once_for_room),
		TEST(sleeper_is_woken_by_a_reply),
		TEST(wake_up_is_seen_once),
		TEST(idle_sleeps_for_ever),
		TEST(deadlines_of_a_busy_channel_need_no_wake_up),
		TEST(nearer_deadline_wakes_the_sleeper),
		TEST(deadline_passes),
		TEST(deadlines_are_kept_in_order),
		TEST(queued_requests_expire_too),
		TEST(in_flight_is_bounded),
		TEST_OWN(config_lowers_the_bound),
		TEST(bulk_gets_half),
		TEST(bulk_is_not_starved),
		TEST_OWN(bulk_works_with_one_slot),
		TEST(gather_completes_once_at_the_end),
		TEST(completion_submits),
		TEST(issuer_may_let_go_at_once),
		TEST(wait_services),
		TEST(requests_are_listed),
		cmocka_unit_test(latency_buckets_grow),
		cmocka_unit_test(latencies_are_below_the_bound_of_their_bucket),
		TEST(latencies_are_counted_by_type),
		TEST(errors_are_counted_by_errno),
	};

	return cmocka_run_group_tests_name("chan", tests, NULL, NULL);
}
