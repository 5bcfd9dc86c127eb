/* SPDX-License-Identifier: MIT */
/* The checks of check.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/faults/check.h"
#include "tests/faults/kernel.h"

#define PATH_ROOM 1024

bool trees_equal(const struct fake_tree *a, const struct fake_tree *b)
{
	const struct fake_node *x = TAILQ_FIRST(&a->nodes), *y = TAILQ_FIRST(&b->nodes);

	for (; x && y; x = TAILQ_NEXT(x, link), y = TAILQ_NEXT(y, link))
		if (strcmp(x->path, y->path) || x->value_len != y->value_len ||
		    memcmp(x->value, y->value, x->value_len) || x->perms_len != y->perms_len ||
		    memcmp(x->perms, y->perms, x->perms_len))
			return false;
	return !x && !y;
}

static struct fake_answer ask_tree(struct machine *m, uint32_t type, const char *path)
{
	return fake_tree_answer(m->server->tree, type, path, strlen(path) + 1);
}

/* Opens, reads and closes.  Returns the length, or -errno. */
static int read_file(struct machine *m, uint64_t nodeid, char *text, size_t size)
{
	uint64_t fh;
	int n = kernel_open(m, nodeid, O_RDONLY, &fh);

	if (n)
		return n;
	n = kernel_read(m, nodeid, fh, 0, size);
	if (n > 0)
		memcpy(text, m->taken->body, n);
	kernel_release(m, nodeid, fh);
	return n;
}

/* Returns whether a file has the value of a node, and a newline behind it. */
static bool file_is_right(struct machine *m, const char *path, const struct node *node)
{
	struct fake_answer value = ask_tree(m, XS_READ, path);
	char text[WIRE_PAYLOAD_MAX + 1];
	size_t len = value.len ? value.len + 1 : 0;
	int n = read_file(m, node->nodeid, text, sizeof(text));
	bool right = !value.error && node->size == len && n == (int)len && !memcmp(text, value.body, value.len);

	free(value.body);
	return right;
}

static bool has_name(const char *names, size_t len, const char *name)
{
	for (size_t at = 0; at < len; at += strlen(names + at) + 1)
		if (!strcmp(names + at, name))
			return true;
	return false;
}

static bool dir_is_right(struct machine *m, const char *path, uint64_t nodeid);

static bool child_is_right(struct machine *m, const char *path, uint64_t dir, const char *name)
{
	char child[PATH_ROOM];
	struct node node;

	snprintf(child, sizeof(child), "%s%s%s", path, strcmp(path, "/") ? "/" : "", name);
	if (kernel_lookup(m, dir, name, &node))
		return false;
	if (S_ISDIR(node.mode))
		return dir_is_right(m, child, node.nodeid);
	return file_is_right(m, child, &node);
}

/* Returns whether the mount shows just the children that the store has, and so on below. */
static bool dir_is_right(struct machine *m, const char *path, uint64_t nodeid)
{
	struct fake_answer children = ask_tree(m, XS_DIRECTORY, path), value = ask_tree(m, XS_READ, path);
	size_t len = 0, own = value.len ? sizeof(".value") : 0, at;
	char *names = NULL;
	uint64_t fh;
	bool right = !children.error && !kernel_opendir(m, nodeid, &fh);

	if (right) {
		right = !kernel_readdir(m, nodeid, fh, &names, &len) && len == children.len + own &&
			has_name(names, len, ".value") == (own != 0);
		kernel_releasedir(m, nodeid, fh);
	}
	for (at = 0; right && at < children.len; at += strlen(children.body + at) + 1)
		right = has_name(names, len, children.body + at) &&
			child_is_right(m, path, nodeid, children.body + at);
	free(names);
	free(value.body);
	free(children.body);
	return right;
}

/* Returns whether a node has a value in the store. */
static bool stored(struct machine *m, const char *path, const char *value)
{
	struct fake_answer answer = ask_tree(m, XS_READ, path);
	bool right = !answer.error && answer.len == strlen(value) && !memcmp(answer.body, value, answer.len);

	free(answer.body);
	return right;
}

static const char *check_writing(struct machine *m)
{
	struct node node, dir;
	uint64_t fh;

	if (kernel_walk(m, "/b", &node) || kernel_open(m, node.nodeid, O_WRONLY | O_TRUNC, &fh))
		return "/b cannot be opened";
	if (kernel_write(m, node.nodeid, fh, 0, "healthy\n", 8) || !stored(m, "/b", "healthy"))
		return "/b cannot be written";
	kernel_release(m, node.nodeid, fh);
	if (kernel_walk(m, "/e", &dir) || kernel_mkdir(m, dir.nodeid, "check"))
		return "mkdir does not work";
	if (kernel_rename(m, dir.nodeid, "check", FUSE_ROOT_ID, "checked", 0) || !stored(m, "/checked", ""))
		return "rename does not work";
	if (kernel_rmdir(m, FUSE_ROOT_ID, "checked") || stored(m, "/checked", ""))
		return "rmdir does not work";
	return NULL;
}

static void change_c(struct machine *m)
{
	fake_server_change(m->server, XS_WRITE, "/c", "event");
}

static const char *check_events(struct machine *m)
{
	static const char line[] = "changed /c\n";
	struct node node;
	uint64_t fh;
	int n;

	if (kernel_walk(m, "/.xsfs/watch", &node) || kernel_open(m, node.nodeid, O_RDWR, &fh) ||
	    kernel_write(m, node.nodeid, fh, 0, "/c\n", 3))
		return "nothing can be watched";
	m->stir = change_c;
	n = kernel_read(m, node.nodeid, fh, 0, 100);
	if (n != sizeof(line) - 1 || memcmp(m->taken->body, line, n))
		return "an event does not come";
	kernel_release(m, node.nodeid, fh);
	return NULL;
}

static const char *check_rest(struct machine *m)
{
	struct chan_stats stats;

	if (m->fs->ops_now)
		return "an operation is left";
	chan_stats(m->chan, &stats);
	if (stats.state != CHAN_CONNECTED)
		return "it is not connected";
	/* What was given up keeps its id until its answer comes. */
	if (stats.in_flight > m->unanswered || stats.queued)
		return "a request is left";
	if (fake_peer_transactions(m->peer) > m->unanswered)
		return "a transaction is left";
	return NULL;
}

const char *check_works(struct machine *m)
{
	const char *wrong;

	m->stir = NULL;
	/* A lie about the tree is believed until the next event. */
	fake_server_event(m->server, "/");
	machine_settle(m, MACHINE_PATIENCE_MS);
	wrong = check_rest(m);
	if (!wrong && !dir_is_right(m, "/", FUSE_ROOT_ID))
		wrong = "the tree is not the store's";
	if (!wrong)
		wrong = check_writing(m);
	if (!wrong)
		wrong = check_events(m);
	machine_settle(m, 0);
	if (!wrong)
		wrong = check_rest(m);
	/* The one for everything, unless the store refused it; and those whose removal there was no memory for. */
	if (!wrong && fake_peer_watches(m->peer) > 1 + m->unanswered)
		wrong = "a watch is left";
	return wrong;
}

const char *check_is_dead(struct machine *m)
{
	struct node node;

	machine_settle(m, MACHINE_PATIENCE_MS);
	if (m->fs->ops_now)
		return "an operation is left";
	if (kernel_walk(m, "/a", &node) != -EIO)
		return "lookup does not say that the store is dead";
	if (kernel_mkdir(m, FUSE_ROOT_ID, "check") != -EIO)
		return "mkdir does not say that the store is dead";
	return NULL;
}
