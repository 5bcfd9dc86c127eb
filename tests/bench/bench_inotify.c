/* SPDX-License-Identifier: MIT */
/*
 * How soon those who are told of changes have the new values: a reader of inotify(7), who reads a key of a
 * mounted store when it was closed after writing, and one of libxenstore's watches, who asks for it, on the same
 * server and at the same time.  For `make bench`.
 *
 * Changes come in bursts, each of as many keys; the next one begins when both have all values of the one before.  The
 * rates are those of values if each took as long as the median, and as the 99th of a hundred.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/bench.h"

/* In several directories, as oxenstored cannot list a large one over a ring. */
#define DIRS 10
#define KEYS_OF_DIR 100
#define KEYS (DIRS * KEYS_OF_DIR)
#define TOP "/tool/xsfs-bench-inotify"
#define TOKEN "bench"
#define PATH_SIZE 4096
#define PATIENCE_S 60

/* One who is told, and how long each value took, in nanoseconds. */
struct reader {
	const char *name; /* NULL: of libxenstore */
	uint64_t delays[KEYS];
	unsigned count;      /* of them, in this round */
	unsigned missing;    /* values of this burst */
	unsigned seen[KEYS]; /* the value that was read last */
	struct rates median, late;
};

static struct xs_handle *writer, *watcher;
static const char *mount_dir;
static struct reader readers[2];

/* Guards the readers and what was written. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t complete = PTHREAD_COND_INITIALIZER;
static unsigned written[KEYS];
static uint64_t written_ns[KEYS];

static void key_path(char *path, const char *before, unsigned key)
{
	snprintf(path, PATH_SIZE, "%s" TOP "/%u/%u", before, key / KEYS_OF_DIR, key % KEYS_OF_DIR);
}

/* A reader has read a key. */
static void note(struct reader *reader, unsigned key, unsigned value)
{
	uint64_t now = now_ns();

	pthread_mutex_lock(&lock);
	if (value == written[key] && reader->seen[key] != value) {
		reader->seen[key] = value;
		reader->delays[reader->count++] = now - written_ns[key];
		if (--reader->missing == 0)
			pthread_cond_signal(&complete);
	}
	pthread_mutex_unlock(&lock);
}

static void *watch_thread(void *arg)
{
	unsigned n, dir, key, len;
	char **event, *value;

	while ((event = xs_read_watch(watcher, &n))) {
		if (sscanf(event[XS_WATCH_PATH], TOP "/%u/%u", &dir, &key) == 2) {
			value = xs_read(watcher, XBT_NULL, event[XS_WATCH_PATH], &len);
			if (value)
				note(arg, dir * KEYS_OF_DIR + key, strtoul(value, NULL, 10));
			free(value);
		}
		free(event);
	}
	die("libxenstore: no more events: %s", strerror(errno));
}

static void read_key(struct reader *reader, unsigned key)
{
	char path[PATH_SIZE], value[16];
	ssize_t len;
	int fd;

	key_path(path, mount_dir, key);
	fd = open(path, O_RDONLY);
	len = fd < 0 ? -1 : read(fd, value, sizeof(value) - 1);
	if (len < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
	value[len] = '\0';
	note(reader, key, strtoul(value, NULL, 10));
}

static void *inotify_thread(void *arg)
{
	char buf[65536] __attribute__((aligned(__alignof__(struct inotify_event)))), path[PATH_SIZE];
	int fd = inotify_init1(IN_CLOEXEC), first = 0;
	const struct inotify_event *event;
	ssize_t len;

	for (unsigned dir = 0; dir < DIRS; dir++) {
		snprintf(path, sizeof(path), "%s" TOP "/%u", mount_dir, dir);
		first = inotify_add_watch(fd, path, IN_CLOSE_WRITE) - dir;
		if (first < 0)
			die("%s: %s", path, strerror(errno));
	}
	pthread_mutex_lock(&lock);
	pthread_cond_signal(&complete);
	pthread_mutex_unlock(&lock);
	while ((len = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < len; at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)(buf + at);
			if (event->len)
				read_key(arg, (event->wd - first) * KEYS_OF_DIR + strtoul(event->name, NULL, 10));
		}
	}
	die("inotify: %s", strerror(errno));
}

static void write_key(unsigned key)
{
	char path[PATH_SIZE], value[16];
	unsigned len;

	key_path(path, "", key);
	pthread_mutex_lock(&lock);
	len = snprintf(value, sizeof(value), "%010u", ++written[key]);
	written_ns[key] = now_ns();
	pthread_mutex_unlock(&lock);
	if (!xs_write(writer, XBT_NULL, path, value, len))
		die("libxenstore: write %s: %s", path, strerror(errno));
}

/* Changes as many keys, from `first` on, and waits until all is read. */
static void burst(unsigned first, unsigned size)
{
	struct timespec until;

	pthread_mutex_lock(&lock);
	readers[0].missing = readers[1].missing = size;
	pthread_mutex_unlock(&lock);
	for (unsigned i = 0; i < size; i++)
		write_key((first + i) % KEYS);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&lock);
	while (readers[0].missing || readers[1].missing)
		if (pthread_cond_timedwait(&complete, &lock, &until))
			die("%u values were not told by libxenstore, %u not by inotify", readers[0].missing,
			    readers[1].missing);
	pthread_mutex_unlock(&lock);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure(unsigned size, unsigned changes)
{
	for (unsigned r = 0; r < 2; r++)
		readers[r].count = 0;
	for (unsigned i = 0; i + size <= changes; i += size)
		burst(rand() % KEYS, size);
	for (unsigned r = 0; r < 2; r++) {
		qsort(readers[r].delays, readers[r].count, sizeof(uint64_t), compare);
		rates_add(&readers[r].median, 1e9 / readers[r].delays[readers[r].count / 2]);
		rates_add(&readers[r].late, 1e9 / readers[r].delays[readers[r].count * 99 / 100]);
	}
}

/* Makes the keys, and has the kernel know them. */
static void prepare(void)
{
	char path[PATH_SIZE];
	struct stat st;

	for (unsigned key = 0; key < KEYS; key++) {
		write_key(key);
		key_path(path, mount_dir, key);
		if (stat(path, &st) < 0)
			die("%s: %s", path, strerror(errno));
		readers[0].seen[key] = readers[1].seen[key] = written[key];
	}
}

static void start(void)
{
	pthread_t thread;

	if (!xs_watch(watcher, TOP, TOKEN))
		die("libxenstore: %s", strerror(errno));
	pthread_mutex_lock(&lock);
	if (pthread_create(&thread, NULL, inotify_thread, &readers[1]) ||
	    pthread_create(&thread, NULL, watch_thread, &readers[0]))
		die("no threads");
	pthread_cond_wait(&complete, &lock);
	pthread_mutex_unlock(&lock);
	/* What was made before is told by now. */
	for (unsigned key = 0; key < KEYS; key += KEYS_OF_DIR)
		burst(key, KEYS_OF_DIR);
}

static void report_all(unsigned size)
{
	char way[64];

	for (unsigned r = 0; r < 2; r++) {
		snprintf(way, sizeof(way), "%s-1", readers[r].name ? readers[r].name : "lib");
		report("inotify", "median", size, way, &readers[r].median, &readers[0].median);
		report("inotify", "99-of-100", size, way, &readers[r].late, &readers[0].late);
		printf("# told of %u changes at once, %s: median %.2f ms, 99 of 100 within %.2f ms\n", size, way,
		       1e3 / rates_median(&readers[r].median), 1e3 / rates_median(&readers[r].late));
	}
}

static void __attribute__((noreturn)) usage(void)
{
	die("usage: bench_inotify [-r ROUNDS] [-n CHANGES] [-b BURST] NAME=DIR");
}

int main(int argc, char **argv)
{
	unsigned rounds = 7, changes = 400, size = 1;
	int opt;

	while ((opt = getopt(argc, argv, "r:n:b:")) != -1) {
		if (opt == 'r')
			rounds = strtoul(optarg, NULL, 10);
		else if (opt == 'n')
			changes = strtoul(optarg, NULL, 10);
		else if (opt == 'b')
			size = strtoul(optarg, NULL, 10);
		else
			usage();
	}
	if (optind + 1 != argc || !rounds || rounds > ROUNDS_MAX || !size || size > changes || changes > KEYS)
		usage();
	mount_dir = strchr(argv[optind], '=');
	if (!mount_dir)
		usage();
	readers[1].name = strsep(&argv[optind], "=");
	mount_dir = argv[optind];
	writer = xs_open(0);
	watcher = xs_open(0);
	if (!writer || !watcher)
		die("libxenstore: %s", strerror(errno));
	prepare();
	start();
	for (unsigned round = 0; round < rounds; round++)
		measure(size, changes);
	report_all(size);
	xs_rm(writer, XBT_NULL, TOP);
	/* The threads go with the process. */
	return 0;
}
