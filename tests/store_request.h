/* SPDX-License-Identifier: MIT */
/*
 * A client of the store's own protocol, one request after the other: on the server's socket, or on .xsfs/xenbus.
 * For histories and killer.  No state.
 */
#ifndef TESTS_STORE_REQUEST_H
#define TESTS_STORE_REQUEST_H

#include <stddef.h>
#include <stdint.h>

/* Returns a connected socket, or -1. */
int store_connect(const char *path);

/* One request and its answer, to which a NUL is added; events that come in between are skipped.  `answer` has room
 * for XENSTORE_PAYLOAD_MAX bytes and that.  Returns 0, an errno of the store, or EPIPE if the connection is of no
 * more use. */
int store_request(int fd, uint32_t type, uint32_t tx, const void *body, size_t len, char *answer, size_t *answer_len);

#endif
