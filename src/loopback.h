/* SPDX-License-Identifier: MIT */
/*
 * The loopback library, which stands in for Xen's libraries, and the command that makes worlds for it and starts
 * servers in them.  Main thread.
 */
#ifndef SRC_LOOPBACK_H
#define SRC_LOOPBACK_H

#include <stddef.h>

/* The package that provides them, for messages. */
#define LOOPBACK_PACKAGE "a complete installation has it; Debian: the package xsfs-embedded"

/* Finds the library.  Returns 0 with its path in `path`, or -errno with the path where it should be. */
int loopback_library(char *path, size_t size);

/* The same for the command. */
int loopback_command(char *path, size_t size);

/*
 * Makes sure that the library is preloaded: if it is not, executes this program again with it.  Before any
 * thread and any fork.
 * Returns 0, or -errno with one line in `why`; does not return if it executes the program again.
 */
int loopback_preload(char **argv, char *why, size_t size);

#endif
