/* SPDX-License-Identifier: MIT */
/* `.xsfs/README`, for people who come upon a mount without having read the manual.  One screen. */
#include <errno.h>
#include <string.h>

#include "fs/special/special_files.h"

static const char readme[] =
	"This is a xenstore, mounted by xsfs. A key is a file, or a directory if there\n"
	"are keys below it. The manual: xsfs(5), xsfs(8). Tools: xsfs help.\n"
	"\n"
	"In every directory, mostly not listed:\n"
	"  .value       the directory's own value; listed where it is not empty\n"
	"  .perms       its permissions: n0,r5\n"
	"  .watch       a line for each change at or below it\n"
	"  .next        its next value, after each change\n"
	"  .dump        all that is below it, as xenstore-ls -f prints that\n"
	"  .json        the same as one document\n"
	"\n"
	"In this directory (nodes and tx are not listed):\n"
	"  nodes        the store again, every key a directory, so that it has the above\n"
	"  self         leads to the directory of the domain in which xsfs runs\n"
	"  watch        takes paths, one a line, and gives a line for each change there\n"
	"  transaction  is opened to start one, gives its name, takes commit or abort\n"
	"  tx           has a directory for each of these: the store as it is inside\n"
	"  xenbus       for programs that use libxenstore: XENSTORED_PATH is its path\n"
	"  control      takes requests about domains and the server, and gives answers\n"
	"  stats        counts what the mount does\n"
	"  metrics      the same, as Prometheus and others read it\n"
	"  options      shows how it is mounted\n"
	"  requests     has a line for each request that the store has not answered yet\n"
	"watch, transaction and xenbus have to be opened for reading and writing.\n";

static int readme_text(struct fs *fs, char **text, size_t *size)
{
	(void)fs;
	*text = strdup(readme);
	*size = sizeof(readme) - 1;
	return *text ? 0 : -ENOMEM;
}

const struct special special_readme = {
	.name = "README",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.mode = S_IFREG | 0444,
	.text = readme_text,
};
