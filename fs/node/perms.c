/* SPDX-License-Identifier: MIT */
/* Permission lists as text.  Any thread; no I/O. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/node/perms.h"

int perms_text(const struct op *op, char **text)
{
	const struct request *req;
	int err = op_call_error(op, 0), len;

	*text = NULL;
	if (err)
		return err;
	req = op->calls[0];
	/* The text has a comma for every NUL except the last, which ends the string. */
	*text = malloc(req->reply_len + 1);
	if (!*text)
		return -ENOMEM;
	len = wire_perms_to_text(req->reply, req->reply_len, *text, req->reply_len + 1);
	if (len >= 0)
		return len;
	free(*text);
	*text = NULL;
	return -EIO;
}

/* Xen's DOMID_ANY; later than the headers of Xen 4.17. */
#define DOMID_OF_ALL "32757"

bool perms_name_all(const char *text, size_t len)
{
	const char *end = text + len, *pos = text;
	size_t word;

	/* A letter and a number, between commas; perms_call() says whether all of it is right. */
	while (pos < end) {
		for (word = 0; pos + word < end && pos[word] != ',' && pos[word] != '\n';)
			word++;
		if (word == sizeof(DOMID_OF_ALL) && !memcmp(pos + 1, DOMID_OF_ALL, word - 1))
			return true;
		pos += word + 1;
	}
	return false;
}

int perms_call(struct op *op, const char *path, const char *text, size_t len)
{
	char *perms = malloc(len + 1);
	int perms_len;

	if (!perms)
		return -ENOMEM;
	perms_len = wire_perms_from_text(text, len, perms, len + 1);
	if (perms_len >= 0)
		op_call(op, XS_SET_PERMS, op->inode->view->tx_id, path, perms, perms_len);
	free(perms);
	return perms_len < 0 ? -EINVAL : 0;
}
