/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the Linux xenbus device: a FUSE file system with one file, `xenbus`, that behaves
 * as /dev/xen/xenbus does and relays to the socket of a real xenstored.  For the tests of the
 * xenbus transport, and by hand for any program that opens /dev/xen/xenbus.  One thread answers
 * FUSE and never blocks; each open file has a connection to the store and a thread for it.
 *
 * usage: fake_xenbus [-i zero|request|garbage] [-l MICROSECONDS] [-r BYTES] [-x] SOCKET MOUNTPOINT
 *   -i  the ids of replies to WATCH and UNWATCH (kernels differ; default zero)
 *   -l  how long it takes the kernel's thread to get round to a message (default 0)
 *   -r  a read() gives at most so many bytes
 *   -x  WATCH and UNWATCH are answered twice (no kernel does that)
 * It stays in the foreground, and says "ready" on standard output once MOUNTPOINT/xenbus exists.
 */
#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fuse_lowlevel.h>
#include <inttypes.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

/* The kernel's buffer for one message, header included. */
#define BUFFER_SIZE XENSTORE_PAYLOAD_MAX

struct bytes {
	char *data;
	size_t len, size;
};

/* A read() that waits for data. */
struct reader {
	TAILQ_ENTRY(reader) link;
	struct client *client;
	fuse_req_t req;
	size_t size;
	bool listed, interrupted;
};

/* A request that the store has yet to answer. */
struct pending {
	TAILQ_ENTRY(pending) link;
	uint32_t id; /* ours */
	struct xsd_sockmsg hdr;
	bool queued;      /* its body is still in the open file's buffer */
	fuse_req_t write; /* WATCH, UNWATCH: the write() that waits, and what it returns */
	size_t write_len;
	struct watch *watch;
};

/* A watch, set with a token of our own: the kernel's are the addresses of its watches. */
struct watch {
	TAILQ_ENTRY(watch) link;
	char ours[24];
	char *path, *token;
};

struct transaction {
	TAILQ_ENTRY(transaction) link;
	uint32_t id;
};

/* One open file.  `lock` covers all but what only the client's thread uses; FUSE is never
 * answered under it, because an interrupt's callback takes it under a lock of libfuse's. */
struct client {
	pthread_mutex_t lock;
	int sock, wake_fd;
	bool quit;
	uint32_t last_id, garbage;

	char msg[BUFFER_SIZE]; /* the message being written */
	size_t msg_len;

	struct bytes to_store, to_user;
	struct bytes from_store; /* the client's thread only */
	struct fuse_pollhandle *ph;
	TAILQ_HEAD(, reader) readers;
	TAILQ_HEAD(, pending) pending;
	TAILQ_HEAD(, watch) watches;
	TAILQ_HEAD(, transaction) transactions;
};

static struct {
	const char *socket_path;
	enum { IDS_ZERO, IDS_REQUEST, IDS_GARBAGE } ids;
	size_t read_max;
	bool twice;
	useconds_t lazy_us;
	fuse_ino_t last_ino; /* FUSE thread only */
} config = { .read_max = SIZE_MAX, .last_ino = FUSE_ROOT_ID };

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "fake_xenbus: out of memory\n");
		exit(1);
	}
	return p;
}

static void bytes_add(struct bytes *b, const void *data, size_t len)
{
	if (b->len + len > b->size) {
		b->size = 2 * (b->len + len);
		b->data = must(realloc(b->data, b->size));
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void bytes_drop(struct bytes *b, size_t len)
{
	b->len -= len;
	memmove(b->data, b->data + len, b->len);
}

static void client_wake(struct client *c)
{
	const uint64_t one = 1;

	if (write(c->wake_fd, &one, sizeof(one)) < 0)
		perror("fake_xenbus: eventfd");
}

/* ---- towards the user ---- */

static void user_queue_locked(struct client *c, const struct xsd_sockmsg *hdr, const char *body)
{
	bytes_add(&c->to_user, hdr, sizeof(*hdr));
	bytes_add(&c->to_user, body, hdr->len);
}

static void user_reply_locked(struct client *c, const struct xsd_sockmsg *request, uint32_t type,
			      const char *text)
{
	struct xsd_sockmsg hdr = *request;

	hdr.type = type;
	hdr.len = (uint32_t)strlen(text) + 1;
	user_queue_locked(c, &hdr, text);
}

/* Gives waiting readers and pollers what is there.  Called without the lock. */
static void user_serve(struct client *c)
{
	struct fuse_pollhandle *ph;
	struct reader *r;
	char *data;
	size_t n;

	for (;;) {
		pthread_mutex_lock(&c->lock);
		r = c->to_user.len ? TAILQ_FIRST(&c->readers) : NULL;
		if (!r) {
			ph = c->to_user.len ? c->ph : NULL;
			if (ph)
				c->ph = NULL;
			pthread_mutex_unlock(&c->lock);
			break;
		}
		TAILQ_REMOVE(&c->readers, r, link);
		r->listed = false;
		n = c->to_user.len < r->size ? c->to_user.len : r->size;
		data = must(malloc(n + 1));
		memcpy(data, c->to_user.data, n);
		bytes_drop(&c->to_user, n);
		pthread_mutex_unlock(&c->lock);
		fuse_req_interrupt_func(r->req, NULL, NULL);
		fuse_reply_buf(r->req, data, n);
		free(data);
		free(r);
	}
	if (ph) {
		fuse_lowlevel_notify_poll(ph);
		fuse_pollhandle_destroy(ph);
	}
}

static void reader_interrupted(fuse_req_t req, void *data)
{
	struct reader *r = data;
	struct client *c = r->client;
	bool listed;

	pthread_mutex_lock(&c->lock);
	listed = r->listed;
	r->interrupted = true;
	if (listed) {
		TAILQ_REMOVE(&c->readers, r, link);
		r->listed = false;
	}
	pthread_mutex_unlock(&c->lock);
	if (listed) {
		fuse_reply_err(req, EINTR);
		free(r);
	}
}

/* ---- towards the store ---- */

static struct pending *pending_new_locked(struct client *c, const struct xsd_sockmsg *request)
{
	struct pending *p = must(calloc(1, sizeof(*p)));

	p->id = ++c->last_id;
	p->hdr = *request;
	TAILQ_INSERT_TAIL(&c->pending, p, link);
	client_wake(c);
	return p;
}

static void store_send_locked(struct client *c, const struct pending *p, const char *body, size_t len)
{
	struct xsd_sockmsg hdr = p->hdr;

	hdr.req_id = p->id;
	hdr.len = (uint32_t)len;
	bytes_add(&c->to_store, &hdr, sizeof(hdr));
	bytes_add(&c->to_store, body, len);
}

/* The kernel's thread takes a body from the buffer of the open file when it gets round to it: from
 * whatever was written there last. */
static void store_take_bodies_locked(struct client *c)
{
	struct pending *p;

	TAILQ_FOREACH(p, &c->pending, link) {
		if (p->queued)
			store_send_locked(c, p, c->msg + sizeof(p->hdr), p->hdr.len);
		p->queued = false;
	}
}

static void watch_free(struct watch *w)
{
	free(w->path);
	free(w->token);
	free(w);
}

/* The kernel's way from a server's error to an errno: by table, EINVAL for what it lacks. */
static int error_number(const char *body, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		if (len == strlen(xsd_errors[i].errstring) + 1 &&
		    !memcmp(body, xsd_errors[i].errstring, len))
			return xsd_errors[i].errnum;
	return EINVAL;
}

/* Something for ids that the kernel leaves to chance. */
static uint32_t garbage_next_locked(struct client *c)
{
	c->garbage = c->garbage * 1103515245 + 12345;
	return c->garbage;
}

static void watch_ids_locked(struct client *c, struct xsd_sockmsg *hdr)
{
	if (config.ids == IDS_REQUEST)
		return;
	hdr->req_id = config.ids == IDS_ZERO ? 0 : garbage_next_locked(c);
	hdr->tx_id = hdr->req_id;
}

/* WATCH or UNWATCH was answered: end the write() that waits for it. */
static void watch_answered(struct client *c, struct pending *p, uint32_t type, const char *body,
			   size_t len)
{
	struct xsd_sockmsg hdr = p->hdr;
	int err = 0;

	pthread_mutex_lock(&c->lock);
	if (p->hdr.type == XS_WATCH && type == XS_ERROR) {
		err = error_number(body, len);
		TAILQ_REMOVE(&c->watches, p->watch, link);
		watch_free(p->watch);
	} else {
		watch_ids_locked(c, &hdr);
		user_reply_locked(c, &hdr, p->hdr.type, "OK");
		if (config.twice)
			user_reply_locked(c, &hdr, p->hdr.type, "OK");
	}
	pthread_mutex_unlock(&c->lock);
	/* The reply is there to be read before write() returns, as with the kernel. */
	user_serve(c);
	if (err)
		fuse_reply_err(p->write, err);
	else
		fuse_reply_write(p->write, p->write_len);
}

static void transaction_answered_locked(struct client *c, struct pending *p, uint32_t type,
					const char *body)
{
	struct transaction *t;

	if (p->hdr.type == XS_TRANSACTION_START && type == XS_TRANSACTION_START) {
		t = must(calloc(1, sizeof(*t)));
		t->id = (uint32_t)strtoul(body, NULL, 10);
		TAILQ_INSERT_TAIL(&c->transactions, t, link);
	} else if (p->hdr.type == XS_TRANSACTION_END) {
		TAILQ_FOREACH(t, &c->transactions, link)
			if (t->id == p->hdr.tx_id)
				break;
		if (t) {
			TAILQ_REMOVE(&c->transactions, t, link);
			free(t);
		}
	}
}

static void event_locked(struct client *c, const char *body, size_t len)
{
	struct xsd_sockmsg hdr = { .type = XS_WATCH_EVENT };
	const char *token = memchr(body, 0, len);
	struct watch *w;

	if (!token)
		return;
	token++;
	TAILQ_FOREACH(w, &c->watches, link)
		if (!strcmp(w->ours, token))
			break;
	if (!w)
		return;
	/* Uninitialised memory in the kernel.  A small number is the nastiest: it looks like the id
	 * of somebody's request. */
	hdr.tx_id = garbage_next_locked(c);
	hdr.req_id = hdr.tx_id >> 27;
	hdr.len = (uint32_t)(token - body + strlen(w->token) + 1);
	bytes_add(&c->to_user, &hdr, sizeof(hdr));
	bytes_add(&c->to_user, body, (size_t)(token - body));
	bytes_add(&c->to_user, w->token, strlen(w->token) + 1);
}

static void store_message(struct client *c, const struct xsd_sockmsg *msg, const char *body)
{
	struct pending *p = NULL;
	struct xsd_sockmsg hdr = *msg;

	pthread_mutex_lock(&c->lock);
	if (msg->type == XS_WATCH_EVENT) {
		event_locked(c, body, msg->len);
	} else {
		TAILQ_FOREACH(p, &c->pending, link)
			if (p->id == msg->req_id)
				break;
		if (p) {
			TAILQ_REMOVE(&c->pending, p, link);
			if (!p->write) {
				transaction_answered_locked(c, p, msg->type, body);
				hdr.req_id = p->hdr.req_id;
				user_queue_locked(c, &hdr, body);
			}
		}
	}
	pthread_mutex_unlock(&c->lock);
	if (p && p->write)
		watch_answered(c, p, msg->type, body, msg->len);
	else
		user_serve(c);
	free(p);
}

/* Reads what the store says.  Returns false when it has gone. */
static bool store_read(struct client *c)
{
	struct bytes *in = &c->from_store;
	struct xsd_sockmsg hdr;
	char buf[65536], *body;
	ssize_t n;

	n = recv(c->sock, buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	bytes_add(in, buf, (size_t)n);
	while (in->len >= sizeof(hdr)) {
		memcpy(&hdr, in->data, sizeof(hdr));
		if (in->len < sizeof(hdr) + hdr.len)
			break;
		body = must(calloc(1, hdr.len + 1));
		memcpy(body, in->data + sizeof(hdr), hdr.len);
		bytes_drop(in, sizeof(hdr) + hdr.len);
		store_message(c, &hdr, body);
		free(body);
	}
	return true;
}

static bool store_write_locked(struct client *c)
{
	ssize_t n;

	if (!c->to_store.len)
		return true;
	n = send(c->sock, c->to_store.data, c->to_store.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	bytes_drop(&c->to_store, (size_t)n);
	return true;
}

static void client_free(struct client *c)
{
	struct pending *p;
	struct watch *w;
	struct transaction *t;

	while ((p = TAILQ_FIRST(&c->pending))) {
		TAILQ_REMOVE(&c->pending, p, link);
		free(p);
	}
	while ((w = TAILQ_FIRST(&c->watches))) {
		TAILQ_REMOVE(&c->watches, w, link);
		watch_free(w);
	}
	while ((t = TAILQ_FIRST(&c->transactions))) {
		TAILQ_REMOVE(&c->transactions, t, link);
		free(t);
	}
	if (c->ph)
		fuse_pollhandle_destroy(c->ph);
	if (c->sock >= 0)
		close(c->sock);
	if (c->wake_fd >= 0)
		close(c->wake_fd);
	free(c->to_store.data);
	free(c->to_user.data);
	free(c->from_store.data);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* The thread of an open file.  A store that dies just never answers, as with the kernel. */
static void *client_run(void *arg)
{
	struct client *c = arg;
	struct pollfd fds[2] = { { .fd = c->wake_fd, .events = POLLIN }, { .fd = c->sock } };
	uint64_t count;
	bool quit, alive;

	for (;;) {
		pthread_mutex_lock(&c->lock);
		quit = c->quit;
		store_take_bodies_locked(c);
		alive = store_write_locked(c);
		fds[1].events = (short)(POLLIN | (c->to_store.len ? POLLOUT : 0));
		pthread_mutex_unlock(&c->lock);
		if (quit)
			break;
		if (!alive)
			fds[1].fd = -1;
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents && read(c->wake_fd, &count, sizeof(count)) < 0 &&
		    errno != EAGAIN)
			perror("fake_xenbus: eventfd");
		if (fds[0].revents)
			usleep(config.lazy_us);
		if (fds[1].fd >= 0 && fds[1].revents && !store_read(c))
			fds[1].fd = -1;
	}
	client_free(c);
	return NULL;
}

static struct client *client_new(void)
{
	struct client *c = must(calloc(1, sizeof(*c)));
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	pthread_t thread;

	pthread_mutex_init(&c->lock, NULL);
	TAILQ_INIT(&c->readers);
	TAILQ_INIT(&c->pending);
	TAILQ_INIT(&c->watches);
	TAILQ_INIT(&c->transactions);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", config.socket_path);
	c->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	c->sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->wake_fd < 0 || c->sock < 0 ||
	    connect(c->sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    pthread_create(&thread, NULL, client_run, c)) {
		client_free(c);
		return NULL;
	}
	pthread_detach(thread);
	return c;
}

/* ---- one written message ---- */

/* Parses "path NUL token NUL", followed by anything.  Returns false if it is not that. */
static bool watch_parse(const char *body, size_t len, const char **token)
{
	const char *end = memchr(body, 0, len);

	if (!end)
		return false;
	*token = end + 1;
	return memchr(*token, 0, len - (size_t)(*token - body)) != NULL;
}

/* Returns true when the write() is to be answered later. */
static bool watch_message_locked(struct client *c, fuse_req_t req, size_t len,
				 const struct xsd_sockmsg *request, const char *body)
{
	struct xsd_sockmsg hdr = *request;
	struct xsd_sockmsg out = { .type = hdr.type };
	static unsigned long watch_count;
	struct watch *w = NULL;
	struct bytes msg = { 0 };
	struct pending *p;
	const char *token;

	watch_ids_locked(c, &hdr);
	if (!watch_parse(body, hdr.len, &token)) {
		user_reply_locked(c, &hdr, XS_ERROR, "EINVAL");
		return false;
	}
	if (hdr.type == XS_WATCH) {
		w = must(calloc(1, sizeof(*w)));
		w->path = must(strdup(body));
		w->token = must(strdup(token));
		snprintf(w->ours, sizeof(w->ours), "FFFF%012lX", ++watch_count);
		TAILQ_INSERT_TAIL(&c->watches, w, link);
	} else {
		TAILQ_FOREACH(w, &c->watches, link)
			if (!strcmp(w->token, token) && !strcmp(w->path, body))
				break;
		if (!w) {
			user_reply_locked(c, &hdr, XS_UNWATCH, "OK");
			return false;
		}
		TAILQ_REMOVE(&c->watches, w, link);
	}
	bytes_add(&msg, w->path, strlen(w->path) + 1);
	bytes_add(&msg, w->ours, strlen(w->ours) + 1);
	p = pending_new_locked(c, &out);
	store_send_locked(c, p, msg.data, msg.len);
	free(msg.data);
	p->hdr = *request;
	p->write = req;
	p->write_len = len;
	if (hdr.type == XS_WATCH)
		p->watch = w;
	else
		watch_free(w);
	return true;
}

static void other_message_locked(struct client *c, const struct xsd_sockmsg *hdr, const char *body)
{
	struct transaction *t = NULL;

	if (hdr->tx_id && hdr->type != XS_TRANSACTION_START) {
		TAILQ_FOREACH(t, &c->transactions, link)
			if (t->id == hdr->tx_id)
				break;
		if (!t) {
			user_reply_locked(c, hdr, XS_ERROR, "ENOENT");
			return;
		}
	}
	if (hdr->type == XS_TRANSACTION_END &&
	    !(hdr->len == 2 && (!memcmp(body, "T", 2) || !memcmp(body, "F", 2)))) {
		user_reply_locked(c, hdr, XS_ERROR, "EINVAL");
		return;
	}
	pending_new_locked(c, hdr)->queued = true;
}

/* ---- FUSE ---- */

static void file_stat(fuse_ino_t ino, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = ino;
	st->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0700 : S_IFREG | 0600;
	st->st_nlink = 1;
	st->st_uid = getuid();
	st->st_gid = getgid();
}

/* Every lookup gives a new inode: write() holds the inode's lock, and one open file's blocked
 * WATCH must not block another's write(). */
static void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { 0 };

	if (parent != FUSE_ROOT_ID || strcmp(name, "xenbus")) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	e.ino = ++config.last_ino;
	e.generation = 1;
	file_stat(e.ino, &e.attr);
	fuse_reply_entry(req, &e);
}

static void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	file_stat(ino, &st);
	fuse_reply_attr(req, &st, 0);
}

static void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_open_out out = { 0 };
	struct client *c;

	(void)ino;
	(void)fi;
	c = client_new();
	if (!c) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	/* FOPEN_STREAM: or a blocked read() would hold the file position that write() needs. */
	out.fh = (uintptr_t)c;
	out.open_flags = FOPEN_DIRECT_IO | FOPEN_STREAM | FOPEN_NONSEEKABLE;
	fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static struct client *to_client(const struct fuse_file_info *fi)
{
	return (struct client *)(uintptr_t)fi->fh;
}

static void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct client *c = to_client(fi);

	(void)ino;
	pthread_mutex_lock(&c->lock);
	c->quit = true;
	client_wake(c);
	pthread_mutex_unlock(&c->lock);
	fuse_reply_err(req, 0);
}

static void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct client *c = to_client(fi);
	struct reader *r;

	(void)ino;
	(void)off;
	r = must(calloc(1, sizeof(*r)));
	r->client = c;
	r->req = req;
	r->size = size < config.read_max ? size : config.read_max;
	fuse_req_interrupt_func(req, reader_interrupted, r);

	pthread_mutex_lock(&c->lock);
	if (!r->interrupted && (c->to_user.len || !(fi->flags & O_NONBLOCK))) {
		r->listed = true;
		TAILQ_INSERT_TAIL(&c->readers, r, link);
		pthread_mutex_unlock(&c->lock);
		user_serve(c);
		return;
	}
	pthread_mutex_unlock(&c->lock);
	fuse_req_interrupt_func(req, NULL, NULL);
	fuse_reply_err(req, r->interrupted ? EINTR : EAGAIN);
	free(r);
}

static void fs_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct client *c = to_client(fi);
	struct xsd_sockmsg hdr;
	bool later = false;
	int err = 0;

	(void)ino;
	(void)off;
	pthread_mutex_lock(&c->lock);
	if (size > sizeof(c->msg) - c->msg_len) {
		c->msg_len = 0;
		err = EINVAL;
	} else {
		memcpy(c->msg + c->msg_len, buf, size);
		c->msg_len += size;
	}
	if (c->msg_len >= sizeof(hdr)) {
		memcpy(&hdr, c->msg, sizeof(hdr));
		if (hdr.len > sizeof(c->msg) - sizeof(hdr)) {
			c->msg_len = 0;
			err = E2BIG;
		} else if (c->msg_len >= sizeof(hdr) + hdr.len) {
			if (hdr.type == XS_WATCH || hdr.type == XS_UNWATCH)
				later = watch_message_locked(c, req, size, &hdr,
							     c->msg + sizeof(hdr));
			else
				other_message_locked(c, &hdr, c->msg + sizeof(hdr));
			c->msg_len = 0;
		}
	}
	pthread_mutex_unlock(&c->lock);
	if (later)
		return;
	user_serve(c);
	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_write(req, size);
}

static void fs_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		    struct fuse_pollhandle *ph)
{
	struct client *c = to_client(fi);
	struct fuse_pollhandle *old = NULL;
	unsigned revents;

	(void)ino;
	pthread_mutex_lock(&c->lock);
	if (ph) {
		old = c->ph;
		c->ph = ph;
	}
	/* The kernel's device never says POLLOUT. */
	revents = c->to_user.len ? POLLIN | POLLRDNORM : 0;
	pthread_mutex_unlock(&c->lock);
	if (old)
		fuse_pollhandle_destroy(old);
	fuse_reply_poll(req, revents);
}

static const struct fuse_lowlevel_ops fs_ops = {
	.lookup = fs_lookup,
	.getattr = fs_getattr,
	.open = fs_open,
	.release = fs_release,
	.read = fs_read,
	.write = fs_write,
	.poll = fs_poll,
};

static int usage(void)
{
	fprintf(stderr, "usage: fake_xenbus [-i zero|request|garbage] [-r BYTES] [-x] "
			"SOCKET MOUNTPOINT\n");
	return 2;
}

int main(int argc, char **argv)
{
	char *fuse_argv[] = { argv[0], (char *)"-ofsname=fake_xenbus", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(2, fuse_argv);
	struct fuse_session *se;
	int opt, err = 1;

	while ((opt = getopt(argc, argv, "i:l:r:x")) != -1) {
		if (opt == 'i' && !strcmp(optarg, "zero"))
			config.ids = IDS_ZERO;
		else if (opt == 'i' && !strcmp(optarg, "request"))
			config.ids = IDS_REQUEST;
		else if (opt == 'i' && !strcmp(optarg, "garbage"))
			config.ids = IDS_GARBAGE;
		else if (opt == 'l')
			config.lazy_us = (useconds_t)strtoul(optarg, NULL, 10);
		else if (opt == 'r' && strtoul(optarg, NULL, 10))
			config.read_max = strtoul(optarg, NULL, 10);
		else if (opt == 'x')
			config.twice = true;
		else
			return usage();
	}
	if (argc - optind != 2)
		return usage();
	config.socket_path = argv[optind];

	se = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), NULL);
	if (!se)
		return 1;
	if (fuse_set_signal_handlers(se) == 0) {
		if (fuse_session_mount(se, argv[optind + 1]) == 0) {
			printf("ready\n");
			fflush(stdout);
			err = fuse_session_loop(se);
			fuse_session_unmount(se);
		}
		fuse_remove_signal_handlers(se);
	}
	fuse_session_destroy(se);
	fuse_opt_free_args(&args);
	return err ? 1 : 0;
}
