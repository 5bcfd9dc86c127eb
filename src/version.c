/* SPDX-License-Identifier: MIT */
/*
 * Prints the output of `xsfs -V`.  The versions of the libraries that it was built with come from
 * configure, as not all the libraries' headers contain them.
 */
#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <limits.h>
#include <stdio.h>

#include "src/loopback.h"
#include "src/version.h"

#ifdef HAVE_XEN
static void xen_print(FILE *out)
{
	char path[PATH_MAX];

	fputs("transports: socket, xenbus, ring\n", out);
	fprintf(out, "built with Xen %s: libxenevtchn %s, libxenforeignmemory %s, ", XEN_VERSION, XENEVTCHN_VERSION,
		XENFOREIGNMEMORY_VERSION);
#ifdef HAVE_XENCALL
	fprintf(out, "libxencall %s\n", XENCALL_VERSION);
#else
	fputs("no libxencall\n", out);
#endif
	if (loopback_library(path, sizeof(path)) == 0)
		fprintf(out, "embedded: %s\n", path);
	else
		fputs("embedded: not installed (" LOOPBACK_PACKAGE ")\n", out);
}
#else
static void xen_print(FILE *out)
{
	fputs("transports: socket, xenbus\n"
	      "built without Xen's libraries\n"
	      "embedded: needs them\n", out);
}
#endif

void version_print(FILE *out)
{
	fprintf(out, "xsfs %s\n", PACKAGE_VERSION);
	fprintf(out, "libfuse %s, built with %s\n", fuse_pkgversion(), FUSE_BUILD_VERSION);
	xen_print(out);
#ifdef HAVE_SECCOMP
	fprintf(out, "system calls filtered by libseccomp %s\n", SECCOMP_VERSION);
#else
	fputs("system calls not filtered: built without libseccomp\n", out);
#endif
	fprintf(out, "tools: jansson %s\n", JANSSON_VERSION);
}
