/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target for the parsers of ring/wire.c: the first byte chooses one, the rest is its input.
 * fuzz_main.c replays inputs.  The invariants of every input are asserted.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/wire.h"
#include "tests/fuzz.h"

static void fuzz_error(const char *body, size_t len)
{
	bool known;
	int err = wire_error_parse(body, len, &known);

	assert(err < 0);
	/* EQUOTA is the only name that cannot be translated back. */
	if (known && err != -EDQUOT)
		assert(!strcmp(wire_error_name(err), body));
	assert(known || err == -EIO);
}

static void fuzz_strings(const char *body, size_t len)
{
	struct wire_strings s = wire_strings_init(body, len);
	const char *str, *expected = body;
	size_t n;
	int rc;

	while ((rc = wire_strings_next(&s, &str, &n)) == 1) {
		assert(str == expected);
		assert(strlen(str) == n);
		expected = str + n + 1;
	}
	/* All of it was seen, or the rest holds no NUL. */
	if (rc == 0)
		assert(expected == body + len);
	else
		assert(rc == -EPROTO && !memchr(expected, '\0', body + len - expected));
}

static void fuzz_directory_part(const char *body, size_t len)
{
	struct wire_strings names;
	const char *name;
	uint64_t gen;
	size_t next, n;
	bool last;
	int rc;

	if (wire_directory_part_parse(body, len, &gen, &names, &next, &last))
		return;
	/* Progress or the end: no input may cause an endless series of requests. */
	assert(next || last);
	assert(names.pos >= body && names.end <= body + len);
	assert((size_t)(names.end - names.pos) == next);
	while ((rc = wire_strings_next(&names, &name, &n)) == 1)
		assert(n);
	assert(rc == 0);
}

static void fuzz_event(const char *body, size_t len)
{
	const char *path, *token;

	if (wire_event_parse(body, len, &path, &token))
		return;
	assert(path == body);
	assert(strlen(path) + 1 + strlen(token) + 1 == len);
}

static void fuzz_perms_to_text(const char *body, size_t len)
{
	size_t size = len + 1;
	char *text = malloc(size), *back = malloc(size);
	int n, m;

	assert(text && back);
	n = wire_perms_to_text(body, len, text, size);
	if (n >= 0) {
		assert(strlen(text) == (size_t)n);
		m = wire_perms_from_text(text, n, back, size);
		assert((size_t)m == len && !memcmp(back, body, len));
		/* It needs the NUL's byte as well, and says so. */
		assert(wire_perms_to_text(body, len, text, n) == -ERANGE);
	}
	free(text);
	free(back);
}

static void fuzz_perms_from_text(const char *text, size_t len)
{
	size_t size = len + 1;
	char *body = malloc(size), *back = malloc(size);
	int n, m;

	assert(body && back);
	n = wire_perms_from_text(text, len, body, size);
	if (n >= 0) {
		m = wire_perms_to_text(body, n, back, size);
		assert(m == n - 1 && !memcmp(back, text, m));
		assert(wire_perms_from_text(text, len, body, n - 1) == -ERANGE);
	}
	free(body);
	free(back);
}

static void fuzz_number(const char *s, size_t len)
{
	uint64_t v, w, max = UINT64_MAX;
	char text[24];

	if (len && s[0] == '!') {
		/* A smaller limit. */
		s++;
		len--;
		max = 65535;
	}
	if (wire_number_parse(s, len, max, &v))
		return;
	assert(v <= max);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	assert(strlen(text) <= len && !memcmp(s + len - strlen(text), text, strlen(text)));
	assert(!wire_number_parse(s, len, v, &w) && v == w);
	assert(!v || wire_number_parse(s, len, v - 1, &w) == -EINVAL);
}

#define TARGETS 7

/* '1' is 49, a multiple of 7: the digits 1 to 7 choose these in order. */
static void (*const targets[TARGETS])(const char *, size_t) = {
	fuzz_error, fuzz_strings, fuzz_directory_part, fuzz_event,
	fuzz_perms_to_text, fuzz_perms_from_text, fuzz_number,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy;

	if (!size)
		return 0;
	/* A copy that ends where the input ends: one byte too many is then seen. */
	copy = malloc(size);
	assert(copy);
	memcpy(copy, data, size);
	/* A digit in the handmade corpus; any byte will do. */
	targets[data[0] % TARGETS](copy + 1, size - 1);
	free(copy);
	return 0;
}
