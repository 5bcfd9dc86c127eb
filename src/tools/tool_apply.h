/* SPDX-License-Identifier: MIT */
/* Writing through a mount.  For xsfs-set and xsfs-restore, main thread. */
#ifndef SRC_TOOLS_TOOL_APPLY_H
#define SRC_TOOLS_TOOL_APPLY_H

#include "src/tools/changes.h"
#include "src/tools/tool.h"

/* Makes the changes; changes_apply() says how.  Returns 0, TOOL_NO or -errno with a reason. */
int tool_apply(struct tool *t, const struct changes *changes, bool transaction,
	       enum changes_base how, const char *base);

#endif
