/* SPDX-License-Identifier: MIT */
/*
 * A tree of the store as a JSON document: the format that `.json` of xsfs(5) prints, with ".perms"
 * as an additional member of an object: the permissions of that node, "n0,r1".  Nodes without it
 * get the permissions that the store gives to a new node, those of its parent.
 * For the tools' main thread.
 */
#ifndef SRC_TOOLS_DOCUMENT_H
#define SRC_TOOLS_DOCUMENT_H

#include "src/tools/changes.h"

/*
 * Reads a document ("-" is standard input) as the node `base` and everything below it, and checks
 * all of it: names, lengths, permissions.  Adds the nodes to `changes`, parents first.
 * Returns 0, or -errno with one line in `why`.
 */
int document_read(const char *file, const char *base, struct changes *changes, char *why,
		  size_t size);

#endif
