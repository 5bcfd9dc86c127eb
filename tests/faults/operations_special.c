/* SPDX-License-Identifier: MIT */
/* Operations on the files that are not keys: streams, transactions, documents and the rest. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "tests/faults/operations.h"

static uint64_t fh_of(const struct scene *s)
{
	return s->files[s->count - 1].fh;
}

static uint64_t nodeid_of(const struct scene *s)
{
	return s->files[s->count - 1].nodeid;
}

static int read_last(struct machine *m, struct scene *s, uint64_t offset, uint32_t size)
{
	return kernel_read(m, nodeid_of(s), fh_of(s), offset, size);
}

static int write_last(struct machine *m, struct scene *s, const char *text)
{
	return kernel_write(m, nodeid_of(s), fh_of(s), 0, text, strlen(text));
}

/* Opens what was looked up before. */
static int open_known(struct machine *m, struct scene *s, uint32_t flags)
{
	uint64_t fh;
	int err = kernel_open(m, s->node.nodeid, flags, &fh);

	if (!err)
		scene_keep(s, s->node.nodeid, fh, false);
	return err;
}

/* Reads a file of which nothing is known from its start to its end. */
static int read_all(struct machine *m, struct scene *s)
{
	uint64_t offset = 0;
	int n;

	while ((n = read_last(m, s, offset, 4096)) > 0) {
		say_bytes(m, m->taken->body, n);
		offset += n;
	}
	return n;
}

/* ---- streams ---- */

static int know_watch_of_d(struct machine *m, struct scene *s)
{
	return kernel_walk(m, "/d/.watch", &s->node);
}

static int know_next_of_v(struct machine *m, struct scene *s)
{
	return kernel_walk(m, "/v/.next", &s->node);
}

static int open_stream(struct machine *m, struct scene *s)
{
	return open_known(m, s, O_RDONLY);
}

static int stream_of_d(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/d/.watch", O_RDONLY);
}

static void change_x(struct machine *m)
{
	scene_change(m, XS_WRITE, "/d/x", "changed");
}

static int read_stream(struct machine *m, struct scene *s)
{
	m->stir = change_x;
	return say_read(m, read_last(m, s, 0, 4096));
}

static int poll_stream(struct machine *m, struct scene *s)
{
	int events;

	change_x(m);
	machine_settle(m, 0);
	events = kernel_poll(m, nodeid_of(s), fh_of(s), true);
	if (events < 0)
		return events;
	return events & POLLIN ? 0 : WRONG;
}

static int open_paths(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/.xsfs/watch", O_RDWR);
}

static int write_paths(struct machine *m, struct scene *s)
{
	return write_last(m, s, "/d\n@releaseDomain\n");
}

static int paths_written(struct machine *m, struct scene *s)
{
	int err = open_paths(m, s);

	return err ? err : write_paths(m, s);
}

static int unwrite_path(struct machine *m, struct scene *s)
{
	return write_last(m, s, "-/d\n-@releaseDomain\n");
}

static int release_paths(struct machine *m, struct scene *s)
{
	return scene_close(m, s);
}

static int next_of_v(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/v/.next", O_RDONLY);
}

static void change_v(struct machine *m)
{
	scene_change(m, XS_WRITE, "/v", "next");
}

static int read_next(struct machine *m, struct scene *s)
{
	m->stir = change_v;
	return say_read(m, read_last(m, s, 0, 4096));
}

/* ---- transactions ---- */

static int know_transaction(struct machine *m, struct scene *s)
{
	return kernel_walk(m, "/.xsfs/transaction", &s->node);
}

static int open_transaction(struct machine *m, struct scene *s)
{
	return open_known(m, s, O_RDWR);
}

/* Starts one, and finds its directory. */
static int in_transaction(struct machine *m, struct scene *s)
{
	char path[128];
	int err = scene_open(m, s, "/.xsfs/transaction", O_RDWR), n;

	if (err)
		return err;
	n = read_last(m, s, 0, 64);
	if (n <= 1)
		return n < 0 ? n : WRONG;
	snprintf(path, sizeof(path), "/.xsfs/tx/%.*s", n - 1, m->taken->body);
	return kernel_walk(m, path, &s->dir);
}

static int know_a_inside(struct machine *m, struct scene *s)
{
	int err = in_transaction(m, s);

	return err ? err : kernel_lookup(m, s->dir.nodeid, "a", &s->node);
}

static int lookup_inside(struct machine *m, struct scene *s)
{
	return kernel_lookup(m, s->dir.nodeid, "a", &s->node);
}

static int getattr_inside(struct machine *m, struct scene *s)
{
	int err = kernel_getattr(m, s->node.nodeid, &s->node);

	if (!err)
		say(m, "%u", (unsigned)s->node.size);
	return err;
}

static int open_a_inside(struct machine *m, struct scene *s)
{
	int err = know_a_inside(m, s);

	return err ? err : open_known(m, s, O_RDWR);
}

static int read_inside(struct machine *m, struct scene *s)
{
	return say_read(m, read_last(m, s, 0, 100));
}

static int truncated_inside(struct machine *m, struct scene *s)
{
	int err = know_a_inside(m, s);

	return err ? err : open_known(m, s, O_RDWR | O_TRUNC);
}

static int write_inside(struct machine *m, struct scene *s)
{
	return write_last(m, s, "inside\n");
}

static int mkdir_inside(struct machine *m, struct scene *s)
{
	return kernel_mkdir(m, s->dir.nodeid, "made");
}

static int unlink_inside(struct machine *m, struct scene *s)
{
	return kernel_unlink(m, s->dir.nodeid, "a");
}

static int changed_inside(struct machine *m, struct scene *s)
{
	int err = truncated_inside(m, s);

	return err ? err : write_inside(m, s);
}

static int end_transaction(struct machine *m, struct scene *s, const char *word)
{
	return kernel_write(m, s->files[0].nodeid, s->files[0].fh, 0, word, strlen(word));
}

static int commit(struct machine *m, struct scene *s)
{
	return end_transaction(m, s, "commit\n");
}

static int abort_it(struct machine *m, struct scene *s)
{
	return end_transaction(m, s, "abort\n");
}

static int release_it(struct machine *m, struct scene *s)
{
	return scene_close(m, s);
}

/* ---- documents and small files ---- */

static int open_dump(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/.dump", O_RDONLY);
}

static int open_json(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/d/.json", O_RDONLY);
}

static int open_dump_of_big(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/big/.dump", O_RDONLY);
}

static int open_perms(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/d/.perms", O_RDWR);
}

static int write_perms(struct machine *m, struct scene *s)
{
	return write_last(m, s, "n0,r7\n");
}

static int open_value(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/v/.value", O_RDWR | O_TRUNC);
}

static int read_one(struct machine *m, struct scene *s)
{
	return say_read(m, read_last(m, s, 0, 100));
}

static int write_value(struct machine *m, struct scene *s)
{
	return write_last(m, s, "other\n");
}

static int know_v(struct machine *m, struct scene *s)
{
	return kernel_walk(m, "/v", &s->dir);
}

static int lookup_value(struct machine *m, struct scene *s)
{
	return kernel_lookup(m, s->dir.nodeid, ".value", &s->node);
}

static int unlink_value(struct machine *m, struct scene *s)
{
	return kernel_unlink(m, s->dir.nodeid, ".value");
}

static int know_nodes(struct machine *m, struct scene *s)
{
	return kernel_walk(m, "/.xsfs/nodes/a", &s->dir);
}

static int mkdir_below_value(struct machine *m, struct scene *s)
{
	return kernel_mkdir(m, s->dir.nodeid, "child");
}

static int open_control(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/.xsfs/control", O_RDWR);
}

static int control_path(struct machine *m, struct scene *s)
{
	int err = write_last(m, s, "domain-path 0\n");

	return err ? err : read_one(m, s);
}

static int know_self(struct machine *m, struct scene *s)
{
	return kernel_walk(m, "/.xsfs/self", &s->node);
}

static int readlink_self(struct machine *m, struct scene *s)
{
	return say_read(m, kernel_readlink(m, s->node.nodeid));
}

/* Their contents depend on the fault. */
static int read_reports(struct machine *m, struct scene *s)
{
	static const char *const paths[] = { "/.xsfs/stats", "/.xsfs/metrics", "/.xsfs/requests" };
	int err;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		err = scene_open(m, s, paths[i], O_RDONLY);
		if (!err)
			err = read_last(m, s, 0, 100);
		if (err < 0)
			return err;
	}
	return 0;
}

const struct operation special_operations[] = {
	{ ".watch: open", .prepare = know_watch_of_d, .run = open_stream, .stream = true },
	{ ".watch: read", .prepare = stream_of_d, .run = read_stream, .changes = true, .stream = true },
	{ ".watch: poll", .prepare = stream_of_d, .run = poll_stream, .changes = true, .stream = true },
	{ "watch: write paths", .prepare = open_paths, .run = write_paths },
	{ "watch: take paths away", .prepare = paths_written, .run = unwrite_path },
	{ "watch: release", .prepare = paths_written, .run = release_paths },
	{ ".next: open", .prepare = know_next_of_v, .run = open_stream },
	{ ".next: read", .prepare = next_of_v, .run = read_next, .changes = true, .stream = true },
	{ "transaction: begin", .prepare = know_transaction, .run = open_transaction },
	{ "transaction: lookup", .prepare = in_transaction, .run = lookup_inside },
	{ "transaction: getattr", .prepare = know_a_inside, .run = getattr_inside },
	{ "transaction: read", .prepare = open_a_inside, .run = read_inside },
	{ "transaction: write", .prepare = truncated_inside, .run = write_inside },
	{ "transaction: mkdir", .prepare = in_transaction, .run = mkdir_inside },
	{ "transaction: unlink", .prepare = know_a_inside, .run = unlink_inside },
	{ "transaction: commit", .prepare = changed_inside, .run = commit, .changes = true },
	{ "transaction: abort", .prepare = changed_inside, .run = abort_it },
	{ "transaction: release", .prepare = changed_inside, .run = release_it },
	{ ".dump", .prepare = open_dump, .run = read_all },
	{ ".dump of many names", .prepare = open_dump_of_big, .run = read_all, .big = true },
	{ ".json", .prepare = open_json, .run = read_all },
	{ ".perms: read", .prepare = open_perms, .run = read_one },
	{ ".perms: write", .prepare = open_perms, .run = write_perms, .changes = true },
	{ ".value: lookup", .prepare = know_v, .run = lookup_value },
	{ ".value: write", .prepare = open_value, .run = write_value, .changes = true },
	{ ".value: unlink", .prepare = know_v, .run = unlink_value, .changes = true },
	{ "nodes: mkdir", .prepare = know_nodes, .run = mkdir_below_value, .changes = true },
	{ "control", .prepare = open_control, .run = control_path },
	{ "self", .prepare = know_self, .run = readlink_self },
	{ "stats, metrics, requests", .run = read_reports },
};
const unsigned special_operations_count = sizeof(special_operations) / sizeof(special_operations[0]);
