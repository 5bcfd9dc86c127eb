/* SPDX-License-Identifier: MIT */
/* The table from store errors to file errors.  Pure; any thread. */
#include <errno.h>

#include "fs/model/error.h"
#include "ring/wire.h"

int error_from_store(uint32_t type, int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
		return -EDQUOT;
	case -E2BIG:
		if (type == XS_WRITE || type == XS_MKDIR)
			return -EFBIG;
		return type == XS_WATCH ? -EDQUOT : -E2BIG;
	case -EMSGSIZE:
		if (type == XS_SET_PERMS)
			return -E2BIG;
		return type == XS_WRITE ? -EFBIG : -ENAMETOOLONG;
	case -EAGAIN:
		return -EBUSY;
	case -ENOSYS:
		return -EOPNOTSUPP;
	/* The kernel reports ENOTCONN for a mount whose process is gone, and our
	 * process is here. */
	case -ENOTCONN:
	case -ESTALE:
	case -ESHUTDOWN:
	case -EPROTO:
	case -EISCONN:
		return -EIO;
	default:
		return error;
	}
}
