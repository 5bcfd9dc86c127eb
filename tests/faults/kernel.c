/* SPDX-License-Identifier: MIT */
/* The requests of kernel.h, as linux/fuse.h lays them out. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/faults/kernel.h"
#include "tests/faults/memory.h"

#define READDIR_SIZE 4096

/* Asks, and returns the error; the answer is m->taken. */
static int ask(struct machine *m, uint32_t opcode, uint64_t nodeid, const struct iovec *args, int count)
{
	const struct machine_answer *answer;

	m->waiting = machine_ask(m, opcode, nodeid, args, count);
	answer = machine_await(m, m->waiting);
	if (!answer)
		return NO_ANSWER;
	m->waiting = 0;
	/* No kernel takes anything else for an error. */
	if (answer->error > 0 || answer->error <= -512)
		abort();
	return answer->error;
}

/* The same with a struct and a name. */
static int ask_named(struct machine *m, uint32_t opcode, uint64_t nodeid, const void *arg, size_t size, const char *name)
{
	const struct iovec args[] = { { (void *)arg, size }, { (void *)name, strlen(name) + 1 } };

	return ask(m, opcode, nodeid, args, 2);
}

static int ask_arg(struct machine *m, uint32_t opcode, uint64_t nodeid, const void *arg, size_t size)
{
	const struct iovec args[] = { { (void *)arg, size } };

	return ask(m, opcode, nodeid, args, 1);
}

static const void *body(struct machine *m, size_t size)
{
	if (m->taken->len < size)
		abort();
	return m->taken->body;
}

static void node_from_attr(struct node *node, const struct fuse_attr *attr)
{
	node->size = attr->size;
	node->mode = attr->mode;
}

static void node_from_entry(struct machine *m, struct node *node)
{
	const struct fuse_entry_out *out = body(m, sizeof(*out));

	node->nodeid = out->nodeid;
	node_from_attr(node, &out->attr);
}

int kernel_lookup(struct machine *m, uint64_t parent, const char *name, struct node *node)
{
	int err = ask_named(m, FUSE_LOOKUP, parent, NULL, 0, name);

	if (!err)
		node_from_entry(m, node);
	return err;
}

int kernel_walk(struct machine *m, const char *path, struct node *node)
{
	char copy[1024], *rest = copy, *name;
	int err = 0;

	*node = (struct node){ .nodeid = FUSE_ROOT_ID, .mode = S_IFDIR };
	strncpy(copy, path, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	while (!err && (name = strsep(&rest, "/")))
		if (*name)
			err = kernel_lookup(m, node->nodeid, name, node);
	return err;
}

static int attr_answer(struct machine *m, int err, struct node *node)
{
	const struct fuse_attr_out *out;

	if (err)
		return err;
	out = body(m, sizeof(*out));
	if (node)
		node_from_attr(node, &out->attr);
	return 0;
}

int kernel_getattr(struct machine *m, uint64_t nodeid, struct node *node)
{
	const struct fuse_getattr_in in = { 0 };

	node->nodeid = nodeid;
	return attr_answer(m, ask_arg(m, FUSE_GETATTR, nodeid, &in, sizeof(in)), node);
}

int kernel_touch(struct machine *m, uint64_t nodeid)
{
	const struct fuse_setattr_in in = { .valid = FATTR_MTIME | FATTR_MTIME_NOW };

	return attr_answer(m, ask_arg(m, FUSE_SETATTR, nodeid, &in, sizeof(in)), NULL);
}

int kernel_truncate(struct machine *m, uint64_t nodeid, uint64_t fh, uint64_t size)
{
	const struct fuse_setattr_in in = { .valid = FATTR_SIZE | (fh ? FATTR_FH : 0), .size = size, .fh = fh };

	return attr_answer(m, ask_arg(m, FUSE_SETATTR, nodeid, &in, sizeof(in)), NULL);
}

static int open_answer(struct machine *m, int err, uint64_t *fh)
{
	const struct fuse_open_out *out;

	if (err)
		return err;
	out = body(m, sizeof(*out));
	*fh = out->fh;
	return 0;
}

int kernel_open(struct machine *m, uint64_t nodeid, uint32_t flags, uint64_t *fh)
{
	const struct fuse_open_in in = { .flags = flags };

	return open_answer(m, ask_arg(m, FUSE_OPEN, nodeid, &in, sizeof(in)), fh);
}

int kernel_opendir(struct machine *m, uint64_t nodeid, uint64_t *fh)
{
	const struct fuse_open_in in = { 0 };

	return open_answer(m, ask_arg(m, FUSE_OPENDIR, nodeid, &in, sizeof(in)), fh);
}

int kernel_create(struct machine *m, uint64_t parent, const char *name, uint32_t flags, struct node *node, uint64_t *fh)
{
	const struct fuse_create_in in = { .flags = flags, .mode = S_IFREG | 0600 };
	int err = ask_named(m, FUSE_CREATE, parent, &in, sizeof(in), name);
	const struct fuse_open_out *out;

	if (err)
		return err;
	node_from_entry(m, node);
	body(m, sizeof(struct fuse_entry_out) + sizeof(*out));
	out = (const void *)(m->taken->body + sizeof(struct fuse_entry_out));
	*fh = out->fh;
	return 0;
}

int kernel_read(struct machine *m, uint64_t nodeid, uint64_t fh, uint64_t offset, uint32_t size)
{
	const struct fuse_read_in in = { .fh = fh, .offset = offset, .size = size };
	int err = ask_arg(m, FUSE_READ, nodeid, &in, sizeof(in));

	if (!err && m->taken->len > size)
		abort();
	return err ? err : (int)m->taken->len;
}

int kernel_write(struct machine *m, uint64_t nodeid, uint64_t fh, uint64_t offset, const void *data, size_t len)
{
	const struct fuse_write_in in = { .fh = fh, .offset = offset, .size = len };
	const struct iovec args[] = { { (void *)&in, sizeof(in) }, { (void *)data, len } };
	int err = ask(m, FUSE_WRITE, nodeid, args, 2);
	const struct fuse_write_out *out;

	if (err)
		return err;
	out = body(m, sizeof(*out));
	if (out->size != len)
		abort();
	return 0;
}

int kernel_flush(struct machine *m, uint64_t nodeid, uint64_t fh)
{
	const struct fuse_flush_in in = { .fh = fh };

	return ask_arg(m, FUSE_FLUSH, nodeid, &in, sizeof(in));
}

int kernel_fsync(struct machine *m, uint64_t nodeid, uint64_t fh)
{
	const struct fuse_fsync_in in = { .fh = fh };

	return ask_arg(m, FUSE_FSYNC, nodeid, &in, sizeof(in));
}

int kernel_release(struct machine *m, uint64_t nodeid, uint64_t fh)
{
	const struct fuse_release_in in = { .fh = fh };

	return ask_arg(m, FUSE_RELEASE, nodeid, &in, sizeof(in));
}

int kernel_releasedir(struct machine *m, uint64_t nodeid, uint64_t fh)
{
	const struct fuse_release_in in = { .fh = fh };

	return ask_arg(m, FUSE_RELEASEDIR, nodeid, &in, sizeof(in));
}

/* Adds the names of one answer.  Returns the offset behind the last. */
static uint64_t add_names(struct machine *m, char **names, size_t *len)
{
	size_t pos = 0, size = m->taken->len;
	const struct fuse_dirent *d;
	uint64_t offset = 0;

	for (; pos + FUSE_NAME_OFFSET <= size; pos += FUSE_DIRENT_SIZE(d)) {
		d = (const void *)(m->taken->body + pos);
		offset = d->off;
		if (d->name[0] == '.' && d->namelen <= 2)
			continue;
		memory_own_begin();
		*names = realloc(*names, *len + d->namelen + 1);
		memory_own_end();
		if (!*names)
			abort();
		memcpy(*names + *len, d->name, d->namelen);
		*len += d->namelen + 1;
		(*names)[*len - 1] = '\0';
	}
	return offset;
}

int kernel_readdir(struct machine *m, uint64_t nodeid, uint64_t fh, char **names, size_t *len)
{
	struct fuse_read_in in = { .fh = fh, .size = READDIR_SIZE };
	int err;

	*names = NULL;
	*len = 0;
	while (!(err = ask_arg(m, FUSE_READDIR, nodeid, &in, sizeof(in))) && m->taken->len)
		in.offset = add_names(m, names, len);
	if (err) {
		free(*names);
		*names = NULL;
		*len = 0;
	}
	return err;
}

int kernel_mknod(struct machine *m, uint64_t parent, const char *name)
{
	const struct fuse_mknod_in in = { .mode = S_IFREG | 0600 };

	return ask_named(m, FUSE_MKNOD, parent, &in, sizeof(in), name);
}

int kernel_mkdir(struct machine *m, uint64_t parent, const char *name)
{
	const struct fuse_mkdir_in in = { .mode = 0700 };

	return ask_named(m, FUSE_MKDIR, parent, &in, sizeof(in), name);
}

int kernel_unlink(struct machine *m, uint64_t parent, const char *name)
{
	return ask_named(m, FUSE_UNLINK, parent, NULL, 0, name);
}

int kernel_rmdir(struct machine *m, uint64_t parent, const char *name)
{
	return ask_named(m, FUSE_RMDIR, parent, NULL, 0, name);
}

int kernel_rename(struct machine *m, uint64_t parent, const char *name, uint64_t to, const char *new_name, uint32_t flags)
{
	const struct fuse_rename2_in in = { .newdir = to, .flags = flags };
	const struct iovec args[] = {
		{ (void *)&in, sizeof(in) },
		{ (void *)name, strlen(name) + 1 },
		{ (void *)new_name, strlen(new_name) + 1 },
	};

	return ask(m, FUSE_RENAME2, parent, args, 3);
}

int kernel_getxattr(struct machine *m, uint64_t nodeid, const char *name)
{
	const struct fuse_getxattr_in in = { .size = 1024 };
	int err = ask_named(m, FUSE_GETXATTR, nodeid, &in, sizeof(in), name);

	return err ? err : (int)m->taken->len;
}

int kernel_setxattr(struct machine *m, uint64_t nodeid, const char *name, const void *value, size_t len)
{
	const struct fuse_setxattr_in in = { .size = len };
	const struct iovec args[] = {
		{ (void *)&in, FUSE_COMPAT_SETXATTR_IN_SIZE },
		{ (void *)name, strlen(name) + 1 },
		{ (void *)value, len },
	};

	return ask(m, FUSE_SETXATTR, nodeid, args, 3);
}

int kernel_listxattr(struct machine *m, uint64_t nodeid)
{
	const struct fuse_getxattr_in in = { .size = 1024 };
	int err = ask_arg(m, FUSE_LISTXATTR, nodeid, &in, sizeof(in));

	return err ? err : (int)m->taken->len;
}

int kernel_readlink(struct machine *m, uint64_t nodeid)
{
	int err = ask(m, FUSE_READLINK, nodeid, NULL, 0);

	return err ? err : (int)m->taken->len;
}

int kernel_statfs(struct machine *m)
{
	return ask(m, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0);
}

int kernel_poll(struct machine *m, uint64_t nodeid, uint64_t fh, bool notify)
{
	const struct fuse_poll_in in = {
		.fh = fh,
		.kh = fh,
		.flags = notify ? FUSE_POLL_SCHEDULE_NOTIFY : 0,
		.events = POLLIN | POLLOUT | POLLPRI,
	};
	int err = ask_arg(m, FUSE_POLL, nodeid, &in, sizeof(in));
	const struct fuse_poll_out *out;

	if (err)
		return err;
	out = body(m, sizeof(*out));
	return out->revents & 0x7fff;
}

void kernel_interrupt(struct machine *m, uint64_t unique)
{
	const struct fuse_interrupt_in in = { .unique = unique };
	const struct iovec arg = { (void *)&in, sizeof(in) };

	machine_ask(m, FUSE_INTERRUPT, 0, &arg, 1);
}
