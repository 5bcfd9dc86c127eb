/* SPDX-License-Identifier: MIT */
/* xsfs-top: shows domains, devices, the tree and the mount on a terminal, as they change.  top.h says which
 * threads there are. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ring/wire.h"
#include "src/top/ui.h"

static struct tool tool = {
	.name = "xsfs-top",
	.usage = "usage: xsfs-top [-m MOUNT] [--delay S] [--batch [--count N]] [KEY]",
	.help = "Shows the domains, the tree and the state of a mounted xenstore, as they change.\n"
		"  KEY                  begin in the tree with a path in the store or in the mount\n"
		"  -b, --batch          print the domains and a line about the mount, again and again\n"
		"  -n, --count=N        end after N times; with --batch\n"
		"  -d, --delay=SECONDS  between two readings of the mount's figures (1)\n"
		"  -m, --mount=MOUNT    where the store is mounted ($XSFS_MOUNT, or where you are)\n"
		"  -h, --help           print this help\n"
		"  -V, --version        print the version\n"
		"Keys: ? shows them.  Status 0: the user ended it; 2: an error.  More: man xsfs-top",
};

static struct {
	bool batch;
	uint64_t count;
	double delay;
} wanted = { .delay = 1 };

static int set_count(const char *text)
{
	if (wire_number_parse(text, strlen(text), UINT32_MAX, &wanted.count) || !wanted.count)
		return tool_complain(&tool, -EINVAL, "--count %s: must be a number from 1", text);
	return 0;
}

static int set_delay(const char *text)
{
	char *end;

	wanted.delay = strtod(text, &end);
	if (end == text || *end || !(wanted.delay >= 0.1 && wanted.delay <= 86400))
		return tool_complain(&tool, -EINVAL, "--delay %s: must be seconds from 0.1 to 86400", text);
	return 0;
}

static int take_option(int option, char **argv)
{
	switch (option) {
	case 'b':
		wanted.batch = true;
		return 0;
	case 'n':
		return set_count(optarg);
	case 'd':
		return set_delay(optarg);
	default:
		return tool_option(&tool, option, argv);
	}
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "batch", no_argument, NULL, 'b' },
		{ "count", required_argument, NULL, 'n' },
		{ "delay", required_argument, NULL, 'd' },
		TOOL_OPTIONS,
		{ 0 },
	};
	int option, err = 0;

	opterr = 0;
	while (!err && (option = getopt_long(argc, argv, "bn:d:" TOOL_LETTERS, options, NULL)) != -1)
		err = take_option(option, argv);
	if (!err && (argc - optind > 1 || (wanted.count && !wanted.batch) ||
		     (wanted.batch && optind < argc)))
		err = tool_usage_error(&tool);
	return err;
}

int main(int argc, char **argv)
{
	static struct top top;
	char path[PATH_SIZE];
	const char *key;
	int status;

	text_init();
	status = parse(argc, argv);
	key = argv[optind];
	if (!status)
		status = tool_find_mount(&tool, key);
	if (!status && key)
		status = tool_key(&tool, key, path);
	if (!status)
		status = top_start(&top, &tool, (int64_t)(wanted.delay * 1000));
	if (!status)
		status = wanted.batch ? batch_run(&top, wanted.count) :
					screen_run(&top, key ? path : NULL);
	return tool_end(&tool, status);
}
