/* SPDX-License-Identifier: MIT */
/*
 * Rows of cells, printed as aligned columns for people or as JSON for programs: one list of objects.
 * For the tools' main thread.  Without memory a table ends the program: it has nothing to lose.
 */
#ifndef SRC_TOOLS_TOOL_TABLE_H
#define SRC_TOOLS_TOOL_TABLE_H

#include "src/tools/tool_text.h"

struct table_column {
	const char *title; /* NULL: in JSON only */
	const char *key;   /* NULL: for people only */
	bool right;        /* numbers are aligned at their end */
};

struct table;

/* `columns` is borrowed, and ends with an element of zeros. */
struct table *table_new(const struct table_column *columns);
void table_free(struct table *table);

/* Add the next cell; as many as there are columns make a row.  None is "-", and null; so are
 * a negative number and a text that is NULL. */
void table_add_none(struct table *table);
void table_add_number(struct table *table, long long number);
void table_add_value(struct table *table, const char *data, size_t len, enum text_style style);
void table_add_text(struct table *table, const char *text, enum text_style style);

/* Prints all of it. */
void table_print(const struct table *table, FILE *out, bool json);

#endif
