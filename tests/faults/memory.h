/* SPDX-License-Identifier: MIT */
/*
 * One allocation of the filesystem fails, whoever of its threads makes it; those of the test itself do not count.
 * For test programs that wrap malloc(), calloc(), realloc() and strdup() (Makefile.am).
 */
#ifndef TESTS_FAULTS_MEMORY_H
#define TESTS_FAULTS_MEMORY_H

#include <stdbool.h>

/* Lets the n-th allocation from now on fail, counted from 1; 0: none. */
void memory_fail_at(unsigned n);

/* Returns whether it has failed. */
bool memory_failed(void);

/* Around what the test allocates on the calling thread while one is to fail.  They may be nested. */
void memory_own_begin(void);
void memory_own_end(void);

#endif
