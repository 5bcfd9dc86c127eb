/* SPDX-License-Identifier: MIT */
/* Names in a directory.  No I/O. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/listing.h"
#include "fs/name.h"
#include "ring/wire.h"

struct listing *listing_new(void)
{
	return calloc(1, sizeof(struct listing));
}

void listing_clear(struct listing *listing)
{
	for (unsigned i = 0; i < listing->count; i++)
		free(listing->names[i]);
	listing->count = 0;
}

void listing_free(struct listing *listing)
{
	if (!listing)
		return;
	listing_clear(listing);
	free(listing->names);
	free(listing);
}

int listing_add(struct listing *listing, const char *name)
{
	unsigned max = listing->max ? listing->max * 2 : 16;
	char **names;

	if (listing->count == listing->max) {
		names = reallocarray(listing->names, max, sizeof(*names));
		if (!names)
			return -ENOMEM;
		listing->names = names;
		listing->max = max;
	}
	listing->names[listing->count] = strdup(name);
	if (!listing->names[listing->count])
		return -ENOMEM;
	listing->count++;
	return 0;
}

int listing_add_names(struct listing *listing, const char *body, size_t len)
{
	struct wire_strings names = wire_strings_init(body, len);
	const char *name;
	int rc;

	while ((rc = wire_strings_next(&names, &name, NULL)) > 0) {
		if (!name_is_legal(name))
			continue;
		rc = listing_add(listing, name);
		if (rc)
			return rc;
	}
	return rc;
}
