/* SPDX-License-Identifier: MIT */
/* xsfs-top --batch: a line about the mount and a table of the domains, again and again.  Main thread. */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/tools/tool_table.h"
#include "src/top/ui.h"

static const struct table_column columns[] = {
	{ "ID", "", true },	  { "NAME", "", false },   { "STATE", "", false },
	{ "MEMORY/MiB", "", true }, { "VCPUS", "", true },  { "DEVICES", "", true },
	{ "BACKENDS", "", false },  { 0 },
};

static void add_guest(struct table *table, const struct guest *guest)
{
	const struct domain *domain = &guest->domain;
	long long target = domain->memory_target_kib;
	char text[32];

	table_add_number(table, domain->domid);
	table_add_text(table, domain->name, TEXT_PLAIN);
	table_add_text(table, guest_state(guest), TEXT_PLAIN);
	table_add_number(table, target < 0 ? -1 : target / 1024);
	table_add_number(table, domain->vcpus);
	snprintf(text, sizeof(text), "%u/%u", domain->n_connected, domain->n_devices);
	table_add_text(table, text, TEXT_PLAIN);
	table_add_text(table, guest->backends[0] ? guest->backends : NULL, TEXT_PLAIN);
}

static void print_mount(const struct top *top)
{
	const struct meter *m = &top->meter;
	time_t now = time(NULL);
	char clock[32];
	struct tm tm;

	strftime(clock, sizeof(clock), "%FT%TZ", gmtime_r(&now, &tm));
	printf("%s %s ", clock, top->mountpoint.dir);
	if (top->state == TOP_LOST) {
		printf("lost: %s\n", top->why);
		return;
	}
	printf("%s %s, requests/s %.0f, p50 %" PRIu64 " us, p99 %" PRIu64 " us, in flight %" PRIu64
	       ", streams %" PRIu64 ", transactions %" PRIu64 ", queued %" PRIu64 "\n",
	       m->transport, m->state, m->requests, meter_value(m, "latency_p50_us", 0),
	       meter_value(m, "latency_p99_us", 0), meter_value(m, "in_flight", 0),
	       meter_value(m, "streams", 0), meter_value(m, "transactions", 0),
	       meter_value(m, "queued", 0));
}

static void print_domains(struct top *top)
{
	struct table *table;

	guests_update(&top->guests, &top->mirror, top_now());
	guests_forget(&top->guests, INT64_MAX);
	table = table_new(columns);
	for (size_t i = 0; i < top->guests.n; i++)
		add_guest(table, &top->guests.list[i]);
	table_print(table, stdout, false);
	table_free(table);
}

/* Waits for the first reading of the store and of the figures, or until there is none to be had. */
static void wait_for_first(struct top *top)
{
	struct pollfd news = { .fd = top->news, .events = POLLIN };
	bool ready = false;
	uint64_t count;

	while (!ready) {
		pthread_mutex_lock(&top->lock);
		ready = top->state == TOP_LOST || (top->loaded && top->sampled);
		pthread_mutex_unlock(&top->lock);
		if (ready)
			break;
		poll(&news, 1, -1);
		(void)!read(top->news, &count, sizeof(count));
	}
}

int batch_run(struct top *top, uint64_t count)
{
	const struct timespec pause = { .tv_sec = top->interval_ms / 1000,
					.tv_nsec = top->interval_ms % 1000 * 1000000 };

	wait_for_first(top);
	for (uint64_t i = 0; !ferror(stdout); i++) {
		if (i > 0)
			putchar('\n');
		pthread_mutex_lock(&top->lock);
		mirror_forget(&top->mirror, INT64_MAX);
		print_mount(top);
		if (top->state == TOP_LIVE)
			print_domains(top);
		pthread_mutex_unlock(&top->lock);
		fflush(stdout);
		if (count && i + 1 == count)
			break;
		nanosleep(&pause, NULL);
	}
	return TOOL_OK;
}
