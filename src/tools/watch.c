/* SPDX-License-Identifier: MIT */
/*
 * xsfs-watch: prints the changes at and below keys, with the old value and the new one.
 *
 * An event says "look again".  So the values are remembered: after each event the key is compared
 * with its old value, and after a loss of events all keys are.  The program first subscribes to the
 * keys and then reads them, so that nothing is missed in between.  One thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "ring/wire.h"
#include "src/tools/document.h"
#include "src/tools/tool.h"
#include "src/tools/tool_read.h"
#include "src/tools/tool_stream.h"
#include "src/tools/tool_text.h"

static struct tool tool = {
	.name = "xsfs-watch",
	.usage = "usage: xsfs-watch [-m MOUNT] [--json] [--count N] KEY...",
	.help = "Prints changes at and below keys of a mounted xenstore, with the old value and the new.\n"
		"  KEY                  a path in the store or in the mount, or from where you are;\n"
		"                       @introduceDomain, @releaseDomain, or @releaseDomain/DOMID\n"
		"  -n, --count=N        end after N lines\n"
		"  -j, --json           print an object a line, for programs\n"
		"  -m, --mount=MOUNT    where the store is mounted ($XSFS_MOUNT, or where you are)\n"
		"  -h, --help           print this help\n"
		"  -V, --version        print the version\n"
		"Status 0: N lines were printed; 2: an error.  More: man xsfs-watch",
};

/* A key and its value as last seen. */
struct known {
	char *path;
	char *value; /* owned, as `path` */
	size_t len;
	unsigned round; /* number of the last complete reading that found it */
	UT_hash_handle hh;
};

static struct {
	char (*paths)[PATH_SIZE]; /* the paths that are watched */
	size_t n;
	struct known *known;
	unsigned round;
	uint64_t count; /* lines to print, 0: for ever */
	bool quiet;     /* nothing is printed, because it was so when we started */
	struct stream stream;
} watch;

/* ---- lines ---------------------------------------------------------------------------------- */

enum what { MADE, CHANGED, AGAIN, GONE, PASSED, HAPPENED, OVERFLOW, RESYNC };

static const char *const words[] = { "made",	 "changed",  "again",	 "gone",
				     "passed",	 "happened", "overflow", "resync" };

struct value {
	const char *data; /* NULL: none */
	size_t len;
};

static void print_json(const char *time, enum what what, const char *path, struct value was,
		       struct value is, size_t below)
{
	printf("{\"time\": \"%s\", \"event\": \"%s\"", time, words[what]);
	if (path) {
		printf(", \"path\": ");
		text_put_json(stdout, path, strlen(path));
	}
	if (was.data) {
		printf(", \"old\": ");
		text_put_json(stdout, was.data, was.len);
	}
	if (is.data) {
		printf(", \"new\": ");
		text_put_json(stdout, is.data, is.len);
	}
	if (below)
		printf(", \"below\": %zu", below);
	puts("}");
}

static void put_value(const char *before, struct value value)
{
	fputs(before, stdout);
	text_put_value(stdout, value.data, value.len);
}

static void print_text(const char *time, enum what what, const char *path, struct value was,
		       struct value is, size_t below, bool colour)
{
	static const enum text_style styles[] = {
		[MADE] = TEXT_GOOD, [AGAIN] = TEXT_DIM, [GONE] = TEXT_BAD,
		[PASSED] = TEXT_DIM,	[HAPPENED] = TEXT_GOOD, [OVERFLOW] = TEXT_BAD, [RESYNC] = TEXT_BAD,
	};

	text_put(stdout, time, TEXT_DIM, colour);
	putchar(' ');
	if (path)
		printf("%s ", path);
	if (what != CHANGED)
		text_put(stdout, words[what], styles[what], colour);
	if (what == CHANGED) {
		put_value("", was);
		put_value(" -> ", is);
	} else if (what == MADE || what == AGAIN) {
		put_value(" ", is);
	} else if (what == GONE && was.data) {
		put_value(", was ", was);
	}
	if (below)
		printf(" (and %zu below it)", below);
	if (what == OVERFLOW || what == RESYNC)
		fputs(": changes may be missing above, all differences follow", stdout);
	putchar('\n');
}

/* Prints one line, and ends the program after the last. */
static void tell(enum what what, const char *path, struct value was, struct value is, size_t below)
{
	char text[64], fraction[16];
	struct timespec now;
	struct tm tm;

	if (watch.quiet)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(fraction, sizeof(fraction), "%03ld", now.tv_nsec / 1000000);
	if (tool.json) {
		strftime(text, sizeof(text), "%FT%T.", gmtime_r(&now.tv_sec, &tm));
		strcat(strcat(text, fraction), "Z");
		print_json(text, what, path, was, is, below);
	} else {
		strftime(text, sizeof(text), "%T.", localtime_r(&now.tv_sec, &tm));
		strcat(text, fraction);
		print_text(text, what, path, was, is, below, text_has_colour(stdout));
	}
	if (watch.count && --watch.count == 0)
		exit(tool_end(&tool, TOOL_OK));
}

/* ---- the known keys ------------------------------------------------------------------------- */

static const struct value none = { 0 };

static struct known *find(const char *path)
{
	struct known *known;

	HASH_FIND_STR(watch.known, path, known);
	return known;
}

static void forget(struct known *known)
{
	HASH_DEL(watch.known, known);
	free(known->path);
	free(known->value);
	free(known);
}

/* Takes `value` as the present value of `path`.  Returns 0 or -ENOMEM. */
static int remember(const char *path, char *value, size_t len)
{
	struct known *known = calloc(1, sizeof(*known));

	if (known)
		known->path = strdup(path);
	if (known && known->path) {
		known->value = value;
		known->len = len;
		known->round = watch.round;
		HASH_ADD_KEYPTR(hh, watch.known, known->path, strlen(known->path), known);
		if (known->hh.tbl)
			return 0;
	}
	if (known)
		free(known->path);
	free(known);
	free(value);
	return -ENOMEM;
}

/* Takes the value of a key; `event`: something has happened to the key.  Returns 0 or -ENOMEM. */
static int see(const char *path, char *data, size_t len, bool event)
{
	struct known *known = find(path);
	struct value now = { data, len };

	if (!known) {
		tell(MADE, path, none, now, 0);
		return remember(path, data, len);
	}
	known->round = watch.round;
	if (known->len == len && !memcmp(known->value, data, len)) {
		if (event)
			tell(AGAIN, path, none, now, 0);
		free(data);
		return 0;
	}
	tell(CHANGED, path, (struct value){ known->value, known->len }, now, 0);
	free(known->value);
	known->value = data;
	known->len = len;
	return 0;
}

static bool is_at_or_below(const char *path, const char *top)
{
	size_t len = top[1] ? strlen(top) : 0;

	return !strncmp(path, top, len) && (path[len] == '/' || path[len] == '\0');
}

/* A key, and everything below it, is gone. */
static void see_gone(const char *path)
{
	struct known *top = find(path), *known, *next;
	size_t below = 0;
	bool asked = false;

	HASH_ITER(hh, watch.known, known, next) {
		if (known == top || !is_at_or_below(known->path, path))
			continue;
		below++;
		forget(known);
	}
	if (top)
		tell(GONE, path, (struct value){ top->value, top->len }, none, below);
	else if (below)
		tell(GONE, path, none, none, below);
	for (size_t i = 0; i < watch.n; i++)
		asked = asked || !strcmp(path, watch.paths[i]);
	/* A subscribed path is also told when only a node above it went. */
	if (!top && !below && !asked)
		tell(PASSED, path, none, none, 0);
	if (top)
		forget(top);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Reads a key and everything below it, with many requests under way.  Returns 0, or
 * -errno with a reason. */
static int read_tree(const char *path)
{
	char file[MOUNTPOINT_FILE_SIZE + 8];
	struct changes nodes = { 0 };
	int err;

	mountpoint_node(&tool.mountpoint, path, file);
	strcat(file, "/.json");
	err = document_read(file, path, &nodes, tool.why, sizeof(tool.why));
	for (size_t i = 0; i < nodes.n && !err; i++) {
		struct change *node = &nodes.list[i];
		char *value = node->value ? node->value : strdup("");

		node->value = NULL;
		if (!value || see(node->path, value, node->len, false))
			err = tool_fail(&tool, -ENOMEM, path);
	}
	changes_release(&nodes);
	if (err == -ENOENT || err == -ENOTDIR) {
		tool.why[0] = '\0';
		err = 0;
	}
	return err;
}

/* Reads everything that is watched, and reports the differences. */
static int read_all(void)
{
	struct known *known, *next;
	int err = 0;

	watch.round++;
	for (size_t i = 0; i < watch.n && !err; i++)
		if (!stream_is_special(watch.paths[i]))
			err = read_tree(watch.paths[i]);
	if (err)
		return err;
	HASH_ITER(hh, watch.known, known, next) {
		if (known->round == watch.round)
			continue;
		tell(GONE, known->path, (struct value){ known->value, known->len }, none, 0);
		forget(known);
	}
	return 0;
}

/* ---- events --------------------------------------------------------------------------------- */

static bool is_watched(const char *path)
{
	for (size_t i = 0; i < watch.n; i++)
		if (!strcmp(path, watch.paths[i]) || is_at_or_below(path, watch.paths[i]))
			return true;
	return false;
}

static int take_path(const char *path)
{
	char *value;
	ssize_t len = tool_value(&tool.mountpoint, path, &value);

	if (len >= 0)
		return see(path, value, len, true) ? tool_fail(&tool, -ENOMEM, path) : 0;
	if (len == -ENOENT)
		see_gone(path);
	else if (len != -EACCES)
		return tool_fail(&tool, len, path);
	return 0;
}

static int take_event(const struct stream_event *event)
{
	char path[PATH_SIZE];

	if (event->kind == STREAM_OVERFLOW || event->kind == STREAM_RESYNC) {
		tell(event->kind == STREAM_OVERFLOW ? OVERFLOW : RESYNC, NULL, none, none, 0);
		return read_all();
	}
	snprintf(path, sizeof(path), "%s", event->path);
	if (stream_is_special(path))
		tell(HAPPENED, path, none, none, 0);
	else if (!is_watched(path))
		return 0;
	else if (event->kind == STREAM_DELETED)
		see_gone(path);
	else
		return take_path(path);
	return 0;
}

/* Takes the events that there are.  Returns 0 or -errno. */
static int take_events(void)
{
	struct stream_event event;
	int n;

	while ((n = stream_next(&watch.stream, &tool, &event)) > 0) {
		n = take_event(&event);
		if (n)
			break;
	}
	return n;
}

/* ---- main ----------------------------------------------------------------------------------- */

static int set_count(const char *text)
{
	if (wire_number_parse(text, strlen(text), UINT32_MAX, &watch.count) || !watch.count)
		return tool_complain(&tool, -EINVAL, "--count %s: must be a number from 1", text);
	return 0;
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'n' }, TOOL_OPTIONS, TOOL_JSON_OPTION, { 0 },
	};
	int option, err = 0;

	opterr = 0;
	while (!err && (option = getopt_long(argc, argv, "n:" TOOL_LETTERS TOOL_JSON_LETTER, options,
					     NULL)) != -1)
		err = option == 'n' ? set_count(optarg) : tool_option(&tool, option, argv);
	return !err && optind == argc ? tool_usage_error(&tool) : err;
}

/* Parses the keys and subscribes to them. */
static int subscribe(char **keys, size_t n)
{
	int err = tool_find_mount(&tool, keys[0]);

	watch.paths = calloc(n, sizeof(*watch.paths));
	if (!err && !watch.paths)
		err = tool_fail(&tool, -ENOMEM, keys[0]);
	if (!err)
		err = stream_open(&watch.stream, &tool);
	for (watch.n = 0; watch.n < n && !err; watch.n++) {
		char *path = watch.paths[watch.n];

		if (stream_is_special(keys[watch.n]))
			strcpy(path, keys[watch.n]);
		else
			err = tool_key(&tool, keys[watch.n], path);
		if (!err)
			err = stream_add(&watch.stream, &tool, path);
	}
	return err;
}

/* Changes made before we started are not reported, though some servers send their events
 * a little later. */
static int begin(void)
{
	int err;

	watch.quiet = true;
	err = read_all();
	if (!err)
		err = take_events();
	watch.quiet = false;
	return err;
}

int main(int argc, char **argv)
{
	int err;

	text_init();
	setvbuf(stdout, NULL, _IOLBF, 0);
	err = parse(argc, argv);
	if (!err)
		err = subscribe(argv + optind, argc - optind);
	if (!err)
		err = begin();
	while (!err) {
		err = stream_wait(&watch.stream, &tool, -1);
		if (!err)
			err = take_events();
	}
	return tool_end(&tool, err);
}
