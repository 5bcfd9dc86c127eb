/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target for the parsers of texts that are not the store's protocol (fuzz_wire.c has those): the command
 * line, patterns, listings in parts, the kernel's tables, documents, statistics.  The first byte chooses one,
 * the rest is its input.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs/model/name.h"
#include "fs/model/name_parts.h"
#include "fs/model/patterns.h"
#include "fs/mountinfo.h"
#include "fs/special/print.h"
#include "ring/xen_find.h"
#include "src/log_text.h"
#include "src/options.h"
#include "src/store_source.h"
#include "src/tools/document.h"
#include "src/top/meter.h"
#include "tests/fuzz.h"

/* What is read instead of /proc/self/mountinfo. */
static char *mounts;
static size_t mounts_len;

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);

FILE *__wrap_fopen(const char *path, const char *mode)
{
	if (mounts && !strcmp(path, "/proc/self/mountinfo"))
		return fmemopen(mounts, mounts_len, "r");
	return __real_fopen(path, mode);
}

/* The input as a file, whose name is written to `name`.  Returns its descriptor. */
static int as_file(const char *text, size_t len, char name[64])
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	assert(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	snprintf(name, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* A command line, whose words end with a newline. */
static void fuzz_options(char *text, size_t len)
{
	char name[] = "xsfs", *argv[10] = { name }, *rest = text, why[256];
	struct store_spec spec;
	struct options options;
	int argc = 1, err;

	(void)len;
	while (argc < 9 && rest)
		argv[argc++] = strsep(&rest, "\n");
	memset(why, 'x', sizeof(why));
	err = options_parse(&options, argc, argv, why, sizeof(why));
	assert(err == 0 || err == -EINVAL);
	if (err)
		assert(memchr(why, '\0', sizeof(why)) && why[0]);
	if (!err && !options.help && !options.version) {
		assert(options.mountpoint && options.root[0] == '/');
		assert(!options.dirs || patterns_option_is_legal(options.dirs));
		assert(!options.protect || patterns_option_is_legal(options.protect));
		assert(options.threads >= 1);
		assert(options.fuse);
	}
	options_free(&options);
	if (argc > 1)
		store_spec_parse(&spec, argv[1], why, sizeof(why));
}

/* Patterns, and behind a newline a path. */
static void fuzz_patterns(char *text, size_t len)
{
	static const char *const builtin[] = { "/local/domain/*", NULL };
	struct patterns patterns;
	char *path = text, *option = strsep(&path, "\n");

	(void)len;
	if (!patterns_option_is_legal(option))
		return;
	assert(patterns_init(&patterns, builtin, option) == 0);
	patterns_are_empty(&patterns);
	if (path && path[0] == '/') {
		patterns_have(&patterns, path);
		if (path[1])
			patterns_have_below(&patterns, path);
	}
	patterns_deinit(&patterns);
}

/* Replies, each with its length before it. */
static void fuzz_name_parts(char *text, size_t len)
{
	struct fuzz in = { (const uint8_t *)text, (const uint8_t *)text + len };
	struct name_parts parts = { 0 };
	char part[255];
	int state = NAME_PARTS_MORE;

	while (state == NAME_PARTS_MORE && !fuzz_is_over(&in)) {
		len = fuzz_bytes(&in, part, sizeof(part));
		state = name_parts_add(&parts, part, len);
		assert(parts.len <= parts.max && parts.len <= NAME_PARTS_MAX);
	}
	name_parts_deinit(&parts);
}

static bool look(const struct mountinfo *m, void *arg)
{
	(void)arg;
	assert(memchr(m->root, '\0', sizeof(m->root)));
	assert(memchr(m->point, '\0', sizeof(m->point)));
	assert(memchr(m->flags, '\0', sizeof(m->flags)));
	return false;
}

static void fuzz_mountinfo(char *text, size_t len)
{
	if (!len)
		return;
	mounts = text;
	mounts_len = len;
	mountinfo_each(look, NULL);
	mountinfo_is_mounted_on(0, 20, "/a");
	mounts = NULL;
}

/* A list of symbols, a NUL, and a core. */
static void fuzz_start_info(char *text, size_t len)
{
	/* Without the libraries of Xen there is nobody to read it. */
	struct xen_finder finder __attribute__((unused)) = { 0 };
	struct xen_place place __attribute__((unused)) = { 0 };
	char symbols[64], core[64];
	char *end = memchr(text, '\0', len);
	int fds[2];

	if (!end)
		return;
	fds[0] = as_file(text, end - text, symbols);
	fds[1] = as_file(end + 1, text + len - (end + 1), core);
#ifdef HAVE_XEN
	if (!xen_find_start_info(&finder, symbols, core, &place))
		assert(place.gfn && place.port);
#endif
	close(fds[0]);
	close(fds[1]);
}

static void fuzz_document(char *text, size_t len)
{
	struct changes changes = { 0 };
	char file[64], why[512];
	int fd = as_file(text, len, file);

	if (!document_read(file, "/base", &changes, why, sizeof(why))) {
		assert(changes.n);
		for (size_t i = 0; i < changes.n; i++)
			assert(path_is_legal(changes.list[i].path));
	}
	changes_release(&changes);
	close(fd);
}

static void fuzz_meter(char *text, size_t len)
{
	static struct meter meter;
	static struct meter_latencies latencies;

	(void)len;
	memset(&meter, 0, sizeof(meter));
	meter_take(&meter, text, 1000);
	meter_take(&meter, text, 2000);
	assert(meter.n <= METER_LINES);
	meter_latencies(&latencies, text);
	assert(latencies.n <= METER_KINDS);
}

/* Returns whether characters of three bytes change the direction of a text, or end a line. */
static bool is_dangerous(const unsigned char *c)
{
	unsigned code = (c[0] & 0xfu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);

	return (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069);
}

static void fuzz_log_text(char *text, size_t len)
{
	char line[128];
	const unsigned char *c = (const unsigned char *)line;
	size_t n;

	log_text_escape(line, len % sizeof(line) + 1, text);
	assert(strlen(line) <= len % sizeof(line));
	for (; *c; c += n) {
		n = print_utf8_sequence(c, strlen((const char *)c));
		assert(n && *c >= ' ' && *c != 0x7f);
		/* C1 controls, and U+061C. */
		assert(n != 2 || ((c[0] != 0xc2 || c[1] >= 0xa0) && (c[0] != 0xd8 || c[1] != 0x9c)));
		assert(n != 3 || !is_dangerous(c));
	}
}

#define TARGETS 8

/* 'a' is 97, one more than a multiple of 8: "h" to "o" choose these in order. */
static void (*const targets[TARGETS])(char *text, size_t len) = {
	fuzz_options, fuzz_patterns, fuzz_name_parts, fuzz_mountinfo,
	fuzz_start_info, fuzz_document, fuzz_meter, fuzz_log_text,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;

	if (!size)
		return 0;
	/* A copy that ends with a NUL: one byte more is seen. */
	copy = malloc(size);
	assert(copy);
	memcpy(copy, data + 1, size - 1);
	copy[size - 1] = '\0';
	targets[data[0] % TARGETS](copy, size - 1);
	free(copy);
	return 0;
}
