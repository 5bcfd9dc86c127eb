/* SPDX-License-Identifier: MIT */
/* Nodes as text.  Pure; any thread. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/special/print.h"
#include "fs/special/walk.h"

void print_bytes(struct print *out, const void *data, size_t len)
{
	size_t max = out->max ? out->max : 4096;
	char *grown;

	while (max - out->len < len)
		max *= 2;
	if (max > out->max && !out->no_memory) {
		grown = realloc(out->data, max);
		if (grown) {
			out->data = grown;
			out->max = max;
		} else {
			out->no_memory = true;
		}
	}
	if (out->no_memory || !len)
		return;
	memcpy(out->data + out->len, data, len);
	out->len += len;
}

void print_string(struct print *out, const char *s)
{
	print_bytes(out, s, strlen(s));
}

/* Prints bytes as they are, except those that `escape` has to replace. */
static void print_escaped(struct print *out, const char *s, size_t len,
			  bool (*is_plain)(unsigned char c),
			  void (*escape)(struct print *out, unsigned char c))
{
	size_t begin = 0;

	for (size_t i = 0; i < len; i++) {
		if (is_plain(s[i]))
			continue;
		print_bytes(out, s + begin, i - begin);
		escape(out, s[i]);
		begin = i + 1;
	}
	print_bytes(out, s + begin, len - begin);
}

/* ---- .dump ---- */

static bool dump_is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '\\';
}

static void dump_escape(struct print *out, unsigned char c)
{
	char text[8];

	if (c == '\t')
		snprintf(text, sizeof(text), "\\t");
	else if (c == '\n')
		snprintf(text, sizeof(text), "\\n");
	else if (c == '\r')
		snprintf(text, sizeof(text), "\\r");
	else if (c == '\\')
		snprintf(text, sizeof(text), "\\\\");
	else
		snprintf(text, sizeof(text), c < 8 ? "\\%03o" : "\\x%02x", c);
	print_string(out, text);
}

static void dump_node(struct print *out, const struct walk_node *node)
{
	if (node->depth == 0)
		return;
	print_string(out, node->path);
	print_string(out, " = \"");
	print_escaped(out, node->value, node->value_len, dump_is_plain, dump_escape);
	print_string(out, "\"\n");
}

static void dump_leave(struct print *out, unsigned depth)
{
	(void)out;
	(void)depth;
}

static void dump_end(struct print *out)
{
	(void)out;
}

const struct print_format print_dump = {
	.node = dump_node,
	.leave = dump_leave,
	.end = dump_end,
};

/* ---- .json ---- */

/* Returns the length of the UTF-8 sequence at `s`, of which `len` bytes are there, or 0. */
char *print_escape(char *to, unsigned char byte)
{
	switch (byte) {
	case '\\':
		return stpcpy(to, "\\\\");
	case '\n':
		return stpcpy(to, "\\n");
	case '\t':
		return stpcpy(to, "\\t");
	default:
		return to + sprintf(to, "\\x%02x", byte);
	}
}

size_t print_utf8_sequence(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > len || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong, a surrogate, or beyond U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

bool print_is_utf8(const char *data, size_t len)
{
	size_t n;

	for (; len; data += n, len -= n) {
		n = print_utf8_sequence((const unsigned char *)data, len);
		if (!n)
			return false;
	}
	return true;
}

static bool json_is_plain(unsigned char c)
{
	return c >= ' ' && c != '"' && c != '\\' && c != 0x7f;
}

static void json_escape(struct print *out, unsigned char c)
{
	char text[8];

	if (c == '"' || c == '\\')
		snprintf(text, sizeof(text), "\\%c", c);
	else if (c >= '\b' && c <= '\r' && c != '\v')
		snprintf(text, sizeof(text), "\\%c", "btn?fr"[c - '\b']);
	else
		snprintf(text, sizeof(text), "\\u%04x", c);
	print_string(out, text);
}

static void json_string(struct print *out, const char *s, size_t len)
{
	print_string(out, "\"");
	print_escaped(out, s, len, json_is_plain, json_escape);
	print_string(out, "\"");
}

static void json_base64(struct print *out, const char *value, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *s = (const unsigned char *)value;
	char four[4];
	uint32_t bits;

	print_string(out, "{\".base64\": \"");
	for (size_t i = 0; i < len; i += 3) {
		bits = s[i] << 16 | (i + 1 < len ? s[i + 1] << 8 : 0) |
		       (i + 2 < len ? s[i + 2] : 0);
		four[0] = digits[bits >> 18];
		four[1] = digits[bits >> 12 & 63];
		four[2] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		four[3] = i + 2 < len ? digits[bits & 63] : '=';
		print_bytes(out, four, sizeof(four));
	}
	print_string(out, "\"}");
}

void print_json_value(struct print *out, const char *value, size_t len)
{
	if (print_is_utf8(value, len))
		json_string(out, value, len);
	else
		json_base64(out, value, len);
}

static void json_new_line(struct print *out, unsigned depth)
{
	print_string(out, "\n");
	for (unsigned i = 0; i < depth; i++)
		print_string(out, "  ");
}

/* Starts a member of the object being printed. */
static void json_member(struct print *out, unsigned depth, const char *name)
{
	if (out->not_first)
		print_string(out, ",");
	out->not_first = true;
	json_new_line(out, depth);
	json_string(out, name, strlen(name));
	print_string(out, ": ");
}

static void json_leave(struct print *out, unsigned depth)
{
	if (out->not_first)
		json_new_line(out, depth);
	out->not_first = true;
	print_string(out, "}");
}

/* The node where the document begins is an object even if it has no children. */
static void json_node(struct print *out, const struct walk_node *node)
{
	if (node->depth)
		json_member(out, node->depth, node->name);
	if (!node->has_children && node->depth) {
		print_json_value(out, node->value, node->value_len);
		return;
	}
	print_string(out, "{");
	out->not_first = false;
	if (node->value_len) {
		json_member(out, node->depth + 1, ".value");
		print_json_value(out, node->value, node->value_len);
	}
	if (!node->has_children)
		json_leave(out, 0);
}

static void json_end(struct print *out)
{
	print_string(out, "\n");
}

const struct print_format print_json = {
	.node = json_node,
	.leave = json_leave,
	.end = json_end,
};
