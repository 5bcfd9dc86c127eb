/* SPDX-License-Identifier: MIT */
/* The kernel of fuzz_kernel.h.  One thread; answers come from others, too, with fs->lock held. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/op/op.h"
#include "tests/fuzz_kernel.h"
#include "tests/kernel_read.h"

#define NODES 24
#define FILES 12
#define REQUESTS 48

struct node {
	uint64_t id, lookups; /* 0: none */
	mode_t type;
	unsigned busy;        /* requests and open files */
};

struct file {
	uint64_t fh;
	struct node *node; /* NULL: free */
	bool dir;
	unsigned busy; /* requests */
	bool ends;     /* it is being released */
};

struct asked {
	uint64_t unique; /* 0: free */
	uint32_t opcode;
	struct node *node;
	struct file *file;
	size_t size; /* bytes that may come */
	bool interrupted;
	bool rejected; /* its answer will be, as to one who is gone */
};

static struct node nodes[NODES];
static struct file files[FILES];
static struct asked requests[REQUESTS];
static uint64_t last_unique;

/* Where kernel_looks_up() has come to, or NULL, and the request by which. */
static struct node *here;
static uint64_t walk_unique;

/* ---- what the kernel knows ---- */

static struct node *node_learn(uint64_t id, mode_t type)
{
	struct node *free_node = NULL;

	assert(id);
	for (unsigned i = 0; i < NODES; i++) {
		if (nodes[i].lookups && nodes[i].id == id) {
			/* The kernel would call it bad. */
			assert(nodes[i].type == type);
			nodes[i].lookups++;
			return &nodes[i];
		}
		if (!free_node && !nodes[i].lookups && !nodes[i].busy)
			free_node = &nodes[i];
	}
	/* Without room it is never mentioned again, and that is allowed. */
	if (free_node)
		*free_node = (struct node){ .id = id, .lookups = 1, .type = type };
	return free_node;
}

static void file_learn(struct node *node, uint64_t fh, bool dir)
{
	for (unsigned i = 0; i < FILES; i++) {
		if (files[i].node)
			continue;
		node->busy++;
		files[i] = (struct file){ .fh = fh, .node = node, .dir = dir };
		return;
	}
}

static void check_attr(const struct fuse_attr *attr)
{
	assert(S_ISREG(attr->mode) || S_ISDIR(attr->mode) || S_ISLNK(attr->mode));
	assert(attr->size <= INT64_MAX);
}

static void entry_came(const struct asked *asked, const char *body, size_t len)
{
	struct fuse_entry_out entry;
	struct fuse_open_out open;
	struct node *node;

	assert(len == sizeof(entry) + (asked->opcode == FUSE_CREATE ? sizeof(open) : 0));
	memcpy(&entry, body, sizeof(entry));
	if (!entry.nodeid) {
		assert(asked->opcode == FUSE_LOOKUP);
		return;
	}
	check_attr(&entry.attr);
	node = node_learn(entry.nodeid, entry.attr.mode & S_IFMT);
	if (asked->unique == walk_unique)
		here = node;
	if (!node || asked->opcode != FUSE_CREATE)
		return;
	memcpy(&open, body + sizeof(entry), sizeof(open));
	file_learn(node, open.fh, false);
}

static void check_names(const char *body, size_t len)
{
	struct fuse_dirent entry;
	size_t size;

	while (len) {
		assert(len >= FUSE_NAME_OFFSET);
		memcpy(&entry, body, FUSE_NAME_OFFSET);
		size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + entry.namelen);
		assert(size <= len && entry.namelen);
		assert(!memchr(body + FUSE_NAME_OFFSET, '/', entry.namelen));
		assert(!memchr(body + FUSE_NAME_OFFSET, '\0', entry.namelen));
		body += size;
		len -= size;
	}
}

/* A request was answered without an error. */
static void answer_came(const struct asked *asked, const char *body, size_t len)
{
	struct fuse_open_out open;
	struct fuse_attr_out attr;
	struct fuse_write_out write;

	switch (asked->opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_CREATE:
		entry_came(asked, body, len);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		assert(len == sizeof(open));
		memcpy(&open, body, sizeof(open));
		file_learn(asked->node, open.fh, asked->opcode == FUSE_OPENDIR);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		assert(len == sizeof(attr));
		memcpy(&attr, body, sizeof(attr));
		check_attr(&attr.attr);
		break;
	case FUSE_READDIR:
		assert(len <= asked->size);
		check_names(body, len);
		break;
	case FUSE_WRITE:
		assert(len == sizeof(write));
		memcpy(&write, body, sizeof(write));
		assert(write.size <= asked->size);
		break;
	default:
		assert(len <= asked->size);
	}
}

static struct asked *asked_find(uint64_t unique)
{
	for (unsigned i = 0; i < REQUESTS; i++)
		if (requests[i].unique == unique)
			return &requests[i];
	return NULL;
}

/* A request is over. */
static void asked_end(struct asked *asked)
{
	if (asked->node)
		asked->node->busy--;
	if (asked->file) {
		asked->file->busy--;
		if (asked->file->ends) {
			asked->file->node->busy--;
			asked->file->node = NULL;
		}
	}
	*asked = (struct asked){ 0 };
}

static ssize_t kernel_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	static char body[300000];
	struct fuse_out_header header;
	struct asked *asked;
	size_t len = 0;

	(void)fd;
	(void)userdata;
	assert(iov[0].iov_len == sizeof(header));
	memcpy(&header, iov[0].iov_base, sizeof(header));
	/* A notification, which may come without the lock. */
	if (!header.unique)
		return header.len;
	for (int i = 1; i < count; i++) {
		assert(len + iov[i].iov_len <= sizeof(body));
		memcpy(body + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	assert(header.len == sizeof(header) + len);
	assert(header.error <= 0 && header.error > -512);
	assert(header.error == 0 || len == 0);
	/* libfuse asks for an interruption again. */
	if (header.error == -EAGAIN && !asked_find(header.unique))
		return header.len;
	asked = asked_find(header.unique);
	assert(asked);
	if (asked->rejected) {
		asked_end(asked);
		errno = ENOENT;
		return -1;
	}
	if (!header.error)
		answer_came(asked, body, len);
	asked_end(asked);
	return header.len;
}

/* ---- what it asks ---- */

struct message {
	struct fuse_in_header header;
	char body[8192];
	size_t len;
};

static void add(struct message *m, const void *data, size_t len)
{
	assert(m->len + len <= sizeof(m->body));
	memcpy(m->body + m->len, data, len);
	m->len += len;
}

/* A name, which has a NUL behind it: one that there may be, or any. */
static void add_name(struct message *m, struct fuzz *in)
{
	static const char *const known[] = {
		"a", "b", "c", ".xsfs", ".value", ".perms", ".watch", ".next", ".dump", ".json", ".README", "nodes",
		"watch", "transaction", "tx", "xenbus", "control", "stats", "metrics", "requests", "1", "..",
	};
	unsigned which = fuzz_byte(in);
	char name[256];

	if (which < sizeof(known) / sizeof(known[0])) {
		add(m, known[which], strlen(known[which]) + 1);
		return;
	}
	fuzz_string(in, name, sizeof(name));
	/* The kernel never sends an empty one, nor a slash. */
	for (char *c = name; *c; c++)
		if (*c == '/')
			*c = '_';
	if (!*name)
		strcpy(name, "x");
	add(m, name, strlen(name) + 1);
}

static void send_message(struct fs *fs, struct message *m, struct asked *asked)
{
	char data[sizeof(m->header) + sizeof(m->body)];
	struct fuse_buf buf = { .mem = data, .size = sizeof(m->header) + m->len };

	m->header.len = buf.size;
	if (asked) {
		asked->unique = m->header.unique;
		asked->opcode = m->header.opcode;
		if (asked->node)
			asked->node->busy++;
		if (asked->file)
			asked->file->busy++;
	}
	memcpy(data, &m->header, sizeof(m->header));
	memcpy(data + sizeof(m->header), m->body, m->len);
	ops_process(fs, &buf);
}

static struct node *choose_node(struct fuzz *in)
{
	unsigned known = 0, which;

	for (unsigned i = 0; i < NODES; i++)
		known += nodes[i].lookups > 0;
	which = fuzz_below(in, known);
	for (unsigned i = 0; i < NODES; i++)
		if (nodes[i].lookups && which-- == 0)
			return &nodes[i];
	return &nodes[0];
}

static struct file *choose_file(struct fuzz *in, bool dir)
{
	unsigned which = fuzz_below(in, FILES), n = 0;

	for (unsigned i = 0; i < FILES; i++)
		n += files[i].node && files[i].dir == dir && !files[i].ends;
	which = n ? which % n : 0;
	for (unsigned i = 0; i < FILES && n; i++)
		if (files[i].node && files[i].dir == dir && !files[i].ends && which-- == 0)
			return &files[i];
	return NULL;
}

static void interrupt(struct fs *fs, struct message *m, struct fuzz *in)
{
	struct asked *asked = &requests[fuzz_below(in, REQUESTS)];
	struct fuse_interrupt_in arg = { .unique = asked->unique };

	if (!asked->unique || asked->interrupted)
		return;
	asked->interrupted = true;
	asked->rejected = asked->opcode != FUSE_RELEASE && asked->opcode != FUSE_RELEASEDIR &&
			  fuzz_below(in, 4) == 1;
	m->header.nodeid = 0;
	add(m, &arg, sizeof(arg));
	send_message(fs, m, NULL);
}

static void forget(struct fs *fs, struct message *m, struct node *node)
{
	struct fuse_forget_in arg = { .nlookup = node->lookups };

	if (node->busy || node == &nodes[0])
		return;
	/* It may be where something is moved to. */
	for (unsigned i = 0; i < REQUESTS; i++)
		if (requests[i].unique && requests[i].opcode == FUSE_RENAME2)
			return;
	add(m, &arg, sizeof(arg));
	*node = (struct node){ 0 };
	send_message(fs, m, NULL);
}

/* Returns whether the kernel sends such a request about files of that type. */
static bool has_type(uint32_t opcode, mode_t type)
{
	switch (opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_RENAME2:
	case FUSE_CREATE:
	case FUSE_OPENDIR:
		return type == S_IFDIR;
	case FUSE_OPEN:
		return type == S_IFREG;
	case FUSE_READLINK:
		return type == S_IFLNK;
	default:
		return true;
	}
}

/* Returns whether somebody writes to that inode, which the kernel locks for as long. */
static bool is_written(const struct node *node)
{
	for (unsigned i = 0; i < REQUESTS; i++)
		if (requests[i].node == node && requests[i].unique && requests[i].opcode == FUSE_WRITE)
			return true;
	return false;
}

/* Makes the body of a request about a node.  Returns whether it can be sent. */
static bool about_node(struct message *m, struct asked *asked, struct fuzz *in)
{
	struct fuse_getattr_in getattr = { 0 };
	struct fuse_setattr_in setattr = { .valid = fuzz_uint(in, 2) & 0x7ff & ~FATTR_FH };
	struct fuse_rename2_in rename = { 0 };
	struct fuse_mknod_in mknod = { .mode = S_IFREG | 0644 };
	struct fuse_mkdir_in mkdir = { .mode = 0755 };
	struct fuse_create_in create = { .mode = S_IFREG | 0644 };
	struct fuse_open_in open = { 0 };
	struct fuse_getxattr_in getxattr = { .size = fuzz_byte(in) * 4 };
	struct fuse_setxattr_in setxattr = { 0 };
	static const char xattr[] = "user.xenstore.perms";
	const struct node *node;
	char value[64];

	if (!has_type(m->header.opcode, asked->node->type) ||
	    (m->header.opcode == FUSE_SETATTR && is_written(asked->node)))
		return false;
	asked->size = sizeof(struct fuse_statfs_out);
	switch (m->header.opcode) {
	case FUSE_GETATTR:
		add(m, &getattr, sizeof(getattr));
		break;
	case FUSE_SETATTR:
		setattr.size = fuzz_uint(in, 2);
		if (asked->node->type != S_IFREG)
			setattr.valid &= ~FATTR_SIZE;
		add(m, &setattr, sizeof(setattr));
		break;
	case FUSE_READLINK:
		asked->size = 4096;
		break;
	case FUSE_MKNOD:
		add(m, &mknod, sizeof(mknod));
		add_name(m, in);
		break;
	case FUSE_MKDIR:
		add(m, &mkdir, sizeof(mkdir));
		add_name(m, in);
		break;
	case FUSE_LOOKUP:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
		add_name(m, in);
		break;
	case FUSE_RENAME2:
		node = choose_node(in);
		rename.newdir = node->type == S_IFDIR ? node->id : FUSE_ROOT_ID;
		rename.flags = fuzz_below(in, 4);
		add(m, &rename, sizeof(rename));
		add_name(m, in);
		add_name(m, in);
		break;
	case FUSE_CREATE:
		create.flags = O_CREAT | (fuzz_uint(in, 2) & (O_RDWR | O_WRONLY | O_EXCL | O_TRUNC | O_APPEND));
		add(m, &create, sizeof(create));
		add_name(m, in);
		break;
	case FUSE_OPEN:
		open.flags = fuzz_uint(in, 2) & (O_RDWR | O_WRONLY | O_TRUNC | O_APPEND | O_NONBLOCK);
		add(m, &open, sizeof(open));
		break;
	case FUSE_OPENDIR:
		add(m, &open, sizeof(open));
		break;
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
		asked->size = getxattr.size ? getxattr.size : sizeof(struct fuse_getxattr_out);
		add(m, &getxattr, sizeof(getxattr));
		if (m->header.opcode == FUSE_GETXATTR)
			add(m, xattr, sizeof(xattr));
		break;
	case FUSE_SETXATTR:
		setxattr.size = fuzz_bytes(in, value, sizeof(value));
		add(m, &setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE);
		add(m, xattr, sizeof(xattr));
		add(m, value, setxattr.size);
		break;
	case FUSE_REMOVEXATTR:
		add(m, xattr, sizeof(xattr));
		break;
	}
	return true;
}

/* Makes what is written: a text that means something to some file, a message of a raw client, or any bytes. */
static size_t make_data(struct fuzz *in, char data[4096])
{
	static const char *const texts[] = {
		"/a\n", "-/a\n", "/a/b\n/c\n", "@releaseDomain\n", "commit\n", "abort\n", "n0,r1\n", "n0\n",
		"get-quota\n", "get-feature\n", "is-introduced 1\n", "set-quota 1 x 5\n", "control help\n", "",
	};
	unsigned which = fuzz_byte(in);
	struct xsd_sockmsg hdr = { .type = which - 16 };
	size_t len;

	if (which < sizeof(texts) / sizeof(texts[0])) {
		len = strlen(texts[which]);
		memcpy(data, texts[which], len);
		return len;
	}
	if (which < 16 || which > 48)
		return fuzz_bytes(in, data, 255);
	hdr.tx_id = fuzz_below(in, 3);
	len = fuzz_bytes(in, data + sizeof(hdr), 64);
	hdr.len = len;
	memcpy(data, &hdr, sizeof(hdr));
	return sizeof(hdr) + len;
}

/* The same for an open file. */
static bool about_file(struct message *m, struct asked *asked, struct fuzz *in)
{
	uint32_t opcode = m->header.opcode;
	bool dir = opcode == FUSE_READDIR || opcode == FUSE_RELEASEDIR;
	struct file *file = choose_file(in, dir);
	struct fuse_read_in read = { 0 };
	struct fuse_write_in write = { 0 };
	struct fuse_release_in release = { 0 };
	struct fuse_flush_in flush = { 0 };
	struct fuse_fsync_in fsync = { 0 };
	struct fuse_poll_in poll = { .flags = FUSE_POLL_SCHEDULE_NOTIFY, .events = 0xffff };
	char data[4096];

	if (!file || (opcode == FUSE_WRITE && is_written(file->node)))
		return false;
	asked->file = file;
	asked->node = file->node;
	asked->size = 0;
	m->header.nodeid = file->node->id;
	read.fh = write.fh = release.fh = flush.fh = fsync.fh = poll.fh = poll.kh = file->fh;
	switch (opcode) {
	case FUSE_READ:
	case FUSE_READDIR:
		read.offset = fuzz_below(in, 2) ? fuzz_uint(in, 2) : 0;
		read.size = asked->size = fuzz_uint(in, 2) + 1;
		add(m, &read, sizeof(read));
		break;
	case FUSE_WRITE:
		memset(data, 'x', sizeof(data));
		write.offset = fuzz_below(in, 2) ? fuzz_uint(in, 2) : 0;
		write.size = make_data(in, data);
		if (fuzz_below(in, 8) == 1)
			write.size = fuzz_uint(in, 2) % sizeof(data);
		asked->size = write.size;
		add(m, &write, sizeof(write));
		add(m, data, write.size);
		break;
	case FUSE_FLUSH:
		add(m, &flush, sizeof(flush));
		break;
	case FUSE_FSYNC:
		add(m, &fsync, sizeof(fsync));
		break;
	case FUSE_POLL:
		asked->size = sizeof(struct fuse_poll_out);
		add(m, &poll, sizeof(poll));
		break;
	default:
		/* The last that there is about a file. */
		if (file->busy)
			return false;
		file->ends = true;
		add(m, &release, sizeof(release));
	}
	return true;
}

void kernel_asks(struct fs *fs, struct fuzz *in)
{
	static const uint32_t opcodes[] = {
		FUSE_LOOKUP, FUSE_GETATTR, FUSE_SETATTR, FUSE_READLINK, FUSE_MKNOD, FUSE_MKDIR, FUSE_UNLINK,
		FUSE_RMDIR, FUSE_RENAME2, FUSE_CREATE, FUSE_OPEN, FUSE_OPENDIR, FUSE_GETXATTR, FUSE_SETXATTR,
		FUSE_LISTXATTR, FUSE_REMOVEXATTR, FUSE_STATFS, FUSE_INTERRUPT, FUSE_FORGET, FUSE_READ, FUSE_WRITE,
		FUSE_READDIR, FUSE_RELEASE, FUSE_RELEASEDIR, FUSE_FLUSH, FUSE_FSYNC, FUSE_POLL,
	};
	unsigned which = fuzz_below(in, sizeof(opcodes) / sizeof(opcodes[0]));
	struct asked *asked = asked_find(0);
	struct node *node = choose_node(in);
	static struct message m;

	m.len = 0;
	m.header = (struct fuse_in_header){
		.opcode = opcodes[which],
		.unique = last_unique += 2,
		.nodeid = node->id,
		.uid = fuzz_below(in, 8) == 1 ? 1000 : 0,
		.pid = 1 + (which & 1),
	};
	if (m.header.opcode == FUSE_INTERRUPT) {
		interrupt(fs, &m, in);
	} else if (m.header.opcode == FUSE_FORGET) {
		forget(fs, &m, node);
	} else if (asked) {
		asked->node = node;
		if (which < 17 ? about_node(&m, asked, in) : about_file(&m, asked, in))
			send_message(fs, &m, asked);
		else
			*asked = (struct asked){ 0 };
	}
}

/* ---- ways ---- */

void kernel_goes_to_root(void)
{
	here = &nodes[0];
}

void kernel_looks_up(struct fs *fs, const char *name)
{
	struct asked *asked = here->type == S_IFDIR ? asked_find(0) : NULL;
	static struct message m;

	m.len = 0;
	m.header = (struct fuse_in_header){ .opcode = FUSE_LOOKUP, .unique = last_unique += 2, .nodeid = here->id };
	add(&m, name, strlen(name) + 1);
	walk_unique = m.header.unique;
	if (asked) {
		asked->node = here;
		here = NULL;
		send_message(fs, &m, asked);
	} else {
		here = NULL;
	}
}

bool kernel_arrived(void)
{
	return here != NULL;
}

void kernel_opens(struct fs *fs, struct fuzz *in)
{
	static const uint32_t flags[] = { O_RDONLY, O_RDWR, O_WRONLY, O_RDWR | O_TRUNC, O_RDONLY | O_NONBLOCK,
					  O_RDWR | O_NONBLOCK, O_WRONLY | O_APPEND, O_WRONLY | O_TRUNC };
	struct fuse_open_in open = { .flags = flags[fuzz_below(in, 8)] };
	struct asked *asked = asked_find(0);
	static struct message m;

	if (!asked || here->type != S_IFREG)
		return;
	m.len = 0;
	m.header = (struct fuse_in_header){ .opcode = FUSE_OPEN, .unique = last_unique += 2, .nodeid = here->id };
	add(&m, &open, sizeof(open));
	asked->node = here;
	send_message(fs, &m, asked);
}

/* ---- its life ---- */

void kernel_begin(struct fs *fs)
{
	static const struct fuse_custom_io io = { .writev = kernel_writev, .read = kernel_read };
	const struct fuse_init_in init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_readahead = 4096,
		.flags = FUSE_ATOMIC_O_TRUNC | FUSE_PARALLEL_DIROPS | FUSE_BIG_WRITES | FUSE_MAX_PAGES,
	};
	static struct message m;

	memset(nodes, 0, sizeof(nodes));
	memset(files, 0, sizeof(files));
	memset(requests, 0, sizeof(requests));
	last_unique = 2;
	here = NULL;
	walk_unique = 0;
	nodes[0] = (struct node){ .id = FUSE_ROOT_ID, .lookups = 1, .type = S_IFDIR };
	/* libfuse closes the descriptor at the end, and uses it for nothing else. */
	assert(fuse_session_custom_io(fs->se, &io, eventfd(0, EFD_CLOEXEC)) == 0);
	m.len = 0;
	m.header = (struct fuse_in_header){ .opcode = FUSE_INIT, .unique = last_unique };
	add(&m, &init, sizeof(init));
	requests[0].size = 4096;
	send_message(fs, &m, &requests[0]);
}

void kernel_ends(void)
{
	for (unsigned i = 0; i < REQUESTS; i++) {
		if (!requests[i].unique)
			continue;
		fprintf(stderr, "no answer to %llu, opcode %u\n", (unsigned long long)requests[i].unique,
			requests[i].opcode);
		abort();
	}
}
