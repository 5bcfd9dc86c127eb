/* SPDX-License-Identifier: MIT */
/* Tables about domains. */
#include "src/tools/tool_list.h"

/* Adds what was asked for.  Returns a status; *found: there is something to print. */
static int add_domains(struct tool *tool, struct table *table, const struct devices *devices,
		       const struct domains *domains, char **words, tool_list_add *add, bool *found)
{
	int status = TOOL_OK;

	*found = !*words;
	if (!*words)
		add(table, devices, domains, NULL);
	for (; *words; words++) {
		const struct domain *domain = domains_find(domains, *words);

		if (domain) {
			add(table, devices, domains, domain);
			*found = true;
		} else {
			tool_warn(tool, "there is no domain %s", *words);
			status = TOOL_NO;
		}
	}
	return status;
}

static int list(struct tool *tool, char **words, const struct table_column *columns, tool_list_add *add)
{
	struct devices devices = { 0 };
	struct domains domains = { 0 };
	struct table *table;
	bool found;
	int status = tool_find_mount(tool, NULL);

	if (!status)
		status = devices_collect(tool, &devices);
	if (!status)
		status = domains_collect(tool, &domains, &devices);
	if (!status) {
		table = table_new(columns);
		status = add_domains(tool, table, &devices, &domains, words, add, &found);
		/* A program gets its list, even if that is empty; for people a head without a row says nothing. */
		if (found || tool->json)
			table_print(table, stdout, tool->json);
		table_free(table);
	}
	domains_release(&domains);
	devices_release(&devices);
	return status;
}

int tool_list_main(struct tool *tool, int argc, char **argv, const struct table_column *columns,
		   tool_list_add *add)
{
	int status;

	text_init();
	status = tool_options(tool, argc, argv);
	if (!status)
		status = list(tool, argv + optind, columns, add);
	return tool_end(tool, status);
}
