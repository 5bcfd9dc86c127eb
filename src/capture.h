/* SPDX-License-Identifier: MIT */
/*
 * What is said on standard error for a while, by libfuse and by fusermount3, which know no other place.
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

/* From now on standard error is kept, a pipe's worth.  Where that is impossible it stays as it is. */
void capture_start(struct capture *c);

/*
 * Ends it.  Writes the first line that was said to `line`, without newline and without the name of
 * the program in front of it; "" if there was none.  `show`: all of it is printed after all.
 */
void capture_end(struct capture *c, bool show, char *line, size_t size);

#endif
