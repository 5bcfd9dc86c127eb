/* SPDX-License-Identifier: MIT */
/* See tool_apply.h. */
#include <errno.h>
#include <string.h>

#include "src/tools/changes_files.h"
#include "src/tools/tool_apply.h"

/* Explains an error of the store's own protocol.  Returns a status or -errno. */
static int explain(struct tool *t, int err, const char *failed, bool transaction)
{
	if (err == -EAGAIN)
		return tool_complain(t, TOOL_NO, "nothing was changed: others changed the same "
						 "nodes meanwhile, each time");
	if (err == -EEXIST && failed)
		return tool_complain(t, TOOL_NO, "%s: exists; --merge writes into it, --replace "
						 "removes it first", failed);
	if (transaction && (err == -ENOSPC || err == -EDQUOT || err == -E2BIG))
		return tool_complain(t, err, "%s: %s; nothing was changed: it does not fit into one "
					     "transaction", failed ? failed : "commit",
				     strerror(-err));
	return tool_complain(t, err, "%s: %s", failed ? failed : "the transaction", strerror(-err));
}

int tool_apply(struct tool *t, const struct changes *changes, bool transaction,
	       enum changes_base how, const char *base)
{
	const char *failed = NULL;
	char file[PATH_MAX + 16];
	struct raw raw = { .fd = -1 };
	int err;

	snprintf(file, sizeof(file), "%s/.xsfs/xenbus", t->mountpoint.dir);
	/* That connection would not know a transaction under way. */
	err = t->mountpoint.tx[0] ? -EACCES : raw_open(&raw, file);
	if (err == -EACCES) {
		err = changes_apply_files(changes, &t->mountpoint, transaction, how, base, &failed);
	} else if (err) {
		return tool_fail(t, err, file);
	} else {
		err = changes_apply(changes, &raw, transaction, how, base, &failed);
		raw_close(&raw);
	}
	return err ? explain(t, err, failed, transaction) : 0;
}
