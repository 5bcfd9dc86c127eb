/* SPDX-License-Identifier: MIT */
/*
 * The search for an order of a history's steps: that of Wing and Gong, which remembers, as Lowe
 * proposes, which steps in which state have been tried.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/history/history.h"

#define WORDS (STEPS_MAX / 64)
#define VISITED_MAX 2000000

struct set {
	uint64_t bits[WORDS];
};

/* What was tried: which steps had been done, and the state after them. */
struct node {
	struct set done;
	struct state state;
	uint32_t next; /* index + 1 */
};

struct search {
	const struct history *h;
	unsigned may;
	struct set before[STEPS_MAX]; /* these have to come first */
	struct set needed;
	unsigned order[STEPS_MAX];    /* by their begin */
	int8_t files[STEPS_MAX];      /* the path of the open file that a step is about */
	struct node *nodes;
	uint32_t n_nodes, max_nodes;
	uint32_t *buckets;
	uint32_t n_buckets;
	unsigned long visited;
	bool gave_up;
};

static bool set_has(const struct set *s, unsigned i)
{
	return s->bits[i / 64] >> (i % 64) & 1;
}

static void set_add(struct set *s, unsigned i)
{
	s->bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool set_includes(const struct set *all, const struct set *some)
{
	for (unsigned i = 0; i < WORDS; i++)
		if (some->bits[i] & ~all->bits[i])
			return false;
	return true;
}

/* ---- what has to come first ---- */

static bool on_same_mount(const struct step *a, const struct step *b)
{
	return !view_is_raw(a->view) && !view_is_raw(b->view) &&
	       view_mount(a->view) == view_mount(b->view);
}

static bool has_file(const struct step *step)
{
	switch (step->op) {
	case OP_OPEN:
	case OP_READ:
	case OP_WRITE:
	case OP_FSYNC:
	case OP_CLOSE:
		return true;
	}
	return false;
}

/* PATH_NONE and PATH_BASE have nothing above. */
static int path_above(int path)
{
	return path == PATH_NONE || path == PATH_BASE ? PATH_NONE : path_parent(path);
}

static bool on_path(const struct step *step, int path)
{
	return path != PATH_NONE && path != PATH_BASE && (step->path == path || step->path2 == path);
}

/* Finds the step that opened the file of a step, or NULL. */
static const struct step *open_of_file(const struct history *h, const struct step *step)
{
	const struct step *open = NULL;

	for (unsigned i = 0; i < h->n_steps; i++) {
		const struct step *other = &h->steps[i];

		if (other->op == OP_OPEN && other->client == step->client &&
		    other->slot == step->slot && other->from < step->from &&
		    (!open || other->from > open->from))
			open = other;
	}
	return open;
}

static int8_t path_of_file(const struct history *h, const struct step *step)
{
	const struct step *open = open_of_file(h, step);

	return open ? open->path : PATH_NONE;
}

/* Whether a change concerns what `b` tells of its own paths, of those above and of the names in them. */
static bool concerns(const struct search *s, const struct step *a, const struct step *b)
{
	/* A write changes the size, not what the node is. */
	if (has_file(a) && a->op != OP_OPEN)
		return (b->op == OP_STAT || b->op == OP_READ) && s->files[a - s->h->steps] == b->path;
	if (on_path(a, b->path) || on_path(a, b->path2) || on_path(a, path_above(b->path)) ||
	    on_path(a, path_above(b->path2)))
		return true;
	return b->op == OP_LIST &&
	       (path_above(a->path) == b->path || path_above(a->path2) == b->path);
}

static bool comes_before(const struct search *s, const struct step *a, const struct step *b)
{
	bool same = on_same_mount(a, b);
	struct step file;
	int64_t end = same ? a->back : a->to;

	if (end == FOREVER || end > b->from)
		return false;
	if (!s->h->cached || !(s->may & MAY(STALE)) || !step_may_be_stale(s->h, b))
		return true;
	/* It may be older than its begin, but not than what this mount did itself, nor than what was
	 * shown the same way. */
	if (!same)
		return false;
	/* Nor than the mount. */
	if (a->op == OP_NEW_MOUNT)
		return true;
	if (a->client == b->client && has_file(a) && has_file(b) && a->slot == b->slot)
		return true;
	if (b->op == OP_READ) {
		file = *b;
		file.path = s->files[b - s->h->steps];
		b = &file;
	}
	/* A file that was opened after a read, by whomever, reads nothing older than that. */
	if (a->op == OP_READ && b->op == OP_READ)
		return a->view == b->view && s->files[a - s->h->steps] == b->path &&
		       a->back <= open_of_file(s->h, b)->from;
	/* To an open file the removal of a .value is a change by another name. */
	if (a->op == OP_UNLINK && view_is_nodes(a->view) && b->op == OP_READ)
		return false;
	if (step_changes(a))
		return concerns(s, a, b) && (a->view == b->view || !(s->may & MAY(VIEWS)));
	return a->view == b->view && a->op == b->op && a->path == b->path && step_may_be_stale(s->h, a) &&
	       (a->op == OP_STAT || a->op == OP_LIST);
}

static void find_order(struct search *s)
{
	const struct history *h = s->h;

	for (unsigned i = 0; i < h->n_steps; i++)
		s->files[i] = path_of_file(h, &h->steps[i]);
	for (unsigned i = 0; i < h->n_steps; i++) {
		unsigned j = i;

		for (; j > 0 && h->steps[s->order[j - 1]].from > h->steps[i].from; j--)
			s->order[j] = s->order[j - 1];
		s->order[j] = i;
		if (!step_is_open(&h->steps[i]))
			set_add(&s->needed, i);
		for (j = 0; j < h->n_steps; j++)
			if (i != j && comes_before(s, &h->steps[j], &h->steps[i]))
				set_add(&s->before[i], j);
	}
}

/* ---- what was tried ---- */

static uint32_t hash(const struct set *done, const struct state *state)
{
	const unsigned char *bytes = (const unsigned char *)state;
	uint64_t sum = 0xcbf29ce484222325;

	for (unsigned i = 0; i < WORDS; i++)
		sum = (sum ^ done->bits[i]) * 0x9e3779b97f4a7c15;
	for (unsigned i = 0; i < sizeof(*state); i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3;
	return sum >> 32 ^ sum;
}

static void rehash(struct search *s)
{
	free(s->buckets);
	s->n_buckets = s->max_nodes * 2;
	s->buckets = calloc(s->n_buckets, sizeof(*s->buckets));
	if (!s->buckets)
		abort();
	for (uint32_t i = 0; i < s->n_nodes; i++) {
		uint32_t *bucket = &s->buckets[hash(&s->nodes[i].done, &s->nodes[i].state) %
					       s->n_buckets];

		s->nodes[i].next = *bucket;
		*bucket = i + 1;
	}
}

/* Returns whether this was tried before; it is remembered. */
static bool was_here(struct search *s, const struct set *done, const struct state *state)
{
	uint32_t *bucket;

	if (s->n_nodes == s->max_nodes) {
		s->max_nodes = s->max_nodes ? 2 * s->max_nodes : 1024;
		s->nodes = realloc(s->nodes, s->max_nodes * sizeof(*s->nodes));
		if (!s->nodes)
			abort();
		rehash(s);
	}
	bucket = &s->buckets[hash(done, state) % s->n_buckets];
	for (uint32_t i = *bucket; i; i = s->nodes[i - 1].next)
		if (!memcmp(&s->nodes[i - 1].done, done, sizeof(*done)) &&
		    !memcmp(&s->nodes[i - 1].state, state, sizeof(*state)))
			return true;
	s->nodes[s->n_nodes] = (struct node){ .done = *done, .state = *state, .next = *bucket };
	*bucket = ++s->n_nodes;
	return false;
}

/* ---- the search ---- */

/* Whether all that can follow `state` can follow `next` too. */
static bool loses_nothing(const struct state *state, const struct state *next,
			  const struct step *step)
{
	struct state same = *next;

	if (step->op == OP_READ)
		same.files[step->client][step->slot] = state->files[step->client][step->slot];
	for (int m = 0; m < 2; m++)
		if ((same.maybe[m] & state->maybe[m]) == state->maybe[m])
			same.maybe[m] = state->maybe[m];
	return !memcmp(&same, state, sizeof(same));
}

static bool can_come(const struct search *s, const struct set *done, unsigned i)
{
	return !set_has(done, i) && set_includes(done, &s->before[i]);
}

/* Does all that can be done now and only looks: it hinders nothing that could come before it. */
static void look(struct search *s, struct set *done, struct state *state)
{
	struct state next[NEXT_MAX];
	bool again;

	do {
		again = false;
		for (unsigned k = 0; k < s->h->n_steps; k++) {
			unsigned i = s->order[k];

			if (step_changes(&s->h->steps[i]) || !can_come(s, done, i) ||
			    model_step(s->h, s->may, state, &s->h->steps[i], next) != 1 ||
			    !loses_nothing(state, &next[0], &s->h->steps[i]))
				continue;
			*state = next[0];
			set_add(done, i);
			again = true;
		}
	} while (again);
}

static bool search(struct search *s, struct set done, struct state state)
{
	struct state next[NEXT_MAX];
	struct set more;

	look(s, &done, &state);
	if (set_includes(&done, &s->needed))
		return true;
	if (was_here(s, &done, &state))
		return false;
	if (++s->visited > VISITED_MAX) {
		s->gave_up = true;
		return false;
	}
	for (unsigned k = 0; k < s->h->n_steps && !s->gave_up; k++) {
		unsigned i = s->order[k], n;

		if (!can_come(s, &done, i))
			continue;
		n = model_step(s->h, s->may, &state, &s->h->steps[i], next);
		more = done;
		set_add(&more, i);
		for (unsigned j = 0; j < n; j++)
			if (search(s, more, next[j]))
				return true;
	}
	return false;
}

enum verdict history_check(const struct history *h, unsigned may, unsigned long *visited)
{
	struct search *s = calloc(1, sizeof(*s));
	struct set none = { 0 };
	struct state state;
	bool found;
	enum verdict verdict;

	if (!s)
		abort();
	s->h = h;
	s->may = may;
	find_order(s);
	state_init(&state, may, h);
	found = search(s, none, state);
	verdict = found ? LINEARIZABLE : s->gave_up ? UNDECIDED : REFUSED;
	if (visited)
		*visited = s->visited;
	free(s->nodes);
	free(s->buckets);
	free(s);
	return verdict;
}

unsigned history_explain(const struct history *h, unsigned may)
{
	unsigned all = (1u << EXCEPTIONS) - 1, needed = all;

	if (history_check(h, all, NULL) != LINEARIZABLE)
		return 0;
	for (unsigned i = 0; i < EXCEPTIONS; i++)
		if (!(may & 1u << i) && history_check(h, needed & ~(1u << i), NULL) == LINEARIZABLE)
			needed &= ~(1u << i);
	return needed & ~may;
}

/* ---- making it small ---- */

/* Makes `part` what had been seen at `time`: what was under way then may have happened. */
static void beginning(const struct history *h, int64_t time, struct history *part)
{
	part->n_steps = 0;
	for (unsigned i = 0; i < h->n_steps; i++) {
		struct step *step = &part->steps[part->n_steps];

		if (h->steps[i].from > time)
			continue;
		*step = h->steps[i];
		part->n_steps++;
		if (step->to > time)
			step->to = FOREVER;
		if (step->back > time)
			step->back = FOREVER;
	}
}

static void leave_out(struct history *h, unsigned i)
{
	memmove(&h->steps[i], &h->steps[i + 1], (h->n_steps - i - 1) * sizeof(h->steps[0]));
	h->n_steps--;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

unsigned history_shrink(struct history *h, unsigned may, unsigned explained)
{
	static struct history part, whole;
	int64_t times[STEPS_MAX], last;
	unsigned low = 0, high, blamed = 0;

	whole = *h;
	part = *h;
	for (unsigned i = 0; i < h->n_steps; i++)
		times[i] = h->steps[i].to;
	qsort(times, h->n_steps, sizeof(times[0]), by_time);
	/* What follows a beginning that is refused is refused too. */
	high = h->n_steps - 1;
	while (low < high) {
		unsigned middle = (low + high) / 2;

		beginning(&whole, times[middle], &part);
		if (history_check(&part, may, NULL) == REFUSED)
			high = middle;
		else
			low = middle + 1;
	}
	last = times[high];
	beginning(&whole, last, &part);
	for (unsigned i = part.n_steps; i-- > 0;) {
		struct step removed = part.steps[i];

		/* Without a step that only looks, or may not have happened, there are more orders.
		 * The opening of a file that a step needs is none of these. */
		if (removed.to == last || (step_changes(&removed) && !step_is_open(&removed)))
			continue;
		if (removed.op == OP_OPEN) {
			bool used = false;

			for (unsigned j = i + 1; j < part.n_steps; j++)
				used |= has_file(&part.steps[j]) &&
					part.steps[j].client == removed.client &&
					part.steps[j].slot == removed.slot;
			if (used && !removed.err)
				continue;
		}
		leave_out(&part, i);
		if (history_check(&part, may, NULL) != REFUSED ||
		    (explained && history_check(&part, may | explained, NULL) != LINEARIZABLE)) {
			memmove(&part.steps[i + 1], &part.steps[i],
				(part.n_steps - i) * sizeof(part.steps[0]));
			part.steps[i] = removed;
			part.n_steps++;
		}
	}
	h->n_steps = part.n_steps;
	memcpy(h->steps, part.steps, sizeof(h->steps));
	for (unsigned i = 0; i < h->n_steps; i++)
		if (h->steps[i].to == last)
			blamed = i;
	return blamed;
}
