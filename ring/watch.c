/* SPDX-License-Identifier: MIT */
/*
 * The watch registry: finds watchers by path and server watches by token, and sets
 * the watches again.
 *
 * No lock: the caller serialises (watch.h).  A request that is refused completes inside
 * chan_submit(), so requests are queued first, which settles their order.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "ring/watch.h"

/* Bytes of a token in decimal, with its NUL. */
#define TOKEN_SIZE 21

/* One watch in the server. */
struct watch {
	char *path;        /* the depth, if there is one, follows its NUL */
	size_t key_len;    /* length of both, without the last NUL */
	const char *depth; /* NULL: none */
	uint64_t token;
	uint32_t epoch; /* the connection on which it was last set */
	bool pending;   /* the WATCH is under way */
	bool replied;   /* the WATCH has been answered */
	bool fired;     /* its initial event has come */
	bool listed;    /* can be found by its path, so new watchers join it */
	unsigned holds; /* code that needs it across a callback: it is not freed */
	TAILQ_HEAD(, watcher) watchers;
	UT_hash_handle by_path;
	UT_hash_handle by_token;
};

/* Callbacks to be made, one after the other; one of them may remove the next, and begin a delivery of its
 * walk of its own. */
struct delivery {
	struct watcher *next;
	struct delivery *outer;
};

struct watches {
	struct chan *chan;
	struct logger *log;
	struct watch *by_path;
	struct watch *by_token;
	uint64_t last_token;
	struct delivery *deliveries;
	bool quota_said; /* the refusal was logged, and no watch was set since */
	struct request_list outgoing; /* to be submitted in this order */
	bool submitting;              /* submit_queued() is running */
};

/* A delivery tells this to each watcher. */
struct notice {
	bool armed; /* `error`, to those not told yet; else `type`, to those told before */
	int error;
	int refusal; /* `error` as it was before translation */
	enum watch_event_type type;
	const char *path;
};

static bool is_armed(const struct watch *watch)
{
	return watch->replied && watch->fired;
}

static struct watch *find_token(struct watches *ws, uint64_t token)
{
	struct watch *watch;

	HASH_FIND(by_token, ws->by_token, &token, sizeof(token), watch);
	return watch;
}

/* Events and replies with the watch's present token find nobody from now on. */
static void forget_token(struct watches *ws, struct watch *watch)
{
	if (watch->by_token.tbl)
		HASH_DELETE(by_token, ws->by_token, watch);
	watch->by_token.tbl = NULL;
}

/* New watchers of the path, and events, do not find the watch any more. */
static void unlist(struct watches *ws, struct watch *watch)
{
	forget_token(ws, watch);
	if (watch->listed)
		HASH_DELETE(by_path, ws->by_path, watch);
	watch->listed = false;
}

/* Frees a watch that was unlisted and is not needed. */
static void free_unused(struct watch *watch)
{
	if (watch->listed || watch->holds)
		return;
	free(watch->path);
	free(watch);
}

static void release(struct watch *watch)
{
	watch->holds--;
	free_unused(watch);
}

/* Makes the request that sets a watch; NULL when out of memory. */
static struct request *watch_request(const struct watch *watch)
{
	char data[TOKEN_SIZE + WATCH_DEPTH_SIZE];
	size_t len = snprintf(data, TOKEN_SIZE, "%" PRIu64, watch->token) + 1;
	struct request *req;

	if (watch->depth)
		len += snprintf(data + len, WATCH_DEPTH_SIZE, "%s", watch->depth) + 1;
	req = request_new_path(XS_WATCH, 0, watch->path, data, len);
	if (req)
		req->epoch = watch->epoch;
	return req;
}

/* Queues the UNWATCH of a watch that the server has, or may have.  It has no deadline: nothing makes up for it, and a
 * server that reads nothing for a while would keep the watch until the connection ends. */
static void unwatch(struct watches *ws, const char *path, uint64_t token, uint32_t epoch)
{
	char data[TOKEN_SIZE];
	size_t len = snprintf(data, sizeof(data), "%" PRIu64, token) + 1;
	struct request *req = request_new_path(XS_UNWATCH, 0, path, data, len);

	if (!req) {
		log_error(ws->log, "out of memory: the watch on %s stays set", path);
		return;
	}
	req->epoch = epoch;
	req->timeout_ms = REQUEST_PATIENT;
	TAILQ_INSERT_TAIL(&ws->outgoing, req, queue_link);
}

/* Submits what was queued.  A request that is refused completes inside, and anything queued then is
 * left to the outer call: a watch that is removed must not overtake the request that sets it. */
static void submit_queued(struct watches *ws)
{
	struct request *req;

	if (ws->submitting)
		return;
	ws->submitting = true;
	while ((req = TAILQ_FIRST(&ws->outgoing))) {
		TAILQ_REMOVE(&ws->outgoing, req, queue_link);
		chan_submit(ws->chan, req);
		request_put(req);
	}
	ws->submitting = false;
}

static void delivery_begin(struct watches *ws, struct delivery *delivery, struct watcher *first)
{
	*delivery = (struct delivery){ .next = first, .outer = ws->deliveries };
	ws->deliveries = delivery;
}

static void call_watcher(struct watcher *w, const struct notice *notice)
{
	if (notice->armed) {
		w->refusal = notice->refusal;
		w->armed(w, notice->error);
	} else if (w->event) {
		w->event(w, notice->type, notice->path);
	}
}

/* Calls the watchers of a watch, on which the caller has a hold.  With `off` each watcher is first
 * taken off the watch. */
static void tell(struct watches *ws, struct watch *watch, const struct notice *notice, bool off)
{
	struct delivery delivery;
	struct watcher *w;

	delivery_begin(ws, &delivery, TAILQ_FIRST(&watch->watchers));
	while ((w = delivery.next)) {
		delivery.next = TAILQ_NEXT(w, link);
		if (w->told == notice->armed)
			continue;
		w->told = true;
		if (off) {
			TAILQ_REMOVE(&watch->watchers, w, link);
			w->watch = NULL;
		}
		call_watcher(w, notice);
	}
	ws->deliveries = delivery.outer;
}

/* The watch is fully set.  Watchers that were told so before have had a gap; after them come those
 * that wait for it. */
static void became_armed(struct watches *ws, struct watch *watch)
{
	watch->pending = false;
	ws->quota_said = false;
	watch->holds++;
	tell(ws, watch, &(struct notice){ .type = WATCH_RESYNC }, false);
	tell(ws, watch, &(struct notice){ .armed = true }, false);
	release(watch);
}

/* The watch cannot be set: its watchers are removed, and later ones try anew. */
static void failed(struct watches *ws, struct watch *watch, int error)
{
	/* The servers' errors for one watch too many (docs/misc/xenstore.txt names none). */
	bool quota = error == -E2BIG || error == -ENOSPC || error == -EDQUOT;

	if (quota && !ws->quota_said)
		log_warning(ws->log, "cannot watch %s: the server's quota of watches", watch->path);
	else
		log_debug(ws->log, "cannot watch %s: %s", watch->path, strerror(-error));
	ws->quota_said |= quota;
	watch->holds++;
	unlist(ws, watch);
	tell(ws, watch, &(struct notice){ .type = WATCH_LOST }, true);
	tell(ws, watch,
		    &(struct notice){ .armed = true,
				    .error = quota ? -EDQUOT : error,
				    .refusal = error },
		    true);
	release(watch);
}

static bool has_watchers(const struct watch *watch, bool told)
{
	const struct watcher *w;

	TAILQ_FOREACH(w, &watch->watchers, link)
		if (w->told == told)
			return true;
	return false;
}

static void watch_replied(struct request *req);

/* Gives a watch a new token and queues the request that sets it.  Returns 0 or -ENOMEM. */
static int arm(struct watches *ws, struct watch *watch)
{
	struct request *req;

	forget_token(ws, watch);
	watch->token = ++ws->last_token;
	watch->epoch = chan_epoch(ws->chan);
	watch->replied = false;
	watch->fired = false;
	watch->pending = false;
	HASH_ADD(by_token, ws->by_token, token, sizeof(watch->token), watch);
	if (!watch->by_token.tbl)
		return -ENOMEM;
	req = watch_request(watch);
	if (!req)
		return -ENOMEM;
	watch->pending = true;
	req->complete = watch_replied;
	req->arg = ws;
	TAILQ_INSERT_TAIL(&ws->outgoing, req, queue_link);
	return 0;
}

/* A WATCH failed. */
static void watch_failed(struct watches *ws, struct watch *watch, int error)
{
	watch->pending = false;
	if (watch->epoch != chan_epoch(ws->chan)) {
		/* The connection was lost in the meantime.  Watchers that wait for an outcome wait
		 * for the next connection no longer than any request does; for the others
		 * watches_connected() sets the watch again. */
		if (has_watchers(watch, false) && arm(ws, watch))
			failed(ws, watch, -ENOMEM);
		return;
	}
	if (error == -EIO && has_watchers(watch, true)) {
		/* No connection can be had for now.  Watchers that were told
		 * before need not know. */
		watch->epoch = 0;
		watch->holds++;
		tell(ws, watch,
			    &(struct notice){ .armed = true, .error = error, .refusal = error }, true);
		if (TAILQ_EMPTY(&watch->watchers))
			unlist(ws, watch);
		release(watch);
		return;
	}
	failed(ws, watch, error);
}

/* Whether a WATCH has set its watch, or may do so late: one that timed out after it was sent.  One that was refused
 * sets nothing. */
static bool may_be_set(const struct request *req)
{
	return !req->error || (req->error == -ETIMEDOUT && req->msg.req_id);
}

/* Reply to a WATCH. */
static void watch_replied(struct request *req)
{
	struct watches *ws = req->arg;
	const char *path = req->payload;
	uint64_t token = strtoull(path + strlen(path) + 1, NULL, 10);
	struct watch *watch;

	watch = find_token(ws, token);
	/* Nobody wants it any more: see watch_remove(). */
	if (may_be_set(req) && (!watch || req->error))
		unwatch(ws, path, token, req->epoch);
	if (watch && req->error) {
		watch_failed(ws, watch, req->error);
	} else if (watch) {
		watch->replied = true;
		if (is_armed(watch))
			became_armed(ws, watch);
	}
	submit_queued(ws);
}

static void watches_event(void *arg, const char *path, const char *token)
{
	struct watches *ws = arg;
	struct watch *watch = NULL;
	uint64_t number;

	if (wire_number_parse(token, strlen(token), UINT64_MAX, &number) == 0)
		watch = find_token(ws, number);
	if (!watch) {
		/* Usually of a watch that was removed. */
		log_debug(ws->log, "event for %s with unknown token ignored", path);
	} else if (!watch->fired) {
		/* Every WATCH fires once, on some servers before the reply, on others after it. */
		watch->fired = true;
		if (is_armed(watch))
			became_armed(ws, watch);
	} else {
		watch->holds++;
		tell(ws, watch, &(struct notice){ .type = WATCH_CHANGED, .path = path },
			    false);
		release(watch);
	}
}

/* Returns a watch that is neither set nor being set on this connection, or NULL. */
static struct watch *find_unset(struct watches *ws, uint32_t epoch)
{
	struct watch *watch;

	for (watch = ws->by_path; watch; watch = watch->by_path.next)
		if (watch->epoch != epoch || !(watch->pending || is_armed(watch)))
			return watch;
	return NULL;
}

/* A new connection: sets all watches again, except those that are being set on it already. */
static void watches_connected(void *arg, uint32_t epoch)
{
	struct watches *ws = arg;
	struct watch *watch;

	for (watch = ws->by_path; watch; watch = watch->by_path.next)
		if (watch->epoch != epoch)
			arm(ws, watch);
	while ((watch = find_unset(ws, epoch)))
		failed(ws, watch, -ENOMEM);
	submit_queued(ws);
}

/* The first token.  A predecessor's watches may still be set on the same ring, and their events
 * must not be mistaken for ours. */
static uint64_t first_token(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * UINT64_C(1000000) + ts.tv_nsec / 1000;
}

struct watches *watches_new(struct chan *chan, struct logger *log)
{
	struct watches *ws = calloc(1, sizeof(*ws));

	if (!ws)
		return NULL;
	ws->chan = chan;
	ws->log = log;
	ws->last_token = first_token();
	TAILQ_INIT(&ws->outgoing);
	chan_set_handlers(chan, &(struct chan_handlers){ .event = watches_event,
							 .connected = watches_connected,
							 .arg = ws });
	return ws;
}

void watches_free(struct watches *ws)
{
	struct watch *watch, *next;

	if (!ws)
		return;
	HASH_ITER(by_path, ws->by_path, watch, next) {
		unlist(ws, watch);
		free_unused(watch);
	}
	free(ws);
}

/* Makes the key by which a watch is found: path, or path NUL depth.  Returns NULL
 * when out of memory. */
static char *key_new(const char *path, const char *depth, size_t *len)
{
	size_t path_len = strlen(path), depth_size = depth ? strlen(depth) + 1 : 0;
	char *key = malloc(path_len + 1 + depth_size);

	if (!key)
		return NULL;
	memcpy(key, path, path_len + 1);
	if (depth)
		memcpy(key + path_len + 1, depth, depth_size);
	*len = path_len + depth_size;
	return key;
}

/* Makes a watch that is not set yet.  Takes `key`, even on failure. */
static struct watch *watch_new(struct watches *ws, char *key, size_t key_len, bool depth)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch) {
		free(key);
		return NULL;
	}
	TAILQ_INIT(&watch->watchers);
	watch->path = key;
	watch->key_len = key_len;
	watch->depth = depth ? key + strlen(key) + 1 : NULL;
	HASH_ADD_KEYPTR(by_path, ws->by_path, watch->path, watch->key_len, watch);
	watch->listed = watch->by_path.tbl != NULL;
	if (!watch->listed) {
		free_unused(watch);
		return NULL;
	}
	return watch;
}

int watch_add(struct watches *ws, struct watcher *w, const char *path)
{
	return watch_add_depth(ws, w, path, NULL);
}

int watch_add_depth(struct watches *ws, struct watcher *w, const char *path, const char *depth)
{
	struct watch *watch;
	int err = -ENOMEM;
	size_t key_len = 0;
	char *key = key_new(path, depth, &key_len);

	if (!key)
		return -ENOMEM;
	HASH_FIND(by_path, ws->by_path, key, key_len, watch);
	if (watch)
		free(key);
	else
		watch = watch_new(ws, key, key_len, depth != NULL);
	if (!watch)
		goto out;
	if (!watch->pending && !is_armed(watch) && arm(ws, watch)) {
		if (TAILQ_EMPTY(&watch->watchers)) {
			unlist(ws, watch);
			free_unused(watch);
		}
		goto out;
	}
	err = 0;
	w->watch = watch;
	w->told = is_armed(watch);
	TAILQ_INSERT_TAIL(&watch->watchers, w, link);
	if (w->told)
		call_watcher(w, &(struct notice){ .armed = true });
out:
	submit_queued(ws);
	return err;
}

void watch_remove(struct watches *ws, struct watcher *w)
{
	struct watch *watch = w->watch;
	struct delivery *delivery;

	if (watch) {
		for (delivery = ws->deliveries; delivery; delivery = delivery->outer)
			if (delivery->next == w)
				delivery->next = TAILQ_NEXT(w, link);
		TAILQ_REMOVE(&watch->watchers, w, link);
		w->watch = NULL;
		if (watch->listed && TAILQ_EMPTY(&watch->watchers)) {
			/* Else the WATCH is under way, if at all: its reply finds out whether there is something to remove. */
			if (watch->replied)
				unwatch(ws, watch->path, watch->token, watch->epoch);
			unlist(ws, watch);
			free_unused(watch);
		}
	}
	submit_queued(ws);
}

unsigned watches_count(struct watches *ws)
{
	return HASH_CNT(by_path, ws->by_path);
}
