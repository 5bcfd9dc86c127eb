/* SPDX-License-Identifier: MIT */
/* xsfs-devices: lists devices with the states of both halves.  One thread. */
#include "src/tools/tool_list.h"

static struct tool tool = {
	.name = "xsfs-devices",
	.usage = "usage: xsfs-devices [-m MOUNT] [--json] [DOMAIN]...",
	.help = "Lists the devices of the domains of a mounted xenstore, or of those that are named.\n"
		"  DOMAIN               the number or the name of a domain\n"
		"  -j, --json           print a list of objects, for programs\n"
		"  -m, --mount=MOUNT    where the store is mounted ($XSFS_MOUNT, or where you are)\n"
		"  -h, --help           print this help\n"
		"  -V, --version        print the version\n"
		"Status 0: listed; 1: there is no such domain; 2: an error.  More: man xsfs-devices",
};

static const struct table_column columns[] = {
	{ "ID", "domid", true },
	{ "NAME", "name", false },
	{ "TYPE", "type", false },
	{ "HANDLE", "handle", false },
	{ "FRONTEND", "frontend_state", false },
	{ "BACKEND", "backend_state", false },
	{ NULL, "frontend", false },
	{ "BACKEND PATH", "backend", false },
	{ 0 },
};

static void add_state(struct table *table, int state)
{
	if (state < 0)
		table_add_none(table);
	else
		table_add_text(table, device_state_name(state), device_state_style(state));
}

static void add_device(struct table *table, const struct device *device, const char *name)
{
	table_add_number(table, device->domid);
	table_add_text(table, name, TEXT_PLAIN);
	table_add_text(table, device->type, TEXT_PLAIN);
	table_add_text(table, device->handle, TEXT_PLAIN);
	add_state(table, device->frontend_state);
	add_state(table, device->backend_state);
	table_add_text(table, device->frontend, TEXT_PLAIN);
	table_add_text(table, device->backend, TEXT_PLAIN);
}

/* Adds the devices of one domain, or all if that is NULL. */
static void add_devices(struct table *table, const struct devices *devices,
			const struct domains *domains, const struct domain *only)
{
	for (size_t i = 0; i < devices->n; i++) {
		const struct device *device = &devices->list[i];
		const struct domain *domain = only;

		if (only && device->domid != only->domid)
			continue;
		for (size_t d = 0; d < domains->n && !domain; d++)
			if (domains->list[d].domid == device->domid)
				domain = &domains->list[d];
		/* A backend may outlive its domain. */
		add_device(table, device, domain ? domain->name : NULL);
	}
}

int main(int argc, char **argv)
{
	return tool_list_main(&tool, argc, argv, columns, add_devices);
}
