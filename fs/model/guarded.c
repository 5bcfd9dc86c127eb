/* SPDX-License-Identifier: MIT */
/* The directories that a host cannot do without.  Any thread; pure. */
#include <stddef.h>

#include "fs/model/guarded.h"

#define HOME "/local/domain/[0-9]*"

/*
 * From Xen's docs/misc/xenstore-paths.pandoc and from libxl: the directories in which the toolstack
 * and the drivers look for a domain's nodes, and which they make once, when the host or the domain
 * starts.  Single values, such as /local/domain/0/name, are left out: they are replaced in normal
 * operation and easily rewritten.  So are the nodes of a single device or job of a guest, which
 * somebody may have to clear away.
 */
static const char *const builtin[] = {
	/* All domains, and the nodes that make a domain known; libxl finds its
	 * devices in /libxl. */
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
	/* Domain 0, or a driver domain, serves the devices of all guests from here. */
	HOME "/backend",
	HOME "/backend/*",
	/* Domain 0 itself: its memory target, its CPUs, the device models of its guests. */
	"/local/domain/0/control",
	"/local/domain/0/cpu",
	"/local/domain/0/device-model",
	"/local/domain/0/libxl",
	"/local/domain/0/memory",
	/* Directories of the server and of the tools. */
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
