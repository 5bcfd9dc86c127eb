/* SPDX-License-Identifier: MIT */
/* What the operations of operations.h have in common. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/memory.h"
#include "tests/faults/operations.h"

static void put(struct fake_tree *tree, const char *path, const char *value)
{
	char body[WIRE_PAYLOAD_MAX];
	int len = snprintf(body, sizeof(body), "%s%c%s", path, '\0', value);

	free(fake_tree_answer(tree, XS_WRITE, body, len).body);
}

struct fake_tree *scene_tree(bool big)
{
	static const char *const nodes[][2] = {
		{ "/a", "alpha" }, { "/b", "beta" }, { "/c", "" }, { "/d", "" }, { "/d/x", "dx" }, { "/d/y", "dy" },
		{ "/d/sub", "" }, { "/d/sub/leaf", "leaf" }, { "/v", "both" }, { "/v/w", "w" }, { "/e", "" },
		{ "/e/only", "one" }, { "/local/domain/0/name", "Domain-0" },
	};
	struct fake_tree *tree = fake_tree_new();
	char path[64];

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		put(tree, nodes[i][0], nodes[i][1]);
	/* More than one message can name. */
	for (unsigned i = 0; big && i < 130; i++) {
		snprintf(path, sizeof(path), "/big/a-name-that-is-rather-long-as-names-go-%03u", i);
		put(tree, path, "");
	}
	fake_tree_forget_changes(tree);
	return tree;
}

void say_bytes(struct machine *m, const void *data, size_t len)
{
	if (len > sizeof(m->said) - m->said_len)
		abort();
	if (len)
		memcpy(m->said + m->said_len, data, len);
	m->said_len += len;
}

void say(struct machine *m, const char *format, ...)
{
	char text[512];
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	say_bytes(m, text, len);
}

int say_read(struct machine *m, int n)
{
	if (n < 0)
		return n;
	say_bytes(m, m->taken->body, n);
	return 0;
}

void scene_change(struct machine *m, uint32_t type, const char *path, const char *value)
{
	memory_own_begin();
	fake_server_change(m->server, type, path, value);
	memory_own_end();
}

void scene_keep(struct scene *s, uint64_t nodeid, uint64_t fh, bool is_dir)
{
	if (s->count == SCENE_FILES)
		abort();
	s->files[s->count].nodeid = nodeid;
	s->files[s->count].fh = fh;
	s->files[s->count++].is_dir = is_dir;
}

int scene_open(struct machine *m, struct scene *s, const char *path, uint32_t flags)
{
	uint64_t fh;
	int err = kernel_walk(m, path, &s->node);

	if (!err)
		err = kernel_open(m, s->node.nodeid, flags, &fh);
	if (!err)
		scene_keep(s, s->node.nodeid, fh, false);
	return err;
}

int scene_close(struct machine *m, struct scene *s)
{
	int err, first = 0;

	while (s->count) {
		s->count--;
		if (s->files[s->count].is_dir)
			err = kernel_releasedir(m, s->files[s->count].nodeid, s->files[s->count].fh);
		else
			err = kernel_release(m, s->files[s->count].nodeid, s->files[s->count].fh);
		if (!first)
			first = err;
	}
	return first;
}
