/* SPDX-License-Identifier: MIT */
/* The tree of fake_tree.h: a sorted list of paths.  Small is enough.  One thread. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/wire.h"
#include "tests/fake_tree.h"

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static char *copy_bytes(const char *data, size_t len)
{
	char *copy = must(malloc(len + 1));

	if (len)
		memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}

static struct fake_node *node_new(const char *path, const char *value, size_t value_len,
				  const char *perms, size_t perms_len)
{
	struct fake_node *node = must(calloc(1, sizeof(*node)));

	node->path = copy_bytes(path, strlen(path));
	node->value = copy_bytes(value, value_len);
	node->value_len = value_len;
	node->perms = copy_bytes(perms, perms_len);
	node->perms_len = perms_len;
	return node;
}

static void node_free(struct fake_node *node)
{
	free(node->path);
	free(node->value);
	free(node->perms);
	free(node);
}

struct fake_tree *fake_tree_new(void)
{
	struct fake_tree *t = must(calloc(1, sizeof(*t)));
	struct fake_node *root = node_new("/", "", 0, "n0", sizeof("n0"));

	TAILQ_INIT(&t->nodes);
	TAILQ_INSERT_TAIL(&t->nodes, root, link);
	return t;
}

struct fake_tree *fake_tree_copy(const struct fake_tree *t)
{
	struct fake_tree *copy = must(calloc(1, sizeof(*copy)));
	struct fake_node *node, *n;

	TAILQ_INIT(&copy->nodes);
	TAILQ_FOREACH(n, &t->nodes, link) {
		node = node_new(n->path, n->value, n->value_len, n->perms, n->perms_len);
		TAILQ_INSERT_TAIL(&copy->nodes, node, link);
	}
	copy->generation = t->generation;
	return copy;
}

void fake_tree_forget_changes(struct fake_tree *t)
{
	for (size_t i = 0; i < t->changes_count; i++)
		free(t->changes[i]);
	free(t->changes);
	t->changes = NULL;
	t->changes_count = 0;
}

void fake_tree_free(struct fake_tree *t)
{
	struct fake_node *node;

	while ((node = TAILQ_FIRST(&t->nodes))) {
		TAILQ_REMOVE(&t->nodes, node, link);
		node_free(node);
	}
	fake_tree_forget_changes(t);
	free(t);
}

static void note_change(struct fake_tree *t, const char *path)
{
	t->generation++;
	t->changes = must(realloc(t->changes, (t->changes_count + 1) * sizeof(*t->changes)));
	t->changes[t->changes_count++] = copy_bytes(path, strlen(path));
}

/* Returns whether `path` is `base` or lies below it. */
static bool at_or_below(const char *path, const char *base)
{
	size_t len = strlen(base);

	if (!strcmp(base, "/"))
		return *path == '/';
	return !strncmp(path, base, len) && (path[len] == '\0' || path[len] == '/');
}

int fake_tree_concerns(const char *path, const char *watched)
{
	/* The removal of a subtree concerns watches inside it as well. */
	return at_or_below(path, watched) || at_or_below(watched, path);
}

/* Returns the name of `path` below `dir` if it is a child of that, else NULL. */
static const char *child_name(const char *path, const char *dir)
{
	const char *name;

	if (!strcmp(path, dir) || !at_or_below(path, dir))
		return NULL;
	name = path + (strcmp(dir, "/") ? strlen(dir) + 1 : 1);
	return strchr(name, '/') ? NULL : name;
}

static struct fake_node *node_find(struct fake_tree *t, const char *path)
{
	struct fake_node *node;

	TAILQ_FOREACH(node, &t->nodes, link)
		if (!strcmp(node->path, path))
			return node;
	return NULL;
}

static bool path_is_valid(const char *path)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-/_@";
	size_t len = strlen(path);

	return *path == '/' && len <= XENSTORE_ABS_PATH_MAX && strspn(path, legal) == len &&
	       !strstr(path, "//") && (len == 1 || path[len - 1] != '/');
}

static void parent_of(char *parent, const char *path)
{
	size_t len = strrchr(path, '/') - path;

	memcpy(parent, path, len ? len : 1);
	parent[len ? len : 1] = '\0';
}

/* Finds a node, or makes it and its parents; a new one has its parent's permissions. */
static struct fake_node *node_make(struct fake_tree *t, const char *path)
{
	struct fake_node *node = node_find(t, path), *parent, *before;
	char dir[XENSTORE_ABS_PATH_MAX + 1];

	if (node)
		return node;
	parent_of(dir, path);
	parent = node_make(t, dir);
	node = node_new(path, "", 0, parent->perms, parent->perms_len);
	TAILQ_FOREACH(before, &t->nodes, link)
		if (strcmp(before->path, path) > 0)
			break;
	if (before)
		TAILQ_INSERT_BEFORE(before, node, link);
	else
		TAILQ_INSERT_TAIL(&t->nodes, node, link);
	return node;
}

static struct fake_answer answer_error(const char *name)
{
	return (struct fake_answer){ .error = name };
}

static struct fake_answer answer_bytes(const char *data, size_t len)
{
	return (struct fake_answer){ .body = copy_bytes(data, len), .len = len };
}

static struct fake_answer answer_ok(void)
{
	return answer_bytes("OK", sizeof("OK"));
}

/* The names of a node's children, each with its NUL. */
static struct fake_answer list_children(struct fake_tree *t, const struct fake_node *dir)
{
	struct fake_answer a = { .body = copy_bytes("", 0) };
	const struct fake_node *node;
	const char *name;
	size_t size;

	TAILQ_FOREACH(node, &t->nodes, link) {
		name = child_name(node->path, dir->path);
		if (!name)
			continue;
		size = strlen(name) + 1;
		a.body = must(realloc(a.body, a.len + size + 1));
		memcpy(a.body + a.len, name, size);
		a.len += size;
	}
	return a;
}

static struct fake_answer list_part(struct fake_tree *t, const struct fake_node *dir,
				    size_t offset)
{
	struct fake_answer all = list_children(t, dir), part = { 0 };
	char gen[24];
	size_t gen_size = snprintf(gen, sizeof(gen), "%llu", (unsigned long long)t->generation) + 1;
	size_t room = WIRE_PAYLOAD_MAX - gen_size - 1, left;

	offset = offset < all.len ? offset : all.len;
	left = all.len - offset;
	/* Whole names only. */
	if (left > room)
		for (left = room; left && all.body[offset + left - 1] != '\0';)
			left--;
	part.body = must(malloc(gen_size + left + 1));
	memcpy(part.body, gen, gen_size);
	memcpy(part.body + gen_size, all.body + offset, left);
	part.len = gen_size + left;
	if (offset + left == all.len)
		part.body[part.len++] = '\0';
	free(all.body);
	return part;
}

static struct fake_answer remove_node(struct fake_tree *t, const char *path)
{
	struct fake_node *node, *next;
	char parent[XENSTORE_ABS_PATH_MAX + 1];

	if (!strcmp(path, "/"))
		return answer_error("EINVAL");
	if (!node_find(t, path)) {
		parent_of(parent, path);
		return node_find(t, parent) ? answer_ok() : answer_error("ENOENT");
	}
	for (node = TAILQ_FIRST(&t->nodes); node; node = next) {
		next = TAILQ_NEXT(node, link);
		if (at_or_below(node->path, path)) {
			TAILQ_REMOVE(&t->nodes, node, link);
			node_free(node);
		}
	}
	note_change(t, path);
	return answer_ok();
}

struct fake_answer fake_tree_answer(struct fake_tree *t, uint32_t type, const char *body,
				    size_t len)
{
	size_t path_size = strnlen(body, len) + 1;
	const char *data = body + path_size;
	struct fake_node *node;

	if (path_size > len || !path_is_valid(body))
		return answer_error("EINVAL");
	len -= path_size;
	node = node_find(t, body);
	switch (type) {
	case XS_WRITE:
		node = node_make(t, body);
		free(node->value);
		node->value = copy_bytes(data, len);
		node->value_len = len;
		note_change(t, body);
		return answer_ok();
	case XS_MKDIR:
		if (!node) {
			node_make(t, body);
			note_change(t, body);
		}
		return answer_ok();
	case XS_RM:
		return remove_node(t, body);
	}
	if (!node)
		return answer_error("ENOENT");
	switch (type) {
	case XS_READ:
		return answer_bytes(node->value, node->value_len);
	case XS_DIRECTORY:
		return list_children(t, node);
	case XS_DIRECTORY_PART:
		return list_part(t, node, strtoul(data, NULL, 10));
	case XS_GET_PERMS:
		return answer_bytes(node->perms, node->perms_len);
	case XS_SET_PERMS:
		free(node->perms);
		node->perms = copy_bytes(data, len);
		node->perms_len = len;
		note_change(t, body);
		return answer_ok();
	}
	return answer_error("ENOSYS");
}
