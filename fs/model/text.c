/* SPDX-License-Identifier: MIT */
/* Values as the content of files.  Pure; any thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/model/text.h"

size_t text_from_value(enum fs_format format, char *buf, size_t len)
{
	size_t size = text_size(format, len);

	if (size > len)
		buf[len] = '\n';
	return size;
}

char *text_splice(const char *content, size_t size, size_t off, const char *data, size_t len,
		  size_t *new_size)
{
	size_t end = off + len;
	char *buf;

	*new_size = end > size ? end : size;
	buf = calloc(1, *new_size + 1);
	if (!buf)
		return NULL;
	if (size)
		memcpy(buf, content, size);
	if (len)
		memcpy(buf + off, data, len);
	return buf;
}

int text_close(FILE *out, char **text)
{
	if (!out)
		return -ENOMEM;
	if (fclose(out) == 0 && *text)
		return 0;
	free(*text);
	*text = NULL;
	return -ENOMEM;
}
