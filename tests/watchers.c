/* SPDX-License-Identifier: MIT */
/*
 * Programs that wait for changes, in numbers beyond a shell.  For t_poll.sh and t_stream.sh.
 * Changes are made over the store's socket, $XENSTORED_PATH.
 *
 *	watchers rounds MODE FILE PATH ROUNDS WRITERS [ANCESTOR]
 *		One thread waits for changes of FILE, the node PATH, and reads it after each; MODE is
 *		poll, select, level or edge (epoll).  In each round as many writers change the value
 *		at the same time, and when they are done the waiting thread must end up reading what
 *		the store has.  The values differ in length.  With ANCESTOR that is removed in each round
 *		too, and with it the node.  Says "ok CHANGES READS", or what is wrong.
 *	watchers many DIR PATH KEYS STREAMS CHANGES
 *		Makes KEYS keys below PATH, which DIR shows, polls all of them (epoll), and opens as
 *		many streams.  Says "ok MICROSECONDS", the median from a change to its wake-up.
 *	watchers key FILE VALUE
 *		Polls FILE (epoll) and reads it after each wake-up, until it has that value ("(gone)":
 *		is not there).  Says "ok READS".
 *	watchers flood PATH COUNT KEYS
 *		Writes COUNT times to KEYS keys below PATH, as fast as the store takes it, ending with
 *		"last" in each.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#define PATIENCE_S 10
#define WRITERS_MAX 16
#define VALUE_SIZE 64
#define PIPELINE 64

/* Stands for the value of a node that does not exist. */
#define GONE "(gone)"

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000000) + ts.tv_nsec / 1000;
}

/* ---- the store ---- */

static int store_open(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = getenv("XENSTORED_PATH");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path ? path : "");
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("%s: %s", addr.sun_path, strerror(errno));
	return fd;
}

static void send_all(int fd, const void *data, size_t len)
{
	if (send(fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("the store: %s", strerror(errno));
}

static void receive_all(int fd, void *data, size_t len)
{
	if (len && recv(fd, data, len, MSG_WAITALL) != (ssize_t)len)
		die("the store: %s", strerror(errno));
}

static void store_send(int fd, uint32_t type, const char *path, const char *value)
{
	struct xsd_sockmsg hdr = { .type = type };
	size_t path_size = strlen(path) + 1, len = value ? strlen(value) : 0;
	char msg[sizeof(hdr) + XENSTORE_PAYLOAD_MAX];

	hdr.len = path_size + len;
	memcpy(msg, &hdr, sizeof(hdr));
	memcpy(msg + sizeof(hdr), path, path_size);
	if (len)
		memcpy(msg + sizeof(hdr) + path_size, value, len);
	send_all(fd, msg, sizeof(hdr) + hdr.len);
}

/* Returns whether the answer is no error; `body` (XENSTORE_PAYLOAD_MAX + 1) gets its text. */
static bool store_receive(int fd, char *body)
{
	struct xsd_sockmsg hdr;

	receive_all(fd, &hdr, sizeof(hdr));
	receive_all(fd, body, hdr.len);
	body[hdr.len] = '\0';
	return hdr.type != XS_ERROR;
}

static bool store_call(int fd, uint32_t type, const char *path, const char *value, char *body)
{
	char none[XENSTORE_PAYLOAD_MAX + 1];

	store_send(fd, type, path, value);
	return store_receive(fd, body ? body : none);
}

/* ---- rounds ---- */

struct reader {
	const char *mode;
	int fd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char value[VALUE_SIZE];
	atomic_ulong reads;
};

struct writer {
	pthread_t thread;
	unsigned number;
	const char *path;
	const char *ancestor;
	unsigned rounds;
	pthread_barrier_t *barrier;
};

static void read_value(struct reader *r)
{
	char value[VALUE_SIZE];
	ssize_t len = pread(r->fd, value, sizeof(value) - 1, 0);

	if (len < 0 && errno != ENOENT)
		die("read: %s", strerror(errno));
	if (len < 0)
		len = sprintf(value, "%s\n", GONE);
	value[len > 0 ? len - 1 : 0] = '\0';
	pthread_mutex_lock(&r->lock);
	strcpy(r->value, value);
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
	atomic_fetch_add(&r->reads, 1);
}

static void wait_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };

	if (poll(&p, 1, -1) != 1 || !(p.revents & (POLLPRI | POLLHUP)))
		die("poll: %x", p.revents);
}

static void wait_select(int fd)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	if (select(fd + 1, NULL, NULL, &set, NULL) != 1)
		die("select: %s", strerror(errno));
}

/* Returns an epoll descriptor for `fd`, level- or edge-triggered. */
static int epoll_of(int fd, bool edge)
{
	struct epoll_event event = { .events = EPOLLPRI | (edge ? EPOLLET : 0) };
	int epoll = epoll_create1(0);

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl: %s", strerror(errno));
	return epoll;
}

/* A suspended domain interrupts it, without a signal. */
static void wait_epoll(int epoll)
{
	struct epoll_event event;

	if (TEMP_FAILURE_RETRY(epoll_wait(epoll, &event, 1, -1)) != 1)
		die("epoll_wait: %s", strerror(errno));
}

static void *reader_thread(void *arg)
{
	struct reader *r = arg;
	int epoll = epoll_of(r->fd, !strcmp(r->mode, "edge"));

	for (;;) {
		if (!strcmp(r->mode, "poll"))
			wait_poll(r->fd);
		else if (!strcmp(r->mode, "select"))
			wait_select(r->fd);
		else
			wait_epoll(epoll);
		read_value(r);
	}
	return NULL;
}

/* At different moments in each round, so that changes fall between all steps of the reader. */
static void pause_a_bit(unsigned round, unsigned number)
{
	uint64_t until = now_us() + (round * 7 + number * 13) % 101;

	while (now_us() < until)
		;
}

static void *writer_thread(void *arg)
{
	struct writer *w = arg;
	char value[VALUE_SIZE];
	int store = store_open();

	for (unsigned round = 0; round < w->rounds; round++) {
		pthread_barrier_wait(w->barrier);
		pause_a_bit(round, w->number);
		if (w->ancestor && round % 4 == w->number)
			store_call(store, XS_RM, w->ancestor, NULL, NULL);
		/* Some rounds end with it gone. */
		if (!w->ancestor || (round + w->number) % 3) {
			/* Longer and shorter than the one before: with cache=full the size matters. */
			snprintf(value, sizeof(value), "%u.%u%.*s", round, w->number,
				 (int)((round * 5 + w->number * 7) % 17), "................");
			if (!store_call(store, XS_WRITE, w->path, value, NULL))
				die("the store refuses %s", w->path);
		}
		pthread_barrier_wait(w->barrier);
	}
	close(store);
	return NULL;
}

/* Waits until the reader has read what the store has. */
static void expect(struct reader *r, int store, const char *path, unsigned round)
{
	char value[XENSTORE_PAYLOAD_MAX + 1];
	struct timespec until;
	int err = 0;

	if (!store_call(store, XS_READ, path, NULL, value))
		strcpy(value, GONE);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&r->lock);
	while (strcmp(r->value, value) != 0 && !err)
		err = pthread_cond_timedwait(&r->changed, &r->lock, &until);
	if (err)
		die("round %u: woken up last for \"%s\", the store has \"%s\"", round, r->value, value);
	pthread_mutex_unlock(&r->lock);
}

static int rounds(char **argv)
{
	struct reader reader = { .mode = argv[0], .fd = open(argv[1], O_RDONLY) };
	unsigned count = atoi(argv[3]), n = atoi(argv[4]);
	struct writer writers[WRITERS_MAX];
	pthread_barrier_t barrier;
	pthread_t thread;
	int store = store_open();

	if (reader.fd < 0 || n > WRITERS_MAX)
		die("%s: %s", argv[1], strerror(errno));
	pthread_mutex_init(&reader.lock, NULL);
	pthread_cond_init(&reader.changed, NULL);
	pthread_barrier_init(&barrier, NULL, n + 1);
	pthread_create(&thread, NULL, reader_thread, &reader);
	for (unsigned i = 0; i < n; i++) {
		writers[i] = (struct writer){ .number = i, .path = argv[2], .ancestor = argv[5],
					      .rounds = count, .barrier = &barrier };
		pthread_create(&writers[i].thread, NULL, writer_thread, &writers[i]);
	}
	for (unsigned round = 0; round < count; round++) {
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		expect(&reader, store, argv[2], round);
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(writers[i].thread, NULL);
	printf("ok %u %lu\n", count * n, atomic_load(&reader.reads));
	return 0;
}

/* ---- key ---- */

static int key(char **args)
{
	struct reader r = { .fd = open(args[0], O_RDONLY), .lock = PTHREAD_MUTEX_INITIALIZER,
			    .changed = PTHREAD_COND_INITIALIZER };
	int epoll;

	if (r.fd < 0)
		die("%s: %s", args[0], strerror(errno));
	epoll = epoll_of(r.fd, false);
	for (read_value(&r); strcmp(r.value, args[1]); read_value(&r))
		wait_epoll(epoll);
	printf("ok %lu\n", r.reads);
	return 0;
}

/* ---- many ---- */

static int compare_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int open_below(const char *dir, const char *name, unsigned i, int flags)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), name, dir, i);
	fd = open(path, flags);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

static void read_key(int fd, const char *expected)
{
	char value[VALUE_SIZE] = "";
	ssize_t len = pread(fd, value, sizeof(value) - 1, 0);

	if (len < 0 || (expected && (strncmp(value, expected, strlen(expected)) != 0)))
		die("read \"%s\" instead of \"%s\"", value, expected ? expected : "");
}

/* All are read once, and waits until nothing is ready. */
static void settle(int epoll, const int *fds)
{
	struct epoll_event events[64];
	int n;

	while ((n = epoll_wait(epoll, events, 64, 200)) > 0)
		for (int i = 0; i < n; i++)
			read_key(fds[events[i].data.u32], NULL);
}

static int many(char **argv)
{
	unsigned keys = atoi(argv[2]), streams = atoi(argv[3]), changes = atoi(argv[4]);
	struct rlimit limit = { keys + streams + 64, keys + streams + 64 };
	char path[PATH_MAX], value[VALUE_SIZE], line[PATH_MAX];
	uint64_t *times = calloc(changes, sizeof(*times)), begin;
	int *fds = calloc(keys, sizeof(*fds)), fd, store = store_open(), epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLPRI };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("setrlimit: %s", strerror(errno));
	for (unsigned i = 0; i < keys; i++) {
		snprintf(path, sizeof(path), "%s/%u/%u", argv[1], i % 100, i);
		store_call(store, XS_WRITE, path, "0", NULL);
		snprintf(path, sizeof(path), "%s/%u/%u", argv[0], i % 100, i);
		fds[i] = open(path, O_RDONLY);
		if (fds[i] < 0)
			die("%s: %s", path, strerror(errno));
		event.data.u32 = i;
		epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
	}
	for (unsigned i = 0; i < streams; i++) {
		fd = open_below(getenv("XSFS_MOUNT"), "%s/.xsfs/watch", i, O_RDWR);
		snprintf(line, sizeof(line), "%s-streams/%u\n", argv[1], i);
		if (write(fd, line, strlen(line)) != (ssize_t)strlen(line))
			die("stream %u: %s", i, strerror(errno));
	}
	settle(epoll, fds);
	for (unsigned i = 0; i < changes; i++) {
		unsigned key = (i * 7919u) % keys;

		snprintf(path, sizeof(path), "%s/%u/%u", argv[1], key % 100, key);
		snprintf(value, sizeof(value), "%u", i + 1);
		begin = now_us();
		store_send(store, XS_WRITE, path, value);
		if (epoll_wait(epoll, &event, 1, PATIENCE_S * 1000) != 1)
			die("change %u: no wake-up", i);
		times[i] = now_us() - begin;
		if (event.data.u32 != key)
			die("change %u: woken up for %u instead of %u", i, event.data.u32, key);
		store_receive(store, line);
		read_key(fds[key], value);
	}
	qsort(times, changes, sizeof(*times), compare_times);
	printf("ok %lu\n", (unsigned long)times[changes / 2]);
	free(times);
	free(fds);
	return 0;
}

/* ---- flood ---- */

/*
 * oxenstored never again reads from a client that has caused many events
 * (quota-maxwatchevents) which another was slow to take, even once that one has taken them
 * all: the connection has to be made anew.
 */
static int flood(char **argv)
{
	unsigned long count = atol(argv[1]), keys = atol(argv[2]), outstanding = 0;
	char path[PATH_MAX], body[XENSTORE_PAYLOAD_MAX + 1];
	struct pollfd p = { .fd = store_open(), .events = POLLIN };
	unsigned again = 0;

	for (unsigned long i = 0; i < count || outstanding > 0;) {
		if (i < count && outstanding < PIPELINE) {
			snprintf(path, sizeof(path), "%s/%lu", argv[0], i % keys);
			store_send(p.fd, XS_WRITE, path, i + keys < count ? "x" : "last");
			i++;
			outstanding++;
		} else if (poll(&p, 1, 1000) > 0) {
			if (!store_receive(p.fd, body))
				die("refused: %s", body);
			outstanding--;
		} else {
			if (++again > 100)
				die("no answer");
			close(p.fd);
			p.fd = store_open();
			i -= outstanding;
			outstanding = 0;
		}
	}
	printf("ok %u\n", again);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 7 && !strcmp(argv[1], "rounds"))
		return rounds(argv + 2);
	if (argc == 7 && !strcmp(argv[1], "many"))
		return many(argv + 2);
	if (argc == 4 && !strcmp(argv[1], "key"))
		return key(argv + 2);
	if (argc == 5 && !strcmp(argv[1], "flood"))
		return flood(argv + 2);
	die("usage: see watchers.c");
}
