/* SPDX-License-Identifier: MIT */
/*
 * Walks.  The nodes requested and not taken yet form a list of steps in the order of the result:
 * nodes, and after each node that has children the rest of those children, which shrinks as they
 * are requested and placed before it.  walk_next() takes from the front; walk_go() continues with
 * the first rest.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/error.h"
#include "fs/model/name.h"
#include "fs/model/name_parts.h"
#include "fs/op/fs_impl.h"
#include "fs/op/transaction.h"
#include "fs/special/walk.h"
#include "ring/request.h"
#include "ring/wire.h"

/* Nodes requested at a time, with two requests each; when half of them have arrived more are
 * requested, so that messages travel together. */
#define IN_FLIGHT_MAX 32

/* Nodes that have been requested and not taken yet.  A walk that goes deep into the first of them
 * takes IN_FLIGHT_MAX more for each level. */
#define AHEAD_MAX 512

struct step {
	TAILQ_ENTRY(step) link;
	struct walk *walk;
	unsigned depth;
	bool is_rest;

	/* For a node: what was requested, with a common completion. */
	struct gather gather;
	struct request *value;
	bool answered; /* all requests were answered */
	bool has_children;

	/* Both kinds: the reply that has the names, or several replies collected in `parts`.  The
	 * payload of that request begins with the path. */
	struct request *names;
	struct name_parts parts;

	/* For the rest of the children: the name of the next one, NULL if there is none,
	 * and what follows. */
	const char *next;
	struct wire_strings names_left;
};

TAILQ_HEAD(step_list, step);

struct walk {
	struct fs *fs;
	struct walk_owner *owner;
	char *path; /* the path where it begins */
	uint32_t tx_id;
	uint32_t epoch;         /* the connection of the transaction */
	struct transaction *tx; /* the transaction, with a reference; NULL: none */
	unsigned refs;          /* one of the owner, and one for each node being requested */

	struct step_list steps;
	struct step *taken; /* the step that walk_next() returned last */
	unsigned ahead;     /* nodes in `steps` */
	unsigned in_flight; /* how many of these are unanswered */
	unsigned unreadable;
	bool begun;
	bool stopped;
	int error;
};

/* Requests that are about to be submitted, with a reference each. */
struct batch {
	struct request *reqs[2 * IN_FLIGHT_MAX];
	unsigned count;
};

/* ---- steps ---- */

static struct step *step_new(struct walk *walk, unsigned depth)
{
	struct step *step = calloc(1, sizeof(*step));

	if (step) {
		step->walk = walk;
		step->depth = depth;
	}
	return step;
}

static void step_free(struct step *step)
{
	if (!step)
		return;
	request_put(step->value);
	request_put(step->names);
	name_parts_deinit(&step->parts);
	free(step);
}

static void step_answered(struct gather *gather);

static struct request *request_for(struct step *step, uint32_t type, const char *path,
				   const char *offset)
{
	struct walk *walk = step->walk;
	struct request *req =
		request_new_path(type, walk->tx_id, path, offset, offset ? strlen(offset) + 1 : 0);

	if (!req)
		return NULL;
	req->bulk = true;
	req->epoch = walk->epoch;
	req->gather = &step->gather;
	return req;
}

/* Makes the two requests for a node.  Returns NULL when out of memory. */
static struct step *node_new(struct walk *walk, const char *path, unsigned depth)
{
	struct step *step = step_new(walk, depth);

	if (!step)
		return NULL;
	step->gather.complete = step_answered;
	atomic_init(&step->gather.pending, 2);
	step->value = request_for(step, XS_READ, path, NULL);
	step->names = request_for(step, XS_DIRECTORY, path, NULL);
	if (step->value && step->names)
		return step;
	step_free(step);
	return NULL;
}

static void batch_add(struct batch *batch, struct step *step)
{
	batch->reqs[batch->count++] = request_get(step->value);
	batch->reqs[batch->count++] = request_get(step->names);
	step->walk->in_flight++;
	step->walk->ahead++;
	walk_get(step->walk);
}

static void batch_submit(struct walk *walk, struct batch *batch)
{
	if (batch->count)
		chan_submit_all(walk->fs->chan, batch->reqs, batch->count);
	for (unsigned i = 0; i < batch->count; i++)
		request_put(batch->reqs[i]);
}

/* ---- the walk as a whole ---- */

struct walk *walk_new(struct fs *fs, const struct view *view, const char *path,
		      struct walk_owner *owner)
{
	struct walk *walk = calloc(1, sizeof(*walk));

	if (!walk)
		return NULL;
	walk->path = strdup(path);
	if (!walk->path) {
		free(walk);
		return NULL;
	}
	walk->fs = fs;
	walk->owner = owner;
	walk->tx_id = view->tx_id;
	walk->epoch = view->epoch;
	walk->tx = view->tx ? transaction_get(view->tx) : NULL;
	walk->refs = 1;
	TAILQ_INIT(&walk->steps);
	return walk;
}

struct walk *walk_get(struct walk *walk)
{
	walk->refs++;
	return walk;
}

void walk_put(struct walk *walk)
{
	struct step *step;

	if (!walk || --walk->refs > 0)
		return;
	while ((step = TAILQ_FIRST(&walk->steps))) {
		TAILQ_REMOVE(&walk->steps, step, link);
		step_free(step);
	}
	step_free(walk->taken);
	walk->owner->gone(walk->owner);
	if (walk->tx)
		transaction_put(walk->tx);
	free(walk->path);
	free(walk);
}

const char *walk_path(const struct walk *walk)
{
	return walk->path;
}

unsigned walk_unreadable(struct walk *walk)
{
	return walk->unreadable;
}

void walk_stop(struct walk *walk)
{
	struct batch batch = { .count = 0 };
	struct step *step;

	walk->stopped = true;
	TAILQ_FOREACH(step, &walk->steps, link) {
		if (step->is_rest || step->answered)
			continue;
		batch.reqs[batch.count++] = request_get(step->value);
		batch.reqs[batch.count++] = request_get(step->names);
	}
	for (unsigned i = 0; i < batch.count; i++) {
		chan_abandon(walk->fs->chan, batch.reqs[i], -EINTR);
		request_put(batch.reqs[i]);
	}
}

/* ---- asking ---- */

/* Advances to the next name that can be the name of a node. */
static void rest_advance(struct step *rest)
{
	size_t path_len = strlen(rest->names->payload), len;

	while (wire_strings_next(&rest->names_left, &rest->next, &len) > 0)
		if (name_is_legal(rest->next) && path_len + 1 + len < PATH_SIZE)
			return;
	rest->next = NULL;
}

/* Places a node for each of the next children before their rest, for as long as there is room.
 * Returns 0 or -ENOMEM. */
static int rest_ask(struct walk *walk, struct step *rest, unsigned before,
			   struct batch *batch)
{
	char path[PATH_SIZE];
	struct step *step;

	while (rest->next && walk->in_flight < IN_FLIGHT_MAX &&
	       (walk->ahead < AHEAD_MAX || before < IN_FLIGHT_MAX)) {
		snprintf(path, sizeof(path), "%s", rest->names->payload);
		path_append(path, rest->next);
		step = node_new(walk, path, rest->depth + 1);
		if (!step)
			return -ENOMEM;
		rest_advance(rest);
		TAILQ_INSERT_BEFORE(rest, step, link);
		batch_add(batch, step);
		before++;
	}
	return 0;
}

static int ask(struct walk *walk, struct batch *batch)
{
	struct step *step;
	unsigned before = 0;
	int err = 0;

	if (!walk->begun) {
		step = node_new(walk, walk->path, 0);
		if (!step)
			return -ENOMEM;
		walk->begun = true;
		TAILQ_INSERT_TAIL(&walk->steps, step, link);
		batch_add(batch, step);
		return 0;
	}
	TAILQ_FOREACH(step, &walk->steps, link) {
		if (err || walk->in_flight == IN_FLIGHT_MAX)
			break;
		if (!step->is_rest)
			before++;
		else
			err = rest_ask(walk, step, before, batch);
	}
	return err;
}

void walk_go(struct walk *walk)
{
	struct batch batch = { .count = 0 };
	bool failed = false;

	if (!walk->stopped && !walk->error && walk->in_flight <= IN_FLIGHT_MAX / 2) {
		walk->error = ask(walk, &batch);
		failed = walk->error;
	}
	batch_submit(walk, &batch);
	if (failed)
		walk->owner->ready(walk->owner, walk);
}

/* ---- answers ---- */

/*
 * The names do not fit into one reply: requests the next part.  Stores a reference to that request.
 * Returns 0 (*next is NULL when no further part is needed), or -errno.
 */
static int parts_go_on(struct step *step, struct request **next)
{
	struct request *req = step->names;
	struct fs *fs = step->walk->fs;
	char path[PATH_SIZE], offset[24];
	int rc = 0;

	if (req->error == -ENOSYS) {
		rate_log(&fs->rates.listings, fs->log, LOGGER_ERROR,
			 "%s: too large to be listed: the server has no DIRECTORY_PART", req->payload);
		return -E2BIG;
	}
	if (req->msg.type == XS_DIRECTORY_PART)
		rc = req->error ? NAME_PARTS_DONE
				: name_parts_add(&step->parts, req->reply, req->reply_len);
	if (rc == NAME_PARTS_CHANGING)
		rate_log(&fs->rates.listings, fs->log, LOGGER_WARNING, "%s keeps changing: walked as it was seen last",
			 req->payload);
	if (rc)
		return rc < 0 ? rc : 0;
	snprintf(path, sizeof(path), "%s", req->payload);
	snprintf(offset, sizeof(offset), "%zu", step->parts.offset);
	step->names = request_for(step, XS_DIRECTORY_PART, path, offset);
	request_put(req);
	if (!step->names)
		return -ENOMEM;
	atomic_store(&step->gather.pending, 1);
	*next = request_get(step->names);
	return 0;
}

/* Places the rest of a node's children after it, if it has any.  Returns 0 or -ENOMEM. */
static int children(struct walk *walk, struct step *step)
{
	struct step *rest;

	if (!step->names || step->value->error || step->names->error)
		return 0;
	rest = step_new(walk, step->depth);
	if (!rest)
		return -ENOMEM;
	rest->is_rest = true;
	rest->names = request_get(step->names);
	rest->parts = step->parts;
	rest->names_left = rest->parts.names ? wire_strings_init(rest->parts.names, rest->parts.len) :
					 wire_strings_init(step->names->reply,
							   step->names->reply_len);
	step->parts = (struct name_parts){ 0 };
	rest_advance(rest);
	step->has_children = rest->next;
	if (rest->next)
		TAILQ_INSERT_AFTER(&walk->steps, step, rest, link);
	else
		step_free(rest);
	return 0;
}

/* Returns whether the owner can go on: the first step can be taken, or more nodes
 * can be requested. */
static bool is_ready(const struct walk *walk)
{
	const struct step *first = TAILQ_FIRST(&walk->steps);

	return walk->error || !first || first->is_rest || first->answered ||
	       walk->in_flight <= IN_FLIGHT_MAX / 2;
}

static void step_answered(struct gather *gather)
{
	struct step *step = (struct step *)((char *)gather - offsetof(struct step, gather));
	struct walk *walk = step->walk;
	struct request *next = NULL;
	int err = 0;
	bool ready;

	if (!walk->stopped && !step->value->error &&
	    (step->names->error == -E2BIG || step->names->msg.type == XS_DIRECTORY_PART))
		err = parts_go_on(step, &next);
	if (!next) {
		step->answered = true;
		walk->in_flight--;
		if (!err)
			err = children(walk, step);
	}
	if (err && !walk->error)
		walk->error = err;
	ready = !next && !walk->stopped && is_ready(walk);
	if (next) {
		chan_submit(walk->fs->chan, next);
		request_put(next);
		return;
	}
	if (ready)
		walk->owner->ready(walk->owner, walk);
	walk_put(walk);
}

/* ---- taking ---- */

/* Returns whether the node must be left out; *unreadable: because it could not be read. */
static bool is_left_out(int error, bool *unreadable)
{
	*unreadable = error == -EACCES || error == -EPERM;
	return *unreadable || error == -ENOENT;
}

/* Decides what becomes of the first node.  Returns WALK_NODE, WALK_WAIT if it is left out (another
 * node comes first then), or -errno. */
static int take_node(struct walk *walk, struct step *step, struct walk_node *node)
{
	const struct request *req = step->value;
	bool unreadable;
	int err = req->error ? req->error : step->names->error;

	TAILQ_REMOVE(&walk->steps, step, link);
	walk->ahead--;
	walk->taken = step;
	/* Checked first, because a server answers ENOENT or EIO for a transaction
	 * that it does not know. */
	if (err && walk->tx && transaction_is_over(walk->tx))
		return -ESTALE;
	if (err && (!is_left_out(err, &unreadable) || step->depth == 0))
		return error_from_store(req->error ? req->msg.type : XS_DIRECTORY, err);
	if (err && unreadable)
		walk->unreadable++;
	if (err)
		return WALK_WAIT;
	node->path = req->payload;
	node->name = strrchr(req->payload, '/') + 1;
	node->value = req->reply;
	node->value_len = req->reply_len;
	node->depth = step->depth;
	node->has_children = step->has_children;
	return WALK_NODE;
}

int walk_next(struct walk *walk, struct walk_node *node)
{
	struct step *step;
	int rc = WALK_WAIT;

	while (rc == WALK_WAIT && !walk->error) {
		step_free(walk->taken);
		walk->taken = NULL;
		step = TAILQ_FIRST(&walk->steps);
		if (!step) {
			rc = walk->begun ? WALK_END : WALK_WAIT;
			break;
		}
		if (step->is_rest ? step->next != NULL : !step->answered)
			break;
		if (step->is_rest) {
			TAILQ_REMOVE(&walk->steps, step, link);
			walk->taken = step;
			node->depth = step->depth;
			rc = WALK_LEAVE;
			break;
		}
		rc = take_node(walk, step, node);
		if (rc < 0)
			walk->error = rc;
	}
	if (walk->error)
		rc = walk->error;
	return rc;
}
