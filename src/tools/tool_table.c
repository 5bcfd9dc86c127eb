/* SPDX-License-Identifier: MIT */
/* See tool_table.h. */
#include <stdlib.h>
#include <string.h>

#include "src/tools/tool_table.h"

enum kind { NONE, NUMBER, VALUE };

struct cell {
	enum kind kind;
	enum text_style style;
	long long number;
	char *data; /* of a value */
	size_t len;
	char *text; /* as shown to people */
};

struct table {
	const struct table_column *columns;
	size_t n_columns;
	struct cell *cells;
	size_t n, max;
};

static void *check(void *memory)
{
	if (memory)
		return memory;
	fputs("out of memory\n", stderr);
	exit(2);
}

struct table *table_new(const struct table_column *columns)
{
	struct table *table = check(calloc(1, sizeof(*table)));

	table->columns = columns;
	while (columns[table->n_columns].title || columns[table->n_columns].key)
		table->n_columns++;
	return table;
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		free(table->cells[i].data);
		free(table->cells[i].text);
	}
	free(table->cells);
	free(table);
}

static struct cell *add(struct table *table, enum kind kind, char *text)
{
	struct cell *cell;

	if (table->n == table->max) {
		table->max = table->max ? 2 * table->max : 64;
		table->cells = check(realloc(table->cells, table->max * sizeof(*table->cells)));
	}
	cell = &table->cells[table->n++];
	*cell = (struct cell){ .kind = kind, .text = check(text) };
	return cell;
}

void table_add_none(struct table *table)
{
	add(table, NONE, strdup("-"));
}

void table_add_number(struct table *table, long long number)
{
	char text[32];

	if (number < 0) {
		table_add_none(table);
		return;
	}
	snprintf(text, sizeof(text), "%lld", number);
	add(table, NUMBER, strdup(text))->number = number;
}

void table_add_value(struct table *table, const char *data, size_t len, enum text_style style)
{
	struct cell *cell = add(table, VALUE, text_printable(data, len));

	cell->data = check(malloc(len + 1));
	memcpy(cell->data, data, len);
	cell->len = len;
	cell->style = style;
}

void table_add_text(struct table *table, const char *text, enum text_style style)
{
	if (text)
		table_add_value(table, text, strlen(text), style);
	else
		table_add_none(table);
}

/* ---- for people ----------------------------------------------------------------------------- */

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = text_width(table->columns[column].title);

	for (size_t i = column; i < table->n; i += table->n_columns) {
		size_t cell = text_width(table->cells[i].text);

		width = cell > width ? cell : width;
	}
	return width;
}

static void put_padded(FILE *out, const char *text, size_t width, bool right, bool last,
		       enum text_style style, bool colour)
{
	int pad = (int)(width - text_width(text));

	if (right)
		fprintf(out, "%*s", pad, "");
	text_put(out, text, style, colour);
	if (!last)
		fprintf(out, "%*s", (right ? 0 : pad) + 2, "");
}

static void print_row(const struct table *table, FILE *out, const struct cell *row,
		      const size_t *widths, bool colour)
{
	size_t last = table->n_columns - 1;

	while (last > 0 && !table->columns[last].title)
		last--;
	for (size_t c = 0; c < table->n_columns; c++) {
		const struct table_column *column = &table->columns[c];

		if (column->title)
			put_padded(out, row ? row[c].text : column->title, widths[c], column->right,
				   c == last, row ? row[c].style : TEXT_TITLE, colour);
	}
	fputc('\n', out);
}

static void print_columns(const struct table *table, FILE *out)
{
	size_t *widths = check(calloc(table->n_columns, sizeof(*widths)));
	bool colour = text_has_colour(out);

	for (size_t c = 0; c < table->n_columns; c++)
		if (table->columns[c].title)
			widths[c] = column_width(table, c);
	print_row(table, out, NULL, widths, colour);
	for (size_t i = 0; i < table->n; i += table->n_columns)
		print_row(table, out, &table->cells[i], widths, colour);
	free(widths);
}

/* ---- as JSON -------------------------------------------------------------------------------- */

static void print_object(const struct table *table, FILE *out, const struct cell *row)
{
	const char *before = "{";

	for (size_t c = 0; c < table->n_columns; c++) {
		if (!table->columns[c].key)
			continue;
		fprintf(out, "%s\"%s\": ", before, table->columns[c].key);
		before = ", ";
		if (row[c].kind == NUMBER)
			fprintf(out, "%lld", row[c].number);
		else if (row[c].kind == VALUE)
			text_put_json(out, row[c].data, row[c].len);
		else
			fputs("null", out);
	}
	fputc('}', out);
}

static void print_json(const struct table *table, FILE *out)
{
	const char *before = "[\n  ";

	for (size_t i = 0; i < table->n; i += table->n_columns) {
		fputs(before, out);
		before = ",\n  ";
		print_object(table, out, &table->cells[i]);
	}
	fputs(table->n ? "\n]\n" : "[]\n", out);
}

void table_print(const struct table *table, FILE *out, bool json)
{
	if (json)
		print_json(table, out);
	else
		print_columns(table, out);
}
