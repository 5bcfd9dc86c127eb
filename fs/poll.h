/* SPDX-License-Identifier: MIT */
/*
 * poll, select and epoll on a value, as sysfs does it: POLLPRI and POLLERR while it was not read
 * from the start (or on from where its text ended before) through this open file since it last
 * changed, POLLHUP while there is no such node.
 * For the operations of fs/.
 */
#ifndef FS_POLL_H
#define FS_POLL_H

#include "fs/op.h"

/* Answers a POLL on a file whose content is a node's value (op->handle; op->poll may be NULL).
 * Takes the operation. */
void poll_value(struct op *op);

/* This open file has read all of the value, having asked for it after op->events. */
void poll_seen(struct op *op, bool gone);

/* Forgets the handle's poll and watch. */
void poll_release(struct fs *fs, struct handle *handle);

#endif
