/* SPDX-License-Identifier: MIT */
/*
 * STORE, the command's first argument: parsed, then opened as a channel.
 * For main.c, main thread.
 */
#ifndef SRC_STORE_SOURCE_H
#define SRC_STORE_SOURCE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "ring/chan.h"
#include "ring/logger.h"
#include "ring/transport.h"
#include "src/embedded.h"

enum store_kind { STORE_AUTO, STORE_SOCKET, STORE_XENBUS, STORE_RING, STORE_EMBEDDED };

/* The parsed argument. */
struct store_spec {
	enum store_kind kind;
	char path[PATH_MAX];     /* socket, xenbus: absolute, or "" for the usual one */
	struct ring_params ring; /* ring */
	bool oxenstored;         /* embedded: this server rather than the C one */
	bool demo;               /* embedded: sample domains come and go; not part of the text */
};

/*
 * Parses `text`; xsfs(8), "STORE".  Relative paths are taken from the current directory.
 * Returns 0, or -EINVAL with one line in `why` that says what would be right.
 */
int store_spec_parse(struct store_spec *spec, const char *text, char *why, size_t size);

/* An open store. */
struct store_source {
	struct chan *chan;         /* owned; connected, with no handlers set */
	struct embedded *embedded; /* owned; NULL unless the store is embedded */
	bool privileged;           /* the store exempts us from its quotas */
	int self_domid;            /* our domain as the store sees us, -1: unknown */
};

/*
 * Opens the store: connects, or starts it.  In the process that will use it, after the fork.
 * `timeout_ms`, `in_flight_max`: as in struct chan_config.
 * Returns 0, or -errno with one line in `why`, to which the cause kept by the log may add more.
 */
int store_source_open(struct store_source *source, const struct store_spec *spec,
		      unsigned timeout_ms, unsigned in_flight_max, struct logger *log,
		      char *why, size_t size);

/* Closes it; an embedded server ends. */
void store_source_close(struct store_source *source);

#endif
