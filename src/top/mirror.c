/* SPDX-License-Identifier: MIT */
/* See mirror.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "src/tools/tool_read.h"
#include "src/top/mirror.h"

/* ---- nodes ---------------------------------------------------------------------------------- */

static void node_free(struct mirror_node *node)
{
	for (size_t i = 0; i < node->n; i++)
		node_free(node->children[i]);
	free(node->children);
	free(node->name);
	free(node->value);
	free(node->was);
	free(node);
}

static struct mirror_node *node_new(struct mirror_node *parent, const char *name, size_t len)
{
	struct mirror_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->parent = parent;
	node->name = tool_value_copy(name, len);
	node->value = tool_value_copy("", 0);
	if (node->name && node->value)
		return node;
	node_free(node);
	return NULL;
}

/* Returns where a child of that name is, or would be; *found says which. */
static size_t child_index(const struct mirror_node *node, const char *name, bool *found)
{
	size_t low = 0, high = node->n;

	*found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = tool_names_compare(node->children[middle]->name, name);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct mirror_node *child_add(struct mirror_node *parent, const char *name, size_t at)
{
	struct mirror_node **list = parent->children;
	struct mirror_node *node = node_new(parent, name, strlen(name));

	/* Grown at each power of two. */
	if (node && (parent->n & (parent->n - 1)) == 0)
		list = realloc(list, (parent->n ? 2 * parent->n : 1) * sizeof(*list));
	if (!node || !list) {
		if (node)
			node_free(node);
		return NULL;
	}
	parent->children = list;
	memmove(list + at + 1, list + at, (parent->n - at) * sizeof(*list));
	list[at] = node;
	parent->n++;
	return node;
}

/* ---- what happens to them ------------------------------------------------------------------- */

static void mark(struct mirror *m, struct mirror_node *node, enum mirror_mark what, int64_t now)
{
	m->version++;
	if (m->quiet) {
		node->mark = what == MIRROR_GONE ? what : MIRROR_CALM;
		node->marked = 0;
		return;
	}
	node->mark = what;
	node->marked = now;
	for (; node; node = node->parent)
		node->touched = now;
}

/* A node that was remembered as gone is there again. */
static void revive(struct mirror *m, struct mirror_node *node, int64_t now)
{
	m->n++;
	m->n_gone--;
	mark(m, node, MIRROR_NEW, now);
}

/* Returns the child, which is made if it is missing; NULL: no memory. */
static struct mirror_node *child_make(struct mirror *m, struct mirror_node *parent, const char *name,
				      int64_t now)
{
	struct mirror_node *node;
	bool found;
	size_t at = child_index(parent, name, &found);

	if (found) {
		node = parent->children[at];
		if (node->mark == MIRROR_GONE)
			revive(m, node, now);
		return node;
	}
	node = child_add(parent, name, at);
	if (node) {
		m->n++;
		mark(m, node, MIRROR_NEW, now);
	}
	return node;
}

/* Copies the next name of a path to `name`, and moves the path behind it.  Returns whether there is one. */
static bool next_name(const char **path, char name[PATH_SIZE])
{
	size_t len;

	*path += strspn(*path, "/");
	len = strcspn(*path, "/");
	if (len == 0 || len >= PATH_SIZE)
		return false;
	memcpy(name, *path, len);
	name[len] = '\0';
	*path += len;
	return true;
}

/* A new node takes its value without a mark of its own. */
static int put_value(struct mirror *m, struct mirror_node *node, const char *data, size_t len,
		     int64_t now)
{
	char *value;
	bool is_new = node->mark == MIRROR_NEW && node->round != m->round && node->marked == now;

	if (node->len == len && !memcmp(node->value, data, len))
		return 0;
	value = tool_value_copy(data, len);
	if (!value)
		return -ENOMEM;
	free(node->was);
	node->was = node->value;
	node->was_len = node->len;
	node->value = value;
	node->len = len;
	if (!is_new)
		mark(m, node, MIRROR_CHANGED, now);
	if (is_new || m->quiet) {
		free(node->was);
		node->was = NULL;
	}
	return 0;
}

static int put(struct mirror *m, const struct change *change, int64_t now)
{
	struct mirror_node *node = m->root;
	const char *path = change->path;
	char name[PATH_SIZE];
	int err;

	while (node && next_name(&path, name))
		node = child_make(m, node, name, now);
	if (!node)
		return -ENOMEM;
	err = put_value(m, node, change->value ? change->value : "", change->value ? change->len : 0,
			now);
	node->round = m->round;
	return err;
}

static void set_gone(struct mirror *m, struct mirror_node *node, int64_t now)
{
	if (node->mark == MIRROR_GONE)
		return;
	for (size_t i = 0; i < node->n; i++)
		set_gone(m, node->children[i], now);
	m->n--;
	m->n_gone++;
	mark(m, node, MIRROR_GONE, now);
}

/* All below a node that was not in the last document is gone. */
static void sweep(struct mirror *m, struct mirror_node *node, int64_t now)
{
	for (size_t i = 0; i < node->n; i++) {
		if (node->children[i]->round == m->round)
			sweep(m, node->children[i], now);
		else
			set_gone(m, node->children[i], now);
	}
}

int mirror_take(struct mirror *m, const char *path, const struct changes *nodes, int64_t now)
{
	struct mirror_node *node;
	int err = 0;

	m->round++;
	for (size_t i = 0; i < nodes->n && !err; i++)
		err = put(m, &nodes->list[i], now);
	node = mirror_find(m, path);
	if (err || !node)
		return err;
	if (nodes->n > 0 || !node->parent)
		sweep(m, node, now);
	else
		set_gone(m, node, now);
	return 0;
}

static void forget_below(struct mirror *m, struct mirror_node *node, int64_t time)
{
	size_t kept = 0;

	for (size_t i = 0; i < node->n; i++) {
		struct mirror_node *child = node->children[i];

		/* First those below: each is counted. */
		forget_below(m, child, time);
		if (child->mark == MIRROR_GONE && child->marked < time && child->n == 0) {
			m->n_gone--;
			m->version++;
			node_free(child);
		} else {
			node->children[kept++] = child;
		}
	}
	/* The room is that of the next power of two: it only grows where the number is one. */
	if (kept != node->n) {
		size_t room = 1;

		while (room < kept)
			room *= 2;
		node->n = kept;
		if (kept == 0) {
			free(node->children);
			node->children = NULL;
		} else {
			struct mirror_node **list =
				realloc(node->children, room * sizeof(*node->children));

			node->children = list ? list : node->children;
		}
	}
}

void mirror_forget(struct mirror *m, int64_t time)
{
	if (m->n_gone)
		forget_below(m, m->root, time);
}

/* ---- looking -------------------------------------------------------------------------------- */

int mirror_init(struct mirror *m)
{
	*m = (struct mirror){ .root = node_new(NULL, "", 0), .n = 1 };
	return m->root ? 0 : -ENOMEM;
}

void mirror_release(struct mirror *m)
{
	if (m->root)
		node_free(m->root);
	*m = (struct mirror){ 0 };
}

struct mirror_node *mirror_find_shown(const struct mirror *m, const char *path)
{
	struct mirror_node *node = m->root;
	char name[PATH_SIZE];
	bool found;

	while (next_name(&path, name)) {
		size_t at = child_index(node, name, &found);

		if (!found)
			return NULL;
		node = node->children[at];
	}
	return node;
}

/* With a node goes all that is below it. */
struct mirror_node *mirror_find(const struct mirror *m, const char *path)
{
	struct mirror_node *node = mirror_find_shown(m, path);

	return node && node->mark == MIRROR_GONE ? NULL : node;
}

void mirror_path(const struct mirror_node *node, char path[PATH_SIZE])
{
	char *at = path + PATH_SIZE - 1;

	*at = '\0';
	for (; node->parent; node = node->parent) {
		size_t len = strlen(node->name);

		at -= len;
		memcpy(at, node->name, len);
		*--at = '/';
	}
	if (!*at)
		*--at = '/';
	memmove(path, at, path + PATH_SIZE - at);
}

struct mirror_node *mirror_next(const struct mirror_node *node)
{
	bool found;

	if (node->n)
		return node->children[0];
	for (; node->parent; node = node->parent) {
		size_t at = child_index(node->parent, node->name, &found) + 1;

		if (at < node->parent->n)
			return node->parent->children[at];
	}
	return NULL;
}

static ssize_t source_value(void *arg, const char *path, char **value)
{
	const struct mirror_node *node = mirror_find(arg, path);

	*value = node ? tool_value_copy(node->value, node->len) : NULL;
	if (!node)
		return -ENOENT;
	return *value ? (ssize_t)node->len : -ENOMEM;
}

static int source_children(void *arg, const char *path, struct tool_names *names)
{
	const struct mirror_node *node = mirror_find(arg, path);
	int err = node ? 0 : -ENOENT;

	*names = (struct tool_names){ 0 };
	for (size_t i = 0; node && i < node->n && !err; i++)
		if (node->children[i]->mark != MIRROR_GONE)
			err = tool_names_add(names, node->children[i]->name);
	return err;
}

struct domains_source mirror_source(const struct mirror *m)
{
	return (struct domains_source){ source_value, source_children, (void *)m };
}
