/* SPDX-License-Identifier: MIT */
/* Names in parts, one behind the other. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/name_parts.h"
#include "ring/wire.h"

/* The first allocation: a directory that comes in parts has more than one reply holds. */
#define FIRST_MAX 8192

static int append(struct name_parts *parts, const char *names, size_t len)
{
	size_t max = parts->max ? parts->max : FIRST_MAX;
	char *more;

	if (len > NAME_PARTS_MAX - parts->len)
		return -E2BIG;
	while (max - parts->len < len)
		max *= 2;
	if (max > parts->max) {
		more = realloc(parts->names, max);
		if (!more)
			return -ENOMEM;
		parts->names = more;
		parts->max = max;
	}
	memcpy(parts->names + parts->len, names, len);
	parts->len += len;
	return 0;
}

int name_parts_add(struct name_parts *parts, const char *body, size_t len)
{
	struct wire_strings names;
	uint64_t generation;
	size_t next;
	bool last;
	int err;

	if (wire_directory_part_parse(body, len, &generation, &names, &next, &last) || (!last && next == 0))
		return -EIO;
	if (parts->offset == 0)
		parts->generation = generation;
	parts->changed |= generation != parts->generation;
	err = append(parts, names.pos, names.end - names.pos);
	if (err)
		return err;
	parts->offset += next;
	if (!last)
		return NAME_PARTS_MORE;
	if (!parts->changed)
		return NAME_PARTS_DONE;
	if (++parts->restarts == NAME_PARTS_RESTARTS)
		return NAME_PARTS_CHANGING;
	parts->len = parts->offset = 0;
	parts->changed = false;
	return NAME_PARTS_MORE;
}

void name_parts_deinit(struct name_parts *parts)
{
	free(parts->names);
	*parts = (struct name_parts){ 0 };
}
