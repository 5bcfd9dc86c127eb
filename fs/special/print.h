/* SPDX-License-Identifier: MIT */
/*
 * Nodes as text: the lines of `.dump`, the document of `.json`.  Pure; any thread.
 *
 * .dump   /path = "value", escaped as xenstore-ls does.  That is not reversible: a value may hold
 *         a quotation mark, which is not escaped.
 * .json   A node without children is its value; one with children is an object of these, and its own
 *         value, if it is not empty, is the member ".value".  A value is a string, or, where its bytes
 *         are no UTF-8, {".base64": "…"}.  No node's name has a dot.
 */
#ifndef FS_SPECIAL_PRINT_H
#define FS_SPECIAL_PRINT_H

#include <stdbool.h>
#include <stddef.h>

struct walk_node;

/* Text that grows.  Starts as zeros; the owner frees ->data. */
struct print {
	char *data;
	size_t len;
	size_t max;
	bool no_memory;   /* memory ran out, so the text is incomplete */
	bool not_first;   /* JSON: the next member needs a comma before it */
};

/* Appends bytes, or a string. */
void print_bytes(struct print *out, const void *data, size_t len);
void print_string(struct print *out, const char *s);

/* A text format: prints each node before its children, and the end of those that had children. */
struct print_format {
	void (*node)(struct print *out, const struct walk_node *node);
	void (*leave)(struct print *out, unsigned depth); /* the depth is that of the node */
	void (*end)(struct print *out);
};

extern const struct print_format print_dump;
extern const struct print_format print_json;

/* Appends a value as JSON: a string, or {".base64": "…"}. */
void print_json_value(struct print *out, const char *value, size_t len);

/* Returns the length of the UTF-8 sequence at `s`, of which `len` bytes, at least one, are present;
 * 0 if there is no valid sequence. */
size_t print_utf8_sequence(const unsigned char *s, size_t len);

/* The longest that print_escape() writes, with its NUL. */
#define PRINT_ESCAPE_SIZE 5

/* Writes a byte in a form that is safe on a terminal, \n, \t, \\ or \xNN, with a NUL.  Returns the end, where
 * the NUL is. */
char *print_escape(char *to, unsigned char byte);

/* Returns whether the bytes are UTF-8, without surrogates and with each sequence as
 * short as possible. */
bool print_is_utf8(const char *data, size_t len);

#endif
