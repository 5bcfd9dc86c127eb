/* SPDX-License-Identifier: MIT */
/* What the tools say of a command line that they do not understand.  For tx.c and wait.c. */
#ifndef SRC_TOOLS_USAGE_H
#define SRC_TOOLS_USAGE_H

#include <stddef.h>

/* Writes to `why` (`size` bytes) which option getopt_long() has just refused, and `usage`; `arg` is
 * the word that it looked at last. */
void usage_wrong_option(char *why, size_t size, const char *arg, const char *usage);

#endif
