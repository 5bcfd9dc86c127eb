/* SPDX-License-Identifier: MIT */
/* The table of special files. */
#include "fs/special/special_files.h"
#include "fs/special/special_table.h"

const struct special *const special_table[] = {
	&special_value,
	&special_perms,
	&special_subtree,
	&special_next,
	&special_dump,
	&special_json,
	&special_xsfs,
	&special_nodes,
	&special_self,
	&special_transaction,
	&special_tx,
	&special_requests,
	&special_stats,
	&special_metrics,
	&special_watch,
	&special_control,
	&special_options,
	&special_xenbus,
	&special_readme,
	NULL,
};
