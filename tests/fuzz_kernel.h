/* SPDX-License-Identifier: MIT */
/*
 * The kernel of fuzz_fuse.c: it sends requests that a kernel could send, about nodeids and open files that it
 * has, and checks that each gets one answer, of the right shape.
 */
#ifndef TESTS_FUZZ_KERNEL_H
#define TESTS_FUZZ_KERNEL_H

#include "fs/op/fs_impl.h"
#include "tests/fuzz.h"

/* The lock is held from beginning to end, which an analysis of single functions cannot follow. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wthread-safety-analysis"
#endif

/* The session of `fs` gets its kernel, which begins with INIT. */
void kernel_begin(struct fs *fs);

/* Sends the request that the input decides. */
void kernel_asks(struct fs *fs, struct fuzz *in);

/* Goes from the root to a name below, by looking up each: kernel_looks_up() sends the request, and when it was
 * answered kernel_arrived() says whether there is something.  kernel_opens() opens it then. */
void kernel_goes_to_root(void);
void kernel_looks_up(struct fs *fs, const char *name);
bool kernel_arrived(void);
void kernel_opens(struct fs *fs, struct fuzz *in);

/* Ends the program unless all was answered. */
void kernel_ends(void);

#endif
