/* SPDX-License-Identifier: MIT */
/* See failing_malloc.h. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/failing_malloc.h"

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

unsigned malloc_countdown;

static bool fails(void)
{
	if (!malloc_countdown || --malloc_countdown)
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}
