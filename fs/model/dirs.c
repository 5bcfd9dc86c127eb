/* SPDX-License-Identifier: MIT */
/* The paths that are directories by definition, and the matching of paths.  Any thread; pure. */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/dirs.h"
#include "fs/model/name.h"

#define NONE "none"
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
};

#define N_BUILTIN (sizeof(builtin) / sizeof(builtin[0]))

const char *dirs_builtin(unsigned i)
{
	return i < N_BUILTIN ? builtin[i] : NULL;
}

/* What a pattern may have beside the letters of names. */
static bool is_pattern(const char *text, size_t len)
{
	const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			      "-_@/*?[]!^";

	return len > 1 && len < PATH_SIZE && text[0] == '/' && text[len - 1] != '/' &&
	       strspn(text, allowed) >= len && !memmem(text, len, "//", 2);
}

bool dirs_option_is_legal(const char *option)
{
	size_t len;

	for (;; option += len + 1) {
		len = strcspn(option, ":");
		if (!is_pattern(option, len) &&
		    !(len == strlen(NONE) && !strncmp(option, NONE, len)))
			return false;
		if (!option[len])
			return true;
	}
}

int dirs_init(struct dirs *dirs, const char *option)
{
	char *pattern, *rest;
	size_t n = 0, max = 2;

	*dirs = (struct dirs){ .builtin = true };
	if (!option)
		return 0;
	for (const char *p = option; (p = strchr(p, ':')); p++)
		max++;
	dirs->text = rest = strdup(option);
	dirs->extra = calloc(max, sizeof(*dirs->extra));
	if (!dirs->text || !dirs->extra) {
		dirs_deinit(dirs);
		return -ENOMEM;
	}
	while ((pattern = strsep(&rest, ":"))) {
		if (!strcmp(pattern, NONE))
			dirs->builtin = false;
		else
			dirs->extra[n++] = pattern;
	}
	return 0;
}

void dirs_deinit(struct dirs *dirs)
{
	free(dirs->text);
	free(dirs->extra);
	*dirs = (struct dirs){ 0 };
}

static unsigned depth(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/*
 * A star stands for one name, or a part of it, but never for a slash.  fnmatch(3) takes a third of a
 * microsecond, and is asked last.
 */
static bool matches(const char *pattern, const char *path)
{
	const char *last = strrchr(pattern, '/');

	if (depth(pattern) != depth(path) ||
	    (!strpbrk(last, "*?[") && strcmp(last, strrchr(path, '/'))))
		return false;
	return fnmatch(pattern, path, FNM_PATHNAME | FNM_NOESCAPE) == 0;
}

bool dirs_has(const struct dirs *dirs, const char *path)
{
	if (dirs->builtin)
		for (size_t i = 0; i < N_BUILTIN; i++)
			if (matches(builtin[i], path))
				return true;
	for (size_t i = 0; dirs->extra && dirs->extra[i]; i++)
		if (matches(dirs->extra[i], path))
			return true;
	return false;
}
