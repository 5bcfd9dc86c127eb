/* SPDX-License-Identifier: MIT */
/* Nodes as text, byte by byte: fs/special/print.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/special/print.h"
#include "fs/special/walk.h"

#define NODE(depth_, path_, name_, value_, children_) \
	{ .depth = (depth_), .path = (path_), .name = (name_), .value = (value_), \
	  .value_len = sizeof(value_) - 1, .has_children = (children_) }

static void text_is(struct print *out, const char *expected)
{
	assert_false(out->no_memory);
	print_bytes(out, "", 1);
	assert_string_equal(out->data, expected);
	free(out->data);
}

static void dump_is(const char *value, size_t len, const char *expected)
{
	struct walk_node node = { .depth = 1, .path = "/a/b", .name = "b", .value = value,
				  .value_len = len };
	struct print out = { 0 };

	print_dump.node(&out, &node);
	text_is(&out, expected);
}

static void test_dump(void **state)
{
	static const struct walk_node top = NODE(0, "/a", "a", "top", true);
	struct print out = { 0 };

	(void)state;
	dump_is("", 0, "/a/b = \"\"\n");
	dump_is("value", 5, "/a/b = \"value\"\n");
	dump_is("\0\1\7\b\t\n\v\f\r\16\37 ~", 13,
		"/a/b = \"\\000\\001\\007\\x08\\t\\n\\x0b\\x0c\\r\\x0e\\x1f ~\"\n");
	dump_is("\\\"'\x7f\x80\xff", 6, "/a/b = \"\\\\\"'\\x7f\\x80\\xff\"\n");
	/* Where it begins is not shown. */
	print_dump.node(&out, &top);
	print_dump.leave(&out, 0);
	print_dump.end(&out);
	text_is(&out, "");
}

static void json_is(const struct walk_node *nodes, const char *expected)
{
	struct print out = { 0 };
	unsigned open[8], n_open = 0;

	/* A node of a depth ends all that is open and not above it. */
	for (; nodes->path; nodes++) {
		while (n_open && open[n_open - 1] >= nodes->depth)
			print_json.leave(&out, open[--n_open]);
		print_json.node(&out, nodes);
		if (nodes->has_children)
			open[n_open++] = nodes->depth;
	}
	while (n_open)
		print_json.leave(&out, open[--n_open]);
	print_json.end(&out);
	text_is(&out, expected);
}

#define JSON_IS(expected, ...) json_is((const struct walk_node[]){ __VA_ARGS__, { 0 } }, expected)

static void test_json_shape(void **state)
{
	(void)state;
	JSON_IS("{}\n", NODE(0, "/a", "a", "", false));
	JSON_IS("{\n  \".value\": \"v\"\n}\n", NODE(0, "/a", "a", "v", false));
	/* The children were named, and gone when they were asked for. */
	JSON_IS("{}\n", NODE(0, "/a", "a", "", true));
	JSON_IS("{\n  \"b\": {}\n}\n", NODE(0, "/a", "a", "", true), NODE(1, "/a/b", "b", "", true));
	JSON_IS("{\n"
		"  \".value\": \"v\",\n"
		"  \"b\": \"\",\n"
		"  \"c\": {\n"
		"    \".value\": \"w\",\n"
		"    \"d\": {\n"
		"      \"e\": \"x\"\n"
		"    }\n"
		"  },\n"
		"  \"f\": \"y\"\n"
		"}\n",
		NODE(0, "/a", "a", "v", true), NODE(1, "/a/b", "b", "", false),
		NODE(1, "/a/c", "c", "w", true), NODE(2, "/a/c/d", "d", "", true),
		NODE(3, "/a/c/d/e", "e", "x", false), NODE(1, "/a/f", "f", "y", false));
}

static void test_json_values(void **state)
{
	(void)state;
	JSON_IS("{\n  \".value\": \"\\\"\\\\/\\b\\t\\n\\u000b\\f\\r\\u0000\\u001f \\u007f\xc3\xa9\"\n}\n",
		NODE(0, "/a", "a", "\"\\/\b\t\n\v\f\r\0\37 \x7f\xc3\xa9", false));
	JSON_IS("{\n  \".value\": {\".base64\": \"gA==\"}\n}\n", NODE(0, "/a", "a", "\x80", false));
	JSON_IS("{\n  \".value\": {\".base64\": \"gAA=\"}\n}\n", NODE(0, "/a", "a", "\x80\0", false));
	JSON_IS("{\n  \".value\": {\".base64\": \"+//9\"}\n}\n",
		NODE(0, "/a", "a", "\xfb\xff\xfd", false));
	JSON_IS("{\n  \".value\": {\".base64\": \"gWFiYw==\"}\n}\n",
		NODE(0, "/a", "a", "\x81""abc", false));
}

static bool is_utf8(const char *s)
{
	return print_is_utf8(s, strlen(s));
}

static void test_utf8(void **state)
{
	(void)state;
	assert_true(print_is_utf8(NULL, 0));
	assert_true(print_is_utf8("a\0b", 3));
	assert_true(is_utf8("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
	assert_true(is_utf8("\xed\x9f\xbf\xee\x80\x80"));
	assert_false(is_utf8("\x80"));
	assert_false(is_utf8("\xc0\x80"));
	assert_false(is_utf8("\xc1\xbf"));
	assert_false(is_utf8("\xe0\x9f\xbf"));
	assert_false(is_utf8("\xed\xa0\x80"));
	assert_false(is_utf8("\xf0\x8f\xbf\xbf"));
	assert_false(is_utf8("\xf4\x90\x80\x80"));
	assert_false(is_utf8("\xf5\x80\x80\x80"));
	assert_false(is_utf8("\xff"));
	/* What follows is not looked at beyond the end. */
	assert_false(print_is_utf8("\xe2\x82\xac", 2));
	assert_false(print_is_utf8("\xf0\x9f\x98\x80", 3));
	assert_false(is_utf8("\xe2\x82z"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_json_shape),
		cmocka_unit_test(test_json_values),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
