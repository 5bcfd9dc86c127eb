/* SPDX-License-Identifier: MIT */
/*
 * fakestore SOCKET [CONTROL]: a store on a unix socket that misbehaves on command.
 * For tests of the whole program.  One thread, one loop over poll().
 *
 * It serves a small tree, transactions and watches.  CONTROL is a FIFO, or a file with commands
 * that are carried out at the start.  Standard output says "ready", "done COMMAND" after each
 * command: a test waits for these lines.  Of a request that it does not know it says "asked TYPE
 * PAYLOAD", with a | for each NUL; the answer is ENOSYS, unless a `lie` was ordered.
 *
 *	ok                 no faults from now on
 *	delay MS           replies come so much later
 *	reorder N          replies are kept until there are N, and sent in reverse (after 100 ms at
 *	                   the latest, however few)
 *	split N            N bytes in one send(), 1 ms apart
 *	wrong-id N         the next N replies have an id that nobody asked with
 *	wrong-type N       ... a type that nobody asked for
 *	oversize N         ... a length that cannot be
 *	garbage N          ... are random bytes
 *	half N             ... stop in the middle, and the connection ends
 *	silent N           ... are never sent
 *	twice N            ... are sent twice
 *	error N NAME       ... are errors of that name
 *	lie N TEXT         ... have that body
 *	lose N             the next N values are not written, whatever the reply says
 *	overlook N         the next N commits that conflict succeed, and undo what others did
 *	features N         GET_FEATURE is answered with N; until then it is not known
 *	event PATH TOKEN   sends a watch event to everybody
 *	event PATH         ... to the watches of that path
 *	set PATH VALUE     changes the tree, with events
 *	remove PATH        ... removes a node
 *	close              ends all connections
 *	refuse on|off      ends new connections at once
 *	die                ends the program
 *	after N COMMAND    carries COMMAND out when N more requests have come
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ring/wire.h"
#include "tests/fake_server.h"

#define CONNECTIONS_MAX 16
#define REORDER_PATIENCE_MS 100

/* A message on its way out. */
struct packet {
	TAILQ_ENTRY(packet) link;
	uint64_t due_ms;
	bool last; /* the connection ends behind it */
	size_t len, pos;
	char data[];
};

TAILQ_HEAD(packets, packet);

struct connection {
	TAILQ_ENTRY(connection) link;
	int fd;
	struct packets out;
	struct packets held; /* for reorder */
	unsigned held_count;
	uint64_t held_until_ms;
	struct fake_peer *peer;
	size_t got;
	struct xsd_sockmsg hdr;
	char body[WIRE_PAYLOAD_MAX + 1];
};

struct deferred {
	TAILQ_ENTRY(deferred) link;
	unsigned requests;
	char *command;
};

/* Counts of replies that are still to be spoilt, and lasting settings. */
struct faults {
	unsigned wrong_id, wrong_type, oversize, garbage, half, silent, twice, error, lie;
	unsigned delay_ms, reorder, split;
	bool refuse;
	char text[256];
};

/* What GET_FEATURE says; "": such a request is not known. */
static char features[16];

static TAILQ_HEAD(, connection) connections = TAILQ_HEAD_INITIALIZER(connections);
static TAILQ_HEAD(, deferred) deferreds = TAILQ_HEAD_INITIALIZER(deferreds);
static unsigned connections_count;
static struct fake_server *server;
static struct faults faults;

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * UINT64_C(1000) + ts.tv_nsec / 1000000;
}

/* Counts one down and says whether there was one. */
static bool spend(unsigned *count)
{
	if (*count == 0)
		return false;
	--*count;
	return true;
}

/* --- sending ---------------------------------------------------------------------------------- */

static void packet_add(struct connection *c, struct packets *list, const struct xsd_sockmsg *hdr,
		       const void *body, size_t len, bool last)
{
	struct packet *p = must(malloc(sizeof(*p) + sizeof(*hdr) + len));

	p->due_ms = now_ms() + faults.delay_ms;
	p->last = last;
	p->pos = 0;
	p->len = sizeof(*hdr) + len;
	memcpy(p->data, hdr, sizeof(*hdr));
	if (len)
		memcpy(p->data + sizeof(*hdr), body, len);
	TAILQ_INSERT_TAIL(list, p, link);
	if (list == &c->held && c->held_count++ == 0)
		c->held_until_ms = now_ms() + REORDER_PATIENCE_MS;
}

/* What was held back goes out, the last first. */
static void release_held(struct connection *c)
{
	struct packet *p;

	while ((p = TAILQ_LAST(&c->held, packets))) {
		TAILQ_REMOVE(&c->held, p, link);
		TAILQ_INSERT_TAIL(&c->out, p, link);
	}
	c->held_count = 0;
}

/* Sends a reply, spoilt as the faults have it. */
static void reply(void *arg, const struct xsd_sockmsg *request, uint32_t type, const void *body, size_t len)
{
	struct connection *c = arg;
	struct packets *list = faults.reorder > 1 ? &c->held : &c->out;
	struct xsd_sockmsg hdr = *request;
	bool half = false;

	if (spend(&faults.silent))
		return;
	hdr.type = type;
	if (spend(&faults.error)) {
		hdr.type = XS_ERROR;
		body = faults.text;
		len = strlen(faults.text) + 1;
	} else if (spend(&faults.lie)) {
		hdr.type = request->type;
		body = faults.text;
		len = strlen(faults.text);
	}
	hdr.len = len;
	if (spend(&faults.wrong_id))
		hdr.req_id ^= UINT32_C(0x55555400);
	if (spend(&faults.wrong_type))
		hdr.type = hdr.type == XS_READ ? XS_WRITE : XS_READ;
	if (spend(&faults.oversize))
		hdr.len = UINT32_C(0x7fffffff);
	if (spend(&faults.garbage))
		memset(&hdr, 0xa5, sizeof(hdr));
	if (spend(&faults.half)) {
		half = true;
		/* Without a body, half of the header. */
		hdr.len = len ? hdr.len : 100;
		len /= 2;
	}
	packet_add(c, list, &hdr, body, len, half);
	if (spend(&faults.twice))
		packet_add(c, list, &hdr, body, len, false);
	if (list == &c->held && c->held_count >= faults.reorder)
		release_held(c);
}

static void send_event(void *arg, const char *path, const char *token)
{
	struct connection *c = arg;
	struct xsd_sockmsg hdr = { .type = XS_WATCH_EVENT };
	char body[WIRE_EVENT_MAX];
	size_t path_size = strlen(path) + 1, token_size = strlen(token) + 1;

	if (path_size + token_size > sizeof(body))
		return;
	memcpy(body, path, path_size);
	memcpy(body + path_size, token, token_size);
	hdr.len = path_size + token_size;
	packet_add(c, &c->out, &hdr, body, hdr.len, false);
}

/* --- connections ------------------------------------------------------------------------------ */

static void connection_end(struct connection *c)
{
	struct packet *p;

	release_held(c);
	while ((p = TAILQ_FIRST(&c->out))) {
		TAILQ_REMOVE(&c->out, p, link);
		free(p);
	}
	fake_peer_free(c->peer);
	TAILQ_REMOVE(&connections, c, link);
	connections_count--;
	close(c->fd);
	free(c);
}

static void end_all(void)
{
	while (!TAILQ_EMPTY(&connections))
		connection_end(TAILQ_FIRST(&connections));
}

static void connection_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct connection *c;

	if (fd < 0)
		return;
	if (faults.refuse) {
		close(fd);
		return;
	}
	c = must(calloc(1, sizeof(*c)));
	c->fd = fd;
	TAILQ_INIT(&c->out);
	TAILQ_INIT(&c->held);
	c->peer = fake_peer_new(server, c);
	TAILQ_INSERT_TAIL(&connections, c, link);
	connections_count++;
}

/* --- requests --------------------------------------------------------------------------------- */

/* GET_FEATURE, and what no server here knows. */
static void unknown_request(void *arg, const struct xsd_sockmsg *hdr, const char *body)
{
	if (hdr->type == WIRE_GET_FEATURE && *features) {
		reply(arg, hdr, WIRE_GET_FEATURE, features, strlen(features) + 1);
		return;
	}
	printf("asked %s ", wire_type_name(hdr->type));
	for (size_t i = 0; i < hdr->len; i++)
		putchar(body[i] ? body[i] : '|');
	putchar('\n');
	fflush(stdout);
	reply(arg, hdr, XS_ERROR, "ENOSYS", sizeof("ENOSYS"));
}

/* --- commands --------------------------------------------------------------------------------- */

static unsigned *fault_count(const char *name)
{
	const struct {
		const char *name;
		unsigned *count;
	} counts[] = {
		{ "delay", &faults.delay_ms },        { "reorder", &faults.reorder },
		{ "split", &faults.split },           { "wrong-id", &faults.wrong_id },
		{ "wrong-type", &faults.wrong_type }, { "oversize", &faults.oversize },
		{ "garbage", &faults.garbage },       { "half", &faults.half },
		{ "silent", &faults.silent },         { "twice", &faults.twice },
		{ "error", &faults.error },           { "lie", &faults.lie },
		{ "lose", &server->lose },            { "overlook", &server->overlook },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (!strcmp(counts[i].name, name))
			return counts[i].count;
	return NULL;
}

static void defer(const char *requests, const char *command)
{
	struct deferred *d = must(calloc(1, sizeof(*d)));

	d->requests = atoi(requests);
	d->command = must(strdup(command));
	TAILQ_INSERT_TAIL(&deferreds, d, link);
}

/* Returns false for what is no command. */
static bool obey(const char *line)
{
	char name[32] = "", first[WIRE_PAYLOAD_MAX / 2] = "";
	struct connection *c;
	const char *rest;
	unsigned *count;
	int used = 0;

	/* A name, a word, and the rest of the line. */
	if (sscanf(line, "%31s %2047s %n", name, first, &used) < 1)
		return false;
	rest = used ? line + used : "";
	count = fault_count(name);
	if (count) {
		*count = atoi(first);
		if (count == &faults.error || count == &faults.lie)
			snprintf(faults.text, sizeof(faults.text), "%s", rest);
	} else if (!strcmp(name, "ok")) {
		faults = (struct faults){ 0 };
		server->lose = server->overlook = 0;
	} else if (!strcmp(name, "features")) {
		snprintf(features, sizeof(features), "%s", first);
	} else if (!strcmp(name, "event") && !*rest) {
		fake_server_event(server, first);
	} else if (!strcmp(name, "event")) {
		TAILQ_FOREACH(c, &connections, link)
			send_event(c, first, rest);
	} else if (!strcmp(name, "set")) {
		fake_server_change(server, XS_WRITE, first, rest);
	} else if (!strcmp(name, "remove")) {
		fake_server_change(server, XS_RM, first, "");
	} else if (!strcmp(name, "close")) {
		end_all();
	} else if (!strcmp(name, "refuse")) {
		faults.refuse = !strcmp(first, "on");
	} else if (!strcmp(name, "after")) {
		defer(first, rest);
	} else if (!strcmp(name, "die")) {
		_exit(0);
	} else {
		return false;
	}
	return true;
}

static void command(const char *line)
{
	printf("%s %s\n", obey(line) ? "done" : "unknown", line);
	fflush(stdout);
}

/* Carries out what was put off until this request. */
static void count_request(void)
{
	struct deferred *d, *next;

	for (d = TAILQ_FIRST(&deferreds); d; d = next) {
		next = TAILQ_NEXT(d, link);
		if (d->requests > 1) {
			d->requests--;
			continue;
		}
		TAILQ_REMOVE(&deferreds, d, link);
		command(d->command);
		free(d->command);
		free(d);
	}
}

static void read_commands(int fd)
{
	static char buf[WIRE_PAYLOAD_MAX];
	static size_t fill;
	ssize_t n;
	char *end;

	while ((n = read(fd, buf + fill, sizeof(buf) - 1 - fill)) > 0) {
		fill += n;
		buf[fill] = '\0';
		while ((end = strchr(buf, '\n'))) {
			*end = '\0';
			if (*buf)
				command(buf);
			fill -= end + 1 - buf;
			memmove(buf, end + 1, fill + 1);
		}
		if (fill == sizeof(buf) - 1)
			fill = 0;
	}
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Reads at most one message, as a command may end the connection behind it.  Returns false when
 * the connection ended. */
static bool receive(struct connection *c)
{
	char *to = (char *)&c->hdr + c->got;
	size_t want = sizeof(c->hdr) - c->got;
	ssize_t n;

	if (c->got >= sizeof(c->hdr)) {
		if (c->hdr.len > WIRE_PAYLOAD_MAX)
			return false;
		to = c->body + (c->got - sizeof(c->hdr));
		want = sizeof(c->hdr) + c->hdr.len - c->got;
	}
	n = want ? recv(c->fd, to, want, 0) : 0;
	if (want && n <= 0)
		return n < 0 && errno == EAGAIN;
	c->got += n;
	if (c->got >= sizeof(c->hdr) && c->got == sizeof(c->hdr) + c->hdr.len) {
		c->got = 0;
		c->body[c->hdr.len] = '\0';
		fake_peer_request(c->peer, &c->hdr, c->body);
		count_request();
	}
	return true;
}

/* Sends what is due.  Returns false when the connection ended. */
static bool transmit(struct connection *c, uint64_t now)
{
	struct packet *p;
	bool last;
	size_t len;
	ssize_t n;

	while ((p = TAILQ_FIRST(&c->out)) && p->due_ms <= now) {
		len = p->len - p->pos;
		if (faults.split && len > faults.split)
			len = faults.split;
		n = send(c->fd, p->data + p->pos, len, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN;
		p->pos += n;
		if (p->pos == p->len) {
			last = p->last;
			TAILQ_REMOVE(&c->out, p, link);
			free(p);
			if (last)
				return false;
		}
		if (faults.split) {
			p = TAILQ_FIRST(&c->out);
			if (p && p->due_ms <= now)
				p->due_ms = now + 1;
			break;
		}
	}
	return true;
}

/* Returns for how long poll() may sleep before something is due on this connection. */
static int next_due(const struct connection *c, uint64_t now, int timeout)
{
	const struct packet *p = TAILQ_FIRST(&c->out);
	uint64_t due = p ? p->due_ms : UINT64_MAX;

	if (c->held_count && c->held_until_ms < due)
		due = c->held_until_ms;
	if (due == UINT64_MAX)
		return timeout;
	due = due > now ? due - now : 0;
	return timeout < 0 || due < (uint64_t)timeout ? (int)due : timeout;
}

static void serve(struct connection *c, short events, uint64_t now)
{
	struct connection *other;

	if (events & (POLLIN | POLLHUP) && !receive(c)) {
		connection_end(c);
		return;
	}
	/* A command may have ended it. */
	TAILQ_FOREACH(other, &connections, link)
		if (other == c)
			break;
	if (!other)
		return;
	if (c->held_count && c->held_until_ms <= now)
		release_held(c);
	if (!transmit(c, now))
		connection_end(c);
}

static void loop_once(int listener, int control)
{
	struct pollfd fds[2 + CONNECTIONS_MAX] = {
		{ .fd = connections_count < CONNECTIONS_MAX ? listener : -1, .events = POLLIN },
		{ .fd = control, .events = POLLIN },
	};
	struct connection *order[CONNECTIONS_MAX], *c;
	uint64_t now = now_ms();
	int n = 0, timeout = -1;

	TAILQ_FOREACH(c, &connections, link) {
		order[n] = c;
		timeout = next_due(c, now, timeout);
		fds[2 + n++] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
	}
	poll(fds, 2 + n, timeout);
	now = now_ms();
	for (int i = 0; i < n; i++) {
		/* Serving one may end others. */
		TAILQ_FOREACH(c, &connections, link)
			if (c == order[i])
				break;
		if (c)
			serve(c, fds[2 + i].revents, now);
	}
	if (fds[1].revents & POLLIN)
		read_commands(control);
	if (fds[0].revents & POLLIN)
		connection_accept(listener);
}

static int listen_on(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path))
		return -1;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 16) < 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	int listener, control = -1;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: fakestore SOCKET [CONTROL]\n");
		return 2;
	}
	server = fake_server_new();
	server->answer = reply;
	server->event = send_event;
	server->unknown = unknown_request;
	listener = listen_on(argv[1]);
	if (listener < 0) {
		perror(argv[1]);
		return 1;
	}
	if (argc == 3) {
		/* For writing as well, or a FIFO is at its end once its writer has closed it. */
		control = open(argv[2], O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (control < 0) {
			perror(argv[2]);
			return 1;
		}
		read_commands(control);
		if (lseek(control, 0, SEEK_CUR) >= 0) {
			close(control);
			control = -1;
		}
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		loop_once(listener, control);
}
