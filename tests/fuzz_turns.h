/* SPDX-License-Identifier: MIT */
/*
 * The threads of a mount take turns, so that the same input leads to the same order each time: one that waits
 * in fs_wait() goes on only when turns_run() lets it, one after the other.  To be linked with --wrap of
 * fs_wait, pthread_cond_signal, pthread_cond_broadcast and pthread_create.
 */
#ifndef TESTS_FUZZ_TURNS_H
#define TESTS_FUZZ_TURNS_H

#include <stdbool.h>

#include "fs/op/lock.h"

/* The calling thread begins with a new mount, of which it holds the lock. */
void turns_begin(struct fs *fs);

/* Lets all threads go on that may, until each of them waits.  `timers`: also those whose time is over. */
void turns_run(bool timers);

/* Lets those with a time to wait go on as if it were over, until there are none. */
void turns_end_sleep(void);

/* From now on they run as they like. */
void turns_end(void);

#endif
