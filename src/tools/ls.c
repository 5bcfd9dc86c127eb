/* SPDX-License-Identifier: MIT */
/* xsfs-ls: lists the domains that the store knows.  One thread. */
#include <stdlib.h>

#include "src/tools/tool.h"
#include "src/tools/tool_domains.h"
#include "src/tools/tool_table.h"

static struct tool tool = {
	.name = "xsfs-ls",
	.usage = "usage: xsfs-ls [-m MOUNT] [--json] [DOMAIN]...",
	.help = "Lists the domains of a mounted xenstore, or those that are named.\n"
		"  DOMAIN               the number or the name of a domain\n"
		"  -j, --json           print a list of objects, for programs\n"
		"  -m, --mount=MOUNT    where the store is mounted ($XSFS_MOUNT, or where you are)\n"
		"  -h, --help           print this help\n"
		"  -V, --version        print the version\n"
		"Status 0: listed; 1: there is no such domain; 2: an error.  More: man xsfs-ls",
};

static const struct table_column columns[] = {
	{ "ID", "domid", true },
	{ "NAME", "name", false },
	{ "MEMORY/MiB", NULL, true },
	{ NULL, "memory_target_kib", true },
	{ NULL, "memory_max_kib", true },
	{ "VCPUS", "vcpus", true },
	{ "DEVICES", NULL, true },
	{ NULL, "devices", true },
	{ NULL, "devices_connected", true },
	{ "TYPE", "type", false },
	{ "UUID", "uuid", false },
	{ 0 },
};

/* "2/3": how many are connected, of all. */
static void add_devices(struct table *table, const struct domain *domain)
{
	char text[32];

	snprintf(text, sizeof(text), "%u/%u", domain->n_connected, domain->n_devices);
	table_add_text(table, text,
		       domain->n_connected == domain->n_devices ? TEXT_GOOD : TEXT_BUSY);
	table_add_number(table, domain->n_devices);
	table_add_number(table, domain->n_connected);
}

static void add_domain(struct table *table, const struct domain *domain)
{
	long long target = domain->memory_target_kib;

	table_add_number(table, domain->domid);
	table_add_text(table, domain->name, TEXT_PLAIN);
	table_add_number(table, target < 0 ? -1 : target / 1024);
	table_add_number(table, target);
	table_add_number(table, domain->memory_max_kib);
	table_add_number(table, domain->vcpus);
	add_devices(table, domain);
	table_add_text(table, domain->type, TEXT_PLAIN);
	table_add_text(table, domain->uuid, TEXT_PLAIN);
}

/* Adds the domains that are named, or all.  Returns a status. */
static int add_domains(struct table *table, const struct domains *domains, char **words)
{
	int status = TOOL_OK;

	for (size_t i = 0; i < domains->n && !*words; i++)
		add_domain(table, &domains->list[i]);
	for (; *words; words++) {
		const struct domain *domain = domains_find(domains, *words);

		if (domain) {
			add_domain(table, domain);
		} else {
			tool_warn(&tool, "there is no domain %s", *words);
			status = TOOL_NO;
		}
	}
	return status;
}

static int list(char **words)
{
	struct devices devices = { 0 };
	struct domains domains = { 0 };
	struct table *table;
	int status = tool_find_mount(&tool, NULL);

	if (!status)
		status = devices_collect(&tool, &devices);
	if (!status)
		status = domains_collect(&tool, &domains, &devices);
	if (!status) {
		table = table_new(columns);
		status = add_domains(table, &domains, words);
		table_print(table, stdout, tool.json);
		table_free(table);
	}
	domains_release(&domains);
	devices_release(&devices);
	return status;
}

int main(int argc, char **argv)
{
	int status;

	text_init();
	status = tool_options(&tool, argc, argv);
	if (!status)
		status = list(argv + optind);
	return tool_end(&tool, status);
}
