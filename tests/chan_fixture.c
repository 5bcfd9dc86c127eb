/* SPDX-License-Identifier: MIT */
/* The fixture of chan_fixture.h.  One thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/chan_fixture.h"

static void count_line(struct logger *log, enum log_level level, const char *fmt, va_list ap)
{
	struct fixture *fx = (struct fixture *)((char *)log - offsetof(struct fixture, log));
	char line[200];

	fx->logged[level]++;
	/* Formatted, so that the sanitizers see what the arguments point to. */
	vsnprintf(line, sizeof(line), fmt, ap);
}

struct fixture *fixture_new(void)
{
	struct fixture *fx = calloc(1, sizeof(*fx));

	assert_non_null(fx);
	fx->log = (struct logger){ .vlog = count_line, .debug = true };
	fx->store = fake_store_new();
	fake_store_io_thread(fx->store);
	fx->config.transport = &fx->store->transport;
	fx->config.log = &fx->log;
	return fx;
}

void fixture_start(struct fixture *fx)
{
	assert_int_equal(chan_new(&fx->chan, &fx->config), 0);
}

void fixture_free(struct fixture *fx)
{
	struct call *call;

	chan_free(fx->chan);
	while ((call = fx->calls)) {
		fx->calls = call->next;
		assert_int_equal(call->done, call->req->state == REQUEST_NEW ? 0 : 1);
		request_put(call->req);
		free(call);
	}
	assert_true(fx->store->freed);
	assert_int_equal(fx->store->wrong_thread, 0);
	assert_int_equal(fx->store->overlaps, 0);
	fake_store_free(fx->store);
	free(fx);
}

int fixture_setup(void **state)
{
	struct fixture *fx = fixture_new();

	fixture_start(fx);
	*state = fx;
	return 0;
}

int fixture_teardown(void **state)
{
	fixture_free(*state);
	return 0;
}

static void call_complete(struct request *req)
{
	struct call *call = req->arg;

	call->done++;
	call->error = req->error;
	call->order = ++call->fx->completions;
	if (call->then)
		call->then(call);
}

struct call *call_new(struct fixture *fx, uint32_t type, const char *path, const char *data)
{
	struct call *call = calloc(1, sizeof(*call));

	assert_non_null(call);
	call->req = request_new_path(type, 0, path, data, data ? strlen(data) : 0);
	assert_non_null(call->req);
	call->req->complete = call_complete;
	call->req->arg = call;
	call->fx = fx;
	call->next = fx->calls;
	fx->calls = call;
	return call;
}

struct call *call_submit(struct fixture *fx, uint32_t type, const char *path, const char *data)
{
	struct call *call = call_new(fx, type, path, data);

	chan_submit(fx->chan, call->req);
	return call;
}

void pump(struct fixture *fx)
{
	do {
		while (chan_service(fx->chan) > 0)
			;
	} while (!chan_may_sleep(fx->chan));
	/* From here on the test continues as a running I/O thread. */
	chan_service(fx->chan);
}

int sleep_and_pump(struct fixture *fx)
{
	struct pollfd fds[CHAN_POLLFDS];
	int rc = 0, timeout;

	while (chan_service(fx->chan) > 0)
		;
	if (chan_may_sleep(fx->chan)) {
		timeout = chan_timeout(fx->chan);
		if (timeout < 0 || timeout > 5000)
			timeout = 5000;
		rc = poll(fds, chan_pollfds(fx->chan, fds), timeout);
	}
	chan_service(fx->chan);
	return rc;
}

void wait_done(struct fixture *fx, struct call *call)
{
	time_t start = time(NULL);

	while (!call->done) {
		if (time(NULL) - start > 5)
			fail_msg("not done after 5 s");
		sleep_and_pump(fx);
	}
}

void fall_asleep(struct fixture *fx)
{
	pump(fx);
	assert_true(chan_may_sleep(fx->chan));
}

struct fake_msg take(struct fixture *fx, uint32_t type, const char *path)
{
	struct fake_msg msg;

	if (!fake_store_take(fx->store, &msg))
		fail_msg("nothing was sent; expected %s %s", wire_type_name(type), path);
	assert_string_equal(wire_type_name(msg.hdr.type), wire_type_name(type));
	assert_string_equal(msg.body, path);
	return msg;
}

void take_nothing(struct fixture *fx)
{
	struct fake_msg msg;

	if (fake_store_take(fx->store, &msg))
		fail_msg("%s %s was sent", wire_type_name(msg.hdr.type), msg.body);
}

void answer(struct fixture *fx, const struct fake_msg *msg, const char *body)
{
	fake_store_reply(fx->store, msg, body, strlen(body));
	pump(fx);
}

struct chan_stats stats(struct fixture *fx)
{
	struct chan_stats st;

	chan_stats(fx->chan, &st);
	return st;
}
