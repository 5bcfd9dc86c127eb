/* SPDX-License-Identifier: MIT */
/* The directories that a host cannot do without.  Any thread; pure. */
#include <stddef.h>

#include "fs/model/guarded.h"

#define HOME "/local/domain/[0-9]*"

/*
 * From Xen's docs/misc/xenstore-paths.pandoc, and from libxl: where the toolstack and the drivers look
 * for what belongs to a domain, and what they make when the host or the domain starts and not again.
 * Single values, such as /local/domain/0/name, are not here: they are replaced in the course of
 * things, and easily written again.  Nor is what one device or one job of a guest's keeps, which
 * somebody may have to clear away.
 */
static const char *const builtin[] = {
	/* All domains, and what makes one of them known; libxl finds its devices in /libxl. */
	"/local",
	"/local/domain",
	HOME,
	"/libxl",
	"/libxl/[0-9]*",
	"/vm",
	"/vm/*",
	/* The names of the CPU pools: libxl_cpupool.c. */
	"/local/pool",
	"/local/pool/[0-9]*",
	/* Where the drivers of domain 0, or of a driver domain, serve the devices of all guests. */
	HOME "/backend",
	HOME "/backend/*",
	/* Domain 0 itself: its memory target, its CPUs, the device models of its guests. */
	"/local/domain/0/control",
	"/local/domain/0/cpu",
	"/local/domain/0/device-model",
	"/local/domain/0/libxl",
	"/local/domain/0/memory",
	/* The server's own, and the tools'. */
	"/tool",
	"/tool/xenstored",
	NULL,
};

int guarded_init(struct patterns *guarded, const char *option)
{
	return patterns_init(guarded, builtin, option);
}

const char *guarded_builtin(unsigned i)
{
	return builtin[i];
}
