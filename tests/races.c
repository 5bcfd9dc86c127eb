/* SPDX-License-Identifier: MIT */
/*
 * Single operations against a disturber, with a table of the answers that they may give.  For
 * t_races.sh.  One process works through the mount, and another changes the same nodes directly at
 * the server, on a connection of its own.
 *
 *	races [-s SECONDS] [-f] [-o OPERATION] [-d DISTURBER] MOUNT NODE SOCKET
 *
 * Each operation meets each disturber for SECONDS (0.05), at least three times.  -f: the disturber
 * strikes as fast as it can; otherwise at random, with gaps in which an operation can succeed.
 * Below NODE each pair has p/k, the node; p, its parent; p/k/c, its child; q/t, a rename's target.
 * The worker restores them directly at the server before each try.
 *
 * Prints a line for each pair: how often each answer came, and the longest time that one took.
 * `wrong` counts impossible results: an answer that this disturber cannot have caused, the
 * removal of a node that had a child all the time, or a state afterwards that nobody made.
 * The status is not 0 if there was any such result, an EIO, an EINVAL, or another error that
 * the table does not allow.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

#define PATH_SIZE 512
#define TRIES_MIN 3
#define TIMEOUT_US 1000000 /* timeout= of the mount */
#define LATES_MAX 2
#define GAP_US_MAX 400
#define WRONGS_SHOWN 10
#define DISTURBERS_MAX 32

/* Shared by the processes. */
struct shared {
	atomic_int pair; /* operation * DISTURBERS_MAX + disturber; -1: none */
	atomic_ulong strikes;
};

static struct shared *shared;
static bool fast;
static const char *mount, *node;
static char base[PATH_SIZE]; /* of the pair */
static char p[PATH_SIZE], k[PATH_SIZE], c[PATH_SIZE], q[PATH_SIZE], t[PATH_SIZE];
static char p_other[PATH_SIZE], q_other[PATH_SIZE]; /* they keep the parents directories */
static char tree_k[PATH_SIZE], tree_t[PATH_SIZE]; /* through the mount */
static char nodes_k[PATH_SIZE], nodes_t[PATH_SIZE], k_value[PATH_SIZE], k_perms[PATH_SIZE];
static unsigned wrongs_shown;

/* The paths of a pair.  Each pair has its own, because a mount does not forget that it has
 * seen a directory. */
static void name_paths(int pair)
{
	static const char *const nodes = "/.xsfs/nodes";

	snprintf(base, sizeof(base), "%s/%d", node, pair);
	snprintf(p, sizeof(p), "%s/%d/p", node, pair);
	snprintf(k, sizeof(k), "%s/%d/p/k", node, pair);
	snprintf(c, sizeof(c), "%s/%d/p/k/c", node, pair);
	snprintf(q, sizeof(q), "%s/%d/q", node, pair);
	snprintf(t, sizeof(t), "%s/%d/q/t", node, pair);
	snprintf(p_other, sizeof(p_other), "%s/%d/p/other", node, pair);
	snprintf(q_other, sizeof(q_other), "%s/%d/q/other", node, pair);
	snprintf(tree_k, sizeof(tree_k), "%s%s/%d/p/k", mount, node, pair);
	snprintf(tree_t, sizeof(tree_t), "%s%s/%d/q/t", mount, node, pair);
	snprintf(nodes_k, sizeof(nodes_k), "%s%s%s/%d/p/k", mount, nodes, node, pair);
	snprintf(nodes_t, sizeof(nodes_t), "%s%s%s/%d/q/t", mount, nodes, node, pair);
	snprintf(k_value, sizeof(k_value), "%s%s%s/%d/p/k/.value", mount, nodes, node, pair);
	snprintf(k_perms, sizeof(k_perms), "%s%s%s/%d/p/k/.perms", mount, nodes, node, pair);
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000) + ts.tv_nsec / 1000;
}

static void die(const char *what)
{
	perror(what);
	_exit(2);
}

/* ---- straight to the server ----------------------------------------------------------------- */

static int server_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		die(path);
	return fd;
}

static void receive(int fd, void *data, size_t len)
{
	ssize_t n;

	for (size_t done = 0; done < len; done += n) {
		n = recv(fd, (char *)data + done, len - done, MSG_WAITALL);
		if (n <= 0)
			die("the server");
	}
}

/* Makes one request.  Returns the length of the answer, which is left in `reply`, or -1 for an
 * error, whose name is there then. */
static int ask(int fd, uint32_t type, const char *path, const char *value, char *reply)
{
	struct xsd_sockmsg hdr = { .type = type, .req_id = 1 };
	char message[sizeof(hdr) + 2 * PATH_SIZE];
	size_t path_size = strlen(path) + 1, len = value ? strlen(value) : 0;

	hdr.len = path_size + len;
	memcpy(message, &hdr, sizeof(hdr));
	memcpy(message + sizeof(hdr), path, path_size);
	if (len)
		memcpy(message + sizeof(hdr) + path_size, value, len);
	if (send(fd, message, sizeof(hdr) + hdr.len, MSG_NOSIGNAL) < 0)
		die("the server");
	receive(fd, &hdr, sizeof(hdr));
	if (hdr.len > XENSTORE_PAYLOAD_MAX)
		die("the server's length");
	receive(fd, reply, hdr.len);
	reply[hdr.len] = '\0';
	return hdr.type == XS_ERROR ? -1 : (int)hdr.len;
}

static void put(int fd, const char *path, const char *value)
{
	char reply[XENSTORE_PAYLOAD_MAX + 1];

	if (ask(fd, XS_WRITE, path, value, reply) < 0) {
		fprintf(stderr, "write %s: %s\n", path, reply);
		_exit(2);
	}
}

/* Removes a node that may be missing. */
static void drop(int fd, const char *path)
{
	char reply[XENSTORE_PAYLOAD_MAX + 1];

	ask(fd, XS_RM, path, NULL, reply);
}

/* ---- the disturbers ------------------------------------------------------------------------- */

/* The possible effects of a disturber, which decide what an operation may answer. */
enum {
	NODE_GOES = 1 << 0,
	NODE_COMES = 1 << 1,
	PARENT_GOES = 1 << 2,
	CHILD_COMES = 1 << 3,
	CHILD_GOES = 1 << 4,
	TARGET_GOES = 1 << 5,
	TARGET_COMES = 1 << 6,
	TARGET_PARENT_GOES = 1 << 7,
	TARGET_CHILD_COMES = 1 << 8,
	CHILD_STAYS = 1 << 9, /* there from the beginning */
};

static void write_node(int fd) { put(fd, k, "d"); }
static void remove_node(int fd) { drop(fd, k); }
static void renew_node(int fd) { drop(fd, k); put(fd, k, "d"); }
static void write_parent(int fd) { put(fd, p, "d"); }
static void remove_parent(int fd) { drop(fd, p); }
static void renew_parent(int fd) { drop(fd, p); put(fd, k, "d"); }
static void write_child(int fd) { put(fd, c, "d"); }
static void remove_child(int fd) { drop(fd, c); }
static void renew_child(int fd) { drop(fd, c); put(fd, c, "d"); }
static void write_target(int fd) { put(fd, t, "d"); }
static void remove_target(int fd) { drop(fd, t); }
static void renew_target(int fd) { drop(fd, t); put(fd, t, "d"); }
static void fill_target(int fd)
{
	char path[PATH_SIZE + 8];

	snprintf(path, sizeof(path), "%s/c", t);
	put(fd, path, "d");
	drop(fd, path);
}
static void remove_target_parent(int fd) { drop(fd, q); }

static const struct disturber {
	const char *name;
	void (*strike)(int fd);
	unsigned can;
	bool renames_only;
} disturbers[] = {
	{ "nobody", NULL, 0, false },
	{ "node-written", write_node, NODE_COMES, false },
	{ "node-removed", remove_node, NODE_GOES, false },
	{ "node-renewed", renew_node, NODE_GOES | NODE_COMES, false },
	{ "parent-written", write_parent, 0, false },
	{ "parent-removed", remove_parent, PARENT_GOES | NODE_GOES, false },
	{ "parent-renewed", renew_parent, PARENT_GOES | NODE_GOES | NODE_COMES, false },
	{ "child-written", write_child, CHILD_COMES | NODE_COMES | CHILD_STAYS, false },
	{ "child-removed", remove_child, CHILD_COMES | CHILD_GOES, false },
	{ "child-renewed", renew_child, CHILD_COMES | CHILD_GOES | NODE_COMES, false },
	{ "target-written", write_target, TARGET_COMES, true },
	{ "target-removed", remove_target, TARGET_GOES, true },
	{ "target-renewed", renew_target, TARGET_GOES | TARGET_COMES, true },
	{ "target-filled", fill_target, TARGET_COMES | TARGET_CHILD_COMES, true },
	{ "target-parent-removed", remove_target_parent, TARGET_GOES | TARGET_PARENT_GOES, true },
};

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void wait_us(unsigned us)
{
	uint64_t end = now_us() + us;

	while (now_us() < end)
		;
}

/* The disturber's process. */
static void disturb(int fd)
{
	const struct disturber *d;
	int pair, known = -1;

	for (;;) {
		pair = atomic_load(&shared->pair);
		if (pair != known && pair >= 0)
			name_paths(pair);
		known = pair;
		d = pair < 0 ? NULL : &disturbers[pair % DISTURBERS_MAX];
		if (!d || !d->strike) {
			usleep(200);
		} else {
			d->strike(fd);
			if (!fast && random() % 4)
				wait_us(random() % GAP_US_MAX);
		}
		atomic_fetch_add(&shared->strikes, 1);
	}
}

/* Returns when the disturber of that pair, and no other, is at work. */
static void disturber_set(int pair)
{
	unsigned long before;

	atomic_store(&shared->pair, pair);
	before = atomic_load(&shared->strikes);
	while (atomic_load(&shared->strikes) < before + 2)
		usleep(50);
}

/* ---- the operations ------------------------------------------------------------------------- */

/* Each returns 0 or an errno. */
static int result(int rc)
{
	return rc < 0 ? errno : 0;
}

static int write_at(const char *path, int flags, off_t off, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600), err = 0;
	ssize_t len = strlen(text), n;

	if (fd < 0)
		return errno;
	n = off ? pwrite(fd, text, len, off) : write(fd, text, len);
	if (n != len)
		err = n < 0 ? errno : ERANGE;
	close(fd);
	return err;
}

static int op_unlink(void) { return result(unlink(tree_k)); }
static int op_rmdir(void) { return result(rmdir(nodes_k)); }
static int op_mkdir(void) { return result(mkdir(nodes_k, 0700)); }
static int op_create(void)
{
	int fd = open(tree_k, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}
static int op_rename(void) { return result(rename(tree_k, tree_t)); }
static int op_rename_dir(void) { return result(rename(nodes_k, nodes_t)); }
static int op_append(void) { return write_at(tree_k, O_APPEND, 0, "A\n"); }
static int op_pwrite(void) { return write_at(tree_k, 0, 1, "Z"); }
static int op_truncate(void) { return result(truncate(tree_k, 2)); }
static int op_set_value(void)
{
	return result(setxattr(nodes_k, "user.xenstore.value", "v", 1, 0));
}
static int op_set_perms(void)
{
	return result(setxattr(nodes_k, "user.xenstore.perms", "n0,r1", 5, 0));
}
static int op_write_value(void) { return write_at(k_value, O_TRUNC, 0, "v\n"); }
static int op_unlink_value(void) { return result(unlink(k_value)); }
static int op_write_perms(void) { return write_at(k_perms, O_TRUNC, 0, "n0,r1\n"); }

/* Properties of an operation. */
enum {
	MAKES = 1 << 0,        /* the node must not be there */
	REMOVES = 1 << 1,
	RENAMES = 1 << 2,
	HAS_TARGET = 1 << 3,   /* the target is there, and is replaced */
	EMPTY = 1 << 4,        /* node and target have no value */
	AS_LEAF = 1 << 5,      /* it takes a node for a file, so the node must not have children */
	CHANGES = 1 << 6,      /* it leaves one of the values below, or what somebody else wrote */
};

static const struct operation {
	const char *name;
	int (*run)(void);
	unsigned is;
	const char *values[3]; /* that it can leave */
} operations[] = {
	{ "unlink", op_unlink, REMOVES | AS_LEAF, { NULL } },
	{ "rmdir", op_rmdir, REMOVES | EMPTY, { NULL } },
	{ "mkdir", op_mkdir, MAKES, { NULL } },
	{ "create-excl", op_create, MAKES, { NULL } },
	{ "rename", op_rename, RENAMES | AS_LEAF, { NULL } },
	{ "rename-dir", op_rename_dir, RENAMES, { NULL } },
	{ "replace", op_rename, RENAMES | HAS_TARGET | AS_LEAF, { NULL } },
	{ "replace-dir", op_rename_dir, RENAMES | HAS_TARGET | EMPTY, { NULL } },
	{ "append", op_append, AS_LEAF | CHANGES, { "init\nA", "d\nA", NULL } },
	{ "pwrite", op_pwrite, AS_LEAF | CHANGES, { "iZit", "dZ", NULL } },
	{ "truncate", op_truncate, AS_LEAF | CHANGES, { "in", NULL } },
	{ "setxattr-value", op_set_value, CHANGES, { "v", NULL } },
	{ "setxattr-perms", op_set_perms, CHANGES, { NULL } },
	{ "value-write", op_write_value, CHANGES, { "v", NULL } },
	{ "value-unlink", op_unlink_value, CHANGES, { "", NULL } },
	{ "perms-write", op_write_perms, CHANGES, { NULL } },
};

/* Restores the nodes, as far as the disturber lets it. */
static void prepare(int fd, const struct operation *op, const struct disturber *d)
{
	const char *value = op->is & EMPTY ? "" : "init";

	put(fd, q_other, "");
	drop(fd, t);
	if (op->is & HAS_TARGET)
		put(fd, t, op->is & EMPTY ? "" : "old");
	put(fd, p_other, "");
	if (op->is & MAKES || !(d->can & CHILD_STAYS))
		drop(fd, k);
	if (!(op->is & MAKES)) {
		put(fd, k, value);
		if (d->can & (CHILD_STAYS | CHILD_GOES))
			put(fd, c, "");
	}
}

/* Returns whether the disturber can be the reason for an answer. */
static bool may_say(const struct operation *op, const struct disturber *d, int err)
{
	bool kind = (op->is & AS_LEAF && d->can & CHILD_COMES) || d->can & PARENT_GOES;

	switch (err) {
	case 0:
		/* It had a child all the time. */
		return !(op->is & REMOVES && d->can & CHILD_STAYS);
	case EBUSY:
		return d->strike != NULL;
	case ENOENT:
		return d->can & (op->is & MAKES ? PARENT_GOES : NODE_GOES) ||
		       d->can & TARGET_PARENT_GOES ||
		       (!strcmp(op->name, "value-unlink") && d->can & NODE_GOES);
	case EEXIST:
		return op->is & MAKES && d->can & NODE_COMES;
	case ENOTEMPTY:
		return (!strcmp(op->name, "rmdir") && d->can & (CHILD_COMES | NODE_COMES)) ||
		       (op->is & RENAMES && d->can & (TARGET_CHILD_COMES | TARGET_COMES));
	case EISDIR:
	case ENOTDIR:
	case ESTALE:
		return kind || (op->is & RENAMES && d->can & TARGET_CHILD_COMES);
	default:
		return false;
	}
}

/* Returns the node's value, or NULL if it is not there. */
static const char *value_of(int fd, const char *path)
{
	static char reply[XENSTORE_PAYLOAD_MAX + 1];

	return ask(fd, XS_READ, path, NULL, reply) < 0 ? NULL : reply;
}

static bool is_there(int fd, const char *path)
{
	return value_of(fd, path) != NULL;
}

/* Returns whether the state after an answer is one that somebody made.  Looks only at nodes that
 * the disturber leaves alone. */
static bool state_is_right(int fd, const struct operation *op, const struct disturber *d, int err)
{
	bool alone = !(d->can & (NODE_GOES | NODE_COMES | PARENT_GOES | CHILD_COMES));
	const char *value;

	if (alone && op->is & REMOVES && is_there(fd, k) == !err)
		return false;
	if (alone && op->is & MAKES && is_there(fd, k) == !!err)
		return false;
	if (alone && op->is & RENAMES && is_there(fd, k) == !err)
		return false;
	if (op->is & RENAMES && !err && !(d->can & (TARGET_GOES | TARGET_PARENT_GOES)) &&
	    !is_there(fd, t))
		return false;
	if (!(op->is & CHANGES))
		return true;
	value = value_of(fd, k);
	if (!value)
		return d->can & (NODE_GOES | PARENT_GOES);
	if (!strcmp(value, "init") || !strcmp(value, "d") || (d->can && !*value))
		return true;
	for (int i = 0; i < COUNT(op->values) && op->values[i]; i++)
		if (!strcmp(value, op->values[i]))
			return true;
	return false;
}

/* ---- the table ------------------------------------------------------------------------------ */

static const int answers[] = { 0, EBUSY, ENOENT, EEXIST, ENOTEMPTY, EISDIR, ENOTDIR, ESTALE, EIO,
			       EINVAL };
static const char *const answer_names[] = { "ok", "EBUSY", "ENOENT", "EEXIST", "ENOTEMPTY", "EISDIR",
					    "ENOTDIR", "ESTALE", "EIO", "EINVAL" };

struct counts {
	unsigned long tries, of[sizeof(answers) / sizeof(answers[0])], other, wrong;
	uint64_t slowest_us;
};

static void count(struct counts *n, const struct operation *op, const struct disturber *d, int err,
		  bool wrong)
{
	int i = 0;

	n->tries++;
	while (i < COUNT(answers) && answers[i] != err)
		i++;
	if (i < COUNT(answers))
		n->of[i]++;
	else
		n->other++;
	n->wrong += wrong;
	if ((wrong || i == COUNT(answers)) && wrongs_shown++ < WRONGS_SHOWN)
		fprintf(stderr, "%s, %s: %s\n", op->name, d->name,
			err ? strerror(err) : "it succeeded, or the state is wrong");
}

static void print_header(void)
{
	printf("%-14s %-21s %6s", "operation", "disturber", "tries");
	for (int i = 0; i < COUNT(answers); i++)
		printf(" %9s", answer_names[i]);
	printf(" %6s %6s %8s\n", "other", "wrong", "slowest");
}

static void print_counts(const struct operation *op, const struct disturber *d,
			 const struct counts *n)
{
	printf("%-14s %-21s %6lu", op->name, d->name, n->tries);
	for (int i = 0; i < COUNT(answers); i++)
		printf(" %9lu", n->of[i]);
	printf(" %6lu %6lu %6.1fms\n", n->other, n->wrong, n->slowest_us / 1000.0);
	fflush(stdout);
}

/* Returns how often something went wrong. */
static unsigned long meet(int fd, int which_op, int which_disturber, uint64_t us)
{
	const struct operation *op = &operations[which_op];
	const struct disturber *d = &disturbers[which_disturber];
	struct counts n = { 0 };
	static unsigned lates;
	uint64_t begin, took, end;
	bool right;
	int err;

	name_paths(which_op * DISTURBERS_MAX + which_disturber);
	disturber_set(which_op * DISTURBERS_MAX + which_disturber);
	for (end = now_us() + us; now_us() < end || n.tries < TRIES_MIN;) {
		prepare(fd, op, d);
		begin = now_us();
		err = op->run();
		took = now_us() - begin;
		n.slowest_us = took > n.slowest_us ? took : n.slowest_us;
		/* The server had no processor for so long, which says nothing of the mount. */
		if (err == ETIMEDOUT && took >= TIMEOUT_US && lates++ < LATES_MAX) {
			fprintf(stderr, "%s, %s: no answer for %.1f s\n", op->name, d->name, took / 1e6);
			continue;
		}
		right = may_say(op, d, err) && state_is_right(fd, op, d, err);
		count(&n, op, d, err, !right);
	}
	disturber_set(-1);
	drop(fd, base);
	print_counts(op, d, &n);
	/* EIO and EINVAL are the last two; may_say() calls them wrong as well. */
	return n.wrong + n.other + n.of[COUNT(answers) - 1] + n.of[COUNT(answers) - 2];
}

int main(int argc, char **argv)
{
	const char *only_op = NULL, *only_disturber = NULL;
	unsigned long failures = 0;
	double seconds = 0.05;
	int option, fd;
	pid_t pid;

	while ((option = getopt(argc, argv, "s:fo:d:")) >= 0) {
		if (option == 's')
			seconds = atof(optarg);
		else if (option == 'f')
			fast = true;
		else if (option == 'o')
			only_op = optarg;
		else if (option == 'd')
			only_disturber = optarg;
		else
			return 2;
	}
	if (argc - optind != 3) {
		fprintf(stderr, "usage: races [-s SECONDS] [-f] [-o OPERATION] [-d DISTURBER] "
				"MOUNT NODE SOCKET\n");
		return 2;
	}
	mount = argv[optind];
	node = argv[optind + 1];
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("mmap");
	atomic_store(&shared->pair, -1);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		disturb(server_connect(argv[optind + 2]));
	}
	fd = server_connect(argv[optind + 2]);
	print_header();
	for (int o = 0; o < COUNT(operations); o++) {
		if (only_op && strcmp(only_op, operations[o].name))
			continue;
		for (int d = 0; d < COUNT(disturbers); d++) {
			if (only_disturber && strcmp(only_disturber, disturbers[d].name))
				continue;
			if (disturbers[d].renames_only && !(operations[o].is & RENAMES))
				continue;
			failures += meet(fd, o, d, seconds * 1000000);
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("failures %lu\n", failures);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
