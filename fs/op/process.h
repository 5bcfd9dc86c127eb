/* SPDX-License-Identifier: MIT */
/* Finds the process of a thread, through /proc.  Any thread; never waits. */
#ifndef FS_OP_PROCESS_H
#define FS_OP_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* How many ancestors process_descends() looks at. */
#define PROCESS_GENERATIONS 16

/* Returns the process of a thread, or the thread itself where that cannot be found out.  0 stays 0.
 * For the first thread of a process this is one cheap system call. */
pid_t process_of(pid_t thread);

/* Returns whether the thread belongs to `process` or to a process that descends from it by at most
 * PROCESS_GENERATIONS.  Reads /proc. */
bool process_descends(pid_t thread, pid_t process);

#endif
