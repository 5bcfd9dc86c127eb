/* SPDX-License-Identifier: MIT */
/*
 * Values of the store as output: for people, where nothing may control their terminal, and as JSON.
 * A value may belong to a guest.  For the tools' main thread.
 */
#ifndef SRC_TOOLS_TOOL_TEXT_H
#define SRC_TOOLS_TOOL_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Colours have a meaning, so that they can be chosen in one place. */
enum text_style { TEXT_PLAIN, TEXT_TITLE, TEXT_GOOD, TEXT_BUSY, TEXT_BAD, TEXT_DIM };

/* Lets the locale say which characters can be printed.  Once, at the start. */
void text_init(void);

/* Returns whether colours are wanted on `out`: a terminal that has them, and no NO_COLOR. */
bool text_has_colour(FILE *out);

/* Returns the bytes as text that can be shown anywhere, for the caller to free: what is no printable
 * character is \n, \t or \xNN, and a backslash two.  NULL: no memory. */
char *text_printable(const char *data, size_t len);

/* Returns how many columns a text of text_printable() takes. */
size_t text_width(const char *text);

/* Prints a text in a style; `colour` as text_has_colour() said. */
void text_put(FILE *out, const char *text, enum text_style style, bool colour);

/* Prints a value in quotation marks. */
void text_put_value(FILE *out, const char *data, size_t len);

/* Prints a value as JSON: a string, or {".base64": "…"} if it is no UTF-8, as .json of xsfs(5) has it. */
void text_put_json(FILE *out, const char *data, size_t len);

#endif
