/* SPDX-License-Identifier: MIT */
/*
 * Rows of cells, printed as aligned columns for people or as JSON, a single list of
 * objects, for programs.
 * For the tools' main thread.  If memory runs out a table ends the program, which has
 * nothing to lose.
 */
#ifndef SRC_TOOLS_TOOL_TABLE_H
#define SRC_TOOLS_TOOL_TABLE_H

#include "src/tools/tool_text.h"

struct table_column {
	const char *title; /* NULL: only in JSON */
	const char *key;   /* NULL: only for people */
	bool right;        /* aligned right, as numbers are */
};

struct table;

/* `columns` is borrowed, and ends with an element of zeros. */
struct table *table_new(const struct table_column *columns);
void table_free(struct table *table);

/* Add the next cell; as many cells as there are columns make a row.  None is shown as "-", or null
 * in JSON; so are a negative number and a NULL text. */
void table_add_none(struct table *table);
void table_add_number(struct table *table, long long number);
void table_add_value(struct table *table, const char *data, size_t len, enum text_style style);
void table_add_text(struct table *table, const char *text, enum text_style style);

/* Prints all of it. */
void table_print(const struct table *table, FILE *out, bool json);

#endif
