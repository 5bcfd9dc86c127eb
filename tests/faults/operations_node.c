/* SPDX-License-Identifier: MIT */
/* Operations on nodes of the store. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/faults/operations.h"

#define ROOT FUSE_ROOT_ID

/* Says what the caller sees of a file. */
static int say_node(struct machine *m, int err, const struct node *node)
{
	if (!err)
		say(m, "%o %u\n", node->mode & S_IFMT, (unsigned)node->size);
	return err;
}

/* Says an error that is the right answer. */
static int say_refusal(struct machine *m, int err, int right)
{
	if (err != right)
		return err ? err : WRONG;
	say(m, "%s\n", strerror(-right));
	return 0;
}

/* ---- asking ---- */

static int lookup(struct machine *m, struct scene *s)
{
	return say_node(m, kernel_lookup(m, ROOT, "a", &s->node), &s->node);
}

static int lookup_dir(struct machine *m, struct scene *s)
{
	return say_node(m, kernel_lookup(m, ROOT, "d", &s->node), &s->node);
}

static int lookup_missing(struct machine *m, struct scene *s)
{
	return say_refusal(m, kernel_lookup(m, ROOT, "missing", &s->node), -ENOENT);
}

static int know_a(struct machine *m, struct scene *s)
{
	return kernel_walk(m, "/a", &s->node);
}

static int know_d(struct machine *m, struct scene *s)
{
	return kernel_walk(m, "/d", &s->dir);
}

static int getattr(struct machine *m, struct scene *s)
{
	return say_node(m, kernel_getattr(m, s->node.nodeid, &s->node), &s->node);
}

static int getattr_dir(struct machine *m, struct scene *s)
{
	return say_node(m, kernel_getattr(m, s->dir.nodeid, &s->dir), &s->dir);
}

static int touch(struct machine *m, struct scene *s)
{
	return kernel_touch(m, s->node.nodeid);
}

static int statfs_root(struct machine *m, struct scene *s)
{
	(void)s;
	return kernel_statfs(m);
}

/* ---- directories ---- */

static int opendir_root(struct machine *m, struct scene *s)
{
	uint64_t fh;
	int err = kernel_opendir(m, ROOT, &fh);

	if (!err)
		scene_keep(s, ROOT, fh, true);
	return err;
}

static int list(struct machine *m, struct scene *s, uint64_t nodeid)
{
	size_t len;
	char *names;
	uint64_t fh;
	int err = kernel_opendir(m, nodeid, &fh);

	if (err)
		return err;
	scene_keep(s, nodeid, fh, true);
	err = kernel_readdir(m, nodeid, fh, &names, &len);
	for (size_t at = 0; at < len; at += strlen(names + at) + 1)
		say(m, "%s\n", names + at);
	free(names);
	return err;
}

static int readdir_root(struct machine *m, struct scene *s)
{
	return list(m, s, ROOT);
}

static int know_v(struct machine *m, struct scene *s)
{
	return kernel_walk(m, "/v", &s->dir);
}

static int know_big(struct machine *m, struct scene *s)
{
	return kernel_walk(m, "/big", &s->dir);
}

static int readdir_known(struct machine *m, struct scene *s)
{
	return list(m, s, s->dir.nodeid);
}

/* ---- reading ---- */

static int open_a(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/a", O_RDWR);
}

static int open_read(struct machine *m, struct scene *s)
{
	uint64_t fh;
	int err = kernel_open(m, s->node.nodeid, O_RDONLY, &fh);

	if (!err)
		scene_keep(s, s->node.nodeid, fh, false);
	return err;
}

static int read_value(struct machine *m, struct scene *s)
{
	return say_read(m, kernel_read(m, s->node.nodeid, s->files[0].fh, 0, 100));
}

static int read_begun(struct machine *m, struct scene *s)
{
	int n = open_a(m, s);

	return n ? n : kernel_read(m, s->node.nodeid, s->files[0].fh, 0, 2) < 0;
}

static int read_rest(struct machine *m, struct scene *s)
{
	return say_read(m, kernel_read(m, s->node.nodeid, s->files[0].fh, 2, 100));
}

static int poll_first(struct machine *m, struct scene *s)
{
	int events = kernel_poll(m, s->node.nodeid, s->files[0].fh, true);

	if (events < 0)
		return events;
	return (events & (POLLIN | POLLPRI)) == (POLLIN | POLLPRI) ? 0 : WRONG;
}

static int poll_seen_value(struct machine *m, struct scene *s)
{
	int err = read_begun(m, s);

	return err ? err : kernel_read(m, s->node.nodeid, s->files[0].fh, 0, 100) < 0;
}

static void change_a(struct machine *m)
{
	scene_change(m, XS_WRITE, "/a", "changed");
}

static int poll_changed(struct machine *m, struct scene *s)
{
	int err;

	change_a(m);
	/* What no watch tells is looked at once a second. */
	machine_settle(m, 0);
	err = poll_first(m, s);
	if (err != WRONG)
		return err;
	machine_settle(m, 2000);
	return poll_first(m, s);
}

/* ---- writing ---- */

static int open_truncated(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/a", O_RDWR | O_TRUNC);
}

static int write_whole(struct machine *m, struct scene *s)
{
	return kernel_write(m, s->node.nodeid, s->files[0].fh, 0, "new\n", 4);
}

static int open_append(struct machine *m, struct scene *s)
{
	return scene_open(m, s, "/a", O_WRONLY | O_APPEND);
}

static int write_append(struct machine *m, struct scene *s)
{
	return kernel_write(m, s->node.nodeid, s->files[0].fh, 6, "more\n", 5);
}

static int write_middle(struct machine *m, struct scene *s)
{
	return kernel_write(m, s->node.nodeid, s->files[0].fh, 2, "PH", 2);
}

static int truncate_short(struct machine *m, struct scene *s)
{
	return kernel_truncate(m, s->node.nodeid, 0, 2);
}

static int truncate_empty(struct machine *m, struct scene *s)
{
	return kernel_truncate(m, s->node.nodeid, 0, 0);
}

static int ftruncate_empty(struct machine *m, struct scene *s)
{
	return kernel_truncate(m, s->node.nodeid, s->files[0].fh, 0);
}

static int fsync_truncated(struct machine *m, struct scene *s)
{
	return kernel_fsync(m, s->node.nodeid, s->files[0].fh);
}

static int flush_truncated(struct machine *m, struct scene *s)
{
	int err = kernel_truncate(m, s->node.nodeid, s->files[0].fh, 0);

	return err ? err : kernel_flush(m, s->node.nodeid, s->files[0].fh);
}

static int release_truncated(struct machine *m, struct scene *s)
{
	return scene_close(m, s);
}

static int setxattr_value(struct machine *m, struct scene *s)
{
	return kernel_setxattr(m, s->node.nodeid, "user.xenstore.value", "raw", 3);
}

static int getxattr_value(struct machine *m, struct scene *s)
{
	return say_read(m, kernel_getxattr(m, s->node.nodeid, "user.xenstore.value"));
}

static int setxattr_perms(struct machine *m, struct scene *s)
{
	return kernel_setxattr(m, s->node.nodeid, "user.xenstore.perms", "n0,r5", 5);
}

static int getxattr_perms(struct machine *m, struct scene *s)
{
	return say_read(m, kernel_getxattr(m, s->node.nodeid, "user.xenstore.perms"));
}

static int listxattr_a(struct machine *m, struct scene *s)
{
	return say_read(m, kernel_listxattr(m, s->node.nodeid));
}

/* ---- making ---- */

static int create(struct machine *m, struct scene *s, uint32_t flags)
{
	uint64_t fh;
	int err = kernel_create(m, s->dir.nodeid, "made", flags, &s->node, &fh);

	if (!err)
		scene_keep(s, s->node.nodeid, fh, false);
	return err;
}

static int create_exclusive(struct machine *m, struct scene *s)
{
	return create(m, s, O_WRONLY | O_CREAT | O_EXCL);
}

static int create_only(struct machine *m, struct scene *s)
{
	int err = know_d(m, s);

	return err ? err : create(m, s, O_RDWR | O_CREAT);
}

static int create_plain(struct machine *m, struct scene *s)
{
	return create(m, s, O_RDWR | O_CREAT);
}

static int make_file(struct machine *m, struct scene *s)
{
	return kernel_mknod(m, s->dir.nodeid, "made");
}

static int make_dir(struct machine *m, struct scene *s)
{
	return kernel_mkdir(m, s->dir.nodeid, "made");
}

static int make_existing(struct machine *m, struct scene *s)
{
	return say_refusal(m, kernel_mkdir(m, s->dir.nodeid, "x"), -EEXIST);
}

/* ---- removing and moving ---- */

static int know_x(struct machine *m, struct scene *s)
{
	int err = know_d(m, s);

	return err ? err : kernel_lookup(m, s->dir.nodeid, "x", &s->node);
}

static int unlink_x(struct machine *m, struct scene *s)
{
	return kernel_unlink(m, s->dir.nodeid, "x");
}

static int made_dir(struct machine *m, struct scene *s)
{
	int err = know_d(m, s);

	return err ? err : make_dir(m, s);
}

static int rmdir_made(struct machine *m, struct scene *s)
{
	return kernel_rmdir(m, s->dir.nodeid, "made");
}

static int rmdir_full(struct machine *m, struct scene *s)
{
	(void)s;
	return say_refusal(m, kernel_rmdir(m, ROOT, "d"), -ENOTEMPTY);
}

static int rename_file(struct machine *m, struct scene *s)
{
	return kernel_rename(m, s->dir.nodeid, "x", ROOT, "moved", 0);
}

static int rename_over(struct machine *m, struct scene *s)
{
	return kernel_rename(m, s->dir.nodeid, "x", ROOT, "a", 0);
}

static int rename_dir(struct machine *m, struct scene *s)
{
	(void)s;
	return kernel_rename(m, ROOT, "d", ROOT, "moved", 0);
}

static int rename_noreplace(struct machine *m, struct scene *s)
{
	return say_refusal(m, kernel_rename(m, s->dir.nodeid, "x", ROOT, "a", 1 /* RENAME_NOREPLACE */), -EEXIST);
}

const struct operation node_operations[] = {
	{ "lookup", .run = lookup },
	{ "lookup of a directory", .run = lookup_dir },
	{ "lookup of what is not there", .run = lookup_missing },
	{ "getattr", .prepare = know_a, .run = getattr },
	{ "getattr of a directory", .prepare = know_d, .run = getattr_dir },
	{ "setattr: times", .prepare = know_a, .run = touch },
	{ "statfs", .run = statfs_root },
	{ "opendir", .run = opendir_root },
	{ "readdir", .run = readdir_root },
	{ "readdir of one with a value", .prepare = know_v, .run = readdir_known },
	{ "readdir of many names", .prepare = know_big, .run = readdir_known, .big = true },
	{ "open", .prepare = know_a, .run = open_read },
	{ "read at 0", .prepare = open_a, .run = read_value },
	{ "read on", .prepare = read_begun, .run = read_rest },
	{ "poll, the first", .prepare = open_a, .run = poll_first },
	{ "poll after a change", .prepare = poll_seen_value, .run = poll_changed, .changes = true },
	{ "write at 0", .prepare = open_truncated, .run = write_whole, .changes = true },
	{ "write at the end", .prepare = open_append, .run = write_append, .changes = true },
	{ "write in the middle", .prepare = open_a, .run = write_middle, .changes = true },
	{ "truncate", .prepare = know_a, .run = truncate_short, .changes = true },
	{ "truncate to nothing", .prepare = know_a, .run = truncate_empty, .changes = true },
	{ "ftruncate to nothing", .prepare = open_a, .run = ftruncate_empty },
	{ "fsync of nothing", .prepare = open_truncated, .run = fsync_truncated, .changes = true },
	{ "flush of nothing", .prepare = open_a, .run = flush_truncated, .changes = true, .later = true },
	{ "release of nothing", .prepare = open_truncated, .run = release_truncated, .changes = true, .later = true },
	{ "setxattr: value", .prepare = know_a, .run = setxattr_value, .changes = true },
	{ "getxattr: value", .prepare = know_a, .run = getxattr_value },
	{ "setxattr: permissions", .prepare = know_a, .run = setxattr_perms, .changes = true },
	{ "getxattr: permissions", .prepare = know_a, .run = getxattr_perms },
	{ "listxattr", .prepare = know_a, .run = listxattr_a },
	{ "create", .prepare = know_d, .run = create_plain },
	{ "create exclusively", .prepare = know_d, .run = create_exclusive, .changes = true },
	{ "first write", .prepare = create_only, .run = write_whole, .changes = true },
	{ "mknod", .prepare = know_d, .run = make_file, .changes = true },
	{ "mkdir", .prepare = know_d, .run = make_dir, .changes = true },
	{ "mkdir of what is there", .prepare = know_d, .run = make_existing },
	{ "unlink", .prepare = know_x, .run = unlink_x, .changes = true },
	{ "rmdir", .prepare = made_dir, .run = rmdir_made, .changes = true },
	{ "rmdir of a full one", .prepare = know_d, .run = rmdir_full },
	{ "rename", .prepare = know_x, .run = rename_file, .changes = true },
	{ "rename over a file", .prepare = know_x, .run = rename_over, .changes = true },
	{ "rename of a directory", .prepare = know_d, .run = rename_dir, .changes = true },
	{ "rename, not replacing", .prepare = know_x, .run = rename_noreplace },
};
const unsigned node_operations_count = sizeof(node_operations) / sizeof(node_operations[0]);
