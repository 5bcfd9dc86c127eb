/* SPDX-License-Identifier: MIT */
/* The page of the tree: what is open of the store, what changes in it, and the node of the cursor in
 * full.  See ui.h. */
#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "src/top/ui.h"

/* The lines below the tree: a rule, the path, the value, the value before. */
#define DETAILS 4

const struct ui_keys page_tree_keys[] = {
	{ "Enter", "open" }, { "/", "search" }, { "n", "next" }, { "e", "edit" }, { "u", "undo" },
	{ NULL, NULL },
};

/* ---- the rows ------------------------------------------------------------------------------- */

static bool add_row(struct ui *ui, struct mirror_node *node, unsigned depth)
{
	if (ui->tree.n == ui->tree.room) {
		size_t room = ui->tree.room ? 2 * ui->tree.room : 256;
		struct tree_row *rows = realloc(ui->tree.rows, room * sizeof(*rows));

		if (!rows)
			return false;
		ui->tree.rows = rows;
		ui->tree.room = room;
	}
	ui->tree.rows[ui->tree.n++] = (struct tree_row){ node, depth };
	return true;
}

static void add_rows(struct ui *ui, struct mirror_node *node, unsigned depth)
{
	if (!add_row(ui, node, depth) || !node->open)
		return;
	for (size_t i = 0; i < node->n; i++)
		add_rows(ui, node->children[i], depth + 1);
}

/* The first time: the base is shown, open. */
static void begin(struct ui *ui)
{
	struct mirror_node *base = mirror_find(&ui->top->mirror, ui->top->base);

	if (ui->tree.path[0] || !ui->top->loaded || !base)
		return;
	mirror_path(base, ui->tree.path);
	base->open = true;
}

/* Lists what is open from the base on, and finds the cursor.  Where its node is forgotten, the cursor is on
 * what has its line now. */
static void list_rows(struct ui *ui)
{
	struct mirror *m = &ui->top->mirror;
	struct mirror_node *base = mirror_find_shown(m, ui->top->base), *at;

	ui->tree.n = 0;
	begin(ui);
	if (!base || !ui->top->loaded)
		return;
	add_rows(ui, base, 0);
	at = mirror_find_shown(m, ui->tree.path);
	for (size_t i = 0; i < ui->tree.n; i++)
		if (ui->tree.rows[i].node == at)
			ui->tree.list.at = i;
	list_fit(&ui->tree.list, ui->tree.n, ui->page_rows);
	if (ui->tree.n)
		mirror_path(ui->tree.rows[ui->tree.list.at].node, ui->tree.path);
}

static struct mirror_node *cursor(const struct ui *ui)
{
	return ui->tree.n ? ui->tree.rows[ui->tree.list.at].node : NULL;
}

static void set_cursor(struct ui *ui, struct mirror_node *node)
{
	for (struct mirror_node *above = node->parent; above; above = above->parent)
		above->open = true;
	mirror_path(node, ui->tree.path);
}

void page_tree_show(struct ui *ui, const char *path)
{
	struct mirror_node *node = mirror_find(&ui->top->mirror, path);

	ui->page = UI_TREE;
	if (!node) {
		ui_say(ui, DRAW_BAD, "%s is not there", path);
		return;
	}
	set_cursor(ui, node);
	node->open = true;
}

/* ---- drawing -------------------------------------------------------------------------------- */

/* The sign in front of a line: what happened to the node, or below it while that is not shown. */
static const char *sign_of(const struct mirror_node *node, int64_t now, int *style)
{
	bool fresh = node->marked && now - node->marked < TOP_FRESH_MS;
	bool below = node->n && !node->open && node->touched && now - node->touched < TOP_FRESH_MS;

	*style = DRAW_PLAIN;
	if (node->mark == MIRROR_GONE) {
		*style = DRAW_GONE;
		return "-";
	}
	if (fresh && node->mark == MIRROR_NEW) {
		*style = DRAW_NEW;
		return "+";
	}
	if (fresh && node->mark == MIRROR_CHANGED) {
		*style = DRAW_CHANGED;
		return "*";
	}
	if (below)
		*style = DRAW_CHANGED;
	return below ? "." : " ";
}

/* A name has no characters that need care; the root has none at all. */
static int name_columns(const struct tree_row *row)
{
	return 4 + 2 * (int)row->depth + (row->node->parent ? (int)strlen(row->node->name) : 1);
}

/* The column at which values begin: behind the longest visible name, but in the left half. */
static int value_column(const struct ui *ui, const struct area *area, int rows)
{
	const struct list_view *v = &ui->tree.list;
	int column = 24;

	for (size_t i = v->first; i < ui->tree.n && i < v->first + rows; i++)
		if (name_columns(&ui->tree.rows[i]) + 2 > column)
			column = name_columns(&ui->tree.rows[i]) + 2;
	return column < area->columns / 2 ? column : area->columns / 2;
}

static void draw_row(const struct tree_row *row, const struct area *area, int y, int values,
		     bool is_cursor, int64_t now)
{
	const struct mirror_node *node = row->node;
	int selected = is_cursor ? DRAW_SELECTED : 0, style, x = area->x + 2 + 2 * (int)row->depth;
	const char *sign = sign_of(node, now, &style);
	char count[32];

	draw_cell(y, area->x, area->columns, sign, style | selected, false);
	if (node->n)
		draw_text(y, x, 1, node->open ? draw_signs->open : draw_signs->closed,
			  DRAW_DIM | selected);
	draw_text(y, x + 2, area->x + values - 1 - (x + 2), node->parent ? node->name : "/",
		  (style == DRAW_PLAIN && node->n ? (int)DRAW_NAME : style) | selected);
	if (node->n && !node->len) {
		snprintf(count, sizeof(count), "%zu", node->n);
		draw_text(y, area->x + values, area->columns - values, count, DRAW_DIM | selected);
	} else {
		draw_value(y, area->x + values, area->columns - values, node->value, node->len, true,
			   style | selected);
	}
}

static void draw_details(const struct ui *ui, const struct mirror_node *node, const struct area *area)
{
	char path[PATH_SIZE], title[64];
	int64_t now = top_now();

	mirror_path(node, path);
	snprintf(title, sizeof(title), "%zu node%s", ui->top->mirror.n, ui->top->mirror.n == 1 ? "" : "s");
	draw_rule(area->y, area->x, area->columns, title);
	draw_cell(area->y + 1, area->x, area->columns, path, DRAW_NAME, false);
	draw_format(area->y + 2, area->x, 12, DRAW_DIM, "%zu byte%s", node->len,
		    node->len == 1 ? "" : "s");
	draw_value(area->y + 2, area->x + 12, area->columns - 12, node->value, node->len, true, DRAW_PLAIN);
	if (node->mark == MIRROR_GONE) {
		draw_text(area->y + 3, area->x, area->columns, "gone", DRAW_GONE);
	} else if (node->was && node->mark == MIRROR_CHANGED) {
		draw_format(area->y + 3, area->x, 12, DRAW_DIM, "%llds ago",
			    (long long)(now - node->marked) / 1000);
		draw_value(area->y + 3, area->x + 12, area->columns - 12, node->was, node->was_len, true,
			   DRAW_DIM);
	}
}

void page_tree_draw(struct ui *ui, const struct area *area)
{
	int rows = area->rows - DETAILS, values;
	struct area details = { area->y + rows, area->x, DETAILS, area->columns };
	struct list_view *v = &ui->tree.list;
	int64_t now = top_now();

	ui->page_rows = rows;
	list_rows(ui);
	values = value_column(ui, area, rows);
	for (size_t i = v->first; i < ui->tree.n && i < v->first + rows; i++)
		draw_row(&ui->tree.rows[i], area, area->y + (int)(i - v->first), values, i == v->at, now);
	if (cursor(ui))
		draw_details(ui, cursor(ui), &details);
	else
		draw_text(area->y + 1, area->x + 2, area->columns - 2, "the store is being read", DRAW_DIM);
}

/* ---- searching ------------------------------------------------------------------------------ */

/* Returns whether the name or the value contains the word, in upper or lower case. */
static bool matches(const struct mirror_node *node, const char *word)
{
	size_t len = strlen(word);

	if (node->mark == MIRROR_GONE)
		return false;
	if (strcasestr(node->name, word))
		return true;
	for (size_t i = 0; i + len <= node->len; i++)
		if (!strncasecmp(node->value + i, word, len))
			return true;
	return false;
}

/* Goes to the next match behind the cursor, or the one before it, round and round. */
static void search(struct ui *ui, bool forward)
{
	struct mirror *m = &ui->top->mirror;
	struct mirror_node *base = mirror_find(m, ui->top->base), *from = cursor(ui);
	struct mirror_node *first = NULL, *last = NULL, *before = NULL, *behind = NULL;
	size_t count = 0, number = 0;
	bool passed = false;

	if (!ui->tree.word[0] || !base || !from)
		return;
	for (struct mirror_node *node = base; node; node = mirror_next(node)) {
		bool match = matches(node, ui->tree.word);

		if (node == from)
			passed = true;
		if (!match)
			continue;
		count++;
		first = first ? first : node;
		last = node;
		if (!passed)
			before = node;
		else if (node != from && !behind)
			behind = node;
	}
	if (count == 0) {
		ui_say(ui, DRAW_BAD, "%s: not found", ui->tree.word);
		return;
	}
	from = forward ? (behind ? behind : first) : before ? before : last;
	for (struct mirror_node *node = base; node; node = node == from ? NULL : mirror_next(node))
		number += matches(node, ui->tree.word);
	set_cursor(ui, from);
	ui_say(ui, DRAW_PLAIN, "%s: %zu of %zu", ui->tree.word, number, count);
}

static void set_word(struct ui *ui, const char *text)
{
	snprintf(ui->tree.word, sizeof(ui->tree.word), "%s", text);
	list_rows(ui);
	search(ui, true);
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void open_or_close(struct mirror_node *node)
{
	if (node->n)
		node->open = !node->open;
}

static void open_all(struct mirror_node *node)
{
	node->open = node->n > 0;
	for (size_t i = 0; i < node->n; i++)
		open_all(node->children[i]);
}

static void go_left(struct ui *ui, struct mirror_node *node)
{
	if (node->n && node->open)
		node->open = false;
	else if (node->parent && ui->tree.rows[ui->tree.list.at].depth > 0)
		mirror_path(node->parent, ui->tree.path);
}

static bool key_at_node(struct ui *ui, int key, struct mirror_node *node)
{
	switch (key) {
	case '\r':
	case '\n':
	case KEY_ENTER:
	case ' ':
		open_or_close(node);
		return true;
	case KEY_RIGHT:
	case 'l':
		if (node->n)
			node->open = true;
		return true;
	case KEY_LEFT:
	case 'h':
		go_left(ui, node);
		return true;
	case '*':
		open_all(node);
		return true;
	case 'e':
		ui_edit_begin(ui, node);
		return true;
	default:
		return false;
	}
}

bool page_tree_key(struct ui *ui, int key)
{
	list_rows(ui);
	if (cursor(ui) && key_at_node(ui, key, cursor(ui)))
		return true;
	if (list_key(&ui->tree.list, key, ui->tree.n, ui->page_rows)) {
		if (cursor(ui))
			mirror_path(cursor(ui), ui->tree.path);
		return true;
	}
	switch (key) {
	case '/':
		ui_ask_line(ui, "Search: ", ui->tree.word, set_word);
		return true;
	case 'n':
	case 'N':
		search(ui, key == 'n');
		return true;
	case 'u':
		ui_undo_begin(ui);
		return true;
	default:
		return false;
	}
}
