/* SPDX-License-Identifier: MIT */
/*
 * The parts of stat(2) that the store does not have: inode numbers, times, and for which processes
 * a file is empty.  No I/O.
 *
 * A number is derived from view and path, so that it is the same after the kernel has forgotten the
 * inode and asks again.  An inode keeps its number wherever it is moved; another inode that would
 * get the same number in the meantime gets the next one.
 *
 * A time is that of the last event, of the last change made by this mount, or, where no event would
 * come, the time at which a change was noticed.  A directory changes when its own node does, and
 * when a child is made or removed.  An event says only that the latter may have happened, so the
 * names are compared when somebody asks.
 */
#include <stdlib.h>
#include <string.h>

#include "fs/model/fnv.h"
#include "fs/model/handle.h"
#include "fs/model/inode_impl.h"
#include "ring/wire.h"

/* libfuse's value for "no inode number". */
#define NUMBER_UNKNOWN 0xffffffff

/* ---- numbers ---- */

/* The start of all numbers below a directory. */
static uint64_t prefix(const struct inode *dir)
{
	const struct view *view = dir->view;
	uint64_t h = FNV_BEGIN;

	for (; !dir->view_root; dir = dir->parent)
		h = fnv(h, dir->name, strlen(dir->name) + 1);
	h = fnv(h, &view->layout, sizeof(view->layout));
	h = fnv(h, &view->tx_id, sizeof(view->tx_id));
	return fnv(h, &view->epoch, sizeof(view->epoch));
}

static struct inode *find_number(const struct inodes *t, uint64_t number)
{
	struct inode *inode;

	HASH_FIND(by_number, t->by_number, &number, sizeof(number), inode);
	return inode;
}

static uint64_t name_number(uint64_t prefix, const char *name)
{
	return fnv(prefix, name, strlen(name));
}

/* Returns the first number at or after `wanted` that no inode has. */
static uint64_t free_number(const struct inodes *t, uint64_t wanted)
{
	uint64_t number = wanted;

	for (uint64_t n = 1; number <= INODE_ROOT_ID || number == NUMBER_UNKNOWN ||
			     find_number(t, number); n++)
		number = fnv(wanted, &n, sizeof(n));
	return number;
}

static void set_number(struct inodes *t, struct inode *inode, bool shared)
{
	uint64_t wanted;

	if (!inode->parent) {
		inode->number = INODE_ROOT_ID;
		return;
	}
	/* A view's root counts as the root of its store; its own name is the name of the view. */
	wanted = inode->view_root ? prefix(inode) :
				    name_number(prefix(inode->parent), inode->name);
	inode->number = shared ? wanted : free_number(t, wanted);
	if (shared)
		return;
	HASH_ADD(by_number, t->by_number, number, sizeof(inode->number), inode);
	inode->numbered = inode->by_number.tbl != NULL;
}

uint64_t inode_number_prefix(const struct inode *dir)
{
	return prefix(dir);
}

uint64_t inode_child_number(struct inodes *t, const struct inode *dir, uint64_t prefix,
			    const char *name)
{
	struct inode *inode, *leaf;
	uint64_t number;

	inode = inode_peek(t, dir, name, INODE_DIR);
	leaf = inode_peek(t, dir, name, INODE_LEAF);
	if (leaf && !(inode && inode->sticky))
		inode = leaf;
	if (!inode)
		inode = inode_peek(t, dir, name, INODE_SPECIAL);
	number = inode ? inode->number : free_number(t, name_number(prefix, name));
	return number;
}

uint64_t inode_parent_number(const struct inode *inode)
{
	return inode->parent ? inode->parent->number : inode->number;
}

/* ---- times ---- */

void inode_move_time(struct inode *inode, const struct timespec *at)
{
	struct timespec *last = &inode->changed_at;

	if (time_is_later(at, last)) {
		*last = *at;
		return;
	}
	/* The clock was set back, or two changes came at once: each must be visible. */
	if (++last->tv_nsec == 1000000000L) {
		last->tv_nsec = 0;
		last->tv_sec++;
	}
}

void inode_change_dir(struct inodes *t, struct inode *dir, enum changed_by by)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	inode_move_time(dir, &now);
	dir->names_known = false;
	inode_outdate(t, dir, by, false);
}

void inode_change_value(struct inode *inode)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	inode_move_time(inode, &now);
	inode->value_known = false;
}

void inode_made(struct inodes *t, struct inode *inode)
{
	inode_is_new(t, inode);
	inode_change_value(inode);
	inode_change_dir(t, inode->parent, CHANGED_BY_US);
	told_made(inode);
}

void inode_absent(struct inodes *t, struct inode *inode)
{
	if (inode)
		inode->confirmed = 0;
	if (!inode || inode->absent)
		return;
	inode->absent = true;
	inode_change_dir(t, inode->parent, CHANGED_BY_OTHERS);
}

void inode_names_event(struct inodes *t, struct inode *dir, const struct timespec *at,
			      enum changed_by by)
{
	dir->names_unsure = true;
	dir->names_event_at = *at;
	inode_outdate(t, dir, by, false);
}

void inode_saw_value(struct inode *inode, const void *value, size_t len)
{
	uint64_t h = fnv_value(value, len);
	struct timespec now;

	if (inode->value_known && inode->value_hash != h) {
		clock_gettime(CLOCK_REALTIME, &now);
		inode_move_time(inode, &now);
	}
	inode->value_hash = h;
	inode->value_known = true;
	told_value_first(inode, h);
}

static int compare_hashes(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Returns the sorted hashes of the names in a reply to XS_DIRECTORY (malloc), or NULL
 * without memory. */
static uint64_t *hash_names(const char *reply, size_t len, unsigned *count)
{
	struct wire_strings names = wire_strings_init(reply, len);
	uint64_t *hashes = malloc((len / 2 + 1) * sizeof(*hashes));
	const char *name;
	size_t name_len;

	*count = 0;
	while (hashes && wire_strings_next(&names, &name, &name_len) > 0)
		if (name_len > 0)
			hashes[(*count)++] = fnv(FNV_BEGIN, name, name_len);
	if (hashes)
		qsort(hashes, *count, sizeof(*hashes), compare_hashes);
	return hashes;
}

/* Names that were not there before count as made when they were first seen, with everything below
 * them: no event tells of that. */
static void note_new_names(struct inodes *t, const struct inode *dir, const char *reply,
				  size_t len, const struct timespec *now)
{
	struct wire_strings names = wire_strings_init(reply, len);
	char path[PATH_SIZE];
	const char *name;
	size_t name_len, dir_len;
	uint64_t h;

	if (inode_own_path(t, dir, path))
		return;
	dir_len = strlen(path);
	while (wire_strings_next(&names, &name, &name_len) > 0) {
		h = fnv(FNV_BEGIN, name, name_len);
		if (name_len == 0 || bsearch(&h, dir->names, dir->n_names, sizeof(h), compare_hashes))
			continue;
		path[dir_len] = '\0';
		/* The reply has a NUL after each name. */
		if (!path_append(path, name))
			recent_add(&t->recent, path, strlen(path), now, true);
	}
}

void inode_saw_names(struct inodes *t, struct inode *dir, const char *reply, size_t len,
		     bool covered, bool sure)
{
	struct timespec now;
	unsigned count = 0;
	uint64_t *names = reply ? hash_names(reply, len, &count) : NULL;
	bool moved;

	clock_gettime(CLOCK_REALTIME, &now);
	if (names && dir->names_known)
		moved = count != dir->n_names ||
			memcmp(names, dir->names, count * sizeof(*names)) != 0;
	else
		moved = dir->names_unsure;
	if (moved && dir->names_unsure)
		inode_move_time(dir, &dir->names_event_at);
	else if (moved)
		inode_move_time(dir, &now);
	if (moved && names && dir->names_known && !covered)
		note_new_names(t, dir, reply, len, &now);
	if (moved)
		inode_outdate(t, dir, CHANGED_BY_OTHERS, false);
	if (reply && t->telling)
		told_names_first(dir, reply, len);
	if (sure)
		dir->names_unsure = false;
	free(dir->names);
	dir->names = names;
	dir->n_names = count;
	dir->names_known = names != NULL;
}

/* ---- files that are empty for whoever emptied them ---- */

unsigned inode_emptiers(const struct inode *inode, pid_t *processes, unsigned max)
{
	struct handle *handle;
	unsigned count = 0;

	LIST_FOREACH(handle, &inode->emptied, emptied_link)
		if (count < max && handle->emptied_since == inode->contents)
			processes[count++] = handle->emptier;
	return count;
}

/* ---- the life of an inode ---- */

void inode_stat_begin(struct inodes *t, struct inode *inode, bool shared)
{
	char path[PATH_SIZE];

	set_number(t, inode, shared);
	if ((inode->kind != INODE_SPECIAL || inode->parent->kind == INODE_DIR) &&
	    t->recent.entries && !inode_own_path(t, inode, path))
		inode->changed_at = recent_find(&t->recent, path);
}

void inode_stat_end(struct inodes *t, struct inode *inode)
{
	char path[PATH_SIZE];

	if (inode->numbered)
		HASH_DELETE(by_number, t->by_number, inode);
	if (inode->hashed && !inode->absent && inode->changed_at.tv_sec && !inode->view->tx &&
	    inode->kind != INODE_SPECIAL && !inode_own_path(t, inode, path))
		recent_add(&t->recent, path, strlen(path), &inode->changed_at, false);
	free(inode->names);
	told_deinit(&inode->told);
}
