/* SPDX-License-Identifier: MIT */
/* Editing a value on the page of the tree: the line, the question, the order to the reader, and the way
 * back.  See ui.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/top/ui.h"

/* Returns whether something can be written now, and says why not. */
static bool can_write(struct ui *ui)
{
	const struct top *top = ui->top;

	if (top->read_only)
		ui_say(ui, DRAW_BAD, "%s is mounted read-only: nothing can be changed",
		       top->mountpoint.dir);
	else if (top->state != TOP_LIVE)
		ui_say(ui, DRAW_BAD, "not now: the store cannot be reached");
	else if (top->edit_state == TOP_EDIT_WANTED)
		ui_say(ui, DRAW_BAD, "not now: the last change is still being written");
	else
		return true;
	return false;
}

static void order(struct ui *ui)
{
	if (!can_write(ui)) {
		edit_release(&ui->edit);
		return;
	}
	ui_say(ui, DRAW_BUSY, "writing %s", ui->edit.path);
	top_order_locked(ui->top, &ui->edit);
}

/* The line was typed. */
static void take_line(struct ui *ui, const char *text)
{
	char *value = strdup(text);
	size_t len;
	struct edit *e = &ui->edit;

	if (!value || edit_value(value, &len)) {
		ui_say(ui, DRAW_BAD, "%s", value ? "a backslash is followed by n, t, xNN or another one: "
						   "nothing was changed" : strerror(ENOMEM));
		free(value);
		edit_release(e);
		return;
	}
	free(e->value);
	e->value = value;
	e->len = len;
	if (len == e->was_len && !memcmp(value, e->was, len)) {
		ui_say(ui, DRAW_PLAIN, "that is its value already");
		edit_release(e);
	} else {
		ui_ask(ui, "write this value?", order);
	}
}

void ui_edit_begin(struct ui *ui, const struct mirror_node *node)
{
	char path[PATH_SIZE];
	char *text;

	if (!can_write(ui))
		return;
	mirror_path(node, path);
	if (node->mark == MIRROR_GONE) {
		ui_say(ui, DRAW_BAD, "%s is gone", path);
		return;
	}
	edit_release(&ui->edit);
	text = text_printable(node->value, node->len);
	if (!text || edit_init(&ui->edit, path, node->value, node->len, "", 0))
		ui_say(ui, DRAW_BAD, "%s", strerror(ENOMEM));
	else
		ui_ask_line(ui, "Value: ", text, take_line);
	free(text);
}

void ui_undo_begin(struct ui *ui)
{
	const struct edit *undo = &ui->undo;

	if (!undo->path[0]) {
		ui_say(ui, DRAW_PLAIN, "there is no edit to undo");
		return;
	}
	if (!can_write(ui))
		return;
	edit_release(&ui->edit);
	if (edit_init(&ui->edit, undo->path, undo->was, undo->was_len, undo->value, undo->len))
		ui_say(ui, DRAW_BAD, "%s", strerror(ENOMEM));
	else
		ui_ask(ui, "undo the last edit?", order);
}

void ui_edit_finish(struct ui *ui)
{
	struct top *top = ui->top;

	if (top->edit_state != TOP_EDIT_DONE)
		return;
	top->edit_state = TOP_NO_EDIT;
	if (top->edit_status) {
		ui_say(ui, DRAW_BAD, "%s", top->edit_why);
		return;
	}
	ui_say(ui, DRAW_GOOD, "%s is written; u undoes it", top->edit.path);
	edit_release(&ui->undo);
	ui->undo = top->edit;
	top->edit = (struct edit){ 0 };
	edit_reverse(&ui->undo);
}
