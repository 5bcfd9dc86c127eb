/* SPDX-License-Identifier: MIT */
/* See draw.h. */
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "src/top/draw.h"
#include "src/top/top.h"

static const struct draw_signs signs_ascii = {
	.open = "-", .closed = "+", .more = "~", .line = "-", .middle = "|",
	.bars = { " ", ".", ":", "-", "=", "+", "*", "#", "#" },
};

static const struct draw_signs signs_utf8 = {
	.open = "▾", .closed = "▸", .more = "…", .line = "─", .middle = "│",
	.bars = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" },
};

const struct draw_signs *draw_signs = &signs_ascii;

static SCREEN *screen;

/* The look of each style, with colours and without. */
static const struct {
	short colour; /* -1: the terminal's own */
	attr_t with, without;
} styles[DRAW_STYLES] = {
	[DRAW_PLAIN] = { -1, A_NORMAL, A_NORMAL },
	[DRAW_TITLE] = { -1, A_BOLD, A_BOLD },
	[DRAW_GOOD] = { COLOR_GREEN, A_NORMAL, A_NORMAL },
	[DRAW_BUSY] = { COLOR_YELLOW, A_NORMAL, A_BOLD },
	[DRAW_BAD] = { COLOR_RED, A_BOLD, A_BOLD },
	[DRAW_DIM] = { -1, A_DIM, A_NORMAL },
	[DRAW_BAR] = { COLOR_CYAN, A_REVERSE, A_REVERSE },
	[DRAW_KEY] = { COLOR_CYAN, A_REVERSE, A_REVERSE },
	[DRAW_HEADING] = { COLOR_CYAN, A_BOLD, A_BOLD | A_UNDERLINE },
	[DRAW_NAME] = { COLOR_CYAN, A_NORMAL, A_NORMAL },
	[DRAW_NEW] = { COLOR_GREEN, A_BOLD, A_BOLD },
	[DRAW_CHANGED] = { COLOR_YELLOW, A_BOLD, A_BOLD },
	[DRAW_GONE] = { COLOR_RED, A_DIM, A_NORMAL },
};

static bool colours;

int draw_begin(void)
{
	const char *no_color = getenv("NO_COLOR");

	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return -EINVAL;
	/* A terminal whose cursor cannot be placed has no screen. */
	if (!tigetstr("cup")) {
		draw_end();
		return -EINVAL;
	}
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	/* An escape alone is a key, after this many milliseconds. */
	set_escdelay(50);
	curs_set(0);
	if (!strcmp(nl_langinfo(CODESET), "UTF-8"))
		draw_signs = &signs_utf8;
	colours = has_colors() && !(no_color && *no_color) && start_color() == OK;
	if (colours) {
		use_default_colors();
		for (short i = 0; i < DRAW_STYLES; i++)
			init_pair(i + 1, styles[i].colour, -1);
	}
	return 0;
}

void draw_end(void)
{
	endwin();
	delscreen(screen);
}

void draw_style(int style)
{
	int plain = style & ~DRAW_SELECTED;
	attr_t attributes = colours ? styles[plain].with : styles[plain].without;

	/* The selected line is of one colour, so that it is seen as a line. */
	if (style & DRAW_SELECTED) {
		attributes = (attributes & A_BOLD) | A_REVERSE;
		plain = DRAW_PLAIN;
	}
	attr_set(attributes, colours ? plain + 1 : 0, NULL);
}

/* Puts characters until `width` is full.  Returns the columns that were used; *cut: there were more. */
static int put_some(const char *text, int width, bool *cut)
{
	mbstate_t state = { 0 };
	int used = 0;

	*cut = false;
	while (*text) {
		wchar_t c;
		size_t n = mbrtowc(&c, text, strlen(text), &state);
		int columns;

		if (n == 0 || n > strlen(text))
			break;
		columns = wcwidth(c);
		if (used + (columns > 0 ? columns : 0) > width) {
			*cut = true;
			break;
		}
		addnwstr(&c, 1);
		used += columns > 0 ? columns : 0;
		text += n;
	}
	return used;
}

int draw_text(int y, int x, int width, const char *text, int style)
{
	int used;
	bool cut;

	if (y < 0 || y >= LINES || x >= COLS || width <= 0)
		return 0;
	width = x + width > COLS ? COLS - x : width;
	draw_style(style);
	move(y, x);
	used = put_some(text, width, &cut);
	if (cut) {
		/* The last character gives way, however wide it was. */
		move(y, x);
		used = put_some(text, width - 1, &cut);
		used += put_some(draw_signs->more, 1, &cut);
	}
	return used;
}

void draw_cell(int y, int x, int width, const char *text, int style, bool right)
{
	int used = (int)text_width(text);
	int blanks = used < width ? width - used : 0;

	if (y < 0 || y >= LINES || x >= COLS)
		return;
	if (x + width > COLS) {
		width = COLS - x;
		blanks = used < width ? width - used : 0;
	}
	draw_style(style);
	mvhline(y, x, ' ', width);
	draw_text(y, right ? x + blanks : x, width, text, style);
}

int draw_format(int y, int x, int width, int style, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return draw_text(y, x, width, text, style);
}

int draw_value(int y, int x, int width, const char *data, size_t len, bool quoted, int style)
{
	/* A character has four bytes at most; more than can be seen is enough to show that it was cut. */
	size_t most = width > 0 ? 4 * (size_t)(width + 1) : 0;
	char *text = text_printable(data, len < most ? len : most);
	char *full = text ? malloc(strlen(text) + 3) : NULL;
	int used = 0;

	if (full) {
		sprintf(full, quoted ? "\"%s\"" : "%s", text);
		used = draw_text(y, x, width, full, style);
	}
	free(text);
	free(full);
	return used;
}

void draw_rule(int y, int x, int width, const char *title)
{
	int used = draw_text(y, x, width, draw_signs->line, DRAW_DIM);

	if (*title) {
		used += draw_text(y, x + used, width - used, " ", DRAW_PLAIN);
		used += draw_text(y, x + used, width - used, title, DRAW_TITLE);
		used += draw_text(y, x + used, width - used, " ", DRAW_PLAIN);
	}
	while (used < width)
		used += draw_text(y, x + used, 1, draw_signs->line, DRAW_DIM);
}

void draw_bars(const struct area *area, const double *values, double largest, int style)
{
	for (int column = 0; column < area->columns; column++) {
		double eighths = largest > 0 ? values[column] / largest * area->rows * 8 : 0;

		/* The smallest number is still seen. */
		if (values[column] > 0 && eighths < 1)
			eighths = 1;
		for (int row = 0; row < area->rows; row++) {
			double here = eighths - (area->rows - 1 - row) * 8;
			int level = here >= 8 ? 8 : here > 0 ? (int)(here + 0.5) : 0;

			draw_text(area->y + row, area->x + column, 1, draw_signs->bars[level], style);
		}
	}
}

int draw_fresh(int64_t changed, int64_t now, enum draw_style fresh, int style)
{
	return changed && now - changed < TOP_FRESH_MS ? (int)fresh : style;
}
