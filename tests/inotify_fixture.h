/* SPDX-License-Identifier: MIT */
/* The fixture of fs_fixture.h with the teller's queues, and without its thread. */
#ifndef TESTS_INOTIFY_FIXTURE_H
#define TESTS_INOTIFY_FIXTURE_H

#include "fs/inotify/inotify_impl.h"
#include "tests/fs_fixture.h"

/* What fs->inotify is, made anew for each test. */
extern struct inotify in;

/* For cmocka: a fixture with empty queues; fs_fixture_teardown() frees it. */
int inotify_fixture_setup(void **state);

/* The time has come for what was to wait. */
void patience_ends(void);

#endif
