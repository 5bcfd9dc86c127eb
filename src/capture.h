/* SPDX-License-Identifier: MIT */
/*
 * Captures for a while what libfuse and fusermount3 print on standard error, since they cannot
 * print it anywhere else.
 * For main.c, main thread.
 */
#ifndef SRC_CAPTURE_H
#define SRC_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

struct capture {
	int stderr_fd; /* the real one; -1: nothing is captured */
	int read_fd;
};

/* Captures standard error from now on, up to a pipe's worth.  If that is impossible it
 * stays as it is. */
void capture_start(struct capture *c);

/*
 * Ends the capture.  Writes the first line captured to `line`, without the newline and
 * without the program's name in front of it; "" if there was none.  `show`: prints
 * everything captured after all.
 */
void capture_end(struct capture *c, bool show, char *line, size_t size);

#endif
