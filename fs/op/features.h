/* SPDX-License-Identifier: MIT */
/*
 * What newer servers can do and older ones would take without doing it, so that they have to be
 * asked first (docs/misc/xenstore.txt, GET_FEATURE; the bits are in docs/misc/xenstore-ring.txt).
 * The answer is not kept: behind the same connection, another server may have been started.
 */
#ifndef FS_OP_FEATURES_H
#define FS_OP_FEATURES_H

#include "fs/op/op.h"

enum {
	FEATURE_WATCH_DEPTH = 1 << 2, /* also: watches of one domain's events */
	FEATURE_DOMID_ANY = 1 << 3,   /* permissions for all domains that have none of their own */
};

/* Adds the question to the round, whose first it has to be. */
void op_call_features(struct op *op);

/*
 * Ends that round, whose answers have come.  Returns 0 if the server has this feature, -EOPNOTSUPP
 * if not, or why that is not known.
 */
int op_take_feature(struct op *op, unsigned feature);

#endif
