/* SPDX-License-Identifier: MIT */
/* The tables of file operations on nodes. */
#include "fs/events/poll.h"
#include "fs/node/node.h"

const struct inode_ops node_dir_ops = {
	.getattr = node_getattr,
	.touch = node_getattr,
	.opendir = node_opendir,
	.readdir = node_readdir,
	.getxattr = node_getxattr,
	.setxattr = node_setxattr,
	.listxattr = node_listxattr,
	.removexattr = node_removexattr,
};

const struct inode_ops node_leaf_ops = {
	.getattr = node_getattr,
	/* `touch` expects the file to be made, and must hear if it cannot be. */
	.touch = node_touch,
	.truncate = node_truncate,
	.open = node_open,
	.read = node_read,
	.write = node_write,
	.poll = poll_value,
	.flush = node_flush,
	.fsync = node_fsync,
	.getxattr = node_getxattr,
	.setxattr = node_setxattr,
	.listxattr = node_listxattr,
	.removexattr = node_removexattr,
};
