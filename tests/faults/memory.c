/* SPDX-License-Identifier: MIT */
/* The wrapped functions behind memory.h. */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "tests/faults/memory.h"

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
char *__wrap_strdup(const char *s);

static atomic_uint until; /* allocations up to the one that fails; 0: none will */
static atomic_bool failed;
static _Thread_local unsigned own;

void memory_fail_at(unsigned n)
{
	atomic_store(&failed, false);
	atomic_store(&until, n);
}

bool memory_failed(void)
{
	return atomic_load(&failed);
}

void memory_own_begin(void)
{
	own++;
}

void memory_own_end(void)
{
	own--;
}

static bool fails(void)
{
	if (own || !atomic_load(&until) || atomic_fetch_sub(&until, 1) != 1)
		return false;
	atomic_store(&failed, true);
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

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}
