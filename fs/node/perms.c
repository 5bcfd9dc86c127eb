/* SPDX-License-Identifier: MIT */
/* Permission lists as text, and setting them.  No waiting. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/node/perms.h"
#include "fs/op/features.h"

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

/*
 * Returns whether the text has that number.  Only newer servers know it (FEATURE_DOMID_ANY); others take
 * it for a domain that does not exist, and drop it without a word.
 */
static bool perms_name_all(const char *text, size_t len)
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

/*
 * Notes that readers of inotify(7) have been told: by the kernel, as soon as we answer.  Before the store answers,
 * because the event may come before the answer, and would be told a second time.
 */
static void note_told(struct op *op, const char *perms, size_t len)
{
	struct inode *node = inode_of_node(op->inode);

	op->perms_before = told_get_perms(node);
	told_perms(node, perms, len);
	told_own(node);
	op->perms_noted = told_get_perms(node);
}

/* Adds the request to the round.  Returns 0, -EINVAL or -ENOMEM. */
static int perms_call(struct op *op, const char *path, const char *text, size_t len)
{
	char *perms = malloc(len + 1);
	int perms_len;

	if (!perms)
		return -ENOMEM;
	perms_len = wire_perms_from_text(text, len, perms, len + 1);
	if (perms_len >= 0 && !op->inode->view->tx)
		note_told(op, perms, perms_len);
	if (perms_len >= 0)
		op_call(op, XS_SET_PERMS, op->inode->view->tx_id, path, perms, perms_len);
	free(perms);
	return perms_len < 0 ? -EINVAL : 0;
}

static void perms_answered(struct op *op)
{
	struct inode *node = inode_of_node(op->inode);

	if (op_call_error(op, 0) && !op->inode->view->tx)
		told_perms_refused(node, op->perms_noted, op->perms_before);
	/* Once more, as a slow store does it, and reports it, only now. */
	else if (!op->inode->view->tx)
		told_own(node);
	op->perms_set(op);
}

static void perms_send(struct op *op)
{
	char path[PATH_SIZE];
	int err = inode_path(&op->fs->inodes, op->inode, NULL, path);

	if (!err)
		err = perms_call(op, path, op->data, op->size);
	if (err) {
		op_reply_error(op, err);
		return;
	}
	op_submit(op, perms_answered);
}

static void perms_feature_known(struct op *op)
{
	int err = op_take_feature(op, FEATURE_DOMID_ANY);

	if (err)
		op_reply_error(op, err);
	else
		perms_send(op);
}

void perms_set(struct op *op, void (*done)(struct op *op))
{
	op->perms_set = done;
	if (perms_name_all(op->data, op->size)) {
		op_call_features(op);
		op_submit(op, perms_feature_known);
	} else {
		perms_send(op);
	}
}
