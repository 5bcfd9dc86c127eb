/* SPDX-License-Identifier: MIT */
/*
 * xsfs-restore: makes a tree from a document that .json printed.  One thread.
 *
 * The whole document is checked before anything is written, and then written in a
 * single transaction.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/tools/document.h"
#include "src/tools/tool_apply.h"
#include "src/tools/tool_read.h"
#include "src/tools/tool_text.h"

static struct tool tool = {
	.name = "xsfs-restore",
	.usage = "usage: xsfs-restore [-m MOUNT] [--merge | --replace] [--dry-run] "
		 "[--no-transaction] FILE KEY",
	.help = "Makes KEY of a mounted xenstore, and all below it, as a document of .json says.\n"
		"  FILE                 the document; \"-\": standard input\n"
		"  KEY                  a path in the store or in the mount, or from where you are\n"
		"  -M, --merge          KEY may exist: what is not in FILE stays as it is\n"
		"  -R, --replace        KEY may exist: it is removed first\n"
		"  -n, --dry-run        only check, and print what would be done\n"
		"  -T, --no-transaction write one key after the other\n"
		"  -m, --mount=MOUNT    where the store is mounted ($XSFS_MOUNT, or where you are)\n"
		"  -h, --help           print this help\n"
		"  -V, --version        print the version\n"
		"Status 0: done; 1: KEY exists, or others were faster each time; 2: an error.\n"
		"More: man xsfs-restore",
};

static struct {
	enum changes_base how;
	bool dry_run;
	bool no_transaction;
} choice = { .how = CHANGES_NEW };

static int set_how(enum changes_base how)
{
	if (choice.how != CHANGES_NEW && choice.how != how)
		return tool_usage_error(&tool);
	choice.how = how;
	return 0;
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "merge", no_argument, NULL, 'M' },
		{ "no-transaction", no_argument, NULL, 'T' },
		{ "replace", no_argument, NULL, 'R' },
		TOOL_OPTIONS,
		{ 0 },
	};
	int option, err = 0;

	opterr = 0;
	while (!err && (option = getopt_long(argc, argv, "nMTR" TOOL_LETTERS, options, NULL)) != -1) {
		switch (option) {
		case 'n':
			choice.dry_run = true;
			break;
		case 'M':
			err = set_how(CHANGES_MERGE);
			break;
		case 'R':
			err = set_how(CHANGES_REPLACE);
			break;
		case 'T':
			choice.no_transaction = true;
			break;
		default:
			err = tool_option(&tool, option, argv);
		}
	}
	return !err && argc - optind != 2 ? tool_usage_error(&tool) : err;
}

/* ---- preview -------------------------------------------------------------------------------- */

/* Returns whether the node exists and has a value or children. */
static bool is_used(const char *path)
{
	struct tool_names names;
	char *value;
	bool used = tool_value(&tool.mountpoint, path, &value) > 0;

	free(value);
	if (!used)
		used = tool_children(&tool.mountpoint, path, &names) == 0 && names.n > 0;
	else
		names = (struct tool_names){ 0 };
	tool_names_release(&names);
	return used;
}

static void print_value(const char *word, const struct change *change)
{
	printf("%s %s = ", word, change->path);
	text_put_value(stdout, change->value ? change->value : "", change->value ? change->len : 0);
	if (change->perms)
		printf(" (%s)", change->perms);
	putchar('\n');
}

/* Prints what would happen to one node.  Returns whether anything would, or
 * -errno with a reason. */
static int print_change(const struct change *change, bool removed)
{
	char *old = NULL;
	ssize_t len = removed ? -ENOENT : tool_value(&tool.mountpoint, change->path, &old);
	bool same = len >= 0 && (!change->value || ((size_t)len == change->len &&
						    !memcmp(old, change->value, len)));

	if (len == -ENOENT)
		print_value("make  ", change);
	else if (len >= 0 && (!same || change->perms))
		print_value("change", change);
	free(old);
	if (len < 0 && len != -ENOENT)
		return tool_fail(&tool, len, change->path);
	return !same || change->perms;
}

static int dry_run(const struct changes *changes, const char *base)
{
	bool used = choice.how != CHANGES_MERGE && is_used(base);
	size_t kept = 0;

	if (used && choice.how == CHANGES_NEW)
		return tool_complain(&tool, TOOL_NO, "%s: exists; --merge writes into it, "
						     "--replace removes it first", base);
	if (used)
		printf("remove %s\n", base);
	for (size_t i = 0; i < changes->n; i++) {
		int n = print_change(&changes->list[i], used);

		if (n < 0)
			return n;
		kept += !n;
	}
	printf("%zu nodes, %zu of them as they are\n", changes->n, kept);
	return TOOL_OK;
}

/* ---- main ----------------------------------------------------------------------------------- */

static int write_changes(const struct changes *changes, const char *base)
{
	size_t len;
	int status = tool_apply(&tool, changes, !choice.no_transaction, choice.how, base);

	if (!choice.no_transaction && (status == -ENOSPC || status == -EDQUOT || status == -E2BIG)) {
		len = strlen(tool.why);
		snprintf(tool.why + len, sizeof(tool.why) - len, "; --no-transaction writes one key "
								 "after the other");
	}
	return status;
}

static int restore(const char *file, const char *key)
{
	struct changes changes = { 0 };
	char base[PATH_SIZE];
	int status = tool_find_mount(&tool, key);

	if (!status)
		status = tool_key(&tool, key, base);
	if (!status && choice.how == CHANGES_REPLACE && !strcmp(base, tool.mountpoint.root))
		status = tool_complain(&tool, -EINVAL, "%s: all of the mount cannot be replaced", base);
	if (!status)
		status = document_read(file, base, &changes, tool.why, sizeof(tool.why));
	if (!status)
		status = choice.dry_run ? dry_run(&changes, base) : write_changes(&changes, base);
	changes_release(&changes);
	return status;
}

int main(int argc, char **argv)
{
	int status;

	text_init();
	status = parse(argc, argv);
	if (!status)
		status = restore(argv[optind], argv[optind + 1]);
	return tool_end(&tool, status);
}
