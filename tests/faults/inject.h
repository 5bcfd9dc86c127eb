/* SPDX-License-Identifier: MIT */
/* Every way in which a server, or the way to it, can misbehave towards one request. */
#ifndef TESTS_FAULTS_INJECT_H
#define TESTS_FAULTS_INJECT_H

#include "tests/faults/machine.h"

extern const struct fault faults[];
extern const unsigned faults_count;

#endif
