/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail, for a test program linked with -Wl,--wrap=malloc -Wl,--wrap=calloc.
 * One thread.
 */
#ifndef TESTS_FAILING_MALLOC_H
#define TESTS_FAILING_MALLOC_H

/* Counts down the calls of malloc() or calloc(); the one that reaches 0 fails with
 * ENOMEM.  0: none fails. */
extern unsigned malloc_countdown;

#endif
