/* SPDX-License-Identifier: MIT */
/* The paths that are directories by definition.  Any thread; pure. */
#include <stddef.h>

#include "fs/model/dirs.h"

#define HOME "/local/domain/[0-9]*"
#define ID "/[0-9]*"

/*
 * Every path below which Xen's docs/misc/xenstore-paths.pandoc places nodes.  Libxl creates many of
 * them empty along with a domain (tools/libs/light/libxl_create.c); the guest or the backend fills
 * them.  A path to which the document gives a value is left out even if the value may be empty:
 * control/shutdown, control/feature-*, device/suspend/event-channel, rtc/timeoffset,
 * attr/vif/ID/ipv4/INDEX.  The patterns of ids begin with a digit, so that values next to the ids
 * do not match (libxl/disable_udev, device/suspend/event-channel).
 */
static const char *const builtin[] = {
	"/local",
	"/local/domain",
	HOME,
	HOME "/cpu",
	HOME "/cpu" ID,
	HOME "/memory",
	HOME "/image",
	HOME "/store",
	HOME "/hvmloader",
	HOME "/hvmloader/pci",
	HOME "/bios-strings",
	HOME "/platform",
	HOME "/control",
	/* The guest's own directories. */
	HOME "/data",
	HOME "/drivers",
	HOME "/feature",
	HOME "/feature/hotplug",
	HOME "/attr",
	HOME "/attr/vif",
	HOME "/attr/vif" ID,
	HOME "/attr/vif" ID "/mac",
	HOME "/attr/vif" ID "/ipv4",
	HOME "/attr/vif" ID "/ipv6",
	HOME "/error", /* Linux writes error/device/TYPE/ID/error */
	/* Devices: first those of one type, then those of one domain. */
	HOME "/device",
	HOME "/device/*",
	HOME "/device/*" ID,
	HOME "/console",
	HOME "/serial",
	HOME "/serial" ID,
	HOME "/backend",
	HOME "/backend/*",
	HOME "/backend/*" ID,
	HOME "/backend/*" ID ID,
	HOME "/device-model",
	HOME "/device-model" ID,
	HOME "/device-model" ID "/backends",
	HOME "/device-model" ID "/backends/*",
	HOME "/libxl",
	HOME "/libxl" ID,
	/* The toolstack's directories. */
	"/vm",
	"/vm/*",
	"/vm/*/image",
	"/vm/*/rtc",
	"/libxl",
	"/libxl" ID,
	"/libxl" ID "/device",
	"/libxl" ID "/device/*",
	"/libxl" ID "/device/*" ID,
	"/libxl" ID "/remus",
	"/libxl" ID "/remus/netbuf",
	"/libxl" ID "/remus/netbuf" ID,
	"/tool",
	"/tool/xenstored",
	/* Not in the document: libxl_cpupool.c makes a directory for each pool,
	 * xenpmd.c makes /pm. */
	"/local/pool",
	"/local/pool" ID,
	"/pm",
	NULL,
};

int dirs_init(struct patterns *dirs, const char *option)
{
	return patterns_init(dirs, builtin, option);
}

const char *dirs_builtin(unsigned i)
{
	return builtin[i];
}
