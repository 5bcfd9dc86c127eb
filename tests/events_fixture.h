/* SPDX-License-Identifier: MIT */
/* The fixture of fs_fixture.h with what belongs to fs/events: the cover, polls and streams. */
#ifndef TESTS_EVENTS_FIXTURE_H
#define TESTS_EVENTS_FIXTURE_H

#include "fs/events/cover.h"
#include "tests/fs_fixture.h"

/* The number that a watch has in the server. */
struct token {
	char text[24];
};

/* Makes a fixture whose cover reports to `handlers` (borrowed), with no watch set yet. */
struct fs_fixture *events_fixture_new(const struct cover_handlers *handlers);

/* For cmocka: a fixture in which events are dispatched as in a mount; fs_fixture_teardown() frees it. */
int events_fixture_setup(void **state);

/* Takes the next message, which has to be a WATCH on `path`, and answers it as a server does: with an
 * initial event.  Returns its token. */
struct token store_watches(struct fs_fixture *fx, const char *path);

/* The same for the base of a privileged mount, which this starts. */
struct token watch_the_root(struct fs_fixture *fx);

/* The server sends an event of that watch. */
void store_tells(struct fs_fixture *fx, const char *path, const struct token *token);

/* The connection is lost and made anew. */
void store_restarts(struct fs_fixture *fx);

#endif
