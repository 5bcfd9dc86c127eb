/* SPDX-License-Identifier: MIT */
/*
 * Domains and their devices as the first page shows them: gathered from the copy of the store, each with
 * the time at which something about it changed.  What is gone stays for a while.
 *
 * No input or output.  Times are those of mirror.h.  Not locked; its owner is.
 */
#ifndef SRC_TOP_GUESTS_H
#define SRC_TOP_GUESTS_H

#include "src/top/mirror.h"

/* The parts of a domain whose changes are dated. */
enum guest_field {
	GUEST_NAME,
	GUEST_STATE,
	GUEST_MEMORY,
	GUEST_VCPUS,
	GUEST_DEVICES,
	GUEST_FIELDS,
};

struct guest {
	struct domain domain;
	const char *state;     /* a word: "up"; NULL: `shutdown` says it */
	char *shutdown;        /* what control/shutdown holds, or NULL; a guest may have written it */
	enum text_style style; /* of the state */
	char backends[128];    /* the states of the backends in short: "vif/0 InitWait"; "" without one */
	enum text_style backends_style;
	int64_t changed[GUEST_FIELDS]; /* 0: not while we looked */
	int64_t made;                  /* 0: it was there before */
	int64_t gone;                  /* 0: it is there */
};

struct guest_device {
	struct device device;
	int64_t frontend_changed, backend_changed;
	int64_t made, gone;
};

struct guests {
	struct guest *list; /* by number */
	size_t n;
	struct guest_device *devices; /* in the order of struct devices */
	size_t n_devices;
	size_t n_up, n_connected; /* domains and backends that are there, and connected */
	size_t n_backends;
	long long memory_kib; /* the targets of all */
	bool known;           /* something was gathered before: what is new now has just come */
};

/* Gathers all anew.  Returns 0, or -errno with the old list kept. */
int guests_update(struct guests *g, const struct mirror *m, int64_t now);

/* Forgets what went before `time`. */
void guests_forget(struct guests *g, int64_t time);
void guests_release(struct guests *g);

/* Returns the word for the state of a domain, as it is in the store. */
const char *guest_state(const struct guest *guest);

enum guests_order { GUESTS_BY_ID, GUESTS_BY_NAME, GUESTS_BY_MEMORY, GUESTS_BY_DEVICES, GUESTS_ORDERS };

/* Writes to `list`, which has room for all, those whose number is, or whose name contains, `filter` (""
 * are all), in an order.  Returns how many. */
size_t guests_view(const struct guests *g, enum guests_order order, const char *filter,
		   const struct guest **list);

#endif
