/* SPDX-License-Identifier: MIT */
/* The fixture of events_fixture.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/events/dispatch.h"
#include "fs/events/poll.h"
#include "fs/events/stream.h"
#include "tests/events_fixture.h"

static void events_deinit_parts(struct fs_fixture *fx)
{
	cover_deinit(&fx->fs);
	polls_free(fx->fs.polls);
	streams_free(fx->fs.streams);
}

struct fs_fixture *events_fixture_new(const struct cover_handlers *handlers)
{
	struct fs_fixture *fx = fs_fixture_new();

	fx->deinit = events_deinit_parts;
	fx->fs.polls = polls_new();
	fx->fs.streams = streams_new();
	assert_non_null(fx->fs.polls);
	assert_non_null(fx->fs.streams);
	assert_int_equal(cover_init(&fx->fs, handlers), 0);
	return fx;
}

int events_fixture_setup(void **state)
{
	*state = events_fixture_new(&dispatch_handlers);
	return 0;
}

struct token store_watches(struct fs_fixture *fx, const char *path)
{
	struct fake_msg msg = store_gets(fx, XS_WATCH, path);
	struct token token;

	snprintf(token.text, sizeof(token.text), "%s", msg.body + strlen(path) + 1);
	fake_store_reply(fx->base->store, &msg, "OK", 3);
	store_tells(fx, path, &token);
	return token;
}

struct token watch_the_root(struct fs_fixture *fx)
{
	cover_start(&fx->fs);
	return store_watches(fx, "/");
}

void store_tells(struct fs_fixture *fx, const char *path, const struct token *token)
{
	fake_store_event(fx->base->store, path, token->text);
	pump(fx->base);
}

static bool is_connected_again(void *arg)
{
	struct fs_fixture *fx = arg;

	return stats(fx->base).state == CHAN_CONNECTED;
}

void store_restarts(struct fs_fixture *fx)
{
	fake_store_eof(fx->base->store);
	pump(fx->base);
	wait_until(fx, is_connected_again, fx);
}
