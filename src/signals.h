/* SPDX-License-Identifier: MIT */
/*
 * Signals through a descriptor: those that end the program, and SIGCONT, which tells that it was
 * stopped, are read and never handled.
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

/* Blocks every signal for this thread: for helper threads, which no signal is meant for. */
void signals_block_all(void);

/* Undoes all of this in a forked child that is about to exec another program. */
void signals_reset(void);

#endif
