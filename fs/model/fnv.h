/* SPDX-License-Identifier: MIT */
/*
 * FNV-1a, a hash of 64 bits.  Anybody can make two texts that collide, so it is only for what harms
 * nobody but their author.
 */
#ifndef FS_MODEL_FNV_H
#define FS_MODEL_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_BEGIN UINT64_C(14695981039346656037)

/* Returns the hash of what `h` is the hash of, with `len` more bytes at `data`. */
static inline uint64_t fnv(uint64_t h, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ bytes[i]) * UINT64_C(1099511628211);
	return h;
}

/* Returns the hash of a value, in which its length counts too. */
static inline uint64_t fnv_value(const void *value, size_t len)
{
	return fnv(fnv(FNV_BEGIN, &len, sizeof(len)), value, len);
}

#endif
