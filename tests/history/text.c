/* SPDX-License-Identifier: MIT */
/*
 * Histories as text, to be read by people and to be checked again.
 *
 *	seed 42
 *	cache meta
 *	initial p/x v1
 *	0 A        12.000     60.500  open p/x write,trunc = ok
 *	0 A        61.000     90.250  write v5 = ok
 *	1 direct   20.000     21.000  tx read p/x v1; write p/y v7 = ok
 *	1 B        30.000          -  close = ?
 *	0 A        70.000    900.000  new-mount = ok
 *
 * A line is a step: the client, how it got to the store (A, B, A.nodes, B.nodes, A.raw, B.raw,
 * direct), its begin and end in microseconds (-: it did not end, or may happen later), what it was
 * and what came of it; "lost" if whoever served it has died.  A newline in a value is a +; "" is the empty value.  :N behind an operation
 * is the number of the open file, 0 is left out.  Behind the end of a close, /T is when what it still
 * had to write had surely happened.  What follows a # is a comment.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/history/history.h"

static const char *const view_names[VIEWS] = {
	"A", "B", "A.nodes", "B.nodes", "A.raw", "B.raw", "direct",
};

static const char *const op_names[OPS] = {
	[OP_OPEN] = "open", [OP_READ] = "read", [OP_WRITE] = "write", [OP_FSYNC] = "fsync",
	[OP_CLOSE] = "close", [OP_TRUNCATE] = "truncate", [OP_UNLINK] = "unlink",
	[OP_MKDIR] = "mkdir", [OP_RMDIR] = "rmdir", [OP_MKNOD] = "mknod", [OP_RENAME] = "rename",
	[OP_LIST] = "list", [OP_STAT] = "stat", [OP_XS_READ] = "xs-read",
	[OP_XS_WRITE] = "xs-write", [OP_XS_MKDIR] = "xs-mkdir", [OP_XS_RM] = "xs-rm",
	[OP_XS_DIRECTORY] = "xs-directory", [OP_XS_TX] = "tx", [OP_NEW_MOUNT] = "new-mount",
	[OP_NEW_SERVER] = "new-server",
};

static const char *const flag_names[] = { "write", "trunc", "creat", "excl", "append" };

static const char *const path_names[PATHS + 1] = { "p", "q", "p/x", "p/y", "q/x", "q/y", "." };

/* Errors that occur; others are numbers. */
static const struct {
	int err;
	const char *name;
} error_names[] = {
	{ EPERM, "EPERM" }, { ENOENT, "ENOENT" }, { EINTR, "EINTR" }, { EIO, "EIO" },
	{ EAGAIN, "EAGAIN" }, { ENOMEM, "ENOMEM" }, { EACCES, "EACCES" }, { EBUSY, "EBUSY" },
	{ EEXIST, "EEXIST" }, { EXDEV, "EXDEV" }, { ENOTDIR, "ENOTDIR" }, { EISDIR, "EISDIR" },
	{ EINVAL, "EINVAL" }, { EFBIG, "EFBIG" }, { EDQUOT, "EDQUOT" },
	{ ENOTEMPTY, "ENOTEMPTY" }, { ESTALE, "ESTALE" }, { ETIMEDOUT, "ETIMEDOUT" },
	{ EOPNOTSUPP, "EOPNOTSUPP" }, { ENOTCONN, "ENOTCONN" }, { ENODATA, "ENODATA" },
	{ ECANCELED, "ECANCELED" }, { EBADF, "EBADF" }, { LOST, "lost" },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- texts ---- */

void history_init(struct history *h)
{
	*h = (struct history){ .texts = calloc(1, sizeof(*h->texts)) };
	if (!h->texts)
		abort();
	value_of_text(h->texts, NULL, 0);
	value_of_text(h->texts, "", 0);
}

void history_deinit(struct history *h)
{
	for (unsigned i = 0; i < h->texts->count; i++)
		free(h->texts->text[i]);
	free(h->texts);
}

uint16_t value_of_text(struct texts *texts, const char *text, size_t len)
{
	/* The first is no text. */
	for (unsigned i = 1; text && i < texts->count; i++)
		if (!strncmp(texts->text[i], text, len) && !texts->text[i][len])
			return i;
	if (texts->count == VALUES_MAX) {
		fprintf(stderr, "histories: too many values\n");
		exit(2);
	}
	texts->text[texts->count] = text ? strndup(text, len) : strdup("");
	if (!texts->text[texts->count])
		abort();
	return texts->count++;
}

const char *op_name(unsigned op)
{
	return op_names[op];
}

const char *view_name(unsigned view)
{
	return view_names[view];
}

const char *path_name(int path)
{
	return path_names[path];
}

int path_of_name(const char *name)
{
	for (int i = 0; i <= PATHS; i++)
		if (!strcmp(path_names[i], name))
			return i;
	return PATH_NONE;
}

/* ---- writing ---- */

static void print_value(const struct history *h, unsigned value, FILE *out)
{
	const char *text = h->texts->text[value];

	if (!*text) {
		fputs(value == VALUE_ABSENT ? "nothing" : "\"\"", out);
		return;
	}
	for (; *text; text++)
		fputc(*text == '\n' ? '+' : *text, out);
}

static void print_error(int err, FILE *out)
{
	for (unsigned i = 0; i < COUNT(error_names); i++)
		if (error_names[i].err == err) {
			fputs(error_names[i].name, out);
			return;
		}
	fprintf(out, "error-%d", err);
}

static void print_names(unsigned names, FILE *out)
{
	const char *between = "";

	for (int i = 0; i < PATHS; i++)
		if (names & (1u << i)) {
			fprintf(out, "%s%s", between, path_names[i]);
			between = ",";
		}
	if (names & NAMES_VALUE)
		fprintf(out, "%s.value", between), between = ",";
	if (names & NAMES_UNKNOWN)
		fprintf(out, "%sunknown", between), between = ",";
	if (!*between)
		fputs("none", out);
}

static void print_sub(const struct history *h, const struct sub *sub, FILE *out)
{
	fprintf(out, "%s %s ", op_names[sub->op], path_names[sub->path]);
	if (sub->err)
		print_error(sub->err, out);
	else if (sub->op == OP_XS_READ || sub->op == OP_XS_WRITE)
		print_value(h, sub->value, out);
	else if (sub->op == OP_XS_DIRECTORY)
		print_names(sub->names, out);
	else
		fputs("ok", out);
}

static void print_flags(unsigned flags, FILE *out)
{
	const char *between = " ";

	for (unsigned i = 0; i < COUNT(flag_names); i++)
		if (flags & (1u << i)) {
			fprintf(out, "%s%s", between, flag_names[i]);
			between = ",";
		}
}

static void print_result(const struct history *h, const struct step *step, FILE *out)
{
	fputs(" = ", out);
	if (step->err) {
		print_error(step->err, out);
		return;
	}
	switch (step->op) {
	case OP_READ:
	case OP_XS_READ:
		print_value(h, step->value, out);
		break;
	case OP_LIST:
	case OP_XS_DIRECTORY:
		print_names(step->names, out);
		break;
	case OP_STAT:
		if (step->kind == KIND_DIR)
			fputs("dir", out);
		else
			fprintf(out, "file %" PRIu32, step->size);
		break;
	default:
		fputs("ok", out);
	}
}

static void print_time(int64_t ns, FILE *out)
{
	if (ns == FOREVER)
		fprintf(out, " %10s", "-");
	else
		fprintf(out, " %10.3f", ns / 1000.0);
}

void step_print(const struct history *h, const struct step *step, FILE *out)
{
	fprintf(out, "%u %-7s", step->client, view_names[step->view]);
	print_time(step->from, out);
	print_time(step->back, out);
	if (step->op == OP_CLOSE && step->to != FOREVER)
		fprintf(out, "/%.3f", step->to / 1000.0);
	fprintf(out, "  %s", op_names[step->op]);
	if (step->op <= OP_CLOSE && step->slot)
		fprintf(out, ":%u", step->slot);
	if (step->op == OP_XS_TX) {
		for (unsigned i = 0; i < step->n_subs; i++) {
			fputs(i ? "; " : " ", out);
			print_sub(h, &step->subs[i], out);
		}
	} else if (step->path != PATH_NONE) {
		fprintf(out, " %s", path_names[step->path]);
	}
	if (step->op == OP_RENAME)
		fprintf(out, " %s", path_names[step->path2]);
	if (step->op == OP_OPEN || step->op == OP_RENAME)
		print_flags(step->flags, out);
	if (step->op == OP_WRITE || step->op == OP_XS_WRITE) {
		fputc(' ', out);
		print_value(h, step->value, out);
	}
	print_result(h, step, out);
	fputc('\n', out);
}

void history_print(const struct history *h, FILE *out)
{
	fprintf(out, "seed %" PRIu64 "\ncache %s\n", h->seed, h->values ? "full" : h->cached ? "meta" : "off");
	if (h->reused)
		fputs("reused\n", out);
	for (int i = 0; i < PATHS; i++)
		if (h->initial[i] != VALUE_ABSENT) {
			fprintf(out, "initial %s ", path_names[i]);
			print_value(h, h->initial[i], out);
			fputc('\n', out);
		}
	for (unsigned i = 0; i < h->n_steps; i++)
		step_print(h, &h->steps[i], out);
}

/* ---- reading ---- */

static int find_name(const char *const *names, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

static uint16_t parse_value(struct history *h, char *word)
{
	if (!strcmp(word, "\"\""))
		return VALUE_EMPTY;
	if (!strcmp(word, "nothing"))
		return VALUE_ABSENT;
	for (char *p = word; *p; p++)
		if (*p == '+')
			*p = '\n';
	return value_of_text(h->texts, word, strlen(word));
}

/* Returns 0 for what is no error. */
static int parse_error(const char *word)
{
	for (unsigned i = 0; i < COUNT(error_names); i++)
		if (!strcmp(error_names[i].name, word))
			return error_names[i].err;
	return strncmp(word, "error-", 6) ? 0 : atoi(word + 6);
}

static int parse_names(char *word)
{
	unsigned names = 0;
	char *rest, *name;
	int path;

	if (!strcmp(word, "none"))
		return 0;
	for (name = strtok_r(word, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		path = path_of_name(name);
		if (path != PATH_NONE && path != PATH_BASE)
			names |= 1u << path;
		else if (!strcmp(name, ".value"))
			names |= NAMES_VALUE;
		else if (!strcmp(name, "unknown"))
			names |= NAMES_UNKNOWN;
		else
			return -1;
	}
	return names;
}

static int parse_flags(char *word, uint8_t *flags)
{
	char *rest, *name;
	int flag;

	for (name = strtok_r(word, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		flag = find_name(flag_names, COUNT(flag_names), name);
		if (flag < 0)
			return -1;
		*flags |= 1u << flag;
	}
	return 0;
}

static int64_t parse_time(const char *word)
{
	return !strcmp(word, "-") ? FOREVER : (int64_t)(atof(word) * 1000 + 0.5);
}

static int parse_path(const char *word, int8_t *path)
{
	*path = word ? path_of_name(word) : PATH_NONE;
	return *path == PATH_NONE ? -1 : 0;
}

/* "xs-read p/x v1; xs-write p/y v7" */
static int parse_subs(struct history *h, struct step *step, char *text)
{
	char *rest, *one, *inner, *word;
	struct sub *sub;
	int op, names;

	for (one = strtok_r(text, ";", &rest); one; one = strtok_r(NULL, ";", &rest)) {
		word = strtok_r(one, " ", &inner);
		if (!word)
			continue;
		op = find_name(op_names, OPS, word);
		if (op < OP_XS_READ || op >= OP_XS_TX || step->n_subs == SUBS_MAX)
			return -1;
		sub = &step->subs[step->n_subs++];
		sub->op = op;
		if (parse_path(strtok_r(NULL, " ", &inner), &sub->path))
			return -1;
		word = strtok_r(NULL, " ", &inner);
		if (!word)
			return -1;
		sub->err = parse_error(word);
		if (sub->err)
			continue;
		if (op == OP_XS_READ || op == OP_XS_WRITE) {
			sub->value = parse_value(h, word);
		} else if (op == OP_XS_DIRECTORY) {
			names = parse_names(word);
			if (names < 0)
				return -1;
			sub->names = names;
		}
	}
	return 0;
}

static int parse_result(struct history *h, struct step *step, char *text)
{
	char *rest, *word = strtok_r(text, " ", &rest);
	int names;

	if (!word)
		return -1;
	step->err = parse_error(word);
	if (step->err)
		return 0;
	switch (step->op) {
	case OP_READ:
	case OP_XS_READ:
		step->value = parse_value(h, word);
		return 0;
	case OP_LIST:
	case OP_XS_DIRECTORY:
		names = parse_names(word);
		step->names = names;
		return names < 0 ? -1 : 0;
	case OP_STAT:
		step->kind = !strcmp(word, "dir") ? KIND_DIR : KIND_FILE;
		word = strtok_r(NULL, " ", &rest);
		if (step->kind == KIND_FILE)
			step->size = word ? atoi(word) : 0;
		return step->kind == KIND_DIR || word ? 0 : -1;
	}
	return strcmp(word, "ok") && strcmp(word, "?") ? -1 : 0;
}

static int parse_operation(struct history *h, struct step *step, char *text)
{
	char *result = strstr(text, " = "), *rest, *word, *slot;
	int op;

	if (!result)
		return -1;
	*result = '\0';
	word = strtok_r(text, " ", &rest);
	slot = word ? strchr(word, ':') : NULL;
	if (slot) {
		*slot = '\0';
		step->slot = atoi(slot + 1) % SLOTS;
	}
	op = word ? find_name(op_names, OPS, word) : -1;
	if (op < 0)
		return -1;
	step->op = op;
	if (op == OP_XS_TX)
		return parse_subs(h, step, rest) ? -1 : parse_result(h, step, result + 3);
	if ((op == OP_OPEN || (op > OP_CLOSE && op < OP_XS_TX)) && parse_path(strtok_r(NULL, " ", &rest), &step->path))
		return -1;
	if (op == OP_RENAME && parse_path(strtok_r(NULL, " ", &rest), &step->path2))
		return -1;
	word = strtok_r(NULL, " ", &rest);
	if ((op == OP_WRITE || op == OP_XS_WRITE) && !word)
		return -1;
	if (op == OP_WRITE || op == OP_XS_WRITE)
		step->value = parse_value(h, word);
	else if (word && parse_flags(word, &step->flags))
		return -1;
	return parse_result(h, step, result + 3);
}

static int parse_step(struct history *h, char *line)
{
	struct step *step = &h->steps[h->n_steps];
	char client[16], view[16], from[32], to[32], *later;
	int len = 0, v;

	if (h->n_steps == STEPS_MAX)
		return -1;
	*step = (struct step){ .path = PATH_NONE, .path2 = PATH_NONE };
	if (sscanf(line, "%15s %15s %31s %31s %n", client, view, from, to, &len) != 4)
		return -1;
	v = find_name(view_names, VIEWS, view);
	step->client = atoi(client);
	if (v < 0 || step->client >= CLIENTS_MAX)
		return -1;
	step->view = v;
	step->from = parse_time(from);
	step->back = step->to = parse_time(to);
	later = strchr(to, '/');
	if (later)
		step->to = parse_time(later + 1);
	if (parse_operation(h, step, line + len))
		return -1;
	/* A close without anything behind it may write at any time later. */
	if (step->op == OP_CLOSE && !later)
		step->to = FOREVER;
	h->n_steps++;
	return 0;
}

static int parse_line(struct history *h, char *line)
{
	char name[16], value[128];
	int path;

	if (sscanf(line, "seed %" SCNu64, &h->seed) == 1)
		return 0;
	if (!strncmp(line, "reused", 6)) {
		h->reused = true;
		return 0;
	}
	if (sscanf(line, "cache %15s", name) == 1) {
		h->values = !strcmp(name, "full");
		h->cached = h->values || !strcmp(name, "meta");
		return 0;
	}
	if (sscanf(line, "initial %15s %127s", name, value) == 2) {
		path = path_of_name(name);
		if (path < 0 || path == PATH_BASE)
			return -1;
		h->initial[path] = parse_value(h, value);
		return 0;
	}
	return parse_step(h, line);
}

int history_parse(struct history *h, FILE *in, const char *name)
{
	char line[1024], copy[1024];
	unsigned n = 0;

	while (fgets(line, sizeof(line), in)) {
		n++;
		line[strcspn(line, "#\n")] = '\0';
		if (line[strspn(line, " \t")] == '\0')
			continue;
		strcpy(copy, line);
		if (parse_line(h, line)) {
			fprintf(stderr, "%s:%u: not a step: %s\n", name, n, copy);
			return -1;
		}
	}
	return 0;
}
