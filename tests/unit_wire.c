/* SPDX-License-Identifier: MIT */
/* Tests ring/wire.c: the meaning of the protocol's bytes, and that wrong ones are refused. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring/wire.h"

/* A literal and its size without the NUL that C adds: the bytes of a payload. */
#define BODY(literal) literal, sizeof(literal) - 1

static void type_names(void **state)
{
	(void)state;
	assert_string_equal(wire_type_name(XS_CONTROL), "CONTROL");
	assert_string_equal(wire_type_name(XS_DIRECTORY), "DIRECTORY");
	assert_string_equal(wire_type_name(XS_READ), "READ");
	assert_string_equal(wire_type_name(XS_GET_PERMS), "GET_PERMS");
	assert_string_equal(wire_type_name(XS_WATCH), "WATCH");
	assert_string_equal(wire_type_name(XS_UNWATCH), "UNWATCH");
	assert_string_equal(wire_type_name(XS_TRANSACTION_START), "TRANSACTION_START");
	assert_string_equal(wire_type_name(XS_TRANSACTION_END), "TRANSACTION_END");
	assert_string_equal(wire_type_name(XS_INTRODUCE), "INTRODUCE");
	assert_string_equal(wire_type_name(XS_RELEASE), "RELEASE");
	assert_string_equal(wire_type_name(XS_GET_DOMAIN_PATH), "GET_DOMAIN_PATH");
	assert_string_equal(wire_type_name(XS_WRITE), "WRITE");
	assert_string_equal(wire_type_name(XS_MKDIR), "MKDIR");
	assert_string_equal(wire_type_name(XS_RM), "RM");
	assert_string_equal(wire_type_name(XS_SET_PERMS), "SET_PERMS");
	assert_string_equal(wire_type_name(XS_WATCH_EVENT), "WATCH_EVENT");
	assert_string_equal(wire_type_name(XS_ERROR), "ERROR");
	assert_string_equal(wire_type_name(XS_IS_DOMAIN_INTRODUCED), "IS_DOMAIN_INTRODUCED");
	assert_string_equal(wire_type_name(XS_RESUME), "RESUME");
	assert_string_equal(wire_type_name(XS_SET_TARGET), "SET_TARGET");
	assert_string_equal(wire_type_name(XS_RESET_WATCHES), "RESET_WATCHES");
	assert_string_equal(wire_type_name(XS_DIRECTORY_PART), "DIRECTORY_PART");
	assert_string_equal(wire_type_name(WIRE_GET_FEATURE), "GET_FEATURE");
	assert_string_equal(wire_type_name(WIRE_SET_FEATURE), "SET_FEATURE");
	assert_string_equal(wire_type_name(WIRE_GET_QUOTA), "GET_QUOTA");
	assert_string_equal(wire_type_name(WIRE_SET_QUOTA), "SET_QUOTA");
}

static void type_names_unknown(void **state)
{
	(void)state;
	/* The number of XS_RESTRICT, which was removed. */
	assert_string_equal(wire_type_name(XS_SET_TARGET + 1), "UNKNOWN");
	assert_string_equal(wire_type_name(WIRE_TYPE_COUNT), "UNKNOWN");
	assert_string_equal(wire_type_name(XS_INVALID), "UNKNOWN");
	assert_string_equal(wire_type_name(UINT32_MAX), "UNKNOWN");
}

/* The protocol's numbers are on the wire: they must not move with anybody's header. */
static void type_numbers(void **state)
{
	(void)state;
	assert_int_equal(XS_RESET_WATCHES, 21);
	assert_int_equal(XS_DIRECTORY_PART, 22);
	assert_int_equal(WIRE_GET_FEATURE, 23);
	assert_int_equal(WIRE_SET_QUOTA, 26);
	assert_int_equal(WIRE_HEADER_SIZE, 16);
}

static void assert_error(const char *body, size_t len, int err, bool known)
{
	bool k = !known;

	assert_int_equal(wire_error_parse(body, len, &k), err);
	assert_int_equal(k, known);
	assert_int_equal(wire_error_parse(body, len, NULL), err);
}

static void error_names(void **state)
{
	(void)state;
	assert_error(BODY("EINVAL\0"), -EINVAL, true);
	assert_error(BODY("EACCES\0"), -EACCES, true);
	assert_error(BODY("EEXIST\0"), -EEXIST, true);
	assert_error(BODY("EISDIR\0"), -EISDIR, true);
	assert_error(BODY("ENOENT\0"), -ENOENT, true);
	assert_error(BODY("ENOMEM\0"), -ENOMEM, true);
	assert_error(BODY("ENOSPC\0"), -ENOSPC, true);
	assert_error(BODY("EIO\0"), -EIO, true);
	assert_error(BODY("ENOTEMPTY\0"), -ENOTEMPTY, true);
	assert_error(BODY("ENOSYS\0"), -ENOSYS, true);
	assert_error(BODY("EROFS\0"), -EROFS, true);
	assert_error(BODY("EBUSY\0"), -EBUSY, true);
	assert_error(BODY("EAGAIN\0"), -EAGAIN, true);
	assert_error(BODY("EISCONN\0"), -EISCONN, true);
	assert_error(BODY("E2BIG\0"), -E2BIG, true);
	assert_error(BODY("EPERM\0"), -EPERM, true);
	assert_error(BODY("EQUOTA\0"), -EDQUOT, true);
}

static void error_names_unknown(void **state)
{
	(void)state;
	assert_error(BODY(""), -EIO, false);
	assert_error(BODY("\0"), -EIO, false);
	assert_error(BODY("ENOENT"), -EIO, false);
	assert_error(BODY("ENOEN\0"), -EIO, false);
	assert_error(BODY("ENOENTX\0"), -EIO, false);
	assert_error(BODY("enoent\0"), -EIO, false);
	assert_error(BODY("\0ENOENT\0"), -EIO, false);
	assert_error(NULL, 0, -EIO, false);
}

static void error_name_of_errno(void **state)
{
	(void)state;
	assert_string_equal(wire_error_name(ENOENT), "ENOENT");
	assert_string_equal(wire_error_name(-ENOENT), "ENOENT");
	assert_string_equal(wire_error_name(-E2BIG), "E2BIG");
	assert_string_equal(wire_error_name(EPERM), "EPERM");
	assert_string_equal(wire_error_name(0), "EIO");
	assert_string_equal(wire_error_name(-ETIMEDOUT), "EIO");
	assert_string_equal(wire_error_name(INT_MIN), "EIO");
}

static void strings_in_order(void **state)
{
	struct wire_strings s = wire_strings_init(BODY("a\0\0bcd\0"));
	const char *str;
	size_t len;

	(void)state;
	assert_int_equal(wire_strings_next(&s, &str, &len), 1);
	assert_string_equal(str, "a");
	assert_int_equal(len, 1);
	assert_int_equal(wire_strings_next(&s, &str, &len), 1);
	assert_string_equal(str, "");
	assert_int_equal(len, 0);
	assert_int_equal(wire_strings_next(&s, &str, NULL), 1);
	assert_string_equal(str, "bcd");
	assert_int_equal(wire_strings_next(&s, &str, &len), 0);
	assert_int_equal(wire_strings_next(&s, &str, &len), 0);
}

static void strings_without_end(void **state)
{
	struct wire_strings s = wire_strings_init(BODY("a\0bc"));
	const char *str, *kept;
	size_t len;

	(void)state;
	assert_int_equal(wire_strings_next(&s, &str, &len), 1);
	kept = str;
	assert_int_equal(wire_strings_next(&s, &str, &len), -EPROTO);
	assert_ptr_equal(str, kept);
	assert_int_equal(len, 1);
	assert_int_equal(wire_strings_next(&s, &str, &len), -EPROTO);
}

static void strings_empty(void **state)
{
	struct wire_strings s = wire_strings_init(NULL, 0);
	const char *str;

	(void)state;
	assert_int_equal(wire_strings_next(&s, &str, NULL), 0);
}

static void assert_part(const char *body, size_t len, uint64_t gen, const char *names,
			size_t names_len, bool last)
{
	struct wire_strings s;
	uint64_t g = ~gen;
	size_t next = ~names_len;
	bool l = !last;

	assert_int_equal(wire_directory_part_parse(body, len, &g, &s, &next, &l), 0);
	assert_int_equal(g, gen);
	assert_int_equal(next, names_len);
	assert_int_equal(l, last);
	assert_int_equal(s.end - s.pos, names_len);
	assert_memory_equal(s.pos, names, names_len);
}

static void directory_part(void **state)
{
	(void)state;
	assert_part(BODY("12\0a\0bc\0"), 12, BODY("a\0bc\0"), false);
	assert_part(BODY("12\0a\0bc\0\0"), 12, BODY("a\0bc\0"), true);
	/* An empty directory, or an offset behind its end. */
	assert_part(BODY("0\0\0"), 0, BODY(""), true);
	assert_part(BODY("18446744073709551615\0x\0\0"), UINT64_MAX, BODY("x\0"), true);
	assert_part(BODY("4294967297\0x\0\0"), 4294967297, BODY("x\0"), true);
}

static void assert_part_refused(const char *body, size_t len)
{
	struct wire_strings s;
	uint64_t gen;
	size_t next;
	bool last;

	assert_int_equal(wire_directory_part_parse(body, len, &gen, &s, &next, &last), -EPROTO);
}

static void directory_part_malformed(void **state)
{
	(void)state;
	assert_part_refused(BODY(""));
	assert_part_refused(BODY("12"));
	assert_part_refused(BODY("\0a\0\0"));
	assert_part_refused(BODY("x\0a\0\0"));
	assert_part_refused(BODY("-1\0a\0\0"));
	assert_part_refused(BODY("18446744073709551616\0a\0\0"));
	/* No progress: it would be asked for again and again. */
	assert_part_refused(BODY("12\0"));
	assert_part_refused(BODY("12\0a\0b"));
	/* The mark is not at the end. */
	assert_part_refused(BODY("12\0a\0\0b\0"));
	assert_part_refused(BODY("12\0\0a\0"));
	assert_part_refused(BODY("12\0a\0\0\0"));
}

static void event(void **state)
{
	const char *path, *token;

	(void)state;
	assert_int_equal(wire_event_parse(BODY("/a/b\0" "17\0"), &path, &token), 0);
	assert_string_equal(path, "/a/b");
	assert_string_equal(token, "17");
	assert_int_equal(wire_event_parse(BODY("@releaseDomain\0\0"), &path, &token), 0);
	assert_string_equal(path, "@releaseDomain");
	assert_string_equal(token, "");
}

static void event_malformed(void **state)
{
	const char *path, *token;

	(void)state;
	assert_int_equal(wire_event_parse(BODY(""), &path, &token), -EPROTO);
	assert_int_equal(wire_event_parse(BODY("/a"), &path, &token), -EPROTO);
	assert_int_equal(wire_event_parse(BODY("/a\0"), &path, &token), -EPROTO);
	assert_int_equal(wire_event_parse(BODY("/a\0t"), &path, &token), -EPROTO);
	assert_int_equal(wire_event_parse(BODY("/a\0t\0x"), &path, &token), -EPROTO);
	assert_int_equal(wire_event_parse(BODY("/a\0t\0x\0"), &path, &token), -EPROTO);
}

/* A copy of exactly `len` bytes, so that the sanitizer sees one byte too many. */
static char *exact(const char *bytes, size_t len)
{
	char *copy = malloc(len);

	assert_true(copy || !len);
	if (len && bytes)
		memcpy(copy, bytes, len);
	return copy;
}

static int to_text(const char *body, size_t len, char *copy, size_t size)
{
	char *in = exact(body, len), *out = exact(NULL, size);
	int n = wire_perms_to_text(in, len, out, size);

	if (n >= 0)
		memcpy(copy, out, n + 1);
	free(in);
	free(out);
	return n;
}

static int from_text(const char *text, size_t len, char *copy, size_t size)
{
	char *in = exact(text, len), *out = exact(NULL, size);
	int n = wire_perms_from_text(in, len, out, size);

	if (n >= 0)
		memcpy(copy, out, n);
	free(in);
	free(out);
	return n;
}

static void perms_to_text(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(to_text(BODY("n0\0"), text, sizeof(text)), 2);
	assert_string_equal(text, "n0");
	assert_int_equal(to_text(BODY("n0\0r5\0w65535\0b7\0"), text, sizeof(text)), 15);
	assert_string_equal(text, "n0,r5,w65535,b7");
}

static void perms_to_text_size(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(to_text(BODY("n0\0r5\0"), text, 6), 5);
	assert_string_equal(text, "n0,r5");
	assert_int_equal(to_text(BODY("n0\0r5\0"), text, 5), -ERANGE);
	assert_int_equal(to_text(BODY("n0\0r5\0"), text, 3), -ERANGE);
	assert_int_equal(to_text(BODY("n0\0r5\0"), text, 0), -ERANGE);
}

static void perms_to_text_malformed(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(to_text(BODY(""), text, sizeof(text)), -EINVAL);
	assert_int_equal(to_text(BODY("\0"), text, sizeof(text)), -EINVAL);
	assert_int_equal(to_text(BODY("n0"), text, sizeof(text)), -EINVAL);
	assert_int_equal(to_text(BODY("n\0"), text, sizeof(text)), -EINVAL);
	assert_int_equal(to_text(BODY("x0\0"), text, sizeof(text)), -EINVAL);
	assert_int_equal(to_text(BODY("n0\0\0"), text, sizeof(text)), -EINVAL);
	assert_int_equal(to_text(BODY("n0\0r65536\0"), text, sizeof(text)), -EINVAL);
	assert_int_equal(to_text(BODY("n0\0r5"), text, sizeof(text)), -EINVAL);
}

static void perms_from_text(void **state)
{
	char body[64];

	(void)state;
	assert_int_equal(from_text(BODY("n0"), body, sizeof(body)), 3);
	assert_memory_equal(body, "n0", 3);
	assert_int_equal(from_text(BODY("n0,r5,w65535,b7\n"), body, sizeof(body)), 16);
	assert_memory_equal(body, "n0\0r5\0w65535\0b7", 16);
}

static void perms_from_text_size(void **state)
{
	char body[64];

	(void)state;
	assert_int_equal(from_text(BODY("n0,r5\n"), body, 6), 6);
	assert_memory_equal(body, "n0\0r5", 6);
	assert_int_equal(from_text(BODY("n0,r5\n"), body, 5), -ERANGE);
	assert_int_equal(from_text(BODY("n0"), body, 2), -ERANGE);
	assert_int_equal(from_text(BODY("n0"), body, 0), -ERANGE);
}

static void perms_from_text_malformed(void **state)
{
	static const char *const bad[] = {
		"", "\n", ",", "n", "n0,", ",n0", "n0,,r5", "n0\n\n", "n0 ", " n0", "n0, r5",
		"x0", "N0", "n-1", "n+1", "n65536", "n99999999999999999999999", "n0x1", "0n",
	};
	char body[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(from_text(bad[i], strlen(bad[i]), body, sizeof(body)), -EINVAL);
	/* A NUL is no letter and no digit. */
	assert_int_equal(from_text(BODY("\0" "0"), body, sizeof(body)), -EINVAL);
	assert_int_equal(from_text(BODY("n0\0"), body, sizeof(body)), -EINVAL);
}

static void number(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(wire_number_parse("0", 1, 0, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(wire_number_parse("42x", 2, 42, &v), 0);
	assert_int_equal(v, 42);
	assert_int_equal(wire_number_parse("007", 3, 9, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(wire_number_parse("18446744073709551615", 20, UINT64_MAX, &v), 0);
	assert_int_equal(v, UINT64_MAX);
}

static void number_refused(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_int_equal(wire_number_parse("", 0, 9, &v), -EINVAL);
	assert_int_equal(wire_number_parse("43", 2, 42, &v), -EINVAL);
	assert_int_equal(wire_number_parse("8", 1, 7, &v), -EINVAL);
	assert_int_equal(wire_number_parse("1", 1, 0, &v), -EINVAL);
	assert_int_equal(wire_number_parse("18446744073709551616", 20, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(wire_number_parse("99999999999999999999", 20, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(wire_number_parse("-1", 2, 9, &v), -EINVAL);
	assert_int_equal(wire_number_parse("+1", 2, 9, &v), -EINVAL);
	assert_int_equal(wire_number_parse(" 1", 2, 9, &v), -EINVAL);
	assert_int_equal(wire_number_parse("1 ", 2, 99, &v), -EINVAL);
	assert_int_equal(wire_number_parse("1/", 2, 99, &v), -EINVAL);
	assert_int_equal(wire_number_parse("1/", 2, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(wire_number_parse("1:", 2, 99, &v), -EINVAL);
	assert_int_equal(wire_number_parse("1", 2, 99, &v), -EINVAL);
	/* Nothing is stored on failure. */
	assert_int_equal(v, 7);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(type_names),
		cmocka_unit_test(type_names_unknown),
		cmocka_unit_test(type_numbers),
		cmocka_unit_test(error_names),
		cmocka_unit_test(error_names_unknown),
		cmocka_unit_test(error_name_of_errno),
		cmocka_unit_test(strings_in_order),
		cmocka_unit_test(strings_without_end),
		cmocka_unit_test(strings_empty),
		cmocka_unit_test(directory_part),
		cmocka_unit_test(directory_part_malformed),
		cmocka_unit_test(event),
		cmocka_unit_test(event_malformed),
		cmocka_unit_test(perms_to_text),
		cmocka_unit_test(perms_to_text_size),
		cmocka_unit_test(perms_to_text_malformed),
		cmocka_unit_test(perms_from_text),
		cmocka_unit_test(perms_from_text_size),
		cmocka_unit_test(perms_from_text_malformed),
		cmocka_unit_test(number),
		cmocka_unit_test(number_refused),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
