/* SPDX-License-Identifier: MIT */
/* A name that the teller looks at: between look.c, which asks the store, and tell.c, which tells what differs. */
#ifndef FS_INOTIFY_SIGHT_H
#define FS_INOTIFY_SIGHT_H

#include "fs/inotify/inotify_impl.h"
#include "fs/model/listing.h"
#include "fs/node/node.h"

/* The calls of a sight. */
enum { CALL_READ, CALL_DIRECTORY, CALL_GET_PERMS };

/* A name, what it was told to be, and what it is. */
struct sight {
	struct fs *fs;
	struct news *news;
	struct op *op;
	const char *path;
	struct inode *leaf, *sub; /* with references; NULL: there is no such inode */
	uint64_t changes;         /* the directory's told.changes before the store was asked, */
	uint64_t moved;           /* inode_moved() of the directory, */
	uint64_t leaf_stirred, sub_stirred; /* and told.stirred of these; */
	uint64_t leaf_writes, sub_writes;   /* and told.writes, or WRITING */
	enum told_kind told;
	enum told_kind is;
	struct node_facts facts;
	uint64_t lookups; /* how often the kernel looked the inode up for this */
	struct inode *large; /* with a reference: its names are to be compared, and do not fit into one reply; or NULL */
};

/* How often a value is looked at again because this mount was writing it. */
#define WRITTEN_OVER_MAX 20

/* A number of writes that is never reached. */
#define WRITING UINT64_MAX

/* Returns whether the kernel knows an inode; NULL is allowed. */
static inline bool is_known(const struct inode *inode)
{
	return inode && inode->nlookup > 0;
}

/* ---- look.c ---- */

/* It was not told because somebody was quicker: looks again. */
void look_again(struct sight *s);

/* This mount was writing it: looks again a little later. */
void look_patiently(struct sight *s);

/* ---- tell.c ---- */

/* Tells what differs of a node. */
void tell(struct sight *s) REQUIRES(fs_lock_held);

/* The same for the root of a view, which is there in any case. */
void tell_root(struct sight *s) REQUIRES(fs_lock_held);

/* Compares all names in a directory, in `listing`, with those that were told, and has those looked at that are new. */
void tell_names(struct sight *s, struct inode *dir, const struct listing *listing);

#endif
