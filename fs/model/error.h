/* SPDX-License-Identifier: MIT */
/* How a refusal by the store is reported as a file error.  Pure; any thread. */
#ifndef FS_MODEL_ERROR_H
#define FS_MODEL_ERROR_H

#include <stdint.h>

/*
 * Translates the result of a request of `type` (0 or -errno, see ring/chan.h and
 * ring/wire.h) to the error that the user of a file gets.  The table of xsfs(5), "ERRORS":
 *
 *   ENOSPC, EDQUOT (any)         -> EDQUOT         a quota of the server
 *   E2BIG  (WRITE, MKDIR)        -> EFBIG          value larger than the server takes
 *   E2BIG  (WATCH)               -> EDQUOT         quota of watches
 *   E2BIG  (any other)           -> E2BIG          directory larger than a reply
 *   EMSGSIZE (WRITE)             -> EFBIG          value larger than the transport carries
 *   EMSGSIZE (SET_PERMS)         -> E2BIG          list of permissions, likewise
 *   EMSGSIZE (any other)         -> ENAMETOOLONG
 *   EINVAL (path over 1024 B)    -> ENAMETOOLONG   the server's limit, by op_call_error()
 *   EAGAIN (any)                 -> EBUSY          from a commit, after the retries
 *   ENOSYS (any)                 -> EOPNOTSUPP     (ENOSYS would tell the kernel never to ask again)
 *   ESTALE, ESHUTDOWN, EPROTO    -> EIO            the connection, see ring/chan.h
 *   EISCONN (any)                -> EIO            the server reports a state of its own
 *   all others                   -> unchanged
 */
int error_from_store(uint32_t type, int error);

#endif
