/* SPDX-License-Identifier: MIT */
/* Whether everything works, and nothing is left behind, once the server is sound again. */
#ifndef TESTS_FAULTS_CHECK_H
#define TESTS_FAULTS_CHECK_H

#include "tests/faults/machine.h"

/* Returns whether two trees have the same nodes, values and permissions. */
bool trees_equal(const struct fake_tree *a, const struct fake_tree *b);

/* With nothing open: returns NULL, or what is wrong. */
const char *check_works(struct machine *m);

/* The same for a store that died for good: everything is answered, and says so. */
const char *check_is_dead(struct machine *m);

#endif
