/* SPDX-License-Identifier: MIT */
/*
 * Allocations that fail, for a test program linked with -Wl,--wrap=malloc -Wl,--wrap=calloc.
 * One thread.
 */
#ifndef TESTS_FAILING_MALLOC_H
#define TESTS_FAILING_MALLOC_H

/* The malloc() or calloc() that fails, with ENOMEM, is the one behind so many others; 0: none. */
extern unsigned malloc_countdown;

#endif
