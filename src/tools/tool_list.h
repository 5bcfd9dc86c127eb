/* SPDX-License-Identifier: MIT */
/* The whole of a tool that prints a table about domains: xsfs-ls and xsfs-devices.  One thread. */
#ifndef SRC_TOOLS_TOOL_LIST_H
#define SRC_TOOLS_TOOL_LIST_H

#include "src/tools/tool.h"
#include "src/tools/tool_domains.h"
#include "src/tools/tool_table.h"

/* Adds the rows of one domain to the table, or (NULL) of all. */
typedef void tool_list_add(struct table *table, const struct devices *devices, const struct domains *domains,
			   const struct domain *only);

/*
 * Reads the command line, collects domains and devices, and prints a table with the rows that `add` adds
 * for all domains, or for those that are named.  Returns the status to exit with; a domain that is not there has
 * been complained of.
 */
int tool_list_main(struct tool *tool, int argc, char **argv, const struct table_column *columns,
		   tool_list_add *add);

#endif
