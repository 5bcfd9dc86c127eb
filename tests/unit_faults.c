/* SPDX-License-Identifier: MIT */
/*
 * Every fault that the scripted server knows meets every operation, at each request that the operation makes: over
 * a stream, over a stream that gives single bytes (then with cache=full), and over the page of a ring.  So does each
 * allocation that fails.
 *
 * The result must be an errno that fits, or success; success means the right answer and the right tree.  Nothing
 * may wait beyond its deadline.  On the sound store everything works afterwards, and nothing is left behind.
 * The table of the outcomes is printed at the end.
 *
 *	XSFS_FAULTS_FULL                    each cell in all three ways, instead of one of them; each allocation
 *	XSFS_FAULTS_ONLY="OPERATION/FAULT"  only where both names contain these
 *	XSFS_FAULTS_TRACE                   with the log
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/faults/check.h"
#include "tests/faults/inject.h"
#include "tests/faults/operations.h"

#define OPERATIONS_MAX 100
#define FAULTS_MAX 64

/* How the bytes travel, and whether the kernel keeps values (cache=full). */
static const struct way {
	const char *name;
	bool paged;
	size_t piece;
	bool keeps_values;
} ways[] = {
	{ "stream", false, SIZE_MAX, false },
	{ "bytes", false, 1, true },
	{ "page", true, SIZE_MAX, false },
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* What an operation does on a sound store. */
struct right {
	unsigned requests;
	char said[sizeof(((struct machine *)NULL)->said)];
	size_t said_len;
	struct fake_tree *after;
};

/* One place of the table. */
struct cell {
	const struct operation *op;
	const struct fault *fault;
	const struct way *way;
	unsigned strike_at;
	const struct right *right;
	struct fake_tree *before;
	int result;
};

/* ---- the table ---- */

enum outcome { OUTCOME_OK, OUTCOME_EIO, OUTCOME_TIMEOUT, OUTCOME_CANCELLED, OUTCOME_INTR, OUTCOME_NOMEM,
	       OUTCOME_OTHER, OUTCOME_LATE, OUTCOMES };

static const char letters[OUTCOMES + 1] = ".ITCiMEL";
static unsigned char table[FAULTS_MAX][OPERATIONS_MAX]; /* bits of outcomes */
static const struct operation *operations[OPERATIONS_MAX];
static unsigned operations_count, cells_count, wrong_cells;

static enum outcome outcome_of(int result)
{
	switch (result) {
	case 0:
		return OUTCOME_OK;
	case -EIO:
		return OUTCOME_EIO;
	case -ETIMEDOUT:
		return OUTCOME_TIMEOUT;
	case -ECANCELED:
		return OUTCOME_CANCELLED;
	case -EINTR:
		return OUTCOME_INTR;
	case -ENOMEM:
		return OUTCOME_NOMEM;
	case NO_ANSWER:
		return OUTCOME_LATE;
	default:
		return OUTCOME_OTHER;
	}
}

static void print_row(unsigned fault)
{
	char set[OUTCOMES + 1];
	unsigned len;

	printf("# %-24s", faults[fault].name);
	for (unsigned op = 0; op < operations_count; op++) {
		len = 0;
		for (unsigned o = 0; o < OUTCOMES; o++)
			if (table[fault][op] & 1 << o)
				set[len++] = letters[o];
		set[len] = '\0';
		printf(" %3s", len ? set : "-");
	}
	printf("\n");
}

static void print_table(void)
{
	printf("# %u cells. Each column is an operation, by its number:\n", cells_count);
	for (unsigned op = 0; op < operations_count; op++)
		printf("#  %2u %s\n", op + 1, operations[op]->name);
	printf("# . success  I EIO  T ETIMEDOUT  C ECANCELED  i EINTR  M ENOMEM  E another errno  L after the next event\n");
	printf("# - the fault does not meet it; several letters: at different requests of the operation\n");
	printf("# %-24s", "");
	for (unsigned op = 0; op < operations_count; op++)
		printf(" %3u", op + 1);
	printf("\n");
	for (unsigned fault = 0; fault < faults_count; fault++)
		print_row(fault);
}

/* ---- one cell ---- */

static bool error_fits(const struct cell *c)
{
	/* What the store says is an answer, whatever it is. */
	if (c->fault->answers || c->fault->lies)
		return c->result > -512;
	switch (c->result) {
	case -ENOMEM:
	case -EAGAIN: /* no thread can be had */
		return c->fault->memory;
	case -EIO:
	case -ETIMEDOUT:
	case -ECANCELED:
	case -EBUSY:
		return true;
	case -EINTR:
		return c->fault->interrupts;
	case -ESTALE:
	case -ENOTRECOVERABLE:
		return !strncmp(c->op->name, "transaction", 11);
	}
	return false;
}

/* Each line begins with a word of those that streams know. */
static bool lines_are_hints(const char *text, size_t len)
{
	static const char *const words[] = { "changed ", "deleted ", "resync ", "overflow" };
	const char *end;
	size_t i;

	while (len) {
		for (i = 0; i < 4; i++)
			if (len > strlen(words[i]) && !memcmp(text, words[i], strlen(words[i])))
				break;
		end = memchr(text, '\n', len);
		if (i == 4 || !end)
			return false;
		len -= end + 1 - text;
		text = end + 1;
	}
	return true;
}

static const char *check_result(const struct cell *c, struct machine *m)
{
	const struct right *right = c->right;
	bool same = m->said_len == right->said_len && !memcmp(m->said, right->said, m->said_len);

	if (c->result == WRONG)
		return c->fault->lies ? NULL : "a wrong answer";
	if (c->result == NO_ANSWER)
		return c->op->stream ? NULL : "it waits for ever";
	if (c->result)
		return c->fault->harmless ? "an error where nothing is wrong" : error_fits(c) ? NULL : "an error that does not fit";
	if (c->fault->lies || same)
		return NULL;
	return c->op->stream && lines_are_hints(m->said, m->said_len) ? NULL : "success, but it says something else";
}

static const char *check_tree(const struct cell *c, struct machine *m)
{
	bool after = trees_equal(m->server->tree, c->right->after);

	if (c->fault->lies)
		return NULL;
	if (!after && !trees_equal(m->server->tree, c->before))
		return "the tree is neither the old nor the new one";
	if (!after && !c->result && !c->op->later)
		return "success, but the tree is the old one";
	return NULL;
}

/* Something happens that every stream tells. */
static void stir_all(struct machine *m)
{
	fake_server_change(m->server, XS_WRITE, "/d/x", "stirred");
	fake_server_change(m->server, XS_WRITE, "/v", "stirred");
}

/* What waited through it all hears of the next event. */
static const char *check_waits(struct machine *m)
{
	m->stir = stir_all;
	if (!m->waiting || machine_await(m, m->waiting))
		return NULL;
	return "it hears nothing of a later event either";
}

/* What no sane server sends must not be read on from. */
static const char *check_connection(const struct cell *c, struct machine *m)
{
	struct chan_stats stats;

	chan_stats(m->chan, &stats);
	return c->fault->drops && m->struck && !stats.reconnects ? "the connection is kept" : NULL;
}

static const char *check_cell(struct cell *c, struct machine *m, struct scene *s)
{
	const char *wrong = check_result(c, m);

	machine_heal(m);
	machine_settle(m, MACHINE_PATIENCE_MS);
	if (!wrong)
		wrong = check_connection(c, m);
	if (!wrong)
		wrong = check_tree(c, m);
	if (!wrong && c->result == NO_ANSWER)
		wrong = check_waits(m);
	if (wrong)
		return wrong;
	scene_close(m, s);
	return m->died ? check_is_dead(m) : check_works(m);
}

/* Tells of a cell that is wrong, and leaves its machine as it is. */
static void fail_cell(const struct cell *c, struct machine *m, const char *wrong)
{
	const char *error = c->result == WRONG ? "wrong" : c->result == NO_ANSWER ? "no answer" : strerror(-c->result);

	wrong_cells++;
	printf("# wrong: %s, \"%s\" at request %u, over a %s: %s (result: %s; said: \"%.*s\")\n", c->op->name,
	       c->fault->name, c->strike_at, c->way->name, wrong, error, (int)m->said_len, m->said);
}

/* Runs the operation with the fault.  Returns whether that struck. */
static bool run_cell(struct cell *c, unsigned *bits)
{
	struct fake_tree *tree = scene_tree(c->op->big);
	struct machine *m = machine_new(tree, c->way->paged, c->way->piece, c->way->keeps_values, c->fault);
	struct scene s = { 0 };
	const char *wrong;
	bool struck;

	c->result = c->op->prepare ? c->op->prepare(m, &s) : 0;
	if (c->result && !c->fault->from_start)
		fail_msg("%s cannot begin: %s", c->op->name, strerror(-c->result));
	c->before = fake_tree_copy(m->server->tree);
	m->said_len = 0;
	if (!c->fault->from_start)
		machine_arm(m, c->fault, c->strike_at);
	if (!c->result)
		c->result = c->op->run(m, &s);
	wrong = check_cell(c, m, &s);
	*bits |= 1u << outcome_of(c->result);
	struck = m->struck;
	cells_count += struck;
	fake_tree_free(c->before);
	fake_tree_free(tree);
	if (wrong)
		fail_cell(c, m, wrong);
	else
		machine_free(m);
	return struck;
}

/* ---- one operation ---- */

static void learn(const struct operation *op, const struct way *way, struct right *right)
{
	struct fake_tree *tree = scene_tree(op->big), *before;
	struct machine *m = machine_new(tree, way->paged, way->piece, way->keeps_values, NULL);
	struct scene s = { 0 };
	const char *wrong;
	int result;

	if (op->prepare)
		assert_int_equal(op->prepare(m, &s), 0);
	before = fake_tree_copy(m->server->tree);
	m->said_len = 0;
	machine_arm(m, NULL, 0);
	result = op->run(m, &s);
	if (result)
		fail_msg("%s fails on a sound store: %s", op->name, result > -512 ? strerror(-result) : "no right answer");
	machine_settle(m, 0);
	right->requests = m->requests;
	right->said_len = m->said_len;
	memcpy(right->said, m->said, m->said_len);
	right->after = fake_tree_copy(m->server->tree);
	assert_int_equal(op->changes, !trees_equal(before, right->after));
	machine_heal(m);
	scene_close(m, &s);
	wrong = check_works(m);
	if (wrong)
		fail_msg("%s on a sound store: afterwards %s", op->name, wrong);
	fake_tree_free(before);
	machine_free(m);
	fake_tree_free(tree);
}

/* Returns whether the test was asked for this operation and this fault (NULL: any). */
static bool is_wanted(const struct operation *op, const struct fault *fault)
{
	const char *only = getenv("XSFS_FAULTS_ONLY"), *slash = only ? strchr(only, '/') : NULL;
	char name[100];

	if (!slash)
		return true;
	snprintf(name, sizeof(name), "%.*s", (int)(slash - only), only);
	return strstr(op->name, name) && (!fault || strstr(fault->name, slash + 1));
}

/* Returns whether the cell's turn is on this way: by default each has one of them. */
static bool is_on(const struct cell *c, unsigned fault)
{
	if (c->fault->paged)
		return c->way->paged;
	return getenv("XSFS_FAULTS_FULL") || &ways[(c->strike_at + fault) % WAYS] == c->way;
}

/* One allocation after the other fails, or one in three, until there are no more. */
static unsigned starve(struct cell *c)
{
	unsigned bits = 0;

	if (c->way != ways || !is_wanted(c->op, c->fault))
		return 0;
	while (run_cell(c, &bits))
		c->strike_at += getenv("XSFS_FAULTS_FULL") ? 1 : 3;
	return bits;
}

static unsigned meet(const struct operation *op, unsigned fault, const struct way *way, const struct right *right)
{
	struct cell c = { .op = op, .fault = &faults[fault], .way = way, .right = right };
	unsigned end = c.fault->from_start || !right->requests ? 1 : right->requests, bits = 0;

	if (c.fault->memory)
		return starve(&c);
	for (; c.strike_at < end && is_wanted(op, c.fault); c.strike_at++)
		if (is_on(&c, fault))
			run_cell(&c, &bits);
	return bits;
}

static void operation_meets_all_faults(void **state)
{
	unsigned index = (const struct operation *const *)*state - operations;
	const struct operation *op = operations[index];
	struct right right;

	if (!is_wanted(op, NULL))
		return;
	wrong_cells = 0;
	for (unsigned way = 0; way < WAYS; way++) {
		learn(op, &ways[way], &right);
		for (unsigned fault = 0; fault < faults_count; fault++)
			table[fault][index] |= meet(op, fault, &ways[way], &right);
		fake_tree_free(right.after);
	}
	assert_int_equal(wrong_cells, 0);
}

int main(void)
{
	struct CMUnitTest tests[OPERATIONS_MAX];
	int status;

	for (unsigned i = 0; i < node_operations_count; i++)
		operations[operations_count++] = &node_operations[i];
	for (unsigned i = 0; i < special_operations_count; i++)
		operations[operations_count++] = &special_operations[i];
	for (unsigned i = 0; i < raw_operations_count; i++)
		operations[operations_count++] = &raw_operations[i];
	for (unsigned i = 0; i < operations_count; i++)
		tests[i] = (struct CMUnitTest){
			.name = operations[i]->name,
			.test_func = operation_meets_all_faults,
			.initial_state = &operations[i],
		};
	status = _cmocka_run_group_tests("faults", tests, operations_count, NULL, NULL);
	print_table();
	return status;
}
