/* SPDX-License-Identifier: MIT */
/*
 * A client's watches, each a watcher of the registry, and the events that the client
 * has not read yet.
 *
 * An event that has still to be read is not queued again.  When the queue is full the watch is
 * marked instead, and gets an event of its own path once the queue has been read; that says the
 * same, since an event is a hint about everything below its path.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/client_impl.h"

/* Room for an absolute path that begins in a domain's directory. */
#define HOME_SIZE sizeof("/local/domain/4294967295/")

/* ---- events ---- */

void client_event_free(struct client *client, struct client_event *event)
{
	HASH_DEL(client->events, event);
	client->event_bytes -= event->out.memory;
	free(event);
}

static void merged(struct client *client)
{
	client->config.counters->events_merged++;
}

/* Queues path NUL token NUL.  Returns 0, -ENOSPC or -ENOMEM. */
static int queue(struct client *client, const char *text, size_t size)
{
	struct client_event *event;
	size_t memory = sizeof(*event) + size;

	HASH_FIND(hh, client->events, text, size, event);
	if (event) {
		merged(client);
		return 0;
	}
	if (client->event_bytes + memory > CLIENT_EVENTS_MAX)
		return -ENOSPC;
	event = calloc(1, memory);
	if (!event)
		return -ENOMEM;
	memcpy(event->text, text, size);
	HASH_ADD_KEYPTR(hh, client->events, event->text, size, event);
	if (!event->hh.tbl) {
		free(event);
		return -ENOMEM;
	}
	event->out = (struct client_out){
		.hdr = { .type = XS_WATCH_EVENT, .len = size },
		.body = event->text,
		.memory = memory,
		.event = true,
	};
	client->event_bytes += memory;
	TAILQ_INSERT_TAIL(&client->outs, &event->out, link);
	return 0;
}

static int tell(struct client_watch *watch, const char *path)
{
	size_t path_size = strlen(path) + 1, token_size = strlen(watch->token) + 1;
	char text[WIRE_EVENT_MAX];

	/* No server sends such an event. */
	if (path_size + token_size > sizeof(text))
		return 0;
	memcpy(text, path, path_size);
	memcpy(text + path_size, watch->token, token_size);
	return queue(watch->client, text, path_size + token_size);
}

/* Reports an event to the client. */
static void event(struct client_watch *watch, const char *path)
{
	struct client *client = watch->client;

	if (!watch->overflowed && tell(watch, path) == 0)
		return;
	merged(client);
	if (!watch->overflowed)
		TAILQ_INSERT_TAIL(&client->overflowed, watch, overflow_link);
	watch->overflowed = true;
}

int client_overflow(struct client *client)
{
	struct client_watch *watch;
	int err;

	while ((watch = TAILQ_FIRST(&client->overflowed))) {
		err = tell(watch, watch->path);
		if (err)
			return err == -ENOMEM ? err : 0;
		TAILQ_REMOVE(&client->overflowed, watch, overflow_link);
		watch->overflowed = false;
	}
	return 0;
}

/* ---- the table ---- */

/*
 * Makes the key of a watch, path NUL token NUL, from the path that it has in the store: to a
 * server the relative and the absolute path of a node are the same.  Returns its length, or 0
 * if it does not fit.
 */
static size_t key_make(const struct client *client, const char *path, const char *token, char *key,
		       size_t size)
{
	bool relative = path[0] != '/' && path[0] != '@' && client->config.domid >= 0;
	size_t used = 0, path_size = strlen(path) + 1, token_size = strlen(token) + 1;

	if (relative)
		used = snprintf(key, size, "/local/domain/%d/", client->config.domid);
	if (used + path_size + token_size > size)
		return 0;
	memcpy(key + used, path, path_size);
	memcpy(key + used + path_size, token, token_size);
	return used + path_size + token_size;
}

static struct client_watch *find(struct client *client, const char *path, const char *token)
{
	char key[WIRE_PAYLOAD_MAX + HOME_SIZE];
	size_t len = key_make(client, path, token, key, sizeof(key));
	struct client_watch *watch;

	HASH_FIND(hh, client->watches, key, len, watch);
	return watch;
}

/* Takes a watch out of the table; it then belongs to the caller. */
static void take(struct client_watch *watch)
{
	struct client *client = watch->client;

	HASH_DEL(client->watches, watch);
	watch->listed = false;
	if (watch->overflowed)
		TAILQ_REMOVE(&client->overflowed, watch, overflow_link);
	watch->overflowed = false;
	client->config.counters->watches--;
}

/* Ends a watch that was taken out. */
static void end(struct client_watch *watch)
{
	watch_remove(watch->client->config.watches, &watch->watcher);
	free(watch);
}

void client_unwatch_all(struct client *client)
{
	struct client_watch_list ending = TAILQ_HEAD_INITIALIZER(ending);
	struct client_watch *watch, *next;

	HASH_ITER(hh, client->watches, watch, next) {
		take(watch);
		if (watch->call)
			client_answer_error(watch->call, 0);
		if (watch->unwatch)
			client_answer_error(watch->unwatch, 0);
		watch->call = watch->unwatch = NULL;
		TAILQ_INSERT_TAIL(&ending, watch, ending_link);
	}
	while ((watch = TAILQ_FIRST(&ending))) {
		TAILQ_REMOVE(&ending, watch, ending_link);
		end(watch);
	}
}

/* ---- callbacks of the registry ---- */

/* The result of a WATCH: queues the answer, and the event that each watch begins with. */
static void watch_armed(struct watcher *watcher, int error)
{
	struct client_watch *watch = (struct client_watch *)watcher;
	struct client *client = watch->client;
	struct client_call *unwatch;
	bool over = false;

	/* A watch that is not listed was answered by the code that took it out. */
	if (watch->listed) {
		unwatch = watch->unwatch;
		client_answer_error(watch->call, error ? watcher->refusal : 0);
		watch->call = watch->unwatch = NULL;
		if (!error)
			event(watch, watch->path);
		if (unwatch)
			client_answer_error(unwatch, error ? -ENOENT : 0);
		over = error || unwatch;
		if (over) {
			take(watch);
			client->refs++;
		}
	}
	if (over)
		end(watch);
	client_notify(client);
	if (over)
		client_put(client);
}

static void watch_event(struct watcher *watcher, enum watch_event_type type, const char *path)
{
	struct client_watch *watch = (struct client_watch *)watcher;
	struct client *client = watch->client;

	/* Before the answer nothing is reported: the event that follows the
	 * answer says the same. */
	if (watch->listed && !watch->call)
		event(watch, type == WATCH_CHANGED ? path : watch->path);
	client_notify(client);
}

/* ---- requests of the client ---- */

/* The strings of a WATCH or an UNWATCH, in its payload. */
struct names {
	const char *path, *token, *depth; /* the last one NULL: it is missing */
};

static int names_parse(const struct request *req, bool may_have_depth, struct names *names)
{
	struct wire_strings s = wire_strings_init(req->payload, req->msg.len);
	size_t depth_len = 0;

	*names = (struct names){ 0 };
	if (wire_strings_next(&s, &names->path, NULL) != 1 ||
	    wire_strings_next(&s, &names->token, NULL) != 1)
		return -EINVAL;
	if (s.pos != s.end && may_have_depth &&
	    wire_strings_next(&s, &names->depth, &depth_len) != 1)
		return -EINVAL;
	return s.pos != s.end || depth_len >= WATCH_DEPTH_SIZE ? -EINVAL : 0;
}

static struct client_watch *watch_new(struct client *client, const struct names *names)
{
	size_t strings = strlen(names->path) + strlen(names->token) + 2;
	struct client_watch *watch = calloc(1, sizeof(*watch) + strings + HOME_SIZE);

	if (!watch)
		return NULL;
	watch->watcher = (struct watcher){ .armed = watch_armed, .event = watch_event };
	watch->client = client;
	watch->key_len = key_make(client, names->path, names->token, watch->key,
				  strings + HOME_SIZE);
	watch->path = watch->key + (watch->key_len - strings);
	watch->token = watch->path + strlen(names->path) + 1;
	return watch;
}

/* Puts a new watch into the table.  Returns 0 or -errno. */
static int list(struct client_watch *watch)
{
	struct client *client = watch->client;

	if (find(client, watch->path, watch->token))
		return -EEXIST;
	/* xenstored's error for one watch too many. */
	if (HASH_COUNT(client->watches) >= CLIENT_WATCHES_MAX)
		return -E2BIG;
	HASH_ADD_KEYPTR(hh, client->watches, watch->key, watch->key_len, watch);
	watch->listed = watch->hh.tbl != NULL;
	if (!watch->listed)
		return -ENOMEM;
	client->config.counters->watches++;
	return 0;
}

void client_watch(struct client_call *call)
{
	struct client *client = call->client;
	struct client_watch *watch = NULL;
	struct names names;
	int err = names_parse(call->req, true, &names);

	if (!err) {
		watch = watch_new(client, &names);
		err = watch ? 0 : -ENOMEM;
	}
	if (!err)
		err = list(watch);
	if (err)
		client_answer_error(call, err);
	else
		watch->call = call;
	if (err) {
		free(watch);
		return;
	}
	/* The depth is copied before the call can be answered. */
	err = watch_add_depth(client->config.watches, &watch->watcher, watch->path, names.depth);
	if (err) {
		watch->watcher.refusal = err;
		watch_armed(&watch->watcher, err);
	}
}

void client_unwatch(struct client_call *call)
{
	struct client *client = call->client;
	struct client_watch *watch = NULL;
	struct names names;
	bool over = false;
	int err = names_parse(call->req, false, &names);

	if (!err)
		watch = find(client, names.path, names.token);
	if (!err && (!watch || watch->unwatch))
		err = -ENOENT;
	if (err) {
		client_answer_error(call, err);
	} else if (watch->call) {
		/* The answer will show whether there is such a watch. */
		watch->unwatch = call;
	} else {
		take(watch);
		over = true;
		client_answer_error(call, 0);
	}
	if (over)
		end(watch);
}

void client_resync(struct client *client)
{
	struct client_watch *watch, *next;

	HASH_ITER(hh, client->watches, watch, next)
		if (!watch->call)
			event(watch, watch->path);
	client_notify(client);
}
