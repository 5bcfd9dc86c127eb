/* SPDX-License-Identifier: MIT */
/* What the two files of the machine share. */
#ifndef TESTS_FAULTS_MACHINE_IMPL_H
#define TESTS_FAULTS_MACHINE_IMPL_H

#include "tests/faults/machine.h"

/* Makes a server with a copy of a tree, whose peers are machines. */
struct fake_server *machine_server_new(const struct fake_tree *tree);

/* Serves what has come, and sends what is due.  Returns whether there was anything to do. */
bool machine_serve(struct machine *m);

/* Forgets what is on its way to the channel. */
void machine_drop_packets(struct machine *m);

#endif
