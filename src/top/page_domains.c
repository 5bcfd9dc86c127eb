/* SPDX-License-Identifier: MIT */
/* The page of the domains, and the devices of the one at the cursor.  See ui.h. */
#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "src/top/ui.h"

/* From this width on there are more columns. */
#define WIDE 112
#define WIDER 160

#define BAR 12

const struct ui_keys page_domains_keys[] = {
	{ "Enter", "tree" }, { "/", "filter" }, { "s", "sort" }, { NULL, NULL },
};

static const char *const orders[GUESTS_ORDERS] = { "number", "name", "memory", "devices" };

/* ---- the domains ---------------------------------------------------------------------------- */

/* Draws cell after cell of a line. */
struct pen {
	int y, x, end;
	int selected; /* DRAW_SELECTED or 0 */
};

static void cell(struct pen *p, int width, const char *text, int style, bool right)
{
	if (p->x + width > p->end)
		width = p->end - p->x;
	if (width <= 0)
		return;
	draw_cell(p->y, p->x, width, text, style | p->selected, right);
	p->x += width;
	/* The gap belongs to the line of the cursor. */
	if (p->x < p->end)
		draw_cell(p->y, p->x, 1, "", p->selected, false);
	p->x++;
}

/* A text of the store. */
static void cell_raw(struct pen *p, int width, const char *data, int style)
{
	char *text = data ? text_printable(data, strlen(data)) : NULL;

	cell(p, width, text ? text : "-", style, false);
	free(text);
}

static void cell_number(struct pen *p, int width, long long number, int style)
{
	char text[32] = "-";

	if (number >= 0)
		snprintf(text, sizeof(text), "%lld", number);
	cell(p, width, text, style, true);
}

static int name_width(const struct area *area)
{
	int more = (area->columns - 80) / 4;

	return 16 + (more < 0 ? 0 : more > 24 ? 24 : more);
}

static void draw_heading(const struct area *area, int y)
{
	struct pen p = { y, area->x, area->x + area->columns, 0 };

	draw_cell(y, area->x, area->columns, "", DRAW_HEADING, false);
	cell(&p, 5, "ID", DRAW_HEADING, true);
	cell(&p, name_width(area), "NAME", DRAW_HEADING, false);
	cell(&p, 9, "STATE", DRAW_HEADING, false);
	cell(&p, 10, "MEMORY/MiB", DRAW_HEADING, true);
	if (area->columns >= WIDE) {
		cell(&p, BAR, "OF MAXIMUM", DRAW_HEADING, false);
		cell(&p, 7, "MAX/MiB", DRAW_HEADING, true);
	}
	cell(&p, 5, "VCPUS", DRAW_HEADING, true);
	cell(&p, 7, "DEVICES", DRAW_HEADING, true);
	if (area->columns >= WIDE)
		cell(&p, 4, "TYPE", DRAW_HEADING, false);
	if (area->columns >= WIDER)
		cell(&p, 36, "UUID", DRAW_HEADING, false);
	cell(&p, p.end - p.x, "BACKENDS", DRAW_HEADING, false);
}

/* How much of the maximum the target is. */
static void cell_bar(struct pen *p, const struct domain *domain, int style)
{
	char text[BAR * 4 + 1] = "";
	int full = 0;

	if (domain->memory_target_kib > 0 && domain->memory_max_kib > 0)
		full = domain->memory_target_kib * BAR / domain->memory_max_kib;
	for (int i = 0; i < BAR; i++)
		strcat(text, i < full ? draw_signs->bars[8] : draw_signs->bars[0]);
	cell(p, BAR, text, style, false);
}

static void draw_guest(const struct guest *guest, const struct area *area, int y, bool selected,
		       int64_t now)
{
	struct pen p = { y, area->x, area->x + area->columns, selected ? DRAW_SELECTED : 0 };
	const struct domain *domain = &guest->domain;
	int base = guest->gone ? DRAW_GONE : draw_fresh(guest->made, now, DRAW_NEW, DRAW_PLAIN);
	int style[GUEST_FIELDS];
	char text[48] = "-";
	long long target = domain->memory_target_kib;

	for (int i = 0; i < GUEST_FIELDS; i++)
		style[i] = guest->gone ? DRAW_GONE :
					 draw_fresh(guest->changed[i], now, DRAW_CHANGED, base);
	cell_number(&p, 5, domain->domid, base);
	cell_raw(&p, name_width(area), domain->name, style[GUEST_NAME]);
	cell_raw(&p, 9, guest_state(guest),
		 style[GUEST_STATE] == DRAW_PLAIN ? (int)guest->style : style[GUEST_STATE]);
	cell_number(&p, 10, target < 0 ? -1 : target / 1024, style[GUEST_MEMORY]);
	if (area->columns >= WIDE) {
		cell_bar(&p, domain, style[GUEST_MEMORY] == DRAW_PLAIN ? DRAW_NAME :
									  style[GUEST_MEMORY]);
		cell_number(&p, 7, domain->memory_max_kib < 0 ? -1 : domain->memory_max_kib / 1024, base);
	}
	cell_number(&p, 5, domain->vcpus, style[GUEST_VCPUS]);
	if (domain->n_devices)
		snprintf(text, sizeof(text), "%u/%u", domain->n_connected, domain->n_devices);
	cell(&p, 7, text, style[GUEST_DEVICES], true);
	if (area->columns >= WIDE)
		cell_raw(&p, 4, domain->type, base);
	if (area->columns >= WIDER)
		cell_raw(&p, 36, domain->uuid, base);
	if (p.x < p.end)
		cell_raw(&p, p.end - p.x, guest->backends,
			 style[GUEST_DEVICES] == DRAW_PLAIN ? (int)guest->backends_style :
							      style[GUEST_DEVICES]);
}

/* ---- the devices ---------------------------------------------------------------------------- */

static void draw_device(const struct guest_device *d, const struct area *area, int y, int64_t now)
{
	struct pen p = { y, area->x, area->x + area->columns, 0 };
	const struct device *device = &d->device;
	int base = d->gone ? DRAW_GONE : draw_fresh(d->made, now, DRAW_NEW, DRAW_PLAIN);
	int front = base == DRAW_PLAIN ? (int)device_state_style(device->frontend_state) : base;
	int back = base == DRAW_PLAIN ? (int)device_state_style(device->backend_state) : base;

	if (!d->gone) {
		front = draw_fresh(d->frontend_changed, now, DRAW_CHANGED, front);
		back = draw_fresh(d->backend_changed, now, DRAW_CHANGED, back);
	}
	cell(&p, 1, d->gone ? "-" : base == DRAW_NEW ? "+" : "", base, true);
	cell_raw(&p, 7, device->type, base);
	cell_raw(&p, 6, device->handle, base);
	cell(&p, 13, device_state_name(device->frontend_state), front, false);
	cell(&p, 13, device_state_name(device->backend_state), back, false);
	cell_raw(&p, p.end - p.x, device->backend, base);
}

static void draw_devices(const struct guests *g, const struct guest *guest, const struct area *area,
			 int64_t now)
{
	char title[96];
	char *name = text_printable(guest->domain.name ? guest->domain.name : "",
				    guest->domain.name ? strlen(guest->domain.name) : 0);
	struct pen p = { area->y + 1, area->x, area->x + area->columns, 0 };
	int row = 2;

	snprintf(title, sizeof(title), "devices of %u %.48s", guest->domain.domid, name ? name : "");
	free(name);
	draw_rule(area->y, area->x, area->columns, title);
	cell(&p, 1, "", DRAW_HEADING, true);
	cell(&p, 7, "TYPE", DRAW_HEADING, false);
	cell(&p, 6, "HANDLE", DRAW_HEADING, false);
	cell(&p, 13, "FRONTEND", DRAW_HEADING, false);
	cell(&p, 13, "BACKEND", DRAW_HEADING, false);
	cell(&p, p.end - p.x, "BACKEND PATH", DRAW_HEADING, false);
	for (size_t i = 0; i < g->n_devices && row < area->rows; i++)
		if (g->devices[i].device.domid == guest->domain.domid)
			draw_device(&g->devices[i], area, area->y + row++, now);
	if (row == 2 && row < area->rows)
		draw_text(area->y + row, area->x + 2, area->columns - 2, "none", DRAW_DIM);
}

/* ---- the page ------------------------------------------------------------------------------- */

/* Lists the domains in order, and finds the cursor's.  Free the list. */
static const struct guest **view(struct ui *ui, size_t *n)
{
	const struct guests *g = &ui->top->guests;
	const struct guest **list = calloc(g->n + 1, sizeof(*list));

	*n = list ? guests_view(g, ui->domains.order, ui->domains.filter, list) : 0;
	for (size_t i = 0; i < *n; i++)
		if (list[i]->domain.domid == ui->domains.domid)
			ui->domains.list.at = i;
	return list;
}

static void draw_nothing(struct ui *ui, const struct area *area)
{
	struct top *top = ui->top;

	if (!top->loaded)
		draw_text(area->y + 2, area->x + 6, area->columns - 6, "the store is being read", DRAW_DIM);
	else if (ui->domains.filter[0])
		draw_text(area->y + 2, area->x + 6, area->columns - 6, "no domain has that name: / and "
								       "an empty line show all", DRAW_DIM);
	else if (top->mountpoint.root[1] && strncmp(top->mountpoint.root, "/local", 6) != 0)
		draw_format(area->y + 2, area->x + 6, area->columns - 6, DRAW_DIM,
			    "this mount shows only %s, where no domains are; 2 is the tree",
			    top->mountpoint.root);
	else
		draw_text(area->y + 2, area->x + 6, area->columns - 6, "the store has no domains", DRAW_DIM);
}

void page_domains_draw(struct ui *ui, const struct area *area)
{
	const struct guests *g = &ui->top->guests;
	int devices = area->rows >= 10 ? area->rows * 2 / 5 : 0, rows = area->rows - devices - 2;
	struct area below = { area->y + area->rows - devices, area->x, devices, area->columns };
	struct list_view *v = &ui->domains.list;
	int64_t now = top_now();
	char title[UI_WORD_SIZE + 128];
	size_t n;
	const struct guest **list = view(ui, &n);

	list_fit(v, n, rows);
	ui->page_rows = rows;
	snprintf(title, sizeof(title), "%zu domain%s, %lld MiB, %zu of %zu backends connected, by %s%s%s",
		 g->n_up, g->n_up == 1 ? "" : "s", g->memory_kib / 1024, g->n_connected, g->n_backends,
		 orders[ui->domains.order], ui->domains.filter[0] ? ", only " : "", ui->domains.filter);
	draw_rule(area->y, area->x, area->columns, title);
	draw_heading(area, area->y + 1);
	for (size_t i = v->first; i < n && i < v->first + rows; i++)
		draw_guest(list[i], area, area->y + 2 + (int)(i - v->first), i == v->at, now);
	if (n == 0)
		draw_nothing(ui, area);
	else
		ui->domains.domid = list[v->at]->domain.domid;
	if (devices && n)
		draw_devices(g, list[v->at], &below, now);
	free(list);
}

static void set_filter(struct ui *ui, const char *text)
{
	snprintf(ui->domains.filter, sizeof(ui->domains.filter), "%s", text);
}

bool page_domains_key(struct ui *ui, int key)
{
	char path[PATH_SIZE];
	size_t n;
	const struct guest **list = view(ui, &n);
	bool mine = list_key(&ui->domains.list, key, n, ui->page_rows);

	if (mine && n)
		ui->domains.domid = list[ui->domains.list.at]->domain.domid;
	free(list);
	if (mine)
		return true;
	switch (key) {
	case 's':
		ui->domains.order = (ui->domains.order + 1) % GUESTS_ORDERS;
		return true;
	case '/':
		ui_ask_line(ui, "Only names with: ", ui->domains.filter, set_filter);
		return true;
	case '\r':
	case '\n':
	case KEY_ENTER:
		if (n == 0)
			return true;
		snprintf(path, sizeof(path), "/local/domain/%u", ui->domains.domid);
		page_tree_show(ui, path);
		return true;
	default:
		return false;
	}
}
