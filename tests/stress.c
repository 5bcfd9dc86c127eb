/* SPDX-License-Identifier: MIT */
/*
 * A load on a mounted store that knows which values it must find.
 * For t_stress.sh and t_leaks.sh.  One thread in each of many processes.
 *
 * Every process writes keys of its own.  A value names its writer, its key and the number of the
 * write, from which the rest of it follows.  So the writer knows exactly which value a key has, and
 * everybody else can recognise a wrong value, half a value, and an old value that came back.  All
 * lines appended to shared files must be there in the end.  Some of the processes do the same with
 * the xenstore-* commands.
 *
 *	stress [-s SECONDS | -n OPERATIONS] [-w WRITERS] [-c COMMANDERS] DIR... NODE
 *
 * DIR is a directory on the mount, NODE its path in the store.  Through several mounts of the same
 * store (a process uses one of them) there are conflicts, which the kernel's locks prevent
 * otherwise.  Prints what was done as `name value` lines; every error is a line on standard error,
 * and the status is not 0 then.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX 24
#define KEYS 8
#define KEYS_KEPT 4 /* of these are never removed, and so never empty, even for a moment */
#define COUNTERS 64

/* Keeps a file of lines below what a guest's value may have: 24 * 40 * 2 bytes. */
#define APPENDS_MAX 40

#define VALUE_MAX 1900
#define ERRORS_SHOWN 20

/* Shared by the processes. */
struct shared {
	atomic_bool stop;
	atomic_ulong operations;
	atomic_ulong busy; /* EBUSY: the documented answer to too many conflicts */
	atomic_ulong appends;
	atomic_ulong errors;
	atomic_uint appended[COUNTERS][WORKERS_MAX];
};

struct worker {
	unsigned id;
	unsigned random;
	unsigned long last[KEYS]; /* number of our last write */
	bool present[KEYS];
	unsigned long seen[WORKERS_MAX][KEYS]; /* newest number that we have read in others' keys */
};

static struct shared *shared;
static char **dirs;
static unsigned n_dirs;
static const char *node;
static unsigned writers = 16, commanders;
static unsigned long operations_max;
static const char *my_dir; /* the directory that this process uses */

static void failed(const struct worker *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void failed(const struct worker *w, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	if (atomic_fetch_add(&shared->errors, 1) >= ERRORS_SHOWN)
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	fprintf(stderr, "worker %u: %s\n", w ? w->id : WORKERS_MAX, what);
}

static unsigned chance(struct worker *w, unsigned n)
{
	w->random = w->random * 1103515245 + 12345;
	return (w->random >> 8) % n;
}

/* Returns whether to try again: nothing was done, and EBUSY said so. */
static bool busy(int rc)
{
	if (rc >= 0 || errno != EBUSY)
		return false;
	atomic_fetch_add(&shared->busy, 1);
	return true;
}

/* ---- values --------------------------------------------------------------------------------- */

/* Makes the value number `n` of a key: some are short, some long, none is like another. */
static size_t value_make(unsigned id, unsigned key, unsigned long n, char *value)
{
	size_t len = sprintf(value, "w%u k%u n%lu ", id, key, n);
	size_t want = n % 5 == 0 ? 200 + n * 37 % (VALUE_MAX - 200) : 10 + n % 40;
	unsigned sum = id * 31 + key * 7 + n;

	while (len < want) {
		sum = sum * 1103515245 + 12345;
		value[len++] = 'a' + (sum >> 16) % 26;
	}
	value[len] = '\0';
	return len;
}

/* Returns the number that a value of a key has, or 0 having complained. */
static unsigned long value_check(const struct worker *w, unsigned id, unsigned key,
				 const char *value)
{
	char right[VALUE_MAX + 1];
	unsigned value_id, value_key;
	unsigned long n;

	if (sscanf(value, "w%u k%u n%lu ", &value_id, &value_key, &n) == 3 && value_id == id &&
	    value_key == key && n > 0) {
		value_make(id, key, n, right);
		if (!strcmp(value, right))
			return n;
	}
	failed(w, "key %u of %u has a wrong value: %s", key, id, value);
	return 0;
}

/* Checks another process's value: it may be new or old, but never older than the last one seen. */
static void value_seen(struct worker *w, unsigned id, unsigned key, const char *value)
{
	unsigned long n = value_check(w, id, key, value);

	if (n && n < w->seen[id][key])
		failed(w, "key %u of %u went back from %lu to %lu", key, id, w->seen[id][key], n);
	if (n > w->seen[id][key])
		w->seen[id][key] = n;
}

/* ---- through the mount ---------------------------------------------------------------------- */

static const char *path_of(unsigned id, const char *fmt, unsigned n)
{
	static char paths[4][1024];
	static unsigned next;
	char *path = paths[next++ % 4];
	int len = snprintf(path, sizeof(paths[0]), "%s/w%u/", my_dir, id);

	snprintf(path + len, sizeof(paths[0]) - len, fmt, n);
	return path;
}

/* Writes a value and its newline in one go.  0 or -errno. */
static int file_write(const char *path, int flags, const char *value)
{
	char text[VALUE_MAX + 2];
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600), len, err = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	len = snprintf(text, sizeof(text), "%s\n", value);
	do
		n = write(fd, text, len);
	while (busy(n));
	if (n != len)
		err = n < 0 ? -errno : -EIO;
	close(fd);
	return err;
}

/* Reads a value without its newline.  0 or -errno. */
static int file_read(const char *path, char *value, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (len < size - 1 && (n = read(fd, value + len, size - 1 - len)) > 0)
		len += n;
	if (n < 0)
		n = -errno;
	close(fd);
	if (len > 0 && value[len - 1] == '\n')
		len--;
	value[len] = '\0';
	return n;
}

static void put(struct worker *w)
{
	unsigned key = chance(w, KEYS);
	char value[VALUE_MAX + 1];
	int err;

	value_make(w->id, key, ++w->last[key], value);
	err = file_write(path_of(w->id, "k%u", key), O_CREAT | O_TRUNC, value);
	if (err)
		failed(w, "write of key %u: %s", key, strerror(-err));
	w->present[key] = true;
}

static void get(struct worker *w)
{
	unsigned key = chance(w, KEYS);
	char value[VALUE_MAX + 2], right[VALUE_MAX + 1];
	int err = file_read(path_of(w->id, "k%u", key), value, sizeof(value));

	if (err != (w->present[key] ? 0 : -ENOENT)) {
		failed(w, "read of key %u, which %s: %s", key,
		       w->present[key] ? "is there" : "is not there", strerror(-err));
		return;
	}
	value_make(w->id, key, w->last[key], right);
	if (!err && strcmp(value, right))
		failed(w, "key %u has not what was written last, number %lu, but: %s", key,
		       w->last[key], value);
}

static void peek(struct worker *w)
{
	unsigned id = chance(w, writers + commanders), key = chance(w, KEYS);
	char value[VALUE_MAX + 2];
	int err = file_read(path_of(id, "k%u", key), value, sizeof(value));

	if (err && (err != -ENOENT || key < KEYS_KEPT))
		failed(w, "read of key %u of %u: %s", key, id, strerror(-err));
	/* Between its creation and its first write a file exists and is empty. */
	if (!err && (value[0] || key < KEYS_KEPT))
		value_seen(w, id, key, value);
}

static void size(struct worker *w)
{
	unsigned key = chance(w, KEYS);
	char right[VALUE_MAX + 1];
	struct stat st;
	int err = stat(path_of(w->id, "k%u", key), &st) ? -errno : 0;

	if (err != (w->present[key] ? 0 : -ENOENT))
		failed(w, "stat of key %u: %s", key, strerror(-err));
	else if (!err && (size_t)st.st_size != value_make(w->id, key, w->last[key], right) + 1)
		failed(w, "key %u has a size of %ld", key, (long)st.st_size);
}

static int file_unlink(const char *path)
{
	int rc;

	do
		rc = unlink(path);
	while (busy(rc));
	return rc ? -errno : 0;
}

static void drop(struct worker *w)
{
	unsigned key = KEYS_KEPT + chance(w, KEYS - KEYS_KEPT);
	int err = file_unlink(path_of(w->id, "k%u", key));

	if (err != (w->present[key] ? 0 : -ENOENT))
		failed(w, "unlink of key %u: %s", key, strerror(-err));
	w->present[key] = false;
}

static void exclusive(struct worker *w)
{
	const char *path = path_of(w->id, "excl", 0);
	const int flags = O_CREAT | O_EXCL;
	int err;

	while ((err = file_write(path, flags, "first")) == -EBUSY)
		atomic_fetch_add(&shared->busy, 1);
	if (err)
		failed(w, "exclusive create: %s", strerror(-err));
	err = file_write(path, flags, "second");
	if (err != -EEXIST)
		failed(w, "second exclusive create: %s", strerror(-err));
	err = file_unlink(path);
	if (err)
		failed(w, "unlink after an exclusive create: %s", strerror(-err));
}

static void move(struct worker *w)
{
	const char *from = path_of(w->id, "from", 0), *to = path_of(w->id, "to", 0);
	char value[VALUE_MAX + 2], right[VALUE_MAX + 1];
	int rc, err;

	value_make(w->id, KEYS, chance(w, 10000) + 1, right);
	err = file_write(from, O_CREAT | O_TRUNC, right);
	if (err)
		failed(w, "write before a rename: %s", strerror(-err));
	do
		rc = rename(from, to);
	while (busy(rc));
	if (rc)
		failed(w, "rename: %s", strerror(errno));
	err = file_read(to, value, sizeof(value));
	if (err || strcmp(value, right))
		failed(w, "read after a rename: %s", err ? strerror(-err) : value);
	if (access(from, F_OK) == 0 || errno != ENOENT)
		failed(w, "the old name is still there");
}

/* Returns the number of names in a directory but `.value`, or -errno. */
static int count_names(const char *path)
{
	DIR *list = opendir(path);
	struct dirent *entry;
	int count = 0;

	if (!list)
		return -errno;
	while ((entry = readdir(list)))
		count += entry->d_name[0] != '.';
	closedir(list);
	return count;
}

static int dir_remove(const char *path)
{
	int rc;

	do
		rc = rmdir(path);
	while (busy(rc));
	return rc ? -errno : 0;
}

static void directory(struct worker *w)
{
	const char *path = path_of(w->id, "d", 0), *file = path_of(w->id, "d/x", 0);
	int rc, err;

	do
		rc = mkdir(path, 0700);
	while (busy(rc));
	if (rc)
		failed(w, "mkdir: %s", strerror(errno));
	err = file_write(file, O_CREAT | O_TRUNC, "value");
	if (err)
		failed(w, "write in a new directory: %s", strerror(-err));
	rc = count_names(path);
	if (rc != 1)
		failed(w, "a directory of one lists %d", rc);
	err = dir_remove(path);
	if (err != -ENOTEMPTY)
		failed(w, "rmdir of a directory of one: %s", strerror(-err));
	err = file_unlink(file);
	if (!err)
		err = dir_remove(path);
	if (err)
		failed(w, "removing a directory of one: %s", strerror(-err));
}

/* Everybody appends lines to the same files, and none may be lost. */
static void append(struct worker *w)
{
	/* Two at a time, so that those of several mounts meet there. */
	unsigned counter = (atomic_load(&shared->appends) / 100 + chance(w, 2)) % COUNTERS;
	char path[1024], line[2] = { 'A' + w->id, '\0' };
	int err;

	if (atomic_load(&shared->appended[counter][w->id]) == APPENDS_MAX)
		return;
	snprintf(path, sizeof(path), "%s/shared/c%u", my_dir, counter);
	err = file_write(path, O_APPEND, line);
	if (err) {
		failed(w, "append: %s", strerror(-err));
		return;
	}
	atomic_fetch_add(&shared->appended[counter][w->id], 1);
	atomic_fetch_add(&shared->appends, 1);
}

/* ---- with the commands ---------------------------------------------------------------------- */

/* Runs a command and keeps what it says, without the last newline.  Returns its status. */
static int command(char *output, size_t size, const char *name, const char *arg, const char *more)
{
	int fds[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(STDERR_FILENO);
		execlp(name, name, arg, more, NULL);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], output + len, size - 1 - len)) > 0)
		len += n;
	close(fds[0]);
	output[len > 0 && output[len - 1] == '\n' ? len - 1 : len] = '\0';
	while (waitpid(pid, &status, 0) < 0)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void key_node(char *path, size_t size, unsigned id, unsigned key)
{
	snprintf(path, size, "%s/w%u/k%u", node, id, key);
}

static void command_put(struct worker *w)
{
	unsigned key = chance(w, KEYS);
	char value[VALUE_MAX + 1], path[1024], said[256];

	value_make(w->id, key, ++w->last[key], value);
	key_node(path, sizeof(path), w->id, key);
	if (command(said, sizeof(said), "xenstore-write", path, value))
		failed(w, "xenstore-write of key %u", key);
	w->present[key] = true;
}

static void command_get(struct worker *w)
{
	unsigned key = chance(w, KEYS);
	char value[VALUE_MAX + 2], right[VALUE_MAX + 1], path[1024];
	int status;

	key_node(path, sizeof(path), w->id, key);
	status = command(value, sizeof(value), "xenstore-read", path, NULL);
	value_make(w->id, key, w->last[key], right);
	if ((status == 0) != w->present[key])
		failed(w, "xenstore-read of key %u: status %d", key, status);
	else if (status == 0 && strcmp(value, right))
		failed(w, "xenstore-read of key %u: %s", key, value);
}

static void command_peek(struct worker *w)
{
	unsigned id = chance(w, writers + commanders), key = chance(w, KEYS);
	char value[VALUE_MAX + 2], path[1024];

	key_node(path, sizeof(path), id, key);
	if (command(value, sizeof(value), "xenstore-read", path, NULL) == 0)
		value_seen(w, id, key, value);
}

static void command_drop(struct worker *w)
{
	unsigned key = KEYS_KEPT + chance(w, KEYS - KEYS_KEPT);
	char path[1024], said[256];

	key_node(path, sizeof(path), w->id, key);
	if (command(said, sizeof(said), "xenstore-rm", path, NULL))
		failed(w, "xenstore-rm of key %u", key);
	w->present[key] = false;
}

static void command_list(struct worker *w)
{
	char path[1024], said[4096];
	unsigned names = 0, there = 0;

	snprintf(path, sizeof(path), "%s/w%u", node, w->id);
	if (command(said, sizeof(said), "xenstore-list", path, NULL))
		failed(w, "xenstore-list");
	for (char *line = strtok(said, "\n"); line; line = strtok(NULL, "\n"))
		names++;
	for (unsigned key = 0; key < KEYS; key++)
		there += w->present[key];
	if (names != there + 1)
		failed(w, "xenstore-list shows %u names for %u keys", names, there);
}

/* ---- the processes -------------------------------------------------------------------------- */

static void (*const mount_jobs[])(struct worker *) = {
	put, put, put, put, get, get, get, peek, peek, peek, peek, size, drop, exclusive, move,
	directory, append, append,
};

static void (*const command_jobs[])(struct worker *) = {
	command_put, command_put, command_get, command_get, command_peek, command_peek, command_peek,
	command_drop, command_list,
};

static void work(unsigned id)
{
	struct worker w = { .id = id, .random = id * 7919 + 1 };
	unsigned long done = 0;

	my_dir = dirs[id % n_dirs];
	for (unsigned key = 0; key < KEYS_KEPT; key++) {
		w.last[key] = 1;
		w.present[key] = true;
	}
	while (!atomic_load(&shared->stop)) {
		if (id < writers)
			mount_jobs[chance(&w, sizeof(mount_jobs) / sizeof(mount_jobs[0]))](&w);
		else
			command_jobs[chance(&w, sizeof(command_jobs) / sizeof(command_jobs[0]))](&w);
		done = atomic_fetch_add(&shared->operations, 1) + 1;
		if (operations_max && done >= operations_max)
			atomic_store(&shared->stop, true);
	}
}

/* Makes the directories that are needed, and removes what an earlier run left in them. */
static int prepare(void)
{
	char path[1024], value[VALUE_MAX + 1];
	int err = 0;

	if (mkdir(my_dir, 0700) && errno != EEXIST)
		return -errno;
	for (unsigned id = 0; id < writers + commanders; id++) {
		if (mkdir(path_of(id, "", 0), 0700) && errno != EEXIST)
			return -errno;
		/* An empty node would be a file to those that did not make it. */
		err = file_write(path_of(id, "keep", 0), O_CREAT | O_TRUNC, "this directory");
		for (unsigned key = 0; key < KEYS && (!err || err == -ENOENT); key++)
			err = file_unlink(path_of(id, "k%u", key));
		err = err == -ENOENT ? 0 : err;
		for (unsigned key = 0; key < KEYS_KEPT && !err; key++) {
			value_make(id, key, 1, value);
			err = file_write(path_of(id, "k%u", key), O_CREAT | O_TRUNC, value);
		}
		if (err)
			return err;
	}
	snprintf(path, sizeof(path), "%s/shared", my_dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	for (unsigned counter = 0; counter < COUNTERS; counter++) {
		snprintf(path, sizeof(path), "%s/shared/c%u", my_dir, counter);
		err = file_unlink(path);
		if (err && err != -ENOENT)
			return err;
		err = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (err < 0)
			return -errno;
		close(err);
	}
	return 0;
}

static void check_appends(void)
{
	char path[1024], text[8192];
	unsigned found[WORKERS_MAX];
	int err;

	for (unsigned counter = 0; counter < COUNTERS; counter++) {
		memset(found, 0, sizeof(found));
		snprintf(path, sizeof(path), "%s/shared/c%u", my_dir, counter);
		err = file_read(path, text, sizeof(text));
		if (err)
			failed(NULL, "%s: %s", path, strerror(-err));
		for (const char *p = text; !err && *p; p++)
			if (*p >= 'A' && *p < 'A' + WORKERS_MAX)
				found[*p - 'A']++;
		for (unsigned id = 0; !err && id < writers; id++)
			if (found[id] != atomic_load(&shared->appended[counter][id]))
				failed(NULL, "%s: %u lines of worker %u, who appended %u", path,
				       found[id], id, atomic_load(&shared->appended[counter][id]));
	}
}

static void run(unsigned seconds)
{
	pid_t pids[WORKERS_MAX];
	struct timespec pause = { .tv_sec = seconds };
	int status;

	for (unsigned id = 0; id < writers + commanders; id++) {
		pids[id] = fork();
		if (pids[id] < 0)
			failed(NULL, "fork: %s", strerror(errno));
		if (pids[id] == 0) {
			work(id);
			_exit(EXIT_SUCCESS);
		}
	}
	if (!operations_max) {
		nanosleep(&pause, NULL);
		atomic_store(&shared->stop, true);
	}
	for (unsigned id = 0; id < writers + commanders; id++)
		if (pids[id] > 0 && (waitpid(pids[id], &status, 0) < 0 || status))
			failed(NULL, "worker %u ended with status %d", id, status);
}

int main(int argc, char **argv)
{
	unsigned seconds = 1;
	int option, err;

	while ((option = getopt(argc, argv, "s:n:w:c:")) >= 0) {
		if (option == 's')
			seconds = atoi(optarg);
		else if (option == 'n')
			operations_max = strtoul(optarg, NULL, 10);
		else if (option == 'w')
			writers = atoi(optarg);
		else if (option == 'c')
			commanders = atoi(optarg);
		else
			return 2;
	}
	if (argc - optind < 2 || writers + commanders > WORKERS_MAX) {
		fprintf(stderr, "usage: stress [-s SECONDS | -n OPERATIONS] [-w WRITERS] "
				"[-c COMMANDERS] DIR... NODE\n");
		return 2;
	}
	dirs = argv + optind;
	n_dirs = argc - optind - 1;
	my_dir = dirs[0];
	node = argv[argc - 1];
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 2;
	err = prepare();
	if (err)
		failed(NULL, "cannot begin: %s", strerror(-err));
	else
		run(seconds);
	check_appends();
	printf("operations %lu\nappends %lu\nbusy %lu\nerrors %lu\n",
	       atomic_load(&shared->operations), atomic_load(&shared->appends),
	       atomic_load(&shared->busy), atomic_load(&shared->errors));
	return atomic_load(&shared->errors) ? EXIT_FAILURE : EXIT_SUCCESS;
}
