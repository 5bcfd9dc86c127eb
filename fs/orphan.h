/* SPDX-License-Identifier: MIT */
/*
 * Mounts whose server does not answer, and among them those whose server was killed and cannot end
 * (src/guard.h says why): nobody who asks such a mount ever gets an answer, so it is never asked in
 * this process.
 * Main thread.
 */
#ifndef FS_ORPHAN_H
#define FS_ORPHAN_H

#include <stdbool.h>

/*
 * Aborts the FUSE connection `number` if its server was killed and cannot end, and returns whether it did.
 * Newer kernels tell who serves a connection (6.18 does, in /proc/PID/fdinfo), each PID namespace about its own
 * processes; without that knowledge nothing is aborted.
 */
bool orphan_abort(unsigned number);

/* Asks the server of a mount that is open at `fd` for the attributes of its root, in another process.
 * Returns 0 or -errno; -ETIMEDOUT: there was no answer for ten seconds. */
int server_ask(int fd);

#endif
