/* SPDX-License-Identifier: MIT */
/*
 * How fast a mounted store is, and libxenstore with one thread on the same server: pread, pwrite,
 * open+read+close, and what a shell's `echo` does, with 1, 8 and 16 clients at a time; how long the
 * requests take; what they cost.  And fstatfs, a FUSE request that asks the store nothing: no other
 * request can be faster.  For `make bench`; the clients are processes of their own (-T: threads), as
 * are the eight of libxenstore.
 *
 * libxenstore and the mounts take turns, a short time each, so that whatever else the machine does
 * falls on all.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define CLIENTS_MAX 16
#define MOUNTS_MAX 8
#define LIB_CLIENTS 8

/* Latencies are counted by sixteenths of a power of two, in nanoseconds: 6 % apart. */
#define BUCKETS (48 * 16)

#define STORE_DIR "/tool/xsfs-bench"

enum operation { STATFS, READ, WRITE, ECHO, OPEN_READ_CLOSE, PATH_READ, OPERATIONS };

static const char *const operation_names[] = { "fstatfs", "pread", "pwrite", "echo",
					       "open+read+close", "path-read" };

struct client {
	double rate;
	bool failed;
	uint64_t cpu;
	uint32_t latencies[BUCKETS];
};

/* Shared with the clients. */
struct shared {
	atomic_uint ready;
	atomic_bool go;
	struct client clients[CLIENTS_MAX];
};

/* What the clients do. */
struct job {
	enum operation operation;
	size_t size;
	unsigned clients;
	bool threads;
	uint64_t ns;
	char dir[256]; /* empty: libxenstore */
};

struct mount {
	const char *name;
	const char *dir;
	pid_t pid;
	struct rates rates;
	uint64_t latencies[BUCKETS];
	uint64_t cpu_clients, cpu_mount, cpu_server;
	double requests;
};

static struct shared *shared;
static const struct job *job;
static char value[4096];

static unsigned bucket_of(uint64_t ns)
{
	unsigned log2;

	if (ns < 16)
		return ns;
	log2 = 63 - __builtin_clzll(ns);
	log2 = (log2 - 3) * 16 + (ns >> (log2 - 4) & 15);
	return log2 < BUCKETS ? log2 : BUCKETS - 1;
}

static double bucket_us(unsigned bucket)
{
	if (bucket < 16)
		return bucket / 1000.0;
	return ((UINT64_C(16) + bucket % 16) << (bucket / 16 - 1)) / 1000.0;
}

/* ---- a client ---- */

/* Reads a whole file by its name; returns what read() did. */
static ssize_t read_file(int dirfd, const char *name, char *buf, size_t size)
{
	int fd = openat(dirfd, name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, size);
	close(fd);
	return n;
}

/* Writes a whole file by its name, as `echo >name` does; returns what write() did. */
static ssize_t write_file(int dirfd, const char *name, size_t size)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, value, size);
	return close(fd) ? -1 : n;
}

/* Does it once.  Returns whether that was as it should be. */
static bool act(enum operation operation, int fd, const char *path, const char *name, size_t size)
{
	char buf[4096];
	/* A value is followed by a newline in a file of format=text. */
	ssize_t whole = size + 1;
	struct statfs fs;

	switch (operation) {
	case STATFS:
		return fstatfs(fd, &fs) == 0;
	case READ:
		return pread(fd, buf, sizeof(buf), 0) == whole;
	case WRITE:
		return pwrite(fd, value, size, 0) == (ssize_t)size;
	case ECHO:
		return write_file(fd, name, size) == (ssize_t)size;
	case OPEN_READ_CLOSE:
		return read_file(fd, name, buf, sizeof(buf)) == whole;
	default:
		return read_file(AT_FDCWD, path, buf, sizeof(buf)) == whole;
	}
}

static int open_for(enum operation operation, const char *path)
{
	switch (operation) {
	case STATFS:
	case READ:
		return open(path, O_RDONLY);
	case WRITE:
		/* This file's whole content is ours: each write is one XS_WRITE. */
		return open(path, O_WRONLY | O_TRUNC);
	default:
		return open(job->dir, O_RDONLY | O_DIRECTORY);
	}
}

/* A client with a connection of its own. */
static void lib_client_run(unsigned index)
{
	struct client *client = &shared->clients[index];
	struct xs_handle *xs = xs_open(0);
	char path[64];

	snprintf(path, sizeof(path), STORE_DIR "/%u", index);
	atomic_fetch_add(&shared->ready, 1);
	while (!atomic_load(&shared->go))
		sched_yield();
	client->failed = !xs;
	if (xs)
		client->rate = lib_rate(xs, job->operation == WRITE, path, value, job->size, job->ns);
	xs_close(xs);
}

static void client_run(unsigned index)
{
	struct client *client = &shared->clients[index];
	char name[16], path[512];
	uint64_t start, before, now;
	long count;
	int fd;

	snprintf(name, sizeof(name), "%u", index);
	snprintf(path, sizeof(path), "%s/%s", job->dir, name);
	fd = open_for(job->operation, path);
	atomic_fetch_add(&shared->ready, 1);
	while (!atomic_load(&shared->go))
		sched_yield();
	start = now = now_ns();
	for (count = 0; now - start < job->ns && !client->failed; count++) {
		before = now;
		client->failed = fd < 0 || !act(job->operation, fd, path, name, job->size);
		now = now_ns();
		client->latencies[bucket_of(now - before)]++;
	}
	client->rate = count * 1e9 / (now - start);
	if (fd >= 0)
		close(fd);
}

static void *client_thread(void *arg)
{
	client_run((struct client *)arg - shared->clients);
	return NULL;
}

static uint64_t used_ns(int who)
{
	struct rusage ru;

	getrusage(who, &ru);
	return (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * UINT64_C(1000000000) +
	       (ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * UINT64_C(1000);
}

static void wait_ready(void)
{
	while (atomic_load(&shared->ready) < job->clients)
		sched_yield();
	atomic_store(&shared->go, true);
}

static void run_threads(void)
{
	pthread_t threads[CLIENTS_MAX];

	for (unsigned i = 0; i < job->clients; i++)
		if (pthread_create(&threads[i], NULL, client_thread, &shared->clients[i]))
			die("no threads");
	wait_ready();
	for (unsigned i = 0; i < job->clients; i++)
		pthread_join(threads[i], NULL);
}

static void run_processes(void)
{
	for (unsigned i = 0; i < job->clients; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork: %s", strerror(errno));
		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (job->dir[0])
				client_run(i);
			else
				lib_client_run(i);
			_exit(0);
		}
	}
	wait_ready();
	while (wait(NULL) > 0)
		;
}

/* Runs the clients once.  Returns their requests a second, all together. */
static double clients_rate(uint64_t *cpu)
{
	int who = job->threads ? RUSAGE_SELF : RUSAGE_CHILDREN;
	uint64_t before = used_ns(who);
	double rate = 0;

	memset(shared, 0, sizeof(*shared));
	if (job->threads)
		run_threads();
	else
		run_processes();
	*cpu = used_ns(who) - before;
	for (unsigned i = 0; i < job->clients; i++) {
		if (shared->clients[i].failed)
			die("%s of %zu bytes in %s failed", operation_names[job->operation],
			    job->size, job->dir);
		rate += shared->clients[i].rate;
	}
	return rate;
}

/* ---- all together ---- */

static void mount_round(struct mount *mount, struct job *now, pid_t server)
{
	uint64_t cpu_mount = cpu_ns(mount->pid), cpu_server = cpu_ns(server), cpu;
	double rate;

	snprintf(now->dir, sizeof(now->dir), "%s" STORE_DIR, mount->dir);
	job = now;
	rate = clients_rate(&cpu);
	rates_add(&mount->rates, rate);
	mount->cpu_clients += cpu;
	mount->cpu_mount += cpu_ns(mount->pid) - cpu_mount;
	mount->cpu_server += cpu_ns(server) - cpu_server;
	mount->requests += rate * now->ns / 1e9;
	for (unsigned i = 0; i < now->clients; i++)
		for (unsigned b = 0; b < BUCKETS; b++)
			mount->latencies[b] += shared->clients[i].latencies[b];
}

static double percentile_us(const struct mount *mount, double part)
{
	uint64_t all = 0, seen = 0;
	unsigned b;

	for (b = 0; b < BUCKETS; b++)
		all += mount->latencies[b];
	for (b = 0; b < BUCKETS - 1; b++) {
		seen += mount->latencies[b];
		if (seen >= all * part)
			break;
	}
	return bucket_us(b);
}

static void measure(struct xs_handle *xs, struct mount *mounts, unsigned n, struct job *now,
		    unsigned rounds, pid_t server)
{
	const char *operation = operation_names[now->operation];
	bool write = now->operation == WRITE || now->operation == ECHO;
	uint64_t lib_cpu = 0, before, cpu;
	struct rates lib = { 0 }, lib_many = { 0 };
	double lib_requests = 0, rate;
	char path[64], way[64];

	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		snprintf(path, sizeof(path), STORE_DIR "/%u", i);
		if (!xs_write(xs, XBT_NULL, path, value, now->size))
			die("%s: %s", path, strerror(errno));
	}
	for (unsigned i = 0; i < n; i++)
		mounts[i] = (struct mount){ .name = mounts[i].name, .dir = mounts[i].dir,
					    .pid = mounts[i].pid };
	for (unsigned round = 0; round < rounds; round++) {
		before = used_ns(RUSAGE_SELF) + cpu_ns(server);
		rate = lib_rate(xs, write, STORE_DIR "/0", value, now->size, now->ns);
		rates_add(&lib, rate);
		lib_requests += rate * now->ns / 1e9;
		lib_cpu += used_ns(RUSAGE_SELF) + cpu_ns(server) - before;
		if (now->clients == LIB_CLIENTS && (now->operation == WRITE || now->operation == READ)) {
			now->dir[0] = '\0';
			job = now;
			rates_add(&lib_many, clients_rate(&cpu));
		}
		for (unsigned i = 0; i < n; i++)
			mount_round(&mounts[i], now, server);
	}
	printf("# %s %zu B: libxenstore %.0f/s, cpu %.1f us\n", operation, now->size,
	       rates_median(&lib), lib_cpu / lib_requests / 1000);
	if (now->clients == 1)
		report("mount", operation, now->size, "lib-1", &lib, &lib);
	report("mount", operation, now->size, "lib-8", &lib_many, &lib);
	for (unsigned i = 0; i < n; i++) {
		const struct mount *m = &mounts[i];

		snprintf(way, sizeof(way), "%s-%u", m->name, now->clients);
		report("mount", operation, now->size, way, &m->rates, &lib);
		printf("# %s %zu B %s: p50 %.1f us, p99 %.1f us; cpu %.1f us a request: "
		       "client %.1f, xsfs %.1f, server %.1f\n",
		       operation, now->size, way, percentile_us(m, 0.5), percentile_us(m, 0.99),
		       (m->cpu_clients + m->cpu_mount + m->cpu_server) / m->requests / 1000,
		       m->cpu_clients / m->requests / 1000, m->cpu_mount / m->requests / 1000,
		       m->cpu_server / m->requests / 1000);
		fflush(stdout);
	}
}

static void __attribute__((noreturn)) usage(void)
{
	die("usage: bench_mount [-r ROUNDS] [-t MILLISECONDS] [-o OPERATION] [-b BYTES] "
	    "[-c CLIENTS] [-T] [-s SERVER_PID] NAME=DIR=PID...");
}

/* Takes NAME=DIR=PID apart. */
static struct mount mount_parse(char *text)
{
	struct mount mount = { .name = strsep(&text, "=") };

	mount.dir = strsep(&text, "=");
	if (!mount.dir || !text)
		usage();
	mount.pid = strtol(text, NULL, 10);
	return mount;
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 10, 2048 };
	static const unsigned clients[] = { 1, 8, 16 };
	struct job now = { .ns = 100000000 };
	struct mount mounts[MOUNTS_MAX];
	unsigned n = 0, rounds = 7, only_clients = 0;
	const char *only_op = NULL;
	struct xs_handle *xs;
	size_t only_size = 0;
	pid_t server = 0;
	int opt;

	while ((opt = getopt(argc, argv, "r:t:o:b:c:Ts:")) != -1) {
		if (opt == 'r')
			rounds = strtoul(optarg, NULL, 10);
		else if (opt == 't')
			now.ns = strtoul(optarg, NULL, 10) * UINT64_C(1000000);
		else if (opt == 'o')
			only_op = optarg;
		else if (opt == 'b')
			only_size = strtoul(optarg, NULL, 10);
		else if (opt == 'c')
			only_clients = strtoul(optarg, NULL, 10);
		else if (opt == 'T')
			now.threads = true;
		else if (opt == 's')
			server = strtol(optarg, NULL, 10);
		else
			usage();
	}
	if (optind == argc || argc - optind > MOUNTS_MAX || !rounds || rounds > ROUNDS_MAX)
		usage();
	while (optind < argc)
		mounts[n++] = mount_parse(argv[optind++]);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	xs = xs_open(0);
	if (shared == MAP_FAILED || !xs)
		die("libxenstore: %s", strerror(errno));
	value_fill(value, sizeof(value));
	for (unsigned s = 0; s < 2; s++) {
		for (unsigned op = 0; op < OPERATIONS; op++) {
			for (unsigned c = 0; c < 3; c++) {
				now.operation = op;
				now.size = sizes[s];
				now.clients = clients[c];
				if ((op == STATFS && s > 0) ||
				    (only_op && strcmp(only_op, operation_names[op]) != 0) ||
				    (only_size && only_size != now.size) ||
				    (only_clients && only_clients != now.clients))
					continue;
				measure(xs, mounts, n, &now, rounds, server);
			}
		}
	}
	xs_rm(xs, XBT_NULL, STORE_DIR);
	xs_close(xs);
	return 0;
}
