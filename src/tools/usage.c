/* SPDX-License-Identifier: MIT */
/* See usage.h. */
#include <getopt.h>
#include <stdio.h>

#include "src/tools/usage.h"

void usage_wrong_option(char *why, size_t size, const char *arg, const char *usage)
{
	char letter[] = { '-', optopt, '\0' };

	snprintf(why, size, "%s: no such option, or without its value; %s", optopt ? letter : arg,
		 usage);
}
