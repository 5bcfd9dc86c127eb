/* SPDX-License-Identifier: MIT */
/* See changes.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ring/wire.h"
#include "src/tools/changes.h"
#include "src/tools/tool_read.h"

/* Pauses before another try: the first and the longest. */
#define PAUSE_FIRST_MS 2
#define PAUSE_LAST_MS 256

int changes_add(struct changes *changes, const char *path, const char *value, size_t len,
		const char *perms)
{
	struct change *list = changes->list, *change;

	/* Doubled at each power of two. */
	if ((changes->n & (changes->n - 1)) == 0)
		list = realloc(list, (changes->n ? 2 * changes->n : 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	changes->list = list;
	change = &list[changes->n++];
	*change = (struct change){ .path = strdup(path), .len = len };
	if (perms)
		change->perms = strdup(perms);
	if (value)
		change->value = tool_value_copy(value, len);
	return change->path && !value == !change->value && !perms == !change->perms ? 0 : -ENOMEM;
}

void changes_release(struct changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		free(changes->list[i].path);
		free(changes->list[i].value);
		free(changes->list[i].perms);
	}
	free(changes->list);
	*changes = (struct changes){ 0 };
}

static int set_perms(struct raw *raw, uint32_t tx, const struct change *change)
{
	char body[WIRE_PAYLOAD_MAX];
	int len = wire_perms_from_text(change->perms, strlen(change->perms), body, sizeof(body));

	return len < 0 ? len : raw_call(raw, XS_SET_PERMS, tx, change->path, body, len, NULL);
}

static int apply_one(struct raw *raw, uint32_t tx, const struct change *change)
{
	int n;

	/* One request, for which the server makes missing parents as well. */
	if (change->value)
		n = raw_call(raw, XS_WRITE, tx, change->path, change->value, change->len, NULL);
	else
		n = raw_call(raw, XS_MKDIR, tx, change->path, NULL, 0, NULL);
	if (n >= 0 && change->perms)
		n = set_perms(raw, tx, change);
	return n < 0 ? n : 0;
}

/* Checks that nothing exists with which the new nodes would be mixed. */
static int check_new(struct raw *raw, uint32_t tx, const char *base)
{
	int n = raw_call(raw, XS_DIRECTORY, tx, base, NULL, 0, NULL);

	if (n == 0)
		n = raw_call(raw, XS_READ, tx, base, NULL, 0, NULL);
	if (n == -ENOENT)
		return 0;
	return n > 0 ? -EEXIST : n;
}

static int prepare_base(struct raw *raw, uint32_t tx, enum changes_base how, const char *base)
{
	int n = 0;

	if (how == CHANGES_NEW)
		n = check_new(raw, tx, base);
	else if (how == CHANGES_REPLACE)
		n = raw_call(raw, XS_RM, tx, base, NULL, 0, NULL);
	return n < 0 && n != -ENOENT ? n : 0;
}

static int apply_all(const struct changes *changes, struct raw *raw, uint32_t tx,
		     enum changes_base how, const char *base, const char **failed)
{
	int err = prepare_base(raw, tx, how, base);

	*failed = err ? base : NULL;
	for (size_t i = 0; i < changes->n && !err; i++) {
		err = apply_one(raw, tx, &changes->list[i]);
		if (err)
			*failed = changes->list[i].path;
	}
	return err;
}

/* Half of the time is random, so that two clients that met do not meet again. */
void changes_pause(unsigned try)
{
	unsigned ms = try < 7 ? PAUSE_FIRST_MS << try : PAUSE_LAST_MS;
	struct timespec now, left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = ms / 2 + (now.tv_nsec ^ getpid()) % (ms / 2 + 1);
	left = (struct timespec){ .tv_nsec = ms * 1000000L };
	nanosleep(&left, NULL);
}

int changes_apply(const struct changes *changes, struct raw *raw, bool transaction,
		  enum changes_base how, const char *base, const char **failed)
{
	const char *where;
	uint32_t tx;
	int err;

	if (!failed)
		failed = &where;
	if (!transaction)
		return apply_all(changes, raw, 0, how, base, failed);
	for (unsigned try = 0;; try++) {
		*failed = NULL;
		err = raw_start(raw, &tx);
		if (err)
			return err;
		err = apply_all(changes, raw, tx, how, base, failed);
		if (err)
			raw_abort(raw, tx);
		else
			err = raw_commit(raw, tx);
		if (err != -EAGAIN || try == CHANGES_TRIES)
			return err;
		changes_pause(try);
	}
}
