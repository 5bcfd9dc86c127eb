/* SPDX-License-Identifier: MIT */
/* xsfs-ls: lists the domains that the store knows.  One thread. */
#include "src/tools/tool_list.h"

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

static void add(struct table *table, const struct devices *devices, const struct domains *domains,
		const struct domain *only)
{
	(void)devices;
	for (size_t i = 0; i < domains->n; i++)
		if (!only || only == &domains->list[i])
			add_domain(table, &domains->list[i]);
}

int main(int argc, char **argv)
{
	return tool_list_main(&tool, argc, argv, columns, add);
}
