/* SPDX-License-Identifier: MIT */
/* Reads sysctls.  Main thread. */
#include <stdio.h>

#include "src/patience.h"

#define DIRECTORY "/proc/sys/fs/fuse/"

/* The kernel looks every 15 seconds, and takes no less for the limit (FUSE_TIMEOUT_TIMER_FREQ). */
#define LEAST_S 15

/* Returns a number that is in a file, 0 where there is none. */
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
