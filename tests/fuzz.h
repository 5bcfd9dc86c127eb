/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets, fuzz_*.c, share: the input as a series of decisions, and the time, which passes
 * when the input says so.  An input that is used up decides 0 for ever.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Called by fuzz_main.c, or by libFuzzer.  Returns 0; what is wrong ends the program. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz {
	const uint8_t *at, *end;
};

static inline bool fuzz_is_over(const struct fuzz *in)
{
	return in->at == in->end;
}

static inline uint8_t fuzz_byte(struct fuzz *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

/* Returns a number below `n`, which is at most 256. */
static inline unsigned fuzz_below(struct fuzz *in, unsigned n)
{
	return fuzz_byte(in) % n;
}

/* Returns a number of `bytes` bytes. */
static inline uint64_t fuzz_uint(struct fuzz *in, unsigned bytes)
{
	uint64_t number = 0;

	while (bytes-- > 0)
		number = number << 8 | fuzz_byte(in);
	return number;
}

/* Takes up to `max` bytes: their number comes first, as one byte.  Returns it. */
static inline size_t fuzz_bytes(struct fuzz *in, void *to, size_t max)
{
	size_t len = fuzz_byte(in);

	if (len > max)
		len = max;
	if (len > (size_t)(in->end - in->at))
		len = in->end - in->at;
	memcpy(to, in->at, len);
	in->at += len;
	return len;
}

/* The same as a string of at most `size` bytes with its NUL. */
static inline void fuzz_string(struct fuzz *in, char *to, size_t size)
{
	size_t len = fuzz_bytes(in, to, size - 1);

	to[len] = '\0';
}

/* fuzz_time.c: lets `ms` milliseconds pass, as far as clock_gettime(2) tells, which the target has to be linked
 * with by --wrap. */
void fuzz_time_passes(uint64_t ms);

#endif
