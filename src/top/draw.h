/* SPDX-License-Identifier: MIT */
/*
 * Text on the terminal, by ncurses: in a style, clipped to its place.  Every text is printable in the
 * locale, as text_printable() makes it.  Main thread.
 */
#ifndef SRC_TOP_DRAW_H
#define SRC_TOP_DRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/tools/tool_text.h"

/* The styles of tool_text.h, and those that only a screen has. */
enum draw_style {
	DRAW_PLAIN = TEXT_PLAIN,
	DRAW_TITLE = TEXT_TITLE,
	DRAW_GOOD = TEXT_GOOD,
	DRAW_BUSY = TEXT_BUSY,
	DRAW_BAD = TEXT_BAD,
	DRAW_DIM = TEXT_DIM,
	DRAW_BAR,      /* the line at the top */
	DRAW_KEY,      /* a key of the line at the bottom */
	DRAW_HEADING,  /* of a table */
	DRAW_NAME,     /* what is named by a line: a directory, a figure */
	DRAW_NEW,      /* has just come */
	DRAW_CHANGED,  /* has just changed */
	DRAW_GONE,     /* has just gone */
	DRAW_STYLES,
	DRAW_SELECTED = 0x100, /* with any of them: the line of the cursor */
};

/* A rectangle of the screen. */
struct area {
	int y, x, rows, columns;
};

/* Signs that depend on what the terminal can show. */
struct draw_signs {
	const char *open, *closed, *more; /* a directory's; a text was cut off */
	const char *bars[9];              /* from nothing to full */
	const char *line;                 /* a horizontal one */
	const char *middle;               /* between two things */
};
extern const struct draw_signs *draw_signs;

/* Begins on standard output, by initscr()'s means but without ending the program.  Returns 0, or -EINVAL where
 * the terminal is not known. */
int draw_begin(void);
void draw_end(void);

/* Chooses a style for what is written next. */
void draw_style(int style);

/* Writes a text in at most `width` columns, and blanks behind it up to there; one that is too long ends in a
 * sign for that.  `right`: the blanks come first. */
void draw_cell(int y, int x, int width, const char *text, int style, bool right);

/* Writes a text in at most `width` columns.  Returns how many it took. */
int draw_text(int y, int x, int width, const char *text, int style);
int draw_format(int y, int x, int width, int style, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Writes bytes of the store, made printable, between quotation marks if `quoted`. */
int draw_value(int y, int x, int width, const char *data, size_t len, bool quoted, int style);

/* Writes a title and a line up to the end of the width. */
void draw_rule(int y, int x, int width, const char *title);

/* Draws a history as bars, the largest being as high as the area. */
void draw_bars(const struct area *area, const double *values, double largest, int style);

/* Returns the style for something that changed at `changed` (0: never), and `style` if that is long ago. */
int draw_fresh(int64_t changed, int64_t now, enum draw_style fresh, int style);

#endif
