/* SPDX-License-Identifier: MIT */
/*
 * How fast the channel is, over the ring and over the socket of a real server, and libxenstore on
 * that same server.  For `make bench`; one thread, but for the eight of libxenstore.
 *
 * All ways take turns, a short time each, so that whatever else the machine does falls on all.
 * The ring is domain 0's of the loopback world that the environment names.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/chan.h"
#include "ring/spin.h"
#include "tests/bench/bench.h"

#define IN_FLIGHT 16
#define LIB_THREADS 8

/* What every request of a measurement is. */
struct job {
	bool write;
	size_t size;
	const char *value;
	char path[64];
};

/* One way of making requests. */
struct way {
	const char *name;
	struct chan *chan; /* NULL: libxenstore */
	unsigned in_flight; /* or threads */
	bool spin;
	struct rates rates;
};

static struct xs_handle *xs;

/* ---- the channel ---- */

static struct request *request_make(const struct job *job)
{
	struct request *req = request_new_path(job->write ? XS_WRITE : XS_READ, 0, job->path,
					       job->value, job->write ? job->size : 0);

	if (!req)
		die("out of memory");
	return req;
}

static void request_check(const struct job *job, struct request *req)
{
	if (req->error)
		die("%s: %s", job->path, strerror(-req->error));
	if (!job->write && req->reply_len != job->size)
		die("%s: %u bytes instead of %zu", job->path, req->reply_len, job->size);
	request_put(req);
}

/* One at a time, as a program with nothing else to do makes them. */
static double chan_one(struct chan *chan, const struct job *job, uint64_t ns)
{
	uint64_t start = now_ns(), now = start;
	struct request *req;
	long count;

	for (count = 0; now - start < ns; count++) {
		req = request_make(job);
		chan_submit(chan, req);
		chan_wait(chan, req);
		request_check(job, req);
		now = now_ns();
	}
	return count * 1e9 / (now - start);
}

/* The requests of a pipelined run: those that have completed and are not yet replaced. */
static struct request *completed[IN_FLIGHT];
static unsigned n_completed;

static void on_complete(struct request *req)
{
	completed[n_completed++] = req;
}

/* Replaces what has completed.  Returns how many that were. */
static unsigned refill(struct chan *chan, const struct job *job, bool again)
{
	struct request *reqs[IN_FLIGHT];
	unsigned n = n_completed;

	for (unsigned i = 0; i < n; i++) {
		request_check(job, completed[i]);
		reqs[i] = again ? request_make(job) : NULL;
		if (again)
			reqs[i]->complete = on_complete;
	}
	n_completed = 0;
	if (n && again)
		chan_submit_all(chan, reqs, n);
	return n;
}

/* Services the channel until something has completed. */
static void wait_some(struct chan *chan, bool spinning, struct spin *spin)
{
	struct pollfd fds[CHAN_POLLFDS];

	while (!n_completed) {
		if (chan_service(chan) > 0)
			continue;
		if (spinning && spin_again(spin))
			continue;
		if (!chan_may_sleep(chan))
			continue;
		poll(fds, chan_pollfds(chan, fds), chan_timeout(chan));
		spin_restart(spin);
	}
	spin_hit(spin);
}

/* A number of them at a time. */
static double chan_many(struct chan *chan, unsigned in_flight, bool spinning,
			const struct job *job, uint64_t ns)
{
	uint64_t start = now_ns(), now = start;
	unsigned pending = in_flight;
	struct request *req;
	struct spin spin;
	long count = 0;

	spin_init(&spin);
	for (unsigned i = 0; i < in_flight; i++) {
		req = request_make(job);
		req->complete = on_complete;
		chan_submit(chan, req);
	}
	while (now - start < ns) {
		wait_some(chan, spinning, &spin);
		count += refill(chan, job, true);
		now = now_ns();
	}
	while (pending > 0) {
		wait_some(chan, spinning, &spin);
		pending -= refill(chan, job, false);
	}
	return count * 1e9 / (now - start);
}

/* ---- libxenstore ---- */

struct lib_thread {
	pthread_t thread;
	const struct job *job;
	uint64_t ns;
	double rate;
};

static void *lib_thread(void *arg)
{
	struct lib_thread *t = arg;

	t->rate = lib_rate(xs, t->job->write, t->job->path, t->job->value, t->job->size, t->ns);
	return NULL;
}

static double lib_many(unsigned threads, const struct job *job, uint64_t ns)
{
	struct lib_thread t[LIB_THREADS];
	double rate = 0;

	for (unsigned i = 0; i < threads; i++) {
		t[i] = (struct lib_thread){ .job = job, .ns = ns };
		if (pthread_create(&t[i].thread, NULL, lib_thread, &t[i]))
			die("no threads");
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(t[i].thread, NULL);
		rate += t[i].rate;
	}
	return rate;
}

/* ---- all together ---- */

static double way_rate(const struct way *way, const struct job *job, uint64_t ns)
{
	if (!way->chan)
		return way->in_flight == 1 ? lib_rate(xs, job->write, job->path, job->value,
						      job->size, ns)
					   : lib_many(way->in_flight, job, ns);
	if (way->in_flight == 1 && way->spin)
		return chan_one(way->chan, job, ns);
	return chan_many(way->chan, way->in_flight, way->spin, job, ns);
}

static struct chan *chan_make(struct transport *t)
{
	struct chan_config config = { .transport = t, .timeout_ms = 10000 };
	struct chan *chan;
	int err = chan_new(&chan, &config);

	if (err)
		die("no channel: %s", strerror(-err));
	return chan;
}

static struct chan *socket_chan(void)
{
	const char *path = getenv("XENSTORED_PATH");
	struct transport *t;
	int err = transport_socket_new(&t, path ? path : "", NULL);

	if (err)
		die("socket: %s", strerror(-err));
	return chan_make(t);
}

static struct chan *ring_chan(void)
{
	struct ring_params params = { .events = RING_EVENTS_UNBOUND, .privileged = true };
	struct transport *t;
	int err = transport_ring_new(&t, &params, NULL);

	if (err)
		die("ring: %s", strerror(-err));
	if (!xs_introduce_domain(xs, 0, 0, transport_ring_port(t)))
		die("ring: the server does not take it: %s", strerror(errno));
	return chan_make(t);
}

static void measure(struct way *ways, unsigned n, const struct job *job, unsigned rounds,
		    uint64_t ns)
{
	if (!xs_write(xs, XBT_NULL, job->path, job->value, job->size))
		die("%s: %s", job->path, strerror(errno));
	for (unsigned i = 0; i < n; i++)
		ways[i].rates.count = 0;
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < n; i++)
			rates_add(&ways[i].rates, way_rate(&ways[i], job, ns));
	for (unsigned i = 0; i < n; i++)
		report("chan", job->write ? "write" : "read", job->size, ways[i].name,
		       &ways[i].rates, &ways[0].rates);
}

static void __attribute__((noreturn)) usage(void)
{
	die("usage: bench_chan [-r ROUNDS] [-t MILLISECONDS] [-o read|write] [-b BYTES] [-w WAY]");
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 10, 1024, 2048 };
	struct way ways[] = {
		{ "lib-1", NULL, 1, false, { .count = 0 } },
		{ "lib-8-threads", NULL, LIB_THREADS, false, { .count = 0 } },
		{ "socket-1", NULL, 1, true, { .count = 0 } },
		{ "socket-1-sleeping", NULL, 1, false, { .count = 0 } },
		{ "socket-16", NULL, IN_FLIGHT, true, { .count = 0 } },
		{ "socket-16-sleeping", NULL, IN_FLIGHT, false, { .count = 0 } },
		{ "ring-1", NULL, 1, true, { .count = 0 } },
		{ "ring-1-sleeping", NULL, 1, false, { .count = 0 } },
		{ "ring-16", NULL, IN_FLIGHT, true, { .count = 0 } },
		{ "ring-16-sleeping", NULL, IN_FLIGHT, false, { .count = 0 } },
	};
	unsigned n = sizeof(ways) / sizeof(ways[0]), kept = 1, rounds = 9;
	const char *only_way = NULL, *only_op = NULL;
	struct chan *over_socket, *over_ring;
	char value[2048];
	struct job job = { .value = value, .path = "/tool/xsfs-bench/0" };
	size_t only_size = 0;
	uint64_t ns = 40000000;
	int opt;

	while ((opt = getopt(argc, argv, "r:t:o:b:w:")) != -1) {
		if (opt == 'r')
			rounds = strtoul(optarg, NULL, 10);
		else if (opt == 't')
			ns = strtoul(optarg, NULL, 10) * UINT64_C(1000000);
		else if (opt == 'o')
			only_op = optarg;
		else if (opt == 'b')
			only_size = strtoul(optarg, NULL, 10);
		else if (opt == 'w')
			only_way = optarg;
		else
			usage();
	}
	if (optind != argc || !rounds || rounds > ROUNDS_MAX)
		usage();
	xs = xs_open(0);
	if (!xs)
		die("libxenstore: %s", strerror(errno));
	over_socket = socket_chan();
	over_ring = ring_chan();
	value_fill(value, sizeof(value));
	for (unsigned i = 1; i < n; i++) {
		if (!strncmp(ways[i].name, "socket", strlen("socket")))
			ways[i].chan = over_socket;
		else if (!strncmp(ways[i].name, "ring", strlen("ring")))
			ways[i].chan = over_ring;
		if (!only_way || !strncmp(ways[i].name, only_way, strlen(only_way)))
			ways[kept++] = ways[i];
	}
	for (unsigned i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		job.write = i % 2;
		job.size = sizes[i / 2];
		if (only_size && only_size != job.size)
			continue;
		if (only_op && strcmp(only_op, job.write ? "write" : "read") != 0)
			continue;
		measure(ways, kept, &job, rounds, ns);
	}
	chan_free(over_ring);
	chan_free(over_socket);
	xs_rm(xs, XBT_NULL, "/tool/xsfs-bench");
	xs_close(xs);
	return 0;
}
