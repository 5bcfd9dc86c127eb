/* SPDX-License-Identifier: MIT */
/*
 * The time and the threads of the machine, both in the test's hand.  For test programs that wrap clock_gettime(),
 * pthread_create() and the functions of condition variables (Makefile.am).
 *
 * All clocks show the real time and what the test has skipped.  So a deadline passes when a test says so, and never
 * because the computer is slow.  And the test can tell when all other threads sleep: then nothing more will happen
 * by itself.
 */
#ifndef TESTS_FAULTS_TIME_H
#define TESTS_FAULTS_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Lets so many milliseconds pass, and wakes the threads whose time has come. */
void time_skip(uint64_t ms);

/* Waits until every thread but the caller waits for a condition.  Returns whether any did not. */
bool threads_wait(void);

/* Returns after how many milliseconds the first of these will wake by itself, or -1. */
int threads_due_ms(void);

#endif
