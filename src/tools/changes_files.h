/* SPDX-License-Identifier: MIT */
/*
 * Changes made through the files of a mount: for users who may not use its `.xsfs/xenbus`, and
 * in a transaction under way, which can only be reached through its directory.  For
 * tool_apply.c, main thread.
 */
#ifndef SRC_TOOLS_CHANGES_FILES_H
#define SRC_TOOLS_CHANGES_FILES_H

#include "src/tools/changes.h"
#include "src/tools/mountpoint.h"

/* Like changes_apply(); in the transaction m->tx if there is one, and `transaction`
 * is ignored then. */
int changes_apply_files(const struct changes *changes, const struct mountpoint *m,
			bool transaction, enum changes_base how, const char *base,
			const char **failed);

#endif
