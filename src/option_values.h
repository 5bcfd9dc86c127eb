/* SPDX-License-Identifier: MIT */
/* The values of our own options, for options.c. */
#ifndef SRC_OPTION_VALUES_H
#define SRC_OPTION_VALUES_H

#include "src/options.h"

/* Takes the value of an option, "" for one without.  Returns NULL, or what a correct
 * value would be. */
typedef const char *option_set(struct options *o, const char *value);

struct option_value {
	const char *name; /* one that ends in "=" has a value */
	option_set *set;
};

/* The last one has no name. */
extern const struct option_value options_own[];

/* Sets what is not said on the command line, all but `root`. */
void options_set_defaults(struct options *o);

#endif
