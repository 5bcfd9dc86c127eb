/* SPDX-License-Identifier: MIT */
/* The questions of xsfs-top, its messages and its help.  See ui.h. */
#include <curses.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "src/top/ui.h"

#define CTRL(c) ((c) & 0x1f)
#define ESCAPE 0x1b
#define DELETE 0x7f

void ui_say(struct ui *ui, int style, const char *fmt, ...)
{
	char text[TOOL_WHY_SIZE], *printable;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printable = text_printable(text, strlen(text));
	snprintf(ui->message, sizeof(ui->message), "%s", printable ? printable : "");
	free(printable);
	ui->message_style = style;
}

void ui_ask_line(struct ui *ui, const char *question, const char *text,
		 void (*answer)(struct ui *ui, const char *text))
{
	ui->question = question;
	ui->answer = answer;
	edit_begin(&ui->line, text);
}

void ui_ask(struct ui *ui, const char *question, void (*decide)(struct ui *ui))
{
	ui->question = question;
	ui->answer = NULL;
	ui->decide = decide;
}

/* ---- drawing -------------------------------------------------------------------------------- */

/* Shows the part of the line around its cursor. */
static void draw_line(const struct edit_line *line, int y, int x, int width)
{
	struct edit_line part = { .len = 0 };
	size_t first = 0;
	int columns = 0, cursor;
	char *text;

	/* From the cursor back, as much as fits. */
	for (size_t i = line->cursor; i > 0; i--) {
		int wide = wcwidth(line->text[i - 1]);

		columns += wide > 0 ? wide : 0;
		if (columns > width - 1) {
			first = i;
			break;
		}
	}
	part.len = line->len - first;
	wmemcpy(part.text, line->text + first, part.len);
	text = edit_text(&part);
	draw_cell(y, x, width, text ? text : "", DRAW_PLAIN, false);
	free(text);
	cursor = x;
	for (size_t i = first; i < line->cursor; i++) {
		int wide = wcwidth(line->text[i]);

		cursor += wide > 0 ? wide : 0;
	}
	move(y, cursor);
}

/* The old value and the new one in a frame. */
static void draw_decision(const struct ui *ui, const struct area *page)
{
	const struct edit *e = &ui->edit;
	int width = page->columns < 78 ? page->columns - 4 : page->columns < 120 ? 74 : 100;
	int x = page->x + (page->columns - width) / 2, y = page->y + (page->rows - 6) / 2;

	for (int row = 0; row < 6; row++)
		draw_cell(y + row, x, width, "", DRAW_PLAIN, false);
	draw_rule(y, x, width, ui->question);
	draw_text(y + 1, x + 1, width - 2, e->path, DRAW_NAME);
	draw_text(y + 2, x + 1, 6, "now", DRAW_DIM);
	draw_value(y + 2, x + 7, width - 8, e->was, e->was_len, true, DRAW_PLAIN);
	draw_text(y + 3, x + 1, 6, "then", DRAW_DIM);
	draw_value(y + 3, x + 7, width - 8, e->value, e->len, true, DRAW_CHANGED);
	draw_text(y + 4, x + 1, width - 2, "y: yes    any other key: no", DRAW_TITLE);
	draw_rule(y + 5, x, width, "");
}

void ui_prompt_draw(struct ui *ui, int y, const struct area *page)
{
	int used;

	curs_set(ui->question && ui->answer ? 1 : 0);
	draw_cell(y, 0, COLS, ui->question ? "" : ui->message, ui->message_style, false);
	if (!ui->question)
		return;
	if (!ui->answer) {
		draw_decision(ui, page);
		return;
	}
	used = draw_text(y, 0, COLS / 2, ui->question, DRAW_TITLE);
	draw_line(&ui->line, y, used, COLS - used);
}

void ui_help_draw(const struct area *area)
{
	static const char *const lines[] = {
		"1 2 3, Tab        domains, tree, mount",
		"arrows, j k       up and down, also Page Up, Page Down, Home and End",
		"q                 end",
		"",
		"domains           what the store tells of them; below, the devices of the line",
		"  Enter           show the domain in the tree",
		"  /               only names with these letters; an empty line shows all",
		"  s               sort by number, name, memory, devices that are not connected",
		"",
		"tree              + new  * changed  - gone  . below, where it is not open",
		"  Enter, Right    open        Left   close, or go up        *   open all below",
		"  /, n, N         search names and values, next match, the one before",
		"  e               edit the value; \\n, \\t, \\xNN and \\\\ stand for bytes",
		"  u               undo the last edit, unless the value is another now",
		"",
		"mount             requests, latencies, figures, and who waits for the store",
		"",
		"More: man xsfs-top.  Any key goes back.",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]) && (int)i + 1 < area->rows; i++)
		draw_text(area->y + 1 + (int)i, area->x + 2, area->columns - 2, lines[i],
			  lines[i][0] == ' ' || !lines[i][0] ? DRAW_PLAIN : DRAW_TITLE);
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void cancel(struct ui *ui)
{
	ui->question = NULL;
	edit_release(&ui->edit);
	ui_say(ui, DRAW_PLAIN, "%s", "");
}

static void accept(struct ui *ui)
{
	char *text = edit_text(&ui->line);

	ui->question = NULL;
	ui->message[0] = '\0';
	if (text)
		ui->answer(ui, text);
	free(text);
}

static void decide(struct ui *ui, wint_t key)
{
	if (key == 'y' || key == 'Y') {
		ui->question = NULL;
		ui->decide(ui);
	} else {
		cancel(ui);
		ui_say(ui, DRAW_PLAIN, "nothing was changed");
	}
}

/* The moves, by keys of curses and by those that lines have everywhere. */
static bool find_move(wint_t key, bool is_function, enum edit_move *move)
{
	static const struct {
		int key;
		bool is_function;
		enum edit_move move;
	} moves[] = {
		{ KEY_LEFT, true, EDIT_LEFT },	     { CTRL('b'), false, EDIT_LEFT },
		{ KEY_RIGHT, true, EDIT_RIGHT },     { CTRL('f'), false, EDIT_RIGHT },
		{ KEY_HOME, true, EDIT_HOME },	     { CTRL('a'), false, EDIT_HOME },
		{ KEY_END, true, EDIT_END },	     { CTRL('e'), false, EDIT_END },
		{ KEY_BACKSPACE, true, EDIT_ERASE }, { DELETE, false, EDIT_ERASE },
		{ CTRL('h'), false, EDIT_ERASE },    { KEY_DC, true, EDIT_DELETE },
		{ CTRL('d'), false, EDIT_DELETE },   { CTRL('w'), false, EDIT_ERASE_WORD },
		{ CTRL('u'), false, EDIT_ERASE_ALL },
	};

	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		if ((wint_t)moves[i].key == key && moves[i].is_function == is_function) {
			*move = moves[i].move;
			return true;
		}
	}
	return false;
}

void ui_prompt_key(struct ui *ui, wint_t key, bool is_function)
{
	enum edit_move move;

	if (!ui->answer)
		decide(ui, is_function ? 0 : key);
	else if (find_move(key, is_function, &move))
		edit_move(&ui->line, move);
	else if (!is_function && (key == ESCAPE || key == CTRL('g')))
		cancel(ui);
	else if ((is_function && key == KEY_ENTER) || (!is_function && (key == '\r' || key == '\n')))
		accept(ui);
	else if (!is_function)
		edit_insert(&ui->line, key);
}
