/* SPDX-License-Identifier: MIT */
/* The text of log lines, for log.c.  Pure. */
#ifndef SRC_LOG_TEXT_H
#define SRC_LOG_TEXT_H

#include <stddef.h>

/*
 * Copies `text` to `out`, of `size` bytes with its NUL, so that it is one line and stays one on a
 * terminal: paths, values and errors were written by other clients of the store.  Control
 * characters, characters that change the direction of a text, bytes that are not UTF-8, and the
 * backslash become \n, \t, \\ or \xNN.  Anything that does not fit is left out.
 */
void log_text_escape(char *out, size_t size, const char *text);

#endif
