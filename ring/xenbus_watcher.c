/* SPDX-License-Identifier: MIT */
/*
 * Sets and unsets watches through the kernel's xenbus device, on a thread of its own, and keeps
 * account of the requests that have to be answered.  For the xenbus transport.  See
 * xenbus_watcher.h.
 */
#include "ring/xenbus_watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "ring/wire.h"

/* The thread calls write() and little else. */
#define WATCHER_STACK (128 * 1024)

/*
 * A request that does not simply go to the main descriptor: a WATCH or UNWATCH on its way, or a
 * request that the transport itself has to answer with an error.  It is on one list at a time, or
 * is the watcher's `writing`.
 */
struct entry {
	TAILQ_ENTRY(entry) link;
	struct xsd_sockmsg hdr; /* of the request */
	int err;                /* on `refused`: the answer, a negative errno */
	bool answered;          /* its reply was read before its write() returned */
	char msg[XENBUS_MESSAGE_MAX];
};
TAILQ_HEAD(entry_list, entry);

struct xenbus_watcher {
	atomic_int refs;
	pthread_t thread;
	int fd;       /* for WATCH, UNWATCH and watch events */
	int event_fd; /* wakes the I/O thread for `refused` and `lost` */

	/* A leaf, guarding all that follows; not held during the thread's write(). */
	pthread_mutex_t lock;
	pthread_cond_t wakeup; /* `queued` or `quit` changed */
	struct entry_list idle;
	struct entry_list queued;  /* for the thread to write */
	struct entry *writing;     /* in the thread's write() */
	struct entry_list written; /* taken by the device, which will answer */
	struct entry_list refused; /* to be answered with XS_ERROR */
	bool quit;
	bool signalled; /* event_fd is readable */
	int lost;       /* negative errno: the device is gone */

	/* One more than can be in flight: the thread may hold an entry whose
	 * reply was delivered. */
	struct entry entries[XENBUS_IN_FLIGHT_MAX + 1];
};

void xenbus_watcher_put(struct xenbus_watcher *w)
{
	if (!w || atomic_fetch_sub_explicit(&w->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (w->fd >= 0)
		close(w->fd);
	if (w->event_fd >= 0)
		close(w->event_fd);
	pthread_cond_destroy(&w->wakeup);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void xenbus_watcher_signal_locked(struct xenbus_watcher *w)
{
	const uint64_t one = 1;

	if (w->signalled)
		return;
	/* This can fail only when the counter is full, and then it is readable already. */
	if (write(w->event_fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
		w->signalled = true;
}

static void xenbus_watcher_refuse_locked(struct xenbus_watcher *w, struct entry *e, int err)
{
	e->err = err;
	TAILQ_INSERT_TAIL(&w->refused, e, link);
	xenbus_watcher_signal_locked(w);
}

/* Returns whether a write()'s errno is the store's answer to a request rather than the end of the
 * device: only errors for which the protocol has names come from a server. */
static bool errno_is_answer(int err)
{
	return wire_error_parse(wire_error_name(err), strlen(wire_error_name(err)) + 1, NULL) == err;
}

/* Writes a whole message.  Returns 0, or a negative errno; *begun then tells whether the device had
 * taken a part of it, after which nobody knows where it expects the next message to start. */
static int message_write(int fd, const char *msg, size_t len, bool *begun)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, msg + done, len - done);
		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			*begun = done > 0;
			return n == 0 ? -EIO : -errno;
		}
	}
	return 0;
}

static void *xenbus_watcher_run(void *arg)
{
	struct xenbus_watcher *w = arg;
	struct entry *e;
	bool begun;
	int err;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->quit && (w->lost || TAILQ_EMPTY(&w->queued)))
			pthread_cond_wait(&w->wakeup, &w->lock);
		if (w->quit)
			break;
		e = TAILQ_FIRST(&w->queued);
		TAILQ_REMOVE(&w->queued, e, link);
		w->writing = e;
		pthread_mutex_unlock(&w->lock);

		begun = false;
		err = message_write(w->fd, e->msg, WIRE_HEADER_SIZE + e->hdr.len, &begun);

		pthread_mutex_lock(&w->lock);
		w->writing = NULL;
		if (e->answered) {
			TAILQ_INSERT_TAIL(&w->idle, e, link);
		} else if (!err) {
			TAILQ_INSERT_TAIL(&w->written, e, link);
		} else if (!begun && errno_is_answer(err)) {
			xenbus_watcher_refuse_locked(w, e, err);
		} else {
			TAILQ_INSERT_TAIL(&w->idle, e, link);
			w->lost = err;
			xenbus_watcher_signal_locked(w);
		}
	}
	pthread_mutex_unlock(&w->lock);
	xenbus_watcher_put(w);
	return NULL;
}

/* Takes an idle entry for the request `hdr`, or returns NULL if there is none. */
static struct entry *entry_take_locked(struct xenbus_watcher *w, const struct xsd_sockmsg *hdr)
{
	struct entry *e = TAILQ_FIRST(&w->idle);

	if (e) {
		TAILQ_REMOVE(&w->idle, e, link);
		e->hdr = *hdr;
		e->err = 0;
		e->answered = false;
	}
	return e;
}

bool xenbus_watcher_refuse(struct xenbus_watcher *w, const struct xsd_sockmsg *hdr, int err)
{
	struct entry *e;

	pthread_mutex_lock(&w->lock);
	e = entry_take_locked(w, hdr);
	if (e)
		xenbus_watcher_refuse_locked(w, e, err);
	pthread_mutex_unlock(&w->lock);
	return e != NULL;
}

bool xenbus_watcher_submit(struct xenbus_watcher *w, const struct xsd_sockmsg *hdr, const char *msg)
{
	struct entry *e;

	pthread_mutex_lock(&w->lock);
	e = entry_take_locked(w, hdr);
	if (e) {
		memcpy(e->msg, msg, WIRE_HEADER_SIZE + hdr->len);
		TAILQ_INSERT_TAIL(&w->queued, e, link);
		pthread_cond_signal(&w->wakeup);
	}
	pthread_mutex_unlock(&w->lock);
	return e != NULL;
}

bool xenbus_watcher_match(struct xenbus_watcher *w, struct xsd_sockmsg *hdr)
{
	struct entry *e, *found = NULL;

	pthread_mutex_lock(&w->lock);
	TAILQ_FOREACH(e, &w->written, link) {
		if (hdr->type != XS_ERROR && hdr->type != e->hdr.type)
			continue;
		if (!found || e->hdr.req_id == hdr->req_id)
			found = e;
		if (e->hdr.req_id == hdr->req_id)
			break;
	}
	/* The reply can come before its write() has returned. */
	e = w->writing;
	if (e && !e->answered && (hdr->type == XS_ERROR || hdr->type == e->hdr.type) &&
	    (!found || (e->hdr.req_id == hdr->req_id && found->hdr.req_id != hdr->req_id)))
		found = e;
	if (found) {
		hdr->req_id = found->hdr.req_id;
		hdr->tx_id = found->hdr.tx_id;
		if (found == w->writing) {
			found->answered = true;
		} else {
			TAILQ_REMOVE(&w->written, found, link);
			TAILQ_INSERT_TAIL(&w->idle, found, link);
		}
	}
	pthread_mutex_unlock(&w->lock);
	return found != NULL;
}

bool xenbus_watcher_refused_next(struct xenbus_watcher *w, struct xsd_sockmsg *hdr, int *err)
{
	struct entry *e;

	pthread_mutex_lock(&w->lock);
	e = TAILQ_FIRST(&w->refused);
	if (e) {
		TAILQ_REMOVE(&w->refused, e, link);
		*hdr = e->hdr;
		*err = e->err;
		TAILQ_INSERT_TAIL(&w->idle, e, link);
	}
	pthread_mutex_unlock(&w->lock);
	return e != NULL;
}

int xenbus_watcher_acknowledge(struct xenbus_watcher *w)
{
	uint64_t count;
	int lost;

	pthread_mutex_lock(&w->lock);
	if (w->signalled && read(w->event_fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		w->signalled = false;
	lost = w->lost;
	pthread_mutex_unlock(&w->lock);
	return lost;
}

int xenbus_watcher_fd(const struct xenbus_watcher *w)
{
	return w->fd;
}

int xenbus_watcher_event_fd(const struct xenbus_watcher *w)
{
	return w->event_fd;
}

bool xenbus_watcher_waiting(struct xenbus_watcher *w, bool *room)
{
	bool waiting;

	pthread_mutex_lock(&w->lock);
	*room = !TAILQ_EMPTY(&w->idle);
	waiting = !TAILQ_EMPTY(&w->refused) || w->lost;
	pthread_mutex_unlock(&w->lock);
	return waiting;
}

bool xenbus_watcher_ended(const struct xenbus_watcher *w)
{
	return atomic_load_explicit(&w->refs, memory_order_acquire) == 1;
}

struct xenbus_watcher *xenbus_watcher_stop(struct xenbus_watcher *w)
{
	bool stuck;

	pthread_mutex_lock(&w->lock);
	w->quit = true;
	stuck = w->writing != NULL;
	pthread_cond_signal(&w->wakeup);
	pthread_mutex_unlock(&w->lock);
	if (stuck) {
		pthread_detach(w->thread);
		return w;
	}
	/* The thread looks at `quit` before it writes again, so this does not
	 * wait for the store. */
	pthread_join(w->thread, NULL);
	xenbus_watcher_put(w);
	return NULL;
}

/* Starts the thread with every signal blocked: signals are for the program's own threads. */
static int xenbus_watcher_start(struct xenbus_watcher *w)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int err;

	err = pthread_attr_init(&attr);
	if (err)
		return -err;
	pthread_attr_setstacksize(&attr, WATCHER_STACK);
	sigfillset(&all);
	/* Before the thread runs, because its reference must not be the last one. */
	atomic_fetch_add_explicit(&w->refs, 1, memory_order_relaxed);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&w->thread, &attr, xenbus_watcher_run, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		atomic_fetch_sub_explicit(&w->refs, 1, memory_order_relaxed);
	pthread_attr_destroy(&attr);
	return -err;
}

int xenbus_device_open(const char *path)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

int xenbus_watcher_new(struct xenbus_watcher **out, const char *path)
{
	struct xenbus_watcher *w = calloc(1, sizeof(*w));
	size_t i;
	int err;

	if (!w)
		return -ENOMEM;
	atomic_init(&w->refs, 1);
	w->event_fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wakeup, NULL);
	TAILQ_INIT(&w->idle);
	TAILQ_INIT(&w->queued);
	TAILQ_INIT(&w->written);
	TAILQ_INIT(&w->refused);
	for (i = 0; i < sizeof(w->entries) / sizeof(w->entries[0]); i++)
		TAILQ_INSERT_TAIL(&w->idle, &w->entries[i], link);

	w->fd = xenbus_device_open(path);
	err = w->fd < 0 ? w->fd : 0;
	if (!err) {
		w->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		err = w->event_fd < 0 ? -errno : xenbus_watcher_start(w);
	}
	if (err) {
		xenbus_watcher_put(w);
		return err;
	}
	*out = w;
	return 0;
}
