/* SPDX-License-Identifier: MIT */
/*
 * xsfs-set: writes keys, and makes missing ones along with everything above them.  One thread.
 *
 * In the tree of files, making a new key below a leaf takes several steps.  The store's own
 * protocol does it in one WRITE, so that nobody sees it half done; and it writes several keys in
 * one transaction.
 */
#include <errno.h>
#include <string.h>

#include "ring/wire.h"
#include "src/tools/tool_apply.h"

static struct tool tool = {
	.name = "xsfs-set",
	.usage = "usage: xsfs-set [-m MOUNT] KEY VALUE [KEY VALUE]...",
	.help = "Writes keys of a mounted xenstore, in one step; what is missing is made.\n"
		"  KEY                  a path in the store or in the mount, or from where you are\n"
		"  VALUE                its new value, without a newline\n"
		"  -m, --mount=MOUNT    where the store is mounted ($XSFS_MOUNT, or where you are)\n"
		"  -h, --help           print this help\n"
		"  -V, --version        print the version\n"
		"Status 0: written; 1: others were faster each time; 2: an error.  More: man xsfs-set",
};

static int parse(int argc, char **argv)
{
	static const struct option options[] = { TOOL_OPTIONS, { 0 } };
	int option, err = 0;

	opterr = 0;
	while (!err && (option = getopt_long(argc, argv, TOOL_LETTERS, options, NULL)) != -1)
		err = tool_option(&tool, option, argv);
	if (!err && (argc == optind || (argc - optind) % 2))
		err = tool_usage_error(&tool);
	return err;
}

/* Collects the keys. */
static int collect(struct changes *changes, char **words)
{
	char path[PATH_SIZE];
	int err = tool_find_mount(&tool, words[0]);

	for (; !err && *words; words += 2) {
		size_t len = strlen(words[1]);

		err = tool_key(&tool, words[0], path);
		if (!err && strlen(path) + 1 + len > WIRE_PAYLOAD_MAX)
			err = tool_fail(&tool, -EFBIG, path);
		if (!err && changes_add(changes, path, words[1], len, NULL))
			err = tool_fail(&tool, -ENOMEM, path);
	}
	return err;
}

int main(int argc, char **argv)
{
	struct changes changes = { 0 };
	int status = parse(argc, argv);

	if (!status)
		status = collect(&changes, argv + optind);
	if (!status)
		status = tool_apply(&tool, &changes, changes.n > 1, CHANGES_MERGE, NULL);
	changes_release(&changes);
	return tool_end(&tool, status);
}
