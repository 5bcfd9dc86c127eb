/* SPDX-License-Identifier: MIT */
/* The paths that are directories by definition.  Any thread; pure. */
#include <stddef.h>

#include "fs/model/dirs.h"

#define HOME "/local/domain/[0-9]*"
#define ID "/[0-9]*"

/*
 * From Xen's docs/misc/xenstore-paths.pandoc: all that it puts something below.  Libxl makes
 * many of them empty when it creates a domain (tools/libs/light/libxl_create.c), and the guest, or
 * the backend, fills them.  A path of which the document says that it has a value is not here, also
 * if it may be empty: control/shutdown, control/feature-*, device/suspend/event-channel,
 * rtc/timeoffset, attr/vif/ID/ipv4/INDEX.  Ids begin with a digit, so that values beside them do
 * not match (libxl/disable_udev, device/suspend/event-channel).
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
	/* The guest's own. */
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
	/* Devices: first of one type, then of one domain. */
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
	/* The toolstack's. */
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
	/* Not in the document: libxl_cpupool.c makes a directory for each pool, xenpmd.c /pm. */
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
