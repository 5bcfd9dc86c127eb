/* SPDX-License-Identifier: MIT */
/*
 * `.xsfs`, the directory of everything that does not belong to a node, and its directories and
 * links: `nodes`, the same store with every node as a directory, and `self`, a link to our own
 * domain's directory.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/node/node.h"
#include "fs/special/special_files.h"

const struct special special_xsfs = {
	.name = ".xsfs",
	.place = SPECIAL_IN_ROOT,
	.mode = S_IFDIR | 0777,
	.holds_others = true,
	.list = special_list_xsfs,
};

/* It exists but is not listed: a program that removes, copies or searches everything below `.xsfs`
 * must not do that to the whole store. */
const struct special special_nodes = {
	.name = "nodes",
	.is_uniform_root = true,
	.place = SPECIAL_IN_XSFS,
	.unlisted = true,
	.mode = S_IFDIR | 0777,
};

/*
 * Replies with the link.  It is relative, so it points below the mount wherever that is; a mount of
 * a subtree contains no domain's directory, unless its root is that directory.
 */
static void reply_self(struct op *op, unsigned domid)
{
	char home[64], link[80];
	const char *below;

	snprintf(home, sizeof(home), "/local/domain/%u", domid);
	below = path_below(home, op->fs->inodes.root_path);
	if (!below) {
		op_reply_error(op, -ENOENT);
		return;
	}
	snprintf(link, sizeof(link), "..%s%s", *below ? "/" : "", below);
	op_reply_readlink(op, link);
}

/* The toolstack stores a domain's number in the domain's own directory
 * (docs/misc/xenstore-paths). */
static void xsfs_domid_done(struct op *op)
{
	int err = op_call_error(op, 0);
	uint64_t domid;

	if (!err && wire_number_parse(op->calls[0]->reply, op->calls[0]->reply_len, UINT16_MAX,
				      &domid))
		err = -ENOENT;
	if (err)
		op_reply_error(op, err);
	else
		reply_self(op, domid);
}

static void self_readlink(struct op *op)
{
	if (op->fs->config.self_domid >= 0) {
		reply_self(op, op->fs->config.self_domid);
		return;
	}
	op_call(op, XS_READ, 0, "domid", NULL, 0);
	op_submit(op, xsfs_domid_done);
}

const struct special special_self = {
	.name = "self",
	.place = SPECIAL_IN_XSFS,
	.mode = S_IFLNK | 0777,
	.readlink = self_readlink,
};
