/* SPDX-License-Identifier: MIT */
/*
 * The state of the screen, which the pages and their frame share.  Main thread.
 *
 * A page draws itself and takes keys; both with top->lock held, and neither waits.
 */
#ifndef SRC_TOP_UI_H
#define SRC_TOP_UI_H

#include "src/top/draw.h"
#include "src/top/top.h"

/* The place in a list: the line of the cursor, and the first that is shown. */
struct list_view {
	size_t at, first;
};

/* Moves the cursor by a key of curses, in `n` lines of which `rows` are seen.  Returns whether it was one
 * of those keys. */
bool list_key(struct list_view *v, int key, size_t n, int rows);

/* Keeps the cursor in the list, and what is shown around it. */
void list_fit(struct list_view *v, size_t n, int rows);

#define UI_WORD_SIZE 256

struct tree_row {
	struct mirror_node *node;
	unsigned depth;
};

enum ui_page { UI_DOMAINS, UI_TREE, UI_MOUNT, UI_PAGES };

struct ui {
	struct top *top;
	enum ui_page page;
	bool end;      /* the user wants it */
	bool help;     /* the keys are shown instead of the page */
	int page_rows; /* of the list, when it was drawn last */
	uint64_t version; /* of the mirror that the guests were gathered from */

	char message[TOOL_WHY_SIZE]; /* "" for none; until the next key */
	int message_style;

	/* A question on the line above the keys; NULL: none is asked. */
	const char *question;
	void (*answer)(struct ui *ui, const char *text); /* NULL: y or n, to `decide` */
	void (*decide)(struct ui *ui);
	struct edit_line line;

	struct {
		struct list_view list;
		unsigned domid; /* of the cursor */
		enum guests_order order;
		char filter[UI_WORD_SIZE];
	} domains;

	struct {
		struct list_view list;
		char path[PATH_SIZE]; /* of the cursor; "": none yet */
		struct tree_row *rows; /* what is open; good while the lock is held */
		size_t n, room;
		char word[UI_WORD_SIZE]; /* that is searched for */
	} tree;

	struct edit edit; /* that is being made or waits for an answer */
	struct edit undo; /* the last that was made, back; without a path there is none */
};

/* Says something on the line above the keys. */
void ui_say(struct ui *ui, int style, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Asks for a line, or for y or n.  The question is borrowed. */
void ui_ask_line(struct ui *ui, const char *question, const char *text,
		 void (*answer)(struct ui *ui, const char *text));
void ui_ask(struct ui *ui, const char *question, void (*decide)(struct ui *ui));

/* Draw a page into its area, take a key (return whether it is theirs), and say which keys there are:
 * words of a key and its meaning, ending with NULL. */
struct ui_keys {
	const char *key, *meaning;
};

void page_domains_draw(struct ui *ui, const struct area *area);
bool page_domains_key(struct ui *ui, int key);
extern const struct ui_keys page_domains_keys[];

void page_tree_draw(struct ui *ui, const struct area *area);
bool page_tree_key(struct ui *ui, int key);
extern const struct ui_keys page_tree_keys[];

void page_mount_draw(struct ui *ui, const struct area *area);

/* Shows a node on the page of the tree: what is above it is opened. */
void page_tree_show(struct ui *ui, const char *path);

/* Editing the node of the cursor, and undoing that (ui_edit.c). */
void ui_edit_begin(struct ui *ui, const struct mirror_node *node);
void ui_undo_begin(struct ui *ui);

/* Tells how an edit went, once it is done. */
void ui_edit_finish(struct ui *ui);

/* Draws the list of all keys. */
void ui_help_draw(const struct area *area);

/* Draws the question and its answer so far, or the message, in a line; a question about an edit in the
 * middle of the page.  Place the cursor of the terminal. */
void ui_prompt_draw(struct ui *ui, int y, const struct area *page);

/* Takes a key while a question is asked; `is_function`: one of curses, not a character. */
void ui_prompt_key(struct ui *ui, wint_t key, bool is_function);

/* The screen, until the user ends it; begins with a key of the tree if `path` is not NULL.  Returns a status,
 * or -errno with a reason. */
int screen_run(struct top *top, const char *path);

/* Prints the domains and a line about the mount, `count` times (0: for ever), one `interval_ms` after the
 * other.  Returns a status. */
int batch_run(struct top *top, uint64_t count);

#endif
