/* SPDX-License-Identifier: MIT */
/*
 * The output of `xsfs -V`: for bug reports, and for scripts that need to know what
 * this build can do.
 * For main.c, main thread.
 */
#ifndef SRC_VERSION_H
#define SRC_VERSION_H

#include <stdio.h>

/*
 * Prints the version, then a line each for the libraries (with the version that it was built
 * with and, where a library tells it, the one that it runs with), the transports, the embedded
 * store and the tools.
 * The first line is "xsfs VERSION" in all versions.
 */
void version_print(FILE *out);

#endif
