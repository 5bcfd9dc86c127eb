/* SPDX-License-Identifier: MIT */
/*
 * A value as a file's content, and back.  Pure; any thread.
 *
 * In text format the content is the value and one newline, or nothing for an empty value,
 * and the value is the content without one final newline, so every value survives being
 * read and written back.
 */
#ifndef FS_MODEL_TEXT_H
#define FS_MODEL_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include "fs/model/config.h"

/* Returns the size of the file that shows a value of `len` bytes. */
static inline size_t text_size(enum fs_format format, size_t len)
{
	return format == FS_TEXT && len > 0 ? len + 1 : len;
}

/* Returns the length of the value in `size` bytes of content; the value is their beginning. */
static inline size_t text_value_len(enum fs_format format, const char *content, size_t size)
{
	return format == FS_TEXT && size > 0 && content[size - 1] == '\n' ? size - 1 : size;
}

/*
 * Turns the value in `buf` (len bytes, and room for one more) into content in place.
 * Returns its size.
 */
size_t text_from_value(enum fs_format format, char *buf, size_t len);

/*
 * Returns new content: the old one (`size` bytes at `content`, which may be NULL if 0) with
 * the `len` bytes at `data` placed at offset `off`, and zeros in any gap before them.
 * *new_size gets its size.
 * The caller frees it; NULL when out of memory.
 */
char *text_splice(const char *content, size_t size, size_t off, const char *data, size_t len,
		  size_t *new_size);

/*
 * Ends what was written to `out`, a stream that open_memstream() made with `text` (NULL: it could not).
 * Returns 0, or -ENOMEM with nothing in *text.  That fclose() succeeds is not enough: glibc's says so
 * even where it had no memory for the text.
 */
int text_close(FILE *out, char **text);

#endif
