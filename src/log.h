/* SPDX-License-Identifier: MIT */
/*
 * Where log lines go: standard error in the foreground, syslog in the background; systemd's journal
 * instead where that is what is behind these.
 * For main.c, which hands the logger down; lines come from any thread.
 *
 * While the program starts, errors of the lower layers (and of libfuse) are kept instead of
 * written: they become the end of the one line that says why it did not start.
 */
#ifndef SRC_LOG_H
#define SRC_LOG_H

#include <stdbool.h>

#include "ring/logger.h"

/*
 * Starts logging, and routes libfuse's own messages here.  `debug`: debugging lines are wanted,
 * and every line carries the time.  Returns the process's one logger, valid for good.
 * Main thread, while there is no other; may be called again when more is known.
 */
struct logger *log_init(bool foreground, bool debug);

/* Closes what log_init() opened, which opens it again: for background_fork(), which closes all descriptors, whose
 * numbers others then get.  Until then lines go to standard error.  Main thread, while there is no other. */
void log_close(void);

/* From now on every line names the directory on which the store is mounted.  `path` is borrowed for good.
 * Main thread, while there is no other. */
void log_set_mount(const char *path);

/* Ends the start: from now on errors are written at once.  Main thread. */
void log_started(void);

/* Returns the first error that was kept, or "".  Main thread. */
const char *log_cause(void);

#endif
