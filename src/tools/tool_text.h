/* SPDX-License-Identifier: MIT */
/*
 * Values of the store as output: for people, so that nothing can control their
 * terminal, and as JSON.
 * A value may come from a guest.  For the tools' main thread.
 */
#ifndef SRC_TOOLS_TOOL_TEXT_H
#define SRC_TOOLS_TOOL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Styles named by their meaning, so that colours can be chosen in one place. */
enum text_style { TEXT_PLAIN, TEXT_TITLE, TEXT_GOOD, TEXT_BUSY, TEXT_BAD, TEXT_DIM };

/* Adopts the locale, which decides which characters can be printed.  Once, at the start. */
void text_init(void);

/* Returns whether colours are wanted on `out`: it is a terminal that has them, and
 * NO_COLOR is not set. */
bool text_has_colour(FILE *out);

/* Returns the bytes as text that can be shown anywhere, for the caller to free: anything that is
 * not a printable character becomes \n, \t or \xNN, and a backslash is doubled.
 * NULL: no memory. */
char *text_printable(const char *data, size_t len);

/* Returns how many columns a text of text_printable() takes. */
size_t text_width(const char *text);

/* Prints a text in a style; `colour` as text_has_colour() said. */
void text_put(FILE *out, const char *text, enum text_style style, bool colour);

/* Prints a value in quotation marks. */
void text_put_value(FILE *out, const char *data, size_t len);

/* Prints a value as JSON: a string, or {".base64": "…"} if it is not UTF-8, like
 * .json of xsfs(5). */
void text_put_json(FILE *out, const char *data, size_t len);

#endif
