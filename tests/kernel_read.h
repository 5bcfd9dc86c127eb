/* SPDX-License-Identifier: MIT */
/* The `read` of a struct fuse_custom_io for a kernel that a test plays. */
#ifndef TESTS_KERNEL_READ_H
#define TESTS_KERNEL_READ_H

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

/* There is nothing to read: requests are handed to libfuse directly. */
static inline ssize_t kernel_read(int fd, void *buf, size_t len, void *userdata)
{
	(void)fd;
	(void)buf;
	(void)len;
	(void)userdata;
	errno = EAGAIN;
	return -1;
}

#endif
