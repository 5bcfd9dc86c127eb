/* SPDX-License-Identifier: MIT */
/* See document.h. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/model/name.h"
#include "ring/wire.h"
#include "src/tools/document.h"

/* The document being read. */
struct reader {
	struct changes *changes;
	char *why;
	size_t size;
};

static int complain(const struct reader *r, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int complain(const struct reader *r, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, r->size, fmt, ap);
	va_end(ap);
	return err;
}

/* ---- the bytes ------------------------------------------------------------------------------ */

/* Reads all of a file.  *text is the caller's to free.  Returns its length or -errno. */
static ssize_t read_all(int fd, char **text)
{
	size_t len = 0, max = 0;
	ssize_t n;

	*text = NULL;
	do {
		if (len == max) {
			char *more = realloc(*text, max = max ? 2 * max : 65536);

			if (!more)
				return -ENOMEM;
			*text = more;
		}
		n = TEMP_FAILURE_RETRY(read(fd, *text + len, max - len));
		if (n < 0)
			return -errno;
		len += n;
	} while (n > 0);
	return len;
}

static ssize_t read_file(const char *file, char **text)
{
	int fd = strcmp(file, "-") != 0 ? open(file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	ssize_t len;

	*text = NULL;
	if (fd < 0)
		return -errno;
	len = read_all(fd, text);
	if (fd != STDIN_FILENO)
		close(fd);
	return len;
}

/* Parses the text, or returns NULL with a reason.  The library's limit for depth is beyond what a path can have. */
static json_t *parse(const struct reader *r, const char *file, const char *text, size_t len)
{
	json_error_t error;
	json_t *json = json_loadb(text, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);

	if (!json)
		complain(r, 0, "%s: line %d: no JSON: %s", file, error.line > 0 ? error.line : 1,
			 json_error_code(&error) == json_error_premature_end_of_input ? "it ends too early"
										      : error.text);
	return json;
}

/* ---- values --------------------------------------------------------------------------------- */

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* Decodes in place.  Returns the length, or -EINVAL. */
static ssize_t base64_decode(char *text, size_t len)
{
	size_t n = 0, digits = len;
	uint32_t bits = 0;

	if (len % 4)
		return -EINVAL;
	while (digits > 0 && len - digits < 2 && text[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < digits; i++) {
		int digit = base64_digit(text[i]);

		if (digit < 0)
			return -EINVAL;
		bits = bits << 6 | digit;
		/* Every digit of four except the first completes a byte. */
		if (i % 4)
			text[n++] = bits >> (6 - 2 * (i % 4));
	}
	return n;
}

/* Returns whether an object stands for a value. */
static bool is_base64(const json_t *json)
{
	return json_object_size(json) == 1 && json_object_get(json, ".base64");
}

/* Copies the value for which a string, or an object, stands.  Returns its length, or
 * -errno with a reason. */
static ssize_t value_of(const struct reader *r, const char *path, const json_t *json, char **value)
{
	bool base64 = is_base64(json);
	ssize_t len;

	*value = NULL;
	if (base64)
		json = json_object_get(json, ".base64");
	if (!json_is_string(json))
		return complain(r, -EINVAL, "%s: the value must be a string", path);
	len = json_string_length(json);
	*value = malloc(len + 1);
	if (!*value)
		return complain(r, -ENOMEM, "%s: %s", path, strerror(ENOMEM));
	memcpy(*value, json_string_value(json), len);
	if (base64 && (len = base64_decode(*value, len)) < 0)
		return complain(r, len, "%s: no base64", path);
	if (strlen(path) + 1 + len > WIRE_PAYLOAD_MAX)
		return complain(r, -EFBIG, "%s: the value is too large", path);
	return len;
}

/* ---- the tree ------------------------------------------------------------------------------- */

static int add(const struct reader *r, const char *path, const json_t *value, const char *perms)
{
	char *bytes = NULL;
	ssize_t len = value ? value_of(r, path, value, &bytes) : 0;
	int err = len < 0 ? (int)len : 0;

	if (!err && changes_add(r->changes, path, bytes, len, perms))
		err = complain(r, -ENOMEM, "%s: %s", path, strerror(ENOMEM));
	free(bytes);
	return err;
}

/* Returns the permissions of an object, or NULL if it has none; *err is set if they are invalid. */
static const char *perms_of(const struct reader *r, const char *path, const json_t *json, int *err)
{
	const json_t *perms = json_object_get(json, ".perms");
	char body[WIRE_PAYLOAD_MAX];
	const char *text;

	if (!perms)
		return NULL;
	text = json_is_string(perms) ? json_string_value(perms) : "";
	if (wire_perms_from_text(text, strlen(text), body, sizeof(body)) < 0)
		*err = complain(r, -EINVAL, "%s: .perms must be like \"n0,r1\"", path);
	return text;
}

static int add_node(const struct reader *r, const char *path, json_t *json);

static int add_child(const struct reader *r, const char *path, const char *name, json_t *json)
{
	char child[PATH_SIZE];

	if (!strcmp(name, ".value") || !strcmp(name, ".perms"))
		return 0;
	if (!name_is_legal(name))
		return complain(r, -EINVAL, "%s: \"%s\" is no name of a node", path, name);
	strcpy(child, path);
	if (path_append(child, name))
		return complain(r, -ENAMETOOLONG, "%s/%s: %s", path, name, strerror(ENAMETOOLONG));
	return add_node(r, child, json);
}

/* Adds a node that has children, permissions or a value of its own, and everything below it. */
static int add_object(const struct reader *r, const char *path, json_t *json)
{
	const json_t *value = json_object_get(json, ".value");
	const char *perms, *name;
	json_t *child;
	int err = 0;

	perms = perms_of(r, path, json, &err);
	/* The root always exists, and cannot be made. */
	if (!err && (path[1] || value || perms))
		err = add(r, path, value, perms);
	json_object_foreach(json, name, child) {
		if (err)
			break;
		err = add_child(r, path, name, child);
	}
	return err;
}

static int add_node(const struct reader *r, const char *path, json_t *json)
{
	if (json_is_object(json) && !is_base64(json))
		return add_object(r, path, json);
	return add(r, path, json, NULL);
}

int document_read(const char *file, const char *base, struct changes *changes, char *why,
		  size_t size)
{
	const struct reader r = { changes, why, size };
	char *text;
	ssize_t len = read_file(file, &text);
	int err = -EINVAL;
	json_t *json;

	if (len < 0) {
		free(text);
		return complain(&r, len, "%s: %s", file, strerror(-len));
	}
	json = parse(&r, file, text, len);
	if (json_is_object(json) && !is_base64(json))
		err = add_object(&r, base, json);
	else if (json)
		complain(&r, err, "%s: the document must be an object", file);
	json_decref(json);
	free(text);
	return err;
}
