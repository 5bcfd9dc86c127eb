/* SPDX-License-Identifier: MIT */
/* Messages about a command line that a tool does not understand.  For tx.c and wait.c. */
#ifndef SRC_TOOLS_USAGE_H
#define SRC_TOOLS_USAGE_H

#include <stddef.h>

/* Writes to `why` (`size` bytes) which option getopt_long() has just refused, and `usage`; `arg` is
 * the last word that it looked at. */
void usage_wrong_option(char *why, size_t size, const char *arg, const char *usage);

#endif
