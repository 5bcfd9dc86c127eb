/* SPDX-License-Identifier: MIT */
/*
 * How long the kernel waits for an answer.  Linux 6.15 can be told (fs.fuse.max_request_timeout and
 * default_request_timeout) to end every FUSE mount that leaves a request unanswered for that long.
 * For main.c.
 */
#ifndef SRC_PATIENCE_H
#define SRC_PATIENCE_H

/* Returns that time in seconds; 0: unlimited. */
unsigned patience_of_kernel(void);

#endif
