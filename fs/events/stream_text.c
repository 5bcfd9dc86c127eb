/* SPDX-License-Identifier: MIT */
/* The text of a stream, made from the store's answers about the paths in its queue.  I/O thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/events/stream_impl.h"
#include "fs/model/text.h"

int stream_lines(struct op *op, char **text, size_t *len)
{
	const char *path = op->data;
	unsigned call = 0;
	FILE *out;
	bool gone;

	for (unsigned i = 0; i < op->n_calls; i++)
		if (op->calls[i]->error == -EINTR)
			return -EINTR;
	out = open_memstream(text, len);
	if (!out)
		return -ENOMEM;
	for (; path < op->data + op->data_len; path += strlen(path) + 1) {
		/* Special paths are no nodes; the store was not asked for them. */
		gone = path[0] == '/' && op_call_raw_error(op, call++) == -ENOENT;
		fprintf(out, "%s %s\n", gone ? "deleted" : "changed", path);
	}
	return text_close(out, text);
}

/* An empty value is a line too, in either format: no bytes would be the end of the file. */
int stream_value_line(struct op *op, char **text, size_t *len)
{
	int err = op_call_error(op, 0);

	if (err)
		return err;
	*len = op->calls[0]->reply_len + 1;
	*text = malloc(*len);
	if (!*text)
		return -ENOMEM;
	if (*len > 1)
		memcpy(*text, op->calls[0]->reply, *len - 1);
	(*text)[*len - 1] = '\n';
	return 0;
}
