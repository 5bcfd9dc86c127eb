/* SPDX-License-Identifier: MIT */
/*
 * Tests ring/watch.c: one server watch for each path, tokens, initial events, failures, removal at
 * awkward moments, setting again after a reconnect.  The test plays the store and the I/O thread.
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring/chan_impl.h"
#include "ring/watch.h"
#include "tests/chan_fixture.h"
#include "tests/failing_malloc.h"

void __real_chan_submit(struct chan *chan, struct request *req);
void __wrap_chan_submit(struct chan *chan, struct request *req);

/* Called once, just before a request is submitted: plays another thread. */
static void (*before_submit)(void *arg);
static void *before_submit_arg;

void __wrap_chan_submit(struct chan *chan, struct request *req)
{
	void (*call)(void *) = before_submit;

	before_submit = NULL;
	if (call)
		call(before_submit_arg);
	__real_chan_submit(chan, req);
}

struct world {
	struct fixture *fx;
	struct watches *ws;
};

/* A watcher that records what it is told. */
struct spy {
	struct watcher watcher;
	struct world *world;
	unsigned armed, changed, resync, lost;
	int error;
	char path[64]; /* of the last change */
	void (*then)(struct spy *spy); /* in each callback */
	struct spy *other;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->fx = fixture_new();
	fixture_start(w->fx);
	w->ws = watches_new(w->fx->chan, &w->fx->log);
	assert_non_null(w->ws);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	chan_shutdown(w->fx->chan);
	watches_free(w->ws);
	fixture_free(w->fx);
	free(w);
	return 0;
}

static void spy_armed(struct watcher *watcher, int error)
{
	struct spy *spy = (struct spy *)watcher;

	spy->armed++;
	spy->error = error;
	if (spy->then)
		spy->then(spy);
}

static void spy_event(struct watcher *watcher, enum watch_event_type type, const char *path)
{
	struct spy *spy = (struct spy *)watcher;

	/* Nobody is told anything before it is told that it is armed. */
	assert_int_equal(spy->armed, 1);
	spy->changed += type == WATCH_CHANGED;
	spy->resync += type == WATCH_RESYNC;
	spy->lost += type == WATCH_LOST;
	if (type == WATCH_CHANGED)
		snprintf(spy->path, sizeof(spy->path), "%s", path);
	else
		assert_null(path);
	if (spy->then)
		spy->then(spy);
}

static void spy_init(struct spy *spy, struct world *w)
{
	*spy = (struct spy){ .watcher = { .armed = spy_armed, .event = spy_event }, .world = w };
}

static void spy_add(struct spy *spy, struct world *w, const char *path)
{
	spy_init(spy, w);
	assert_int_equal(watch_add(w->ws, &spy->watcher, path), 0);
}

static const char *token_of(const struct fake_msg *msg)
{
	return msg->body + strlen(msg->body) + 1;
}

/* Answers a WATCH as a server does: the reply, then the initial event.  Returns the WATCH, for its
 * token. */
static struct fake_msg serve_watch(struct world *w, const char *path)
{
	struct fake_msg msg = take(w->fx, XS_WATCH, path);

	answer(w->fx, &msg, "OK");
	fake_store_event(w->fx->store, path, token_of(&msg));
	pump(w->fx);
	return msg;
}

static void serve_event(struct world *w, const char *path, const struct fake_msg *watch)
{
	fake_store_event(w->fx->store, path, token_of(watch));
	pump(w->fx);
}

static void lose_connection(struct world *w)
{
	fake_store_eof(w->fx->store);
	pump(w->fx);
}

static void await_connection(struct world *w)
{
	w->fx->store->connect_error = 0;
	while (stats(w->fx).state != CHAN_CONNECTED)
		sleep_and_pump(w->fx);
}

/* --- setting ---------------------------------------------------------------------------------- */

static void armed_after_reply_and_event(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	struct spy spy;

	spy_add(&spy, w, "/a");
	msg = take(w->fx, XS_WATCH, "/a");
	/* Path, NUL, token, NUL: docs/misc/xenstore.txt. */
	assert_int_equal(msg.hdr.len, 3 + strlen(token_of(&msg)) + 1);
	answer(w->fx, &msg, "OK");
	assert_int_equal(spy.armed, 0);
	serve_event(w, "/a", &msg);
	assert_int_equal(spy.armed, 1);
	assert_int_equal(spy.error, 0);
	assert_int_equal(spy.changed, 0);
}

static void armed_after_event_and_reply(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	struct spy spy;

	spy_add(&spy, w, "/a");
	msg = take(w->fx, XS_WATCH, "/a");
	serve_event(w, "/a", &msg);
	assert_int_equal(spy.armed, 0);
	answer(w->fx, &msg, "OK");
	assert_int_equal(spy.armed, 1);
	assert_int_equal(spy.changed, 0);
	serve_event(w, "/a/b", &msg);
	assert_int_equal(spy.changed, 1);
	assert_string_equal(spy.path, "/a/b");
}

static void special_path(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	struct spy spy;

	spy_add(&spy, w, "@introduceDomain");
	msg = serve_watch(w, "@introduceDomain");
	serve_event(w, "@introduceDomain", &msg);
	assert_int_equal(spy.changed, 1);
	assert_string_equal(spy.path, "@introduceDomain");
}

static void one_server_watch_for_a_path(void **state)
{
	struct world *w = *state;
	struct spy early, later, last;
	struct fake_msg msg;

	spy_add(&early, w, "/a");
	spy_add(&later, w, "/a");
	msg = serve_watch(w, "/a");
	assert_int_equal(early.armed, 1);
	assert_int_equal(later.armed, 1);
	/* Known at once. */
	spy_add(&last, w, "/a");
	assert_int_equal(last.armed, 1);
	take_nothing(w->fx);
	assert_int_equal(watches_count(w->ws), 1);
	serve_event(w, "/a", &msg);
	assert_int_equal(early.changed + later.changed + last.changed, 3);
}

static void paths_are_told_apart(void **state)
{
	struct world *w = *state;
	struct fake_msg a, b;
	struct spy one, two;

	spy_add(&one, w, "/a");
	a = serve_watch(w, "/a");
	spy_add(&two, w, "/b");
	b = serve_watch(w, "/b");
	assert_string_not_equal(token_of(&a), token_of(&b));
	/* The token says whose it is, not the path. */
	serve_event(w, "/whatever", &b);
	assert_int_equal(one.changed, 0);
	assert_int_equal(two.changed, 1);
}

static void unknown_token_is_ignored(void **state)
{
	static const char *const tokens[] = { "", "0", "1", "-1", "x", "18446744073709551616" };
	struct world *w = *state;
	struct spy spy;

	spy_add(&spy, w, "/a");
	serve_watch(w, "/a");
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		fake_store_event(w->fx->store, "/a", tokens[i]);
		pump(w->fx);
	}
	assert_int_equal(spy.changed, 0);
	assert_int_equal(w->fx->store->disconnects, 0);
}

/* --- removing --------------------------------------------------------------------------------- */

static void last_watcher_takes_the_server_watch_along(void **state)
{
	struct world *w = *state;
	struct fake_msg watch, unwatch;
	struct spy one, two;

	spy_add(&one, w, "/a");
	spy_add(&two, w, "/a");
	watch = serve_watch(w, "/a");
	watch_remove(w->ws, &one.watcher);
	take_nothing(w->fx);
	watch_remove(w->ws, &two.watcher);
	unwatch = take(w->fx, XS_UNWATCH, "/a");
	assert_string_equal(token_of(&unwatch), token_of(&watch));
	assert_int_equal(watches_count(w->ws), 0);
	serve_event(w, "/a", &watch);
	assert_int_equal(one.changed + two.changed, 0);
}

static void tokens_are_fresh(void **state)
{
	struct world *w = *state;
	struct fake_msg first, second;
	struct spy spy;

	spy_add(&spy, w, "/a");
	first = serve_watch(w, "/a");
	watch_remove(w->ws, &spy.watcher);
	take(w->fx, XS_UNWATCH, "/a");
	spy_add(&spy, w, "/a");
	second = take(w->fx, XS_WATCH, "/a");
	assert_string_not_equal(token_of(&first), token_of(&second));
	/* A late event of the first watch is not the initial one of the second. */
	answer(w->fx, &second, "OK");
	serve_event(w, "/a", &first);
	assert_int_equal(spy.armed, 0);
	serve_event(w, "/a", &second);
	assert_int_equal(spy.armed, 1);
}

static void tokens_of_a_predecessor_are_not_ours(void **state)
{
	struct world *w = *state, *other;
	struct fake_msg first, second;
	struct spy one, two;

	spy_add(&one, w, "/a");
	first = take(w->fx, XS_WATCH, "/a");
	setup((void **)&other);
	spy_add(&two, other, "/a");
	second = take(other->fx, XS_WATCH, "/a");
	assert_string_not_equal(token_of(&first), token_of(&second));
	teardown((void **)&other);
	watch_remove(w->ws, &one.watcher);
}

static void removed_before_the_reply(void **state)
{
	struct world *w = *state;
	struct fake_msg watch, unwatch;
	struct spy spy;

	spy_add(&spy, w, "/a");
	watch_remove(w->ws, &spy.watcher);
	watch = take(w->fx, XS_WATCH, "/a");
	take_nothing(w->fx);
	answer(w->fx, &watch, "OK");
	unwatch = take(w->fx, XS_UNWATCH, "/a");
	assert_string_equal(token_of(&unwatch), token_of(&watch));
	serve_event(w, "/a", &watch);
	assert_int_equal(spy.armed, 0);
	/* Once more is nothing. */
	watch_remove(w->ws, &spy.watcher);
	take_nothing(w->fx);
}

static void remove_myself(struct spy *spy)
{
	watch_remove(spy->world->ws, &spy->watcher);
}

static void removed_inside_armed(void **state)
{
	struct world *w = *state;
	struct spy one, two;

	spy_add(&one, w, "/a");
	one.then = remove_myself;
	spy_add(&two, w, "/a");
	two.then = remove_myself;
	serve_watch(w, "/a");
	assert_int_equal(one.armed, 1);
	assert_int_equal(two.armed, 1);
	take(w->fx, XS_UNWATCH, "/a");
	assert_int_equal(watches_count(w->ws), 0);
}

static void removed_inside_armed_at_once(void **state)
{
	struct world *w = *state;
	struct spy one, two;

	spy_add(&one, w, "/a");
	serve_watch(w, "/a");
	spy_init(&two, w);
	two.then = remove_myself;
	assert_int_equal(watch_add(w->ws, &two.watcher, "/a"), 0);
	assert_int_equal(two.armed, 1);
	take_nothing(w->fx);
}

static void removed_inside_event(void **state)
{
	struct world *w = *state;
	struct fake_msg watch;
	struct spy one, two;

	spy_add(&one, w, "/a");
	spy_add(&two, w, "/a");
	watch = serve_watch(w, "/a");
	one.then = remove_myself;
	two.then = remove_myself;
	serve_event(w, "/a", &watch);
	assert_int_equal(one.changed, 1);
	assert_int_equal(two.changed, 1);
	take(w->fx, XS_UNWATCH, "/a");
	serve_event(w, "/a", &watch);
	assert_int_equal(one.changed + two.changed, 2);
}

static void remove_the_other(struct spy *spy)
{
	watch_remove(spy->world->ws, &spy->other->watcher);
}

static void neighbour_removed_inside_event(void **state)
{
	struct world *w = *state;
	struct spy one, two, three;
	struct fake_msg watch;

	spy_add(&one, w, "/a");
	spy_add(&two, w, "/a");
	spy_add(&three, w, "/a");
	watch = serve_watch(w, "/a");
	one.then = remove_the_other;
	one.other = &two;
	serve_event(w, "/a", &watch);
	assert_int_equal(one.changed, 1);
	assert_int_equal(two.changed, 0);
	assert_int_equal(three.changed, 1);
}

/* Adds a watcher on another path, and one on the same. */
static void add_the_other(struct spy *spy)
{
	spy->then = NULL;
	spy_add(spy->other, spy->world, "/b");
	watch_remove(spy->world->ws, &spy->other->watcher);
	spy_add(spy->other, spy->world, "/a");
}

static void added_inside_event(void **state)
{
	struct world *w = *state;
	struct fake_msg watch;
	struct spy one, two;

	spy_add(&one, w, "/a");
	watch = serve_watch(w, "/a");
	one.then = add_the_other;
	one.other = &two;
	serve_event(w, "/a", &watch);
	assert_int_equal(two.armed, 1);
	watch = take(w->fx, XS_WATCH, "/b");
	answer(w->fx, &watch, "OK");
	take(w->fx, XS_UNWATCH, "/b");
	take_nothing(w->fx);
}

/* --- what cannot be watched ------------------------------------------------------------------- */

static void refused(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	struct spy one, two;

	spy_add(&one, w, "//");
	spy_add(&two, w, "//");
	msg = take(w->fx, XS_WATCH, "//");
	fake_store_error(w->fx->store, &msg, "EINVAL");
	pump(w->fx);
	assert_int_equal(one.armed, 1);
	assert_int_equal(one.error, -EINVAL);
	assert_int_equal(two.error, -EINVAL);
	assert_int_equal(watches_count(w->ws), 0);
	take_nothing(w->fx);
	watch_remove(w->ws, &one.watcher);
	take_nothing(w->fx);
}

static void refused_for_a_quota(void **state)
{
	static const char *const names[] = { "E2BIG", "ENOSPC", "EQUOTA" };
	struct world *w = *state;
	struct fake_msg msg;
	struct spy spy;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		spy_add(&spy, w, "/a");
		msg = take(w->fx, XS_WATCH, "/a");
		fake_store_error(w->fx->store, &msg, names[i]);
		pump(w->fx);
		assert_int_equal(spy.error, -EDQUOT);
	}
	/* Once is enough: as long as the quota is used up, every watch is refused. */
	assert_int_equal(w->fx->logged[LOGGER_WARNING], 1);
}

static void too_long(void **state)
{
	struct world *w = *state;
	char path[WIRE_PAYLOAD_MAX + 1];
	struct spy spy;

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	spy_add(&spy, w, path);
	/* Refused by the channel, inside watch_add(). */
	assert_int_equal(spy.armed, 1);
	assert_int_equal(spy.error, -EMSGSIZE);
	assert_int_equal(watches_count(w->ws), 0);
}

static void try_again(struct spy *spy)
{
	if (spy->error)
		spy_add(spy->other, spy->world, "/a");
}

/* A watcher added while others hear of the failure gets an outcome of its own. */
static void added_inside_the_failure(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	struct spy one, two;

	spy_add(&one, w, "/a");
	one.then = try_again;
	one.other = &two;
	msg = take(w->fx, XS_WATCH, "/a");
	fake_store_error(w->fx->store, &msg, "EINVAL");
	pump(w->fx);
	assert_int_equal(one.error, -EINVAL);
	assert_int_equal(two.armed, 0);
	serve_watch(w, "/a");
	assert_int_equal(two.armed, 1);
	assert_int_equal(two.error, 0);
}

static void timed_out(void **state)
{
	struct world *w = *state;
	struct fake_msg watch, unwatch;
	struct spy spy;

	w->fx->chan->timeout_ms = 20;
	spy_add(&spy, w, "/a");
	watch = take(w->fx, XS_WATCH, "/a");
	while (!spy.armed)
		sleep_and_pump(w->fx);
	assert_int_equal(spy.error, -ETIMEDOUT);
	/* It may still be set late, so it is removed again. */
	unwatch = take(w->fx, XS_UNWATCH, "/a");
	assert_string_equal(token_of(&unwatch), token_of(&watch));
	answer(w->fx, &watch, "OK");
	serve_event(w, "/a", &watch);
	assert_int_equal(spy.armed, 1);
}

static void out_of_memory(void **state)
{
	struct world *w = *state;
	unsigned failures = 0;
	struct spy spy;
	int err;

	/* Each allocation of watch_add() in turn. */
	for (unsigned i = 1;; i++) {
		spy_init(&spy, w);
		malloc_countdown = i;
		err = watch_add(w->ws, &spy.watcher, "/a");
		if (malloc_countdown) {
			malloc_countdown = 0;
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(watches_count(w->ws), 0);
		assert_int_equal(fake_store_sent(w->fx->store), 0);
		failures++;
	}
	assert_int_equal(err, 0);
	assert_in_range(failures, 1, 20);
	serve_watch(w, "/a");
	assert_int_equal(spy.armed, 1);
}

/* --- other connections ------------------------------------------------------------------------ */

static void set_again_after_a_reconnect(void **state)
{
	struct world *w = *state;
	struct fake_msg old, new;
	struct spy spy;

	spy_add(&spy, w, "/a");
	old = serve_watch(w, "/a");
	lose_connection(w);
	await_connection(w);
	new = take(w->fx, XS_WATCH, "/a");
	assert_string_not_equal(token_of(&new), token_of(&old));
	answer(w->fx, &new, "OK");
	assert_int_equal(spy.resync, 0);
	serve_event(w, "/a", &new);
	assert_int_equal(spy.resync, 1);
	assert_int_equal(spy.armed, 1);
	assert_int_equal(spy.changed, 0);
	serve_event(w, "/a", &new);
	assert_int_equal(spy.changed, 1);
	take_nothing(w->fx);
}

static void lost_when_it_cannot_be_set_again(void **state)
{
	struct world *w = *state;
	struct fake_msg msg;
	struct spy spy;

	spy_add(&spy, w, "/a");
	serve_watch(w, "/a");
	lose_connection(w);
	await_connection(w);
	msg = take(w->fx, XS_WATCH, "/a");
	fake_store_error(w->fx->store, &msg, "E2BIG");
	pump(w->fx);
	assert_int_equal(spy.lost, 1);
	assert_int_equal(spy.armed, 1);
	assert_int_equal(watches_count(w->ws), 0);
	watch_remove(w->ws, &spy.watcher);
	take_nothing(w->fx);
}

static void added_while_not_connected(void **state)
{
	struct world *w = *state;
	struct spy spy;

	w->fx->store->connect_error = -ECONNREFUSED;
	lose_connection(w);
	spy_add(&spy, w, "/a");
	await_connection(w);
	serve_watch(w, "/a");
	assert_int_equal(spy.armed, 1);
	assert_int_equal(spy.resync, 0);
	/* Set once, though it was queued when the connection came. */
	take_nothing(w->fx);
}

static void lost_before_the_reply(void **state)
{
	struct world *w = *state;
	struct spy spy;

	spy_add(&spy, w, "/a");
	take(w->fx, XS_WATCH, "/a");
	lose_connection(w);
	assert_int_equal(spy.armed, 0);
	await_connection(w);
	serve_watch(w, "/a");
	take_nothing(w->fx);
	assert_int_equal(spy.armed, 1);
	assert_int_equal(spy.error, 0);
}

static void lost_while_set_again(void **state)
{
	struct world *w = *state;
	struct spy old, new;

	spy_add(&old, w, "/a");
	serve_watch(w, "/a");
	lose_connection(w);
	await_connection(w);
	take(w->fx, XS_WATCH, "/a");
	/* Joins what is being set. */
	spy_add(&new, w, "/a");
	lose_connection(w);
	await_connection(w);
	serve_watch(w, "/a");
	take_nothing(w->fx);
	assert_int_equal(old.resync, 1);
	assert_int_equal(new.armed, 1);
	assert_int_equal(old.lost, 0);
}

static void no_connection_in_time(void **state)
{
	struct world *w = *state;
	struct spy old, new;

	w->fx->chan->timeout_ms = 20;
	spy_add(&old, w, "/a");
	serve_watch(w, "/a");
	spy_add(&new, w, "/b");
	take(w->fx, XS_WATCH, "/b");
	w->fx->store->connect_error = -ECONNREFUSED;
	lose_connection(w);
	while (!new.armed)
		sleep_and_pump(w->fx);
	/* A watcher that waits for an outcome gets one; one that was armed stays. */
	assert_int_equal(new.error, -EIO);
	assert_int_equal(old.lost, 0);
	w->fx->chan->timeout_ms = 0;
	await_connection(w);
	serve_watch(w, "/a");
	assert_int_equal(old.resync, 1);
	take_nothing(w->fx);
}

static void dead_server(void **state)
{
	struct world *w = *state;
	struct spy old, waiting, late;

	spy_add(&old, w, "/a");
	serve_watch(w, "/a");
	spy_add(&waiting, w, "/b");
	take(w->fx, XS_WATCH, "/b");
	chan_set_dead(w->fx->chan);
	while (!waiting.armed)
		sleep_and_pump(w->fx);
	assert_int_equal(waiting.error, -EIO);
	spy_add(&late, w, "/c");
	assert_int_equal(late.error, -EIO);
}

static void removed_while_not_connected(void **state)
{
	struct world *w = *state;
	struct spy spy;

	spy_add(&spy, w, "/a");
	serve_watch(w, "/a");
	w->fx->store->connect_error = -ECONNREFUSED;
	lose_connection(w);
	watch_remove(w->ws, &spy.watcher);
	await_connection(w);
	/* Nothing is set on the new connection, and nothing to be taken back. */
	take_nothing(w->fx);
}

static void no_memory_to_set_again(void **state)
{
	struct world *w = *state;
	struct spy one, two;

	spy_add(&one, w, "/a");
	serve_watch(w, "/a");
	spy_add(&two, w, "/b");
	serve_watch(w, "/b");
	w->fx->store->connect_error = -ECONNREFUSED;
	lose_connection(w);
	/* The first allocation is the WATCH of the one, and the other is set all the same. */
	malloc_countdown = 1;
	await_connection(w);
	assert_int_equal(malloc_countdown, 0);
	assert_int_equal(one.lost, 1);
	serve_watch(w, "/b");
	assert_int_equal(two.resync, 1);
}

static void remove_other(void *arg)
{
	struct spy *spy = arg;

	watch_remove(spy->world->ws, &spy->watcher);
}

static void removal_does_not_overtake(void **state)
{
	struct world *w = *state;
	struct fake_msg watch;
	struct spy spy, other;

	spy_add(&spy, w, "/a");
	serve_watch(w, "/a");
	spy_add(&other, w, "/b");
	serve_watch(w, "/b");
	/* Another thread removes the second while the first is being set on the new connection. */
	before_submit = remove_other;
	before_submit_arg = &other;
	lose_connection(w);
	await_connection(w);
	serve_watch(w, "/a");
	watch = take(w->fx, XS_WATCH, "/b");
	answer(w->fx, &watch, "OK");
	take(w->fx, XS_UNWATCH, "/b");
	assert_int_equal(watches_count(w->ws), 1);
}

/* While the server reads nothing, watchers that come and go leave nothing behind. */
static void a_watch_that_was_never_sent_is_not_removed(void **state)
{
	struct world *w = *state;
	struct spy spy;

	fake_store_fill(w->fx->store);
	chan_set_timeout(w->fx->chan, 20);
	for (int i = 0; i < 100; i++) {
		spy_add(&spy, w, "/a");
		watch_remove(w->ws, &spy.watcher);
	}
	spy_add(&spy, w, "/b");
	while (!spy.armed)
		sleep_and_pump(w->fx);
	assert_int_equal(spy.error, -ETIMEDOUT);
	assert_int_equal(stats(w->fx).queued, 0);
	fake_store_room(w->fx->store, SIZE_MAX);
	pump(w->fx);
	take_nothing(w->fx);
}

/* For as long as the server reads nothing the removal waits, however long that is: nothing would make up for it. */
static void a_removal_does_not_time_out(void **state)
{
	struct world *w = *state;
	struct spy spy;

	spy_add(&spy, w, "/a");
	serve_watch(w, "/a");
	chan_set_timeout(w->fx->chan, 20);
	fake_store_fill(w->fx->store);
	watch_remove(w->ws, &spy.watcher);
	poll(NULL, 0, 50);
	chan_service(w->fx->chan);
	fake_store_room(w->fx->store, SIZE_MAX);
	pump(w->fx);
	take(w->fx, XS_UNWATCH, "/a");
}

static void shutdown_tells(void **state)
{
	struct world *w = *state;
	struct spy spy;

	spy_add(&spy, w, "/a");
	take(w->fx, XS_WATCH, "/a");
	chan_shutdown(w->fx->chan);
	assert_int_equal(spy.armed, 1);
	assert_int_equal(spy.error, -ESHUTDOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(armed_after_reply_and_event),
		TEST(armed_after_event_and_reply),
		TEST(special_path),
		TEST(one_server_watch_for_a_path),
		TEST(paths_are_told_apart),
		TEST(unknown_token_is_ignored),
		TEST(last_watcher_takes_the_server_watch_along),
		TEST(tokens_are_fresh),
		TEST(tokens_of_a_predecessor_are_not_ours),
		TEST(removed_before_the_reply),
		TEST(removed_inside_armed),
		TEST(removed_inside_armed_at_once),
		TEST(removed_inside_event),
		TEST(neighbour_removed_inside_event),
		TEST(added_inside_event),
			TEST(refused),
		TEST(refused_for_a_quota),
		TEST(too_long),
		TEST(added_inside_the_failure),
		TEST(timed_out),
		TEST(out_of_memory),
		TEST(set_again_after_a_reconnect),
		TEST(lost_when_it_cannot_be_set_again),
		TEST(added_while_not_connected),
		TEST(lost_before_the_reply),
		TEST(lost_while_set_again),
		TEST(no_connection_in_time),
		TEST(dead_server),
		TEST(removed_while_not_connected),
		TEST(no_memory_to_set_again),
		TEST(removal_does_not_overtake),
		TEST(a_watch_that_was_never_sent_is_not_removed),
		TEST(a_removal_does_not_time_out),
		TEST(shutdown_tells),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
