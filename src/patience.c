/* SPDX-License-Identifier: MIT */
/* Reads sysctls.  Main thread. */
#include <stdio.h>

#include "src/patience.h"

#define DIRECTORY "/proc/sys/fs/fuse/"

/* The kernel checks every 15 seconds, and does not accept a lower limit
 * (FUSE_TIMEOUT_TIMER_FREQ). */
#define LEAST_S 15

/* Returns the number in a file, or 0 if there is none. */
static unsigned number_read(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned n = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%u", &n) != 1)
		n = 0;
	fclose(file);
	return n;
}

unsigned patience_of_kernel(void)
{
	unsigned usual = number_read(DIRECTORY "default_request_timeout");
	unsigned most = number_read(DIRECTORY "max_request_timeout");
	unsigned limit = usual;

	if (most && (!limit || most < limit))
		limit = most;
	return limit && limit < LEAST_S ? LEAST_S : limit;
}
