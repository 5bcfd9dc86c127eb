/* SPDX-License-Identifier: MIT */
/*
 * The destination of log lines: standard error in the foreground, syslog in the background, or
 * systemd's journal where either of them leads to it.
 * For main.c, which hands the logger down; lines come from any thread.
 *
 * While the program starts, errors of the lower layers (and of libfuse) are kept rather than
 * written: they become the end of the single line that says why it did not start.
 */
#ifndef SRC_LOG_H
#define SRC_LOG_H

#include <stdbool.h>

#include "ring/logger.h"

/*
 * Starts logging, and routes libfuse's own messages here.  `debug`: debugging lines are wanted, and
 * every line carries the time.  Returns the only logger of the process, which stays valid.
 * Main thread, while there is no other; may be called again when the destination is known.
 */
struct logger *log_init(bool foreground, bool debug);

/* Closes what log_init() opened, which opens it again: for background_fork(), which closes all descriptors, whose
 * numbers others then get.  Until then lines go to standard error.  Main thread, while there is no other. */
void log_close(void);

/* From now on every line names the directory on which the store is mounted.  `path` is
 * borrowed for good.
 * Main thread, before there is any other. */
void log_set_mount(const char *path);

/* Marks the end of the start: from now on errors are written at once.  Main thread. */
void log_started(void);

/* Returns the first error that was kept, or "".  Main thread. */
const char *log_cause(void);

#endif
