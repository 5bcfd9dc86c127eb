/* SPDX-License-Identifier: MIT */
/*
 * The screen of xsfs-top: the frame around the pages, and the loop that waits for keys and for news.
 * Main thread.
 */
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/top/ui.h"

/* The interval at which everything is drawn again although nothing happens: highlights fade, and the clock goes on. */
#define DRAW_MS 500

/* Smaller terminals have no room for a page. */
#define LINES_MIN 10
#define COLUMNS_MIN 40

static const struct {
	const char *title;
	void (*draw)(struct ui *ui, const struct area *area);
	bool (*key)(struct ui *ui, int key); /* NULL: it has none */
	const struct ui_keys *keys;
} pages[UI_PAGES] = {
	[UI_DOMAINS] = { "Domains", page_domains_draw, page_domains_key, page_domains_keys },
	[UI_TREE] = { "Tree", page_tree_draw, page_tree_key, page_tree_keys },
	[UI_MOUNT] = { "Mount", page_mount_draw, NULL, NULL },
};

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	signalled = number;
}

/* ---- drawing -------------------------------------------------------------------------------- */

/* The mount; at the right its connection, the requests and the time, which are always seen whole. */
static void draw_bar(const struct top *top)
{
	const struct mountpoint *m = &top->mountpoint;
	const char *state = top->state == TOP_LOST ? "gone" : top->state == TOP_READING ? "reading" :
									  top->meter.state;
	char *dir = text_printable(m->dir, strlen(m->dir)), right[128], clock[16];
	int x, width;
	time_t now = time(NULL);
	struct tm tm;

	strftime(clock, sizeof(clock), "%T", localtime_r(&now, &tm));
	snprintf(right, sizeof(right), "%s%s %s  %.0f req/s  %s ", top->read_only ? "read-only  " : "",
		 top->meter.transport, state, top->meter.requests, clock);
	width = (int)strlen(right) < COLS ? (int)strlen(right) : COLS;
	draw_cell(0, 0, COLS, "", DRAW_BAR, false);
	x = draw_text(0, 0, COLS - width - 1, " xsfs-top  ", DRAW_BAR);
	x += draw_text(0, x, COLS - width - 1 - x, dir ? dir : "", DRAW_BAR);
	if (m->root[1])
		draw_format(0, x, COLS - width - 1 - x, DRAW_BAR, " shows %.400s", m->root);
	draw_text(0, COLS - width, width, right, DRAW_BAR);
	free(dir);
}

static void draw_tabs(const struct ui *ui)
{
	int x = 1;

	draw_cell(1, 0, COLS, "", DRAW_PLAIN, false);
	for (int i = 0; i < UI_PAGES; i++) {
		bool is_open = i == (int)ui->page;

		x += draw_format(1, x, COLS - x, is_open ? DRAW_TITLE | DRAW_SELECTED : DRAW_DIM, " %d %s ",
				 i + 1, pages[i].title);
		x++;
	}
}

static void draw_keys(const struct ui *ui, int y)
{
	static const struct ui_keys common[] = {
		{ "?", "help" }, { "q", "quit" }, { NULL, NULL },
	};
	const struct ui_keys *lists[] = { pages[ui->page].keys, common };
	int x = 0;

	draw_cell(y, 0, COLS, "", DRAW_PLAIN, false);
	for (size_t i = 0; i < 2; i++) {
		for (const struct ui_keys *k = lists[i]; k && k->key; k++) {
			x += draw_format(y, x, COLS - x, DRAW_KEY, " %s ", k->key);
			x += draw_format(y, x, COLS - x, DRAW_PLAIN, " %s  ", k->meaning);
		}
	}
}

/* A mount that is lost is more important than the last message. */
static void draw_message(struct ui *ui, const struct area *page)
{
	const struct top *top = ui->top;
	char *why;

	if (top->state == TOP_LOST && !ui->question) {
		why = text_printable(top->why, strlen(top->why));
		curs_set(0);
		draw_cell(LINES - 2, 0, COLS, "", DRAW_BAD, false);
		draw_format(LINES - 2, 0, COLS, DRAW_BAD, "trying again: %.400s", why ? why : "");
		free(why);
		return;
	}
	ui_prompt_draw(ui, LINES - 2, page);
}

/* Brings the models up to date, and draws. */
static void draw(struct ui *ui)
{
	struct top *top = ui->top;
	struct area page = { 2, 0, LINES - 4, COLS };
	int64_t old = top_now() - TOP_FRESH_MS;

	mirror_forget(&top->mirror, old);
	if (top->loaded && top->mirror.version != ui->version) {
		guests_update(&top->guests, &top->mirror, top_now());
		ui->version = top->mirror.version;
	}
	guests_forget(&top->guests, old);
	ui_edit_finish(ui);
	erase();
	if (LINES < LINES_MIN || COLS < COLUMNS_MIN) {
		draw_text(0, 0, COLS, "this terminal is too small", DRAW_BAD);
		return;
	}
	draw_bar(top);
	draw_tabs(ui);
	if (ui->help)
		ui_help_draw(&page);
	else
		pages[ui->page].draw(ui, &page);
	draw_keys(ui, LINES - 1);
	/* The last, as it may place the cursor. */
	draw_message(ui, &page);
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void take_common(struct ui *ui, int key)
{
	switch (key) {
	case '1':
	case '2':
	case '3':
		ui->page = key - '1';
		break;
	case '\t':
		ui->page = (ui->page + 1) % UI_PAGES;
		break;
	case KEY_BTAB:
		ui->page = (ui->page + UI_PAGES - 1) % UI_PAGES;
		break;
	case '?':
	case KEY_F(1):
		ui->help = true;
		break;
	case 'q':
		ui->end = true;
		break;
	default:
		break;
	}
}

static void take_key(struct ui *ui, wint_t key, bool is_function)
{
	if (is_function && key == KEY_RESIZE)
		return;
	if (ui->question) {
		ui_prompt_key(ui, key, is_function);
		return;
	}
	ui->message[0] = '\0';
	if (ui->help) {
		ui->help = false;
		return;
	}
	/* A character beyond those of ASCII could be taken for a key of curses. */
	if (!is_function && key > 0x7f)
		return;
	if (!pages[ui->page].key || !pages[ui->page].key(ui, key))
		take_common(ui, key);
}

static void take_keys(struct ui *ui)
{
	wint_t key;
	int kind;

	while (!ui->end && (kind = get_wch(&key)) != ERR)
		take_key(ui, key, kind == KEY_CODE_YES);
}

/* ---- the loop ------------------------------------------------------------------------------- */

/* Waits for a key, for news, or until it is time to draw.  Returns whether the terminal is still there. */
static bool wait_for_news(const struct top *top)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = top->news, .events = POLLIN },
	};
	uint64_t count;

	/* A change of the size interrupts it, and is then a key. */
	if (poll(fds, 2, DRAW_MS) < 0)
		return errno == EINTR;
	if (fds[1].revents & POLLIN)
		(void)!read(top->news, &count, sizeof(count));
	return !(fds[0].revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void loop(struct ui *ui, const char *path)
{
	struct top *top = ui->top;
	bool there = true;

	while (!ui->end && !signalled && there) {
		pthread_mutex_lock(&top->lock);
		if (path && top->loaded) {
			page_tree_show(ui, path);
			path = NULL;
		}
		take_keys(ui);
		draw(ui);
		pthread_mutex_unlock(&top->lock);
		refresh();
		if (!ui->end)
			there = wait_for_news(top);
	}
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

int screen_run(struct top *top, const char *path)
{
	static struct ui ui; /* too large for a stack */

	ui = (struct ui){ .top = top, .page = path ? UI_TREE : UI_DOMAINS };
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return tool_complain(top->tool, -EINVAL, "this is no terminal; --batch prints lines");
	if (draw_begin())
		return tool_complain(top->tool, -EINVAL, "%s: no terminal that is known (TERM)",
				     getenv("TERM") ? getenv("TERM") : "");
	catch_signals();
	loop(&ui, path);
	draw_end();
	free(ui.tree.rows);
	edit_release(&ui.edit);
	edit_release(&ui.undo);
	return TOOL_OK;
}
