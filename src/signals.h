/* SPDX-License-Identifier: MIT */
/*
 * Signals as a descriptor: those that end the program, and SIGCONT, which says that it was stopped,
 * are read, never handled.
 * For main.c; called on the main thread before any other thread starts.
 */
#ifndef SRC_SIGNALS_H
#define SRC_SIGNALS_H

/*
 * Blocks SIGTERM, SIGINT, SIGHUP and SIGCONT for this thread and those it starts, and ignores SIGPIPE.
 * Returns a signalfd(2) for them, close-on-exec and non-blocking, or -errno.
 */
int signals_open(void);

/* Reads one signal.  Returns its number, or 0 if there is none. */
int signals_read(int fd);

/* Blocks every signal for this thread: for helper threads, which are no signal's addressee. */
void signals_block_all(void);

/* Undoes all this in a forked child that will exec something else. */
void signals_reset(void);

#endif
