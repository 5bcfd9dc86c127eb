/* SPDX-License-Identifier: MIT */
/*
 * A tree of the store as a JSON document: what `.json` of xsfs(5) prints, and ".perms" as a further
 * member of an object: the permissions of that node, "n0,r1".  What has none gets those that the store
 * gives a new node: its parent's.
 * For the tools' main thread.
 */
#ifndef SRC_TOOLS_DOCUMENT_H
#define SRC_TOOLS_DOCUMENT_H

#include "src/tools/changes.h"

/*
 * Reads a document ("-" is standard input) as the node `base` and what is below it, and checks all of
 * it: names, lengths, permissions.  Adds the nodes to `changes`, parents first.
 * Returns 0, or -errno with one line in `why`.
 */
int document_read(const char *file, const char *base, struct changes *changes, char *why,
		  size_t size);

#endif
