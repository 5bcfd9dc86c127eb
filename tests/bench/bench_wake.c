/* SPDX-License-Identifier: MIT */
/*
 * How soon a change wakes up who waits for it: epoll on a key of a mounted store, and poll on
 * libxenstore's watch descriptor, on the same server.  For `make bench`.
 *
 * "wake-up" is one of many changes; before that of "wake-up-alone" nothing has changed for a while, so that xsfs also has
 * readers of inotify to tell at once.
 *
 * A thread writes a key, over a connection of its own, a moment after it was told that somebody
 * waits; they take turns, and each has a key of its own, so that only one is woken up.  The rate is
 * wake-ups a second, if one followed the other: a ratio of 0.83 is 1.2 times the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define MOUNTS_MAX 4
#define CHANGES_MAX 1000
#define KEYS "/tool/xsfs-bench-wake"
#define TOKEN "bench"
#define VALUE_SIZE 10

/* How long who waits has to fall asleep before the change, and to be woken up after it. */
#define SETTLE_NS 500000
#define PATIENCE_MS 10000

/* After so long a change is one that stands alone (PATIENT_MS in fs/inotify/queue.c), and so much fewer of them are made. */
#define ALONE_NS 60000000
#define ALONE_FEWER 4

struct way {
	const char *name; /* NULL: libxenstore */
	char key[64];
	int file;
	int epoll;
	struct rates rates, alone;
};

static struct xs_handle *watcher;
static sem_t change;
static const char *_Atomic changed_key;
static atomic_ullong changed_ns;

static void *writer_thread(void *arg)
{
	struct timespec settle = { .tv_nsec = SETTLE_NS };
	struct xs_handle *xs = xs_open(0);
	char value[VALUE_SIZE];

	(void)arg;
	value_fill(value, sizeof(value));
	for (;;) {
		sem_wait(&change);
		nanosleep(&settle, NULL);
		atomic_store(&changed_ns, now_ns());
		if (!xs || !xs_write(xs, XBT_NULL, changed_key, value, sizeof(value)))
			die("libxenstore: write %s: %s", changed_key, strerror(errno));
	}
	return NULL;
}

static void take_events(void)
{
	char **event;

	while ((event = xs_check_watch(watcher)))
		free(event);
}

static void read_key(const struct way *way)
{
	char buf[VALUE_SIZE + 1];

	if (pread(way->file, buf, sizeof(buf), 0) != (ssize_t)sizeof(buf))
		die("%s: the key cannot be read: %s", way->name, strerror(errno));
}

/* Waits for a change.  Returns whether it came within `ms` milliseconds. */
static bool wait_change(const struct way *way, int ms)
{
	struct pollfd fd = { .fd = xs_fileno(watcher), .events = POLLIN };
	struct epoll_event event;

	if (!way->name)
		return poll(&fd, 1, ms) == 1;
	return epoll_wait(way->epoll, &event, 1, ms) == 1;
}

/* All have seen what there was. */
static void settle(const struct way *ways, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		while (wait_change(&ways[i], 2)) {
			if (ways[i].name)
				read_key(&ways[i]);
			else
				take_events();
		}
}

/* Returns the nanoseconds from a change to its wake-up. */
static uint64_t wake_ns(const struct way *way)
{
	changed_key = way->key;
	sem_post(&change);
	if (!wait_change(way, PATIENCE_MS))
		die("%s: no wake-up", way->name ? way->name : "libxenstore");
	return now_ns() - atomic_load(&changed_ns);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* One round: so many changes for each way, in turns. */
static void measure(struct way *ways, unsigned n, unsigned changes, bool alone)
{
	static uint64_t times[MOUNTS_MAX + 1][CHANGES_MAX];
	const struct timespec pause = { .tv_nsec = ALONE_NS };

	for (unsigned c = 0; c < changes; c++) {
		for (unsigned i = 0; i < n; i++) {
			if (alone)
				nanosleep(&pause, NULL);
			times[i][c] = wake_ns(&ways[i]);
			settle(ways, n);
		}
	}
	for (unsigned i = 0; i < n; i++) {
		qsort(times[i], changes, sizeof(times[i][0]), compare);
		rates_add(alone ? &ways[i].alone : &ways[i].rates, 1e9 / times[i][changes / 2]);
	}
}

static void way_make_key(struct way *way, const char *name)
{
	way->name = name;
	snprintf(way->key, sizeof(way->key), KEYS "/%s", name ? name : "libxenstore");
	if (!xs_write(watcher, XBT_NULL, way->key, "0123456789", VALUE_SIZE))
		die("libxenstore: write %s: %s", way->key, strerror(errno));
}

static void way_open(struct way *way, const char *dir)
{
	struct epoll_event event = { .events = EPOLLPRI };
	char path[4096];

	snprintf(path, sizeof(path), "%s%s", dir, way->key);
	way->file = open(path, O_RDONLY);
	way->epoll = epoll_create1(0);
	if (way->file < 0 || epoll_ctl(way->epoll, EPOLL_CTL_ADD, way->file, &event))
		die("%s: %s", path, strerror(errno));
}

static void print(const char *operation, const char *way, const struct rates *rates, const struct rates *base)
{
	report("mount", operation, VALUE_SIZE, way, rates, base);
	printf("# %s %s: %.1f us\n", operation, way, 1e6 / rates_median(rates));
}

static void __attribute__((noreturn)) usage(void)
{
	die("usage: bench_wake [-r ROUNDS] [-n CHANGES] NAME=DIR...");
}

int main(int argc, char **argv)
{
	struct way ways[MOUNTS_MAX + 1] = { 0 };
	unsigned n = 1, rounds = 7, changes = 50;
	pthread_t writer;
	char *name, way[64];
	int opt;

	while ((opt = getopt(argc, argv, "r:n:")) != -1) {
		if (opt == 'r')
			rounds = strtoul(optarg, NULL, 10);
		else if (opt == 'n')
			changes = strtoul(optarg, NULL, 10);
		else
			usage();
	}
	if (optind == argc || argc - optind > MOUNTS_MAX || !rounds || rounds > ROUNDS_MAX ||
	    !changes || changes > CHANGES_MAX)
		usage();
	watcher = xs_open(0);
	if (!watcher)
		die("libxenstore: %s", strerror(errno));
	way_make_key(&ways[0], NULL);
	if (!xs_watch(watcher, ways[0].key, TOKEN))
		die("libxenstore: %s", strerror(errno));
	sem_init(&change, 0, 0);
	if (pthread_create(&writer, NULL, writer_thread, NULL))
		die("no threads");
	for (; optind < argc; optind++) {
		name = strsep(&argv[optind], "=");
		if (!argv[optind])
			usage();
		way_make_key(&ways[n], name);
		way_open(&ways[n++], argv[optind]);
	}
	settle(ways, n);
	for (unsigned round = 0; round < rounds; round++) {
		measure(ways, n, changes, false);
		measure(ways, n, (changes + ALONE_FEWER - 1) / ALONE_FEWER, true);
	}
	for (unsigned i = 0; i < n; i++) {
		snprintf(way, sizeof(way), "%s-1", ways[i].name ? ways[i].name : "lib");
		print("wake-up", way, &ways[i].rates, &ways[0].rates);
		print("wake-up-alone", way, &ways[i].alone, &ways[0].alone);
	}
	xs_rm(watcher, XBT_NULL, KEYS);
	xs_close(watcher);
	return 0;
}
