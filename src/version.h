/* SPDX-License-Identifier: MIT */
/*
 * What `xsfs -V` prints: for bug reports, and for scripts that ask what this build can do.
 * For main.c, main thread.
 */
#ifndef SRC_VERSION_H
#define SRC_VERSION_H

#include <stdio.h>

/*
 * Prints the version, then a line each for the libraries, with the version that it was built with and the one
 * that it runs with where a library tells, the transports, the embedded store and the tools.
 * The first line is "xsfs VERSION" in all versions.
 */
void version_print(FILE *out);

#endif
