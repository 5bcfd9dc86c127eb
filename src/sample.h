/* SPDX-License-Identifier: MIT */
/*
 * Content for a store that has none: domain 0 and two guests, as a toolstack writes them.
 * For embedded.c, main thread, before fs_run().
 */
#ifndef SRC_SAMPLE_H
#define SRC_SAMPLE_H

#include <stdint.h>

#include "ring/chan.h"

/* The guests. */
#define SAMPLE_GUESTS 2
extern const uint32_t sample_domids[SAMPLE_GUESTS];

/* Writes it over a channel that may write everywhere.  Returns 0 or the first error. */
int sample_write(struct chan *chan);

#endif
