/* SPDX-License-Identifier: MIT */
/* Names in a directory.  No I/O. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/listing.h"
#include "fs/model/name.h"
#include "ring/wire.h"

struct listing *listing_new(void)
{
	struct listing *listing = calloc(1, sizeof(*listing));

	if (listing) {
		listing->refs = 1;
		listing->bytes = sizeof(*listing);
	}
	return listing;
}

struct listing *listing_get(struct listing *listing)
{
	listing->refs++;
	return listing;
}

void listing_clear(struct listing *listing)
{
	for (unsigned i = 0; i < listing->count; i++)
		free(listing->names[i]);
	listing->count = listing->n_sorted = 0;
	listing->bytes = sizeof(*listing);
}

void listing_put(struct listing *listing)
{
	if (!listing || --listing->refs > 0)
		return;
	listing_clear(listing);
	free(listing->names);
	free(listing->sorted);
	free(listing);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int listing_sort(struct listing *listing)
{
	free(listing->sorted);
	listing->n_sorted = 0;
	listing->sorted = reallocarray(NULL, listing->count + 1, sizeof(*listing->sorted));
	if (!listing->sorted)
		return -ENOMEM;
	listing->n_sorted = listing->count;
	if (listing->count)
		memcpy(listing->sorted, listing->names, listing->count * sizeof(*listing->names));
	qsort(listing->sorted, listing->count, sizeof(*listing->sorted), compare_names);
	listing->bytes += listing->count * sizeof(*listing->sorted);
	return 0;
}

bool listing_has(const struct listing *listing, const char *name)
{
	return bsearch(&name, listing->sorted, listing->n_sorted, sizeof(*listing->sorted),
		       compare_names) != NULL;
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
	listing->bytes += strlen(name) + 1 + sizeof(*listing->names);
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
