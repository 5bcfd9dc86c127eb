/* SPDX-License-Identifier: MIT */
/*
 * How long the kernel lets an answer take.  Linux 6.15 can be told (fs.fuse.max_request_timeout and
 * default_request_timeout) to end every FUSE mount that has not answered something for that long.
 * For main.c.
 */
#ifndef SRC_PATIENCE_H
#define SRC_PATIENCE_H

/* Returns that time in seconds; 0: it is not limited. */
unsigned patience_of_kernel(void);

#endif
