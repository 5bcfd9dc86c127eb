/* SPDX-License-Identifier: MIT */
/*
 * A client of the store's own protocol that makes one request at a time: over `.xsfs/xenbus` of a
 * mount, or over a server's socket.  For tools that need what no file operation offers, such as a
 * write that makes the parents too.  Main thread; calls block.
 */
#ifndef SRC_TOOLS_RAW_H
#define SRC_TOOLS_RAW_H

#include <stddef.h>
#include <stdint.h>

struct raw {
	int fd;
	uint32_t id; /* of the last request */
};

/* Opens a socket or a device.  Returns 0 or -errno. */
int raw_open(struct raw *raw, const char *path);
void raw_close(struct raw *raw);

/*
 * Sends a request whose payload is `path` with its NUL and `len` bytes at `data`, in the
 * transaction `tx` (0: none), and waits for the answer.  *reply, if `reply` is not NULL, gets the
 * answer, followed by a NUL, for the caller to free.
 * Returns its length, the store's own error, or -errno of the connection.
 */
int raw_call(struct raw *raw, uint32_t type, uint32_t tx, const char *path, const void *data,
	     size_t len, char **reply);

/* Returns 0 with *tx set, or -errno. */
int raw_start(struct raw *raw, uint32_t *tx);

/* Ends a transaction.  Returns 0, -EAGAIN for a conflict (nothing was changed), or -errno. */
int raw_commit(struct raw *raw, uint32_t tx);
void raw_abort(struct raw *raw, uint32_t tx);

#endif
