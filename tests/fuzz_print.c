/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target for the formats in which the store is shown: a tree that the input describes, as `.dump` and
 * `.json` print it, and values as the tools do.  The JSON is checked by the letter of RFC 8259, and read back
 * by xsfs-restore's reader, which has to find the same tree.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fs/model/name.h"
#include "fs/special/print.h"
#include "fs/special/walk.h"
#include "src/tools/document.h"
#include "src/tools/tool_table.h"
#include "tests/fuzz.h"

#define NODES_MAX 64
#define DEPTH_MAX 8

struct node {
	char path[PATH_SIZE];
	char value[300];
	size_t len;
	unsigned depth;
	bool has_children;
};

struct tree {
	struct node nodes[NODES_MAX];
	unsigned n;
};

/* ---- JSON by its grammar ---- */

static const char *json_value(const char *s);

static const char *json_string(const char *s)
{
	size_t n;

	assert(*s++ == '"');
	while (*s != '"') {
		assert((unsigned char)*s >= ' ');
		if (*s != '\\') {
			n = print_utf8_sequence((const unsigned char *)s, strlen(s));
			assert(n);
			s += n;
		} else if (*++s == 'u') {
			assert(strspn(s + 1, "0123456789abcdefABCDEF") >= 4);
			s += 5;
		} else {
			assert(*s && strchr("\"\\/bfnrt", *s));
			s++;
		}
	}
	return s + 1;
}

static const char *json_space(const char *s)
{
	return s + strspn(s, " \t\r\n");
}

static const char *json_object(const char *s)
{
	s = json_space(s + 1);
	if (*s == '}')
		return s + 1;
	for (;;) {
		s = json_space(json_string(s));
		assert(*s == ':');
		s = json_space(json_value(json_space(s + 1)));
		if (*s == '}')
			return s + 1;
		assert(*s == ',');
		s = json_space(s + 1);
	}
}

static const char *json_list(const char *s)
{
	s = json_space(s + 1);
	if (*s == ']')
		return s + 1;
	for (;;) {
		s = json_space(json_value(s));
		if (*s == ']')
			return s + 1;
		assert(*s == ',');
		s = json_space(s + 1);
	}
}

static const char *json_value(const char *s)
{
	char *end;

	if (*s == '{')
		return json_object(s);
	if (*s == '[')
		return json_list(s);
	if (*s == '"')
		return json_string(s);
	if (!strncmp(s, "null", 4))
		return s + 4;
	assert(*s == '-' || (*s >= '0' && *s <= '9'));
	strtoll(s, &end, 10);
	return end;
}

/* Ends the program unless the text is one JSON value. */
static void json_check(const char *text, size_t len)
{
	assert(strlen(text) == len);
	assert(!*json_space(json_value(json_space(text))));
}

/* ---- the tree ---- */

/* Makes a node and those below it, in the order of a walk. */
static void make_node(struct tree *tree, struct fuzz *in, const char *path, unsigned depth)
{
	struct node *node = &tree->nodes[tree->n++];
	static const char letters[] = "abcxyzABCXYZ0123456789-_@";
	char child[PATH_SIZE];
	unsigned children = fuzz_below(in, 4);

	snprintf(node->path, sizeof(node->path), "%s", path);
	node->len = fuzz_bytes(in, node->value, sizeof(node->value));
	node->depth = depth;
	for (unsigned i = 0; (i < children || depth == 0) && depth < DEPTH_MAX && tree->n < NODES_MAX; i++) {
		if (depth == 0 && fuzz_is_over(in) && i > 0)
			break;
		node->has_children = true;
		snprintf(child, sizeof(child), "%s/%u%c", path, i, letters[fuzz_below(in, sizeof(letters) - 1)]);
		make_node(tree, in, child, depth + 1);
	}
}

/* Prints the tree in a format. */
static void print_tree(const struct tree *tree, const struct print_format *format, struct print *out)
{
	unsigned open[DEPTH_MAX + 1], n_open = 0;

	for (unsigned i = 0; i < tree->n; i++) {
		const struct node *node = &tree->nodes[i];
		struct walk_node step = { .path = node->path, .name = strrchr(node->path, '/') + 1,
					  .value = node->value, .value_len = node->len, .depth = node->depth,
					  .has_children = node->has_children };

		while (n_open && open[n_open - 1] >= node->depth)
			format->leave(out, open[--n_open]);
		format->node(out, &step);
		if (node->has_children)
			open[n_open++] = node->depth;
	}
	while (n_open)
		format->leave(out, open[--n_open]);
	format->end(out);
	assert(!out->no_memory);
	print_bytes(out, "", 1);
	out->len--;
}

static void check_dump(const struct tree *tree)
{
	struct print out = { 0 };
	unsigned lines = 0;

	print_tree(tree, &print_dump, &out);
	for (size_t i = 0; i < out.len; i++) {
		lines += out.data[i] == '\n';
		assert(out.data[i] == '\n' || (out.data[i] >= ' ' && out.data[i] <= '~'));
	}
	/* A line for each but the one where it begins. */
	assert(lines == tree->n - 1);
	free(out.data);
}

static void check_json(const struct tree *tree)
{
	struct changes changes = { 0 };
	struct print out = { 0 };
	char file[64], why[512];
	int fd = memfd_create("json", MFD_CLOEXEC);

	print_tree(tree, &print_json, &out);
	json_check(out.data, out.len);
	assert(fd >= 0 && write(fd, out.data, out.len) == (ssize_t)out.len);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	if (document_read(file, "/t", &changes, why, sizeof(why)) != 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	close(fd);
	assert(changes.n == tree->n);
	for (unsigned i = 0; i < tree->n; i++) {
		const struct node *node = &tree->nodes[i];
		const struct change *change = &changes.list[i];

		assert(!strcmp(change->path, node->path));
		assert(change->len == node->len);
		assert(!node->len || !memcmp(change->value, node->value, node->len));
	}
	changes_release(&changes);
	free(out.data);
}

/* ---- the tools ---- */

static void check_table(const struct tree *tree, bool json)
{
	static const struct table_column columns[] = {
		{ "PATH", "path", false }, { "LEN", "len", true }, { "VALUE", "value", false }, { 0 },
	};
	struct table *table = table_new(columns);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert(out && table);
	for (unsigned i = 0; i < tree->n; i++) {
		table_add_text(table, tree->nodes[i].path, TEXT_PLAIN);
		table_add_number(table, tree->nodes[i].len);
		table_add_value(table, tree->nodes[i].value, tree->nodes[i].len, TEXT_TITLE);
	}
	table_print(table, out, json);
	assert(fclose(out) == 0);
	if (json)
		json_check(text, size);
	for (size_t i = 0; i < size; i++)
		assert(text[i] == '\n' || (unsigned char)text[i] >= ' ');
	table_free(table);
	free(text);
}

static void check_value(const struct node *node)
{
	char *text = NULL, *printable = text_printable(node->value, node->len);
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert(out && printable);
	for (const char *c = printable; *c; c++)
		assert((unsigned char)*c >= ' ' && *c != '\x7f');
	text_width(printable);
	text_put_json(out, node->value, node->len);
	assert(fclose(out) == 0);
	json_check(text, size);
	free(text);
	free(printable);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz in = { data, data + size };
	struct tree *tree = calloc(1, sizeof(*tree));

	assert(tree);
	text_init();
	make_node(tree, &in, "/t", 0);
	check_dump(tree);
	check_json(tree);
	check_table(tree, false);
	check_table(tree, true);
	for (unsigned i = 0; i < tree->n; i++)
		check_value(&tree->nodes[i]);
	free(tree);
	return 0;
}
