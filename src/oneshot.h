/* SPDX-License-Identifier: MIT */
/*
 * A single request over a server's socket, on a connection of its own.
 * For requests to a server that do not go through the mount: main thread, before fs_run().
 */
#ifndef SRC_ONESHOT_H
#define SRC_ONESHOT_H

#include <stddef.h>
#include <stdint.h>

#include "ring/logger.h"

/*
 * Sends a request of `type` with `len` bytes at `data` to the server whose socket is at `path`
 * and waits for the answer, for at most `timeout_ms`.
 * Returns 0, the errno of the connection, or the store's own error.
 */
int oneshot_call(const char *path, uint32_t type, const void *data, size_t len,
		 unsigned timeout_ms, struct logger *log);

#endif
