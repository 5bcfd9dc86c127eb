/* SPDX-License-Identifier: MIT */
/*
 * Records histories of a mounted store and checks them.
 *
 *	histories -m MOUNT [-m MOUNT] -s SOCKET [OPTIONS] run
 *	histories [-a NAME] check FILE...      checks again what was written by -o
 *
 *	-m MOUNT    a mount of the whole store; two of them may be given
 *	-s SOCKET   the server's
 *	-b NODE     everything happens below this node
 *	-n N        so many histories (100)
 *	-t SECONDS  no longer than that
 *	-S SEED     of the first one (the time); the next has the next number
 *	-c          the mounts have cache=meta
 *	-C N -O N   at most so many clients (5), and operations of each (7)
 *	-R N        the same names are used for N histories (1)
 *	-o DIR      writes what is refused there: SEED.whole and SEED.small
 *	-a NAME     allows what the manual does not, see model.c
 *	-d DISASTER in the middle of each history: update, anew, mount (enum disaster).  A line
 *	            "victim DISASTER MOUNT" asks for "pid NUMBER", which gets the signal, unless it is an update; MOUNT
 *	            is 0 or 1.  At "strike DISASTER MOUNT" it is on its way; the answer "done" says that all are
 *	            there again
 *	-w WORDS    only these operations, separated by commas; -v WORDS: only these views
 *
 * The status is 1 if a history was refused.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/history/history.h"

#define KINDS_MAX 64

/* Each takes many seconds. */
#define UNSETTLED_MAX 3

struct tally {
	unsigned long histories, steps, refused, undecided, unsettled, visited, lost, met;
	unsigned long needed; /* an exception */
	unsigned long needs[EXCEPTIONS]; /* of those: how many cannot do without it */
	unsigned n_kinds;
	struct {
		char name[120];
		unsigned long count;
		uint64_t seed;
		unsigned smallest;
	} kinds[KINDS_MAX];
	double recording, checking;
};

static unsigned may;
static const char *out_dir;

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void count_kind(struct tally *tally, const char *name, uint64_t seed, unsigned n_steps)
{
	unsigned i;

	for (i = 0; i < tally->n_kinds; i++)
		if (!strcmp(tally->kinds[i].name, name))
			break;
	if (i == KINDS_MAX)
		return;
	if (i == tally->n_kinds) {
		snprintf(tally->kinds[i].name, sizeof(tally->kinds[i].name), "%s", name);
		tally->n_kinds++;
	}
	tally->kinds[i].count++;
	if (tally->kinds[i].count == 1 || n_steps < tally->kinds[i].smallest) {
		tally->kinds[i].smallest = n_steps;
		tally->kinds[i].seed = seed;
	}
}

/* Names what is wrong: the step that cannot be, and what would have allowed it. */
static void name_kind(const struct history *small, unsigned explained, unsigned blamed,
		      char *name, size_t size)
{
	struct step step = small->steps[blamed];
	char line[256] = "", *result;
	size_t len;
	FILE *out = fmemopen(line, sizeof(line) - 1, "w");

	if (!out)
		abort();
	step_print(small, &step, out);
	fclose(out);
	line[strcspn(line, "\n")] = '\0';
	result = strstr(line, " = ");
	len = snprintf(name, size, "%s %s", view_is_nodes(step.view) ? "nodes" :
		       view_is_raw(step.view) ? "store" : "tree", op_name(step.op));
	if (step.op == OP_OPEN || step.op == OP_RENAME)
		for (unsigned i = 0; i < 5; i++)
			if (step.flags & (1u << i))
				len += snprintf(name + len, size - len, "+%c", "wtcxa"[i]);
	if (step.err && result)
		len += snprintf(name + len, size - len, "%s", result);
	else if (step.op == OP_STAT)
		len += snprintf(name + len, size - len, step.kind == KIND_DIR ? " = dir" : " = file");
	if (!explained)
		len += snprintf(name + len, size - len, " [unexplained]");
	for (unsigned i = 0; i < EXCEPTIONS; i++)
		if (explained & 1u << i)
			len += snprintf(name + len, size - len, " [%s]", exceptions[i].name);
}

static void save(const struct history *h, const char *suffix, const char *why, int blamed)
{
	char path[4096];
	FILE *out;

	if (!out_dir)
		return;
	snprintf(path, sizeof(path), "%s/%" PRIu64 ".%s", out_dir, h->seed, suffix);
	out = fopen(path, "w");
	if (!out) {
		fprintf(stderr, "histories: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	fprintf(out, "# %s\n", why);
	history_print(h, out);
	if (blamed >= 0) {
		fputs("# this cannot be: ", out);
		step_print(h, &h->steps[blamed], out);
	}
	fclose(out);
}

static void refused(struct tally *tally, const struct history *h)
{
	static struct history small;
	char kind[160];
	unsigned blamed, explained = history_explain(h, may);

	small = *h;
	blamed = history_shrink(&small, may, explained);
	name_kind(&small, explained, blamed, kind, sizeof(kind));
	save(h, "whole", kind, -1);
	save(&small, "small", kind, blamed);
	count_kind(tally, kind, h->seed, small.n_steps);
	tally->refused++;
	printf("refused: seed %" PRIu64 ": %s\n", h->seed, kind);
	fflush(stdout);
}

/* Counts the exceptions without which a history would be refused. */
static void count_needs(struct tally *tally, const struct history *h)
{
	for (unsigned i = 0; i < EXCEPTIONS; i++)
		if ((may & 1u << i) && history_check(h, may & ~(1u << i), NULL) == REFUSED)
			tally->needs[i]++;
}

static void check(struct tally *tally, const struct history *h)
{
	unsigned long visited;
	double begin = seconds();
	enum verdict verdict = history_check(h, 0, &visited);

	tally->visited += visited;
	if (verdict != LINEARIZABLE && may) {
		verdict = history_check(h, may, &visited);
		tally->visited += visited;
		if (verdict == LINEARIZABLE) {
			tally->needed++;
			count_needs(tally, h);
		}
	}
	tally->checking += seconds() - begin;
	tally->histories++;
	tally->steps += h->n_steps;
	if (verdict == REFUSED) {
		refused(tally, h);
	} else if (verdict == UNDECIDED) {
		tally->undecided++;
		save(h, "undecided", "too many states", -1);
	}
}

static int report(const struct tally *tally)
{
	printf("histories %lu\nsteps %lu\nwith-exceptions %lu\nrefused %lu\nundecided %lu\n"
	       "unsettled %lu\nstates %lu\nrecording-seconds %.1f\nchecking-seconds %.1f\n",
	       tally->histories, tally->steps, tally->needed, tally->refused, tally->undecided,
	       tally->unsettled, tally->visited, tally->recording, tally->checking);
	printf("lost %lu\nmet %lu\n", tally->lost, tally->met);
	for (unsigned i = 0; i < EXCEPTIONS; i++)
		if (tally->needs[i])
			printf("needs %lu %s\n", tally->needs[i], exceptions[i].name);
	for (unsigned i = 0; i < tally->n_kinds; i++)
		printf("kind %lu %s (seed %" PRIu64 ", %u steps)\n", tally->kinds[i].count,
		       tally->kinds[i].name, tally->kinds[i].seed, tally->kinds[i].smallest);
	return tally->refused || tally->unsettled || tally->undecided;
}

static int run(const struct record_config *config, unsigned long n, double limit, uint64_t seed)
{
	static struct tally tally;
	struct recorder *r = recorder_new(config);
	double begin = seconds(), before;
	static struct history h;
	char why[1200];

	printf("seed %" PRIu64 "\n", seed);
	for (unsigned long i = 0; i < n && tally.unsettled < UNSETTLED_MAX &&
	     (!limit || seconds() - begin < limit); i++) {
		history_init(&h);
		before = seconds();
		*why = '\0';
		if (recorder_run(r, seed + i, &h, why, sizeof(why))) {
			char kind[160];

			tally.unsettled++;
			printf("unsettled: seed %" PRIu64 ": %s\n", seed + i, why);
			snprintf(kind, sizeof(kind), "unsettled: %.80s", strrchr(why, ' '));
			count_kind(&tally, kind, seed + i, h.n_steps);
			save(&h, "unsettled", why, -1);
			fflush(stdout);
		}
		tally.recording += seconds() - before;
		if (h.n_steps)
			check(&tally, &h);
		history_deinit(&h);
	}
	tally.lost = recorder_lost(r, &tally.met);
	recorder_free(r);
	return report(&tally);
}

static int check_files(char **files)
{
	static struct tally tally;
	static struct history h;
	unsigned long before;

	for (; *files; files++) {
		FILE *in = fopen(*files, "r");

		if (!in) {
			fprintf(stderr, "histories: %s: %s\n", *files, strerror(errno));
			return 2;
		}
		history_init(&h);
		h.n_steps = 0;
		if (history_parse(&h, in, *files))
			return 2;
		fclose(in);
		before = tally.refused;
		check(&tally, &h);
		printf("%s: %s\n", *files, tally.refused > before ? "refused" : "linearizable");
		history_deinit(&h);
	}
	return report(&tally);
}

/* A bit for each word that `name_of` knows. */
static uint32_t words(char *list, const char *(*name_of)(unsigned), unsigned n)
{
	char *rest, *word;
	uint32_t bits = 0;
	unsigned i;

	for (word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		for (i = 0; i < n && strcmp(word, name_of(i)); i++)
			continue;
		if (i == n) {
			fprintf(stderr, "histories: %s: no such word\n", word);
			exit(2);
		}
		bits |= 1u << i;
	}
	return bits;
}

static enum disaster disaster_of_name(const char *name)
{
	for (unsigned i = 0; i < DISASTERS; i++)
		if (!strcmp(disaster_name(i), name))
			return i;
	fprintf(stderr, "histories: %s: no such disaster\n", name);
	exit(2);
}

static void allow(const char *name)
{
	for (unsigned i = 0; i < EXCEPTIONS; i++)
		if (!strcmp(exceptions[i].name, name)) {
			may |= 1u << i;
			return;
		}
	fprintf(stderr, "histories: %s: no such exception\n", name);
	exit(2);
}

int main(int argc, char **argv)
{
	struct record_config config = { .node = "/history", .clients_max = 5, .ops_max = 7, .reuse = 1,
					.ops = ~0u, .views = ~0u };
	uint64_t seed = time(NULL) * UINT64_C(100000);
	unsigned long n = 100;
	double limit = 0;
	int option;

	may = exceptions_admitted();
	/* The server dies while it is written to. */
	signal(SIGPIPE, SIG_IGN);
	while ((option = getopt(argc, argv, "m:s:b:n:t:S:cFC:O:R:o:a:d:w:v:")) != -1) {
		switch (option) {
		case 'm':
			config.mounts[config.mounts[0] ? 1 : 0] = optarg;
			break;
		case 's':
			config.socket = optarg;
			break;
		case 'b':
			config.node = optarg;
			break;
		case 'n':
			n = strtoul(optarg, NULL, 10);
			break;
		case 't':
			limit = atof(optarg);
			break;
		case 'S':
			seed = strtoull(optarg, NULL, 10);
			break;
		case 'c':
			config.cached = true;
			break;
		case 'F':
			config.cached = config.values = true;
			break;
		case 'C':
			config.clients_max = atoi(optarg);
			break;
		case 'O':
			config.ops_max = atoi(optarg);
			break;
		case 'R':
			config.reuse = atoi(optarg);
			break;
		case 'o':
			out_dir = optarg;
			break;
		case 'a':
			allow(optarg);
			break;
		case 'd':
			config.disaster = disaster_of_name(optarg);
			break;
		case 'w':
			config.ops = words(optarg, op_name, OPS);
			break;
		case 'v':
			config.views = words(optarg, view_name, VIEWS);
			break;
		default:
			return 2;
		}
	}
	if (optind < argc && !strcmp(argv[optind], "check"))
		return check_files(argv + optind + 1);
	if (optind == argc || strcmp(argv[optind], "run") || !config.mounts[0] || !config.socket ||
	    config.clients_max < 2 || config.clients_max > CLIENTS_MAX || config.ops_max < 3 ||
	    config.ops_max > 9) {
		fprintf(stderr, "histories: see the beginning of tests/history/main.c\n");
		return 2;
	}
	return run(&config, n, limit, seed);
}
