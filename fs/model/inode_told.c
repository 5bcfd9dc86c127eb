/* SPDX-License-Identifier: MIT */
/* Values, permissions and names that were told.  No I/O. */
#include <stdlib.h>
#include <string.h>

#include "fs/model/fnv.h"
#include "fs/model/inode_impl.h"
#include "fs/model/listing.h"
#include "fs/model/told.h"
#include "ring/wire.h"

#define KIND_MASK UINT64_C(3)
#define NAMES_MIN 8

void told_deinit(struct told *told)
{
	free(told->names);
}

/* ---- values and permissions ---- */

void told_value(struct inode *inode, const void *value, size_t len)
{
	inode->told.value = fnv_value(value, len);
	inode->told.value_state = TOLD_KNOWN;
}

void told_write(struct inode *inode, const void *value, size_t len)
{
	told_value(inode, value, len);
	inode->told.writes++;
}

void told_value_first(struct inode *inode, uint64_t value)
{
	if (inode->told.value_state != TOLD_NOTHING)
		return;
	inode->told.value = value;
	inode->told.value_state = TOLD_KNOWN;
}

void told_perms(struct inode *inode, const void *perms, size_t len)
{
	inode->told.perms = fnv_value(perms, len);
	inode->told.perms_state = TOLD_KNOWN;
}

struct perms_told told_get_perms(const struct inode *inode)
{
	return (struct perms_told){ .state = inode->told.perms_state, .hash = inode->told.perms };
}

void told_perms_refused(struct inode *inode, struct perms_told noted, struct perms_told before)
{
	if (inode->told.perms_state != noted.state || inode->told.perms != noted.hash)
		return;
	inode->told.perms_state = before.state;
	inode->told.perms = before.hash;
}

/* ---- names ---- */

static uint64_t name_hash(const char *name, size_t len)
{
	return fnv(FNV_BEGIN, name, len) & ~KIND_MASK;
}

/* Returns the place of a name's hash, or where it would have to be. */
static unsigned place_of(const struct told *told, uint64_t hash)
{
	unsigned from = 0, to = told->n_names, middle;

	while (from < to) {
		middle = from + (to - from) / 2;
		if ((told->names[middle] & ~KIND_MASK) < hash)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static bool is_at(const struct told *told, unsigned place, uint64_t hash)
{
	return place < told->n_names && (told->names[place] & ~KIND_MASK) == hash;
}

static void names_forget(struct told *told)
{
	free(told->names);
	told->names = NULL;
	told->n_names = told->max_names = 0;
	told->names_known = false;
}

/* Makes room for `more` names.  Without memory nothing counts as told any more. */
static bool names_grow(struct told *told, unsigned more)
{
	unsigned max = told->max_names ? told->max_names : NAMES_MIN;
	uint64_t *names;

	if (told->n_names + more <= told->max_names)
		return true;
	while (max < told->n_names + more)
		max *= 2;
	names = realloc(told->names, max * sizeof(*names));
	if (!names) {
		names_forget(told);
		return false;
	}
	told->names = names;
	told->max_names = max;
	return true;
}

enum told_kind told_name(const struct inode *dir, const char *name)
{
	uint64_t hash = name_hash(name, strlen(name));
	unsigned place = place_of(&dir->told, hash);

	return is_at(&dir->told, place, hash) ? (enum told_kind)(dir->told.names[place] & KIND_MASK) : TOLD_NOT;
}

void told_name_add(struct inode *dir, const char *name, enum told_kind kind)
{
	struct told *told = &dir->told;
	uint64_t hash = name_hash(name, strlen(name));
	unsigned place = place_of(told, hash);

	if (!told->names_known)
		return;
	if (!is_at(told, place, hash)) {
		if (!names_grow(told, 1))
			return;
		memmove(told->names + place + 1, told->names + place,
			(told->n_names - place) * sizeof(*told->names));
		told->n_names++;
	}
	told->names[place] = hash | (uint64_t)kind;
}

void told_name_remove(struct inode *dir, const char *name)
{
	struct told *told = &dir->told;
	uint64_t hash = name_hash(name, strlen(name));
	unsigned place = place_of(told, hash);

	if (!told->names_known || !is_at(told, place, hash))
		return;
	told->n_names--;
	memmove(told->names + place, told->names + place + 1, (told->n_names - place) * sizeof(*told->names));
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void told_names_first(struct inode *dir, const char *reply, size_t len)
{
	struct wire_strings names = wire_strings_init(reply, len);
	struct told *told = &dir->told;
	const char *name;
	size_t name_len;

	if (told->names_known || !names_grow(told, len / 2 + 1))
		return;
	while (wire_strings_next(&names, &name, &name_len) > 0)
		if (name_len > 0)
			told->names[told->n_names++] = name_hash(name, name_len);
	qsort(told->names, told->n_names, sizeof(*told->names), compare);
	told->names_known = true;
}

void told_listing(struct inode *dir, const struct listing *listing)
{
	struct told *told = &dir->told;

	for (unsigned i = 0; told->names_known && i < listing->count; i++)
		if (told_name(dir, listing->names[i]) == TOLD_NOT)
			told_name_add(dir, listing->names[i], TOLD_SEEN);
	if (told->names_known || !names_grow(told, listing->count + 1))
		return;
	for (unsigned i = 0; i < listing->count; i++)
		told->names[told->n_names++] = name_hash(listing->names[i], strlen(listing->names[i]));
	qsort(told->names, told->n_names, sizeof(*told->names), compare);
	told->names_known = true;
}

/* ---- what the kernel tells ---- */

static enum told_kind kind_of(const struct inode *inode)
{
	return inode->kind == INODE_DIR ? TOLD_DIR : TOLD_FILE;
}

void told_stir(struct inode *inode)
{
	for (; inode; inode = inode->parent)
		inode->told.stirred++;
}

void told_looked_up(struct inode *inode)
{
	struct inode *dir = inode->parent;
	enum told_kind told = TOLD_FILE;

	told_stir(inode);
	if (dir && dir->told.names_known && inode->kind != INODE_SPECIAL)
		told = told_name(dir, inode->name);
	if (told == TOLD_UNSURE)
		told_name_add(dir, inode->name, kind_of(inode));
	else if (told == TOLD_NOT)
		told_name_add(dir, inode->name, TOLD_SEEN);
}

void told_new(struct inode *inode)
{
	inode->told.deleted = false;
	told_name_add(inode->parent, inode->name, kind_of(inode));
}

void told_gone(struct inode *inode)
{
	inode->told.deleted = true;
	inode->told.value_state = TOLD_NOTHING;
	told_name_remove(inode->parent, inode->name);
}

void told_made(struct inode *inode)
{
	told_new(inode);
	told_value(inode, "", 0);
	told_own(inode);
	inode->parent->told.changes++;
}

void told_removed(struct inode *dir, const char *name)
{
	told_name_remove(dir, name);
	dir->told.changes++;
}

/* ---- events of what was done here ---- */

void told_own(struct inode *inode)
{
	inode->told.own_ms = inode_now_ms();
}

void told_own_below(struct inode *top)
{
	for (struct inode *inode = top; inode; inode = inode_next(top, inode))
		told_own(inode);
}

bool told_is_own(const struct inode *inode, uint64_t reported_ms)
{
	return inode->told.own_ms && reported_ms <= inode->told.own_ms + OWN_EVENT_MS;
}
