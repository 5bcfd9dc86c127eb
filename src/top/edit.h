/* SPDX-License-Identifier: MIT */
/*
 * One line that a user types, and a change of a value that can be undone.
 *
 * A value is typed as text_printable() shows it: \n, \t, \xNN and \\ stand for bytes.  The line knows
 * nothing of a terminal.  For the main thread; edit_write() is the reader's.
 */
#ifndef SRC_TOP_EDIT_H
#define SRC_TOP_EDIT_H

#include <wchar.h>

#include "ring/wire.h"
#include "src/tools/tool.h"

/* A byte of a value is at most four characters. */
#define EDIT_SIZE (4 * WIRE_PAYLOAD_MAX)

struct edit_line {
	wchar_t text[EDIT_SIZE];
	size_t len, cursor;
};

/* Begins with a text, the cursor behind it. */
void edit_begin(struct edit_line *line, const char *text);

enum edit_move {
	EDIT_LEFT,
	EDIT_RIGHT,
	EDIT_HOME,
	EDIT_END,
	EDIT_ERASE,      /* the character before the cursor */
	EDIT_DELETE,     /* the one at it */
	EDIT_ERASE_WORD, /* before it */
	EDIT_ERASE_ALL,  /* before it */
};

void edit_move(struct edit_line *line, enum edit_move move);
void edit_insert(struct edit_line *line, wchar_t c);

/* Returns the line as text of the locale, for the caller to free, or NULL without memory. */
char *edit_text(const struct edit_line *line);

/* Turns what was typed into a value, in place; *len is its length.  Returns 0, or -EINVAL for a backslash
 * with something else behind it. */
int edit_value(char *text, size_t *len);

/* A change of a value: from what was seen to what is to be. */
struct edit {
	char path[PATH_SIZE];
	char *was, *value; /* owned */
	size_t was_len, len;
};

/* Returns 0 or -ENOMEM; release it in either case. */
int edit_init(struct edit *e, const char *path, const char *was, size_t was_len, const char *value,
	      size_t len);
void edit_release(struct edit *e);

/* Makes it the change back. */
void edit_reverse(struct edit *e);

/* Writes the value if the node still has the old one: in a transaction where `t` may use the protocol.
 * Returns 0, TOOL_NO if it has another or none, or -errno; each but 0 with a reason. */
int edit_write(struct tool *t, const struct edit *e);

#endif
