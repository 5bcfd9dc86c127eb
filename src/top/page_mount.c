/* SPDX-License-Identifier: MIT */
/* The page of the mount itself: its requests and how fast they are answered, who waits, and its figures.
 * See ui.h. */
#include <curses.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/top/ui.h"

/* Columns of the figures at the right, and of what is left of them at least. */
#define FIGURES 34
#define TYPES_MIN 44

/* From this width on of the requests there is room for their times, where the mount has histograms. */
#define TIMED_MIN 62

/* A longer bar says no more. */
#define BAR_MAX 50

/* Requests that are shown at least, where some wait. */
#define WAITING_ROWS 5

/* ---- requests by type ----------------------------------------------------------------------- */

static int by_rate(const void *a, const void *b)
{
	const struct meter_line *left = *(const struct meter_line *const *)a;
	const struct meter_line *right = *(const struct meter_line *const *)b;

	if (left->rate != right->rate)
		return left->rate < right->rate ? 1 : -1;
	return left->value == right->value ? strcmp(left->name, right->name) :
	       left->value < right->value  ? 1 : -1;
}

/* Microseconds, in few characters. */
static void format_us(char text[16], double us)
{
	if (isinf(us))
		strcpy(text, "long");
	else if (us < 10000)
		snprintf(text, 16, "%.0f us", us);
	else if (us < 10000000)
		snprintf(text, 16, "%.0f ms", us / 1000);
	else
		snprintf(text, 16, "%.0f s", us / 1000000);
}

/* The columns behind the type; the histograms' are there if the mount has them. */
static void draw_type(const struct top *top, const struct meter_line *line, const char *type, int y,
		      int x, int width, double largest)
{
	const struct meter_latency *latency =
		width >= TIMED_MIN ? meter_latency(&top->latencies, "request", type) : NULL;
	char text[32];
	int at = x + 20;
	int bar;

	draw_text(y, x, 19, type, line->rate > 0 ? DRAW_TITLE : DRAW_PLAIN);
	snprintf(text, sizeof(text), "%.0f", line->rate);
	draw_cell(y, at, 8, text, line->rate > 0 ? DRAW_GOOD : DRAW_DIM, true);
	snprintf(text, sizeof(text), "%" PRIu64, line->value);
	draw_cell(y, at + 9, 11, text, DRAW_PLAIN, true);
	at += 21;
	if (latency) {
		format_us(text, latency->p50_us);
		draw_cell(y, at, 9, text, DRAW_PLAIN, true);
		format_us(text, latency->p99_us);
		draw_cell(y, at + 10, 9, text, DRAW_PLAIN, true);
		at += 20;
	}
	bar = x + width - at - 1 < BAR_MAX ? x + width - at - 1 : BAR_MAX;
	for (int i = 1; largest > 0 && i <= line->rate / largest * bar; i++)
		draw_text(y, at + i, 1, draw_signs->bars[8], DRAW_NAME);
}

/* The durations of file operations, if the mount reports them. */
static void draw_operations(const struct top *top, const struct area *area)
{
	char p50[16], p99[16], count[32];
	int row = 0;

	for (size_t i = 0; i < top->latencies.n && row < area->rows; i++) {
		const struct meter_latency *latency = &top->latencies.list[i];

		if (strcmp(latency->family, "operation") != 0)
			continue;
		if (row == 0)
			draw_cell(area->y + row++, area->x, area->columns, "FILE OPERATION", DRAW_HEADING,
				  false);
		if (row == area->rows)
			break;
		format_us(p50, latency->p50_us);
		format_us(p99, latency->p99_us);
		snprintf(count, sizeof(count), "%" PRIu64, latency->count);
		draw_text(area->y + row, area->x, 19, latency->kind, DRAW_PLAIN);
		draw_cell(area->y + row, area->x + 29, 11, count, DRAW_PLAIN, true);
		draw_cell(area->y + row, area->x + 41, 9, p50, DRAW_PLAIN, true);
		draw_cell(area->y + row++, area->x + 51, 9, p99, DRAW_PLAIN, true);
	}
}

static void draw_types(const struct top *top, const struct area *area)
{
	const struct meter_line *list[METER_LINES];
	struct area below = *area;
	const char *type;
	size_t n = 0;

	for (size_t i = 0; i < top->meter.n; i++)
		if (meter_is_request(&top->meter.lines[i], &type))
			list[n++] = &top->meter.lines[i];
	qsort(list, n, sizeof(*list), by_rate);
	draw_cell(area->y, area->x, area->columns, "TYPE OF REQUEST", DRAW_HEADING, false);
	draw_cell(area->y, area->x + 20, 8, "A SECOND", DRAW_HEADING, true);
	draw_cell(area->y, area->x + 29, 11, "IN ALL", DRAW_HEADING, true);
	if (top->latencies.n && area->columns >= TIMED_MIN) {
		draw_cell(area->y, area->x + 41, 9, "P50", DRAW_HEADING, true);
		draw_cell(area->y, area->x + 51, 9, "P99", DRAW_HEADING, true);
	}
	for (size_t i = 0; i < n && (int)i + 1 < area->rows; i++) {
		meter_is_request(list[i], &type);
		draw_type(top, list[i], type, area->y + 1 + (int)i, area->x, area->columns,
			  list[0]->rate);
	}
	below.y += (int)n + 2;
	below.rows -= (int)n + 2;
	if (area->columns >= TIMED_MIN)
		draw_operations(top, &below);
}

/* ---- figures -------------------------------------------------------------------------------- */

/* A figure, of which a second one may be the largest so far; bad: it should be 0. */
static const struct {
	const char *title, *name, *high;
	bool bad;
} figures[] = {
	{ "in flight", "in_flight", "in_flight_high", false },
	{ "waiting to be sent", "queued", "queued_high", false },
	{ "file operations now", "fuse_operations_now", NULL, false },
	{ "open files", "open_files", NULL, false },
	{ "watches in the store", "watches", NULL, false },
	{ "streams", "streams", NULL, false },
	{ "transactions", "transactions", NULL, false },
	{ "raw clients", "raw_clients", NULL, false },
	{ "polls without a watch", "polls_unwatched", NULL, true },
	{ "events", "events", NULL, false },
	{ "errors", "errors", NULL, false },
	{ "conflicts", "transaction_conflicts", NULL, false },
	{ "time-outs", "timeouts", NULL, true },
	{ "given up", "abandoned", NULL, true },
	{ "new connections", "reconnects", NULL, true },
	{ "stream overflows", "stream_overflows", NULL, true },
	{ "inodes", "inodes", NULL, false },
	{ "bytes sent", "bytes_sent", NULL, false },
	{ "bytes received", "bytes_received", NULL, false },
};

static void draw_figures(const struct meter *m, const struct area *area)
{
	char text[64], p50[16], p99[16];
	int row = 0;

	format_us(p50, meter_value(m, "latency_p50_us", 0));
	format_us(p99, meter_value(m, "latency_p99_us", 0));
	snprintf(text, sizeof(text), "%s, %s", p50, p99);
	draw_text(area->y + row, area->x, 16, "p50, p99", DRAW_NAME);
	draw_cell(area->y + row++, area->x + 13, area->columns - 13, text, DRAW_TITLE, true);
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]) && row < area->rows; i++) {
		uint64_t value = meter_value(m, figures[i].name, 0);

		snprintf(text, sizeof(text), "%" PRIu64, value);
		if (figures[i].high)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), " (most %" PRIu64 ")",
				 meter_value(m, figures[i].high, 0));
		draw_text(area->y + row, area->x, 22, figures[i].title, DRAW_NAME);
		draw_cell(area->y + row++, area->x + 22, area->columns - 22, text,
			  figures[i].bad && value ? DRAW_BUSY : DRAW_PLAIN, true);
	}
}

/* ---- the history and who waits -------------------------------------------------------------- */

static void draw_history(const struct top *top, const struct area *area)
{
	struct area bars = { area->y + 1, area->x, area->rows - 1, area->columns };
	double rates[METER_HISTORY];
	size_t n = area->columns < METER_HISTORY ? area->columns : METER_HISTORY;
	double largest = meter_history(&top->meter, rates, n);
	char title[96];

	bars.columns = n;
	snprintf(title, sizeof(title), "requests a second: %.0f now, %.0f at most in %.0f s",
		 top->meter.requests, largest, n * top->interval_ms / 1000.0);
	draw_rule(area->y, area->x, area->columns, title);
	draw_bars(&bars, rates, largest, DRAW_GOOD);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; text && *text; text++)
		n += *text == '\n';
	return n;
}

static void draw_waiting(const struct top *top, const struct area *area)
{
	const char *text = top->requests ? top->requests : "";
	size_t n = count_lines(text);
	char title[64];

	snprintf(title, sizeof(title), n ? "%zu waiting: id, age, state, transaction, type, path" :
					   "nobody waits for the store", n);
	draw_rule(area->y, area->x, area->columns, title);
	for (int row = 1; row < area->rows && *text; row++) {
		size_t len = strcspn(text, "\n");

		draw_value(area->y + row, area->x, area->columns, text, len, false, DRAW_BUSY);
		text += len + (text[len] == '\n');
	}
}

void page_mount_draw(struct ui *ui, const struct area *area)
{
	const struct top *top = ui->top;
	int history = area->rows / 5 + 1;
	int waiting = count_lines(top->requests) ? 1 + WAITING_ROWS : 1;
	int middle;
	struct area part = { area->y, area->x, history, area->columns };

	if (!top->sampled) {
		draw_text(area->y + 2, area->x + 6, area->columns - 6, "the mount does not answer yet", DRAW_DIM);
		return;
	}
	if (waiting > area->rows / 3)
		waiting = area->rows / 3;
	middle = area->rows - history - waiting;
	draw_history(top, &part);
	part.y += history;
	part.rows = middle;
	part.columns = area->columns - FIGURES - 2;
	if (part.columns >= TYPES_MIN)
		draw_types(top, &part);
	part.x = part.columns >= TYPES_MIN ? area->x + area->columns - FIGURES : area->x;
	part.columns = FIGURES;
	draw_figures(&top->meter, &part);
	part = (struct area){ area->y + history + middle, area->x, waiting, area->columns };
	draw_waiting(top, &part);
}
