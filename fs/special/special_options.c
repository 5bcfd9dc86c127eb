/* SPDX-License-Identifier: MIT */
/*
 * `.xsfs/options`: the options of the mount, as -o takes them, one a line.  Without those that concern the program
 * rather than the files (in_flight, seccomp, demo) and the lists (dirs, protect).  remount.c compares words with
 * these lines.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "fs/model/text.h"
#include "fs/op/fs_impl.h"
#include "fs/special/special_files.h"

static void print_options(FILE *out, const struct fs *fs)
{
	const struct fs_config *c = &fs->config;

	fprintf(out, "format=%s\n", fs_format_words[c->format]);
	fprintf(out, "layout=%s\n", fs_layout_words[c->layout]);
	fprintf(out, "cache=%s\n", fs_cache_words[c->cache]);
	fprintf(out, "inotify=%s\n", fs_inotify_words[c->inotify]);
	fprintf(out, "root=%s\n", fs->inodes.root_path);
	fprintf(out, "uid=%u\ngid=%u\numask=%04o\n", c->uid, c->gid, c->umask);
	if (c->allow_other)
		fputs("allow_other\n", out);
	if (c->strict_modes)
		fputs("strict-modes\n", out);
	fprintf(out, "timeout=%u\nthreads=%u\ntx_idle=%u\n", c->timeout_ms / 1000, c->threads, c->tx_idle_s);
	fprintf(out, "streams=%" PRIu64 "\nwatched=%" PRIu64 "\ntransactions=%" PRIu64 "\n", c->streams,
		c->watched / 1024, c->transactions);
	fprintf(out, "log=%s\n", fs->log->debug ? "debug" : "info");
}

static int options_text(struct fs *fs, char **text, size_t *size)
{
	FILE *out = open_memstream(text, size);

	if (!out)
		return -ENOMEM;
	print_options(out, fs);
	return text_close(out, text);
}

const struct special special_options = {
	.name = "options",
	.place = SPECIAL_IN_XSFS,
	.of_mount = true,
	.mode = S_IFREG | 0444,
	.text = options_text,
};
