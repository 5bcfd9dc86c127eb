/* SPDX-License-Identifier: MIT */
/*
 * What the kernel knows: nodeids and the nodes, files and directories that they stand for.
 * For the operations of fs/; any thread; no I/O.
 *
 * Inodes form a tree by name, so a rename moves one of them, not a subtree.  The same node may have
 * two: one as a file and one as a directory, for the kernel must never see a nodeid change its type.
 *
 * Lifetime.  An inode lives while the kernel knows it (nlookup), while it has children, or while
 * somebody holds a reference (inode_get and friends give one; inode_put returns it).
 * Lock discipline.  One leaf lock for the whole table, held for a few lookups at a time.
 */
#ifndef FS_INODE_H
#define FS_INODE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "fs/fs.h"
#include "fs/name.h"

/* nodeid of the mount's root; FUSE_ROOT_ID. */
#define INODE_ROOT_ID 1

enum inode_kind {
	INODE_DIR,     /* a node as a directory */
	INODE_LEAF,    /* a node as a regular file */
	INODE_SPECIAL, /* a file or directory of ours, see special.h */
};

struct special;

/* A way to look at the store. */
struct view {
	enum fs_layout layout;
	uint32_t tx_id; /* 0: none */
};

struct inode {
	/* Constant. */
	uint64_t nodeid;
	enum inode_kind kind;
	const struct view *view;
	const struct special *special; /* INODE_SPECIAL */

	/* Under the table's lock. */
	struct inode *parent; /* with a reference; NULL for the root */
	const char *name;     /* in key */
	uint64_t nlookup;
	unsigned refs;
	unsigned opens;   /* those of the references that are open files */
	unsigned changes; /* of the file's content, its removals included */
	bool view_root; /* its path is the mount's root path */
	bool sticky;    /* INODE_DIR: stays a directory although the node has no children */
	bool pending;   /* created here, not yet in the store */
	bool hashed;    /* can be found by name */
	char *key;
	size_t key_len;
	UT_hash_handle by_id;
	UT_hash_handle by_name;
};

struct inodes {
	pthread_mutex_t lock;
	struct inode *by_id;
	struct inode *by_name;
	uint64_t last_id;
	unsigned pending; /* inodes that are */
	char *root_path;
	struct inode *root;
};

/*
 * Makes a table that holds the root, a directory in `view` (borrowed for the table's life), whose
 * store path is `root_path` (copied).  Returns 0 or -ENOMEM.
 */
int inodes_init(struct inodes *t, const char *root_path, const struct view *view);

/* Frees the table and all that is in it. */
void inodes_deinit(struct inodes *t);

/* Returns how many inodes there are. */
unsigned inodes_count(struct inodes *t);

/* Returns the inode of a nodeid, with a reference, or NULL if there is none. */
struct inode *inode_get(struct inodes *t, uint64_t nodeid);

/* Returns another reference. */
struct inode *inode_ref(struct inodes *t, struct inode *inode);

/* Gives a reference back; NULL is allowed. */
void inode_put(struct inodes *t, struct inode *inode);

/* The same for a reference that is an open file. */
struct inode *inode_ref_open(struct inodes *t, struct inode *inode);
void inode_put_open(struct inodes *t, struct inode *inode);

/* Returns whether the file is open. */
bool inode_is_open(struct inodes *t, const struct inode *inode);

/*
 * Returns the inode of `name` in `parent` with that kind, made if need be, with a reference.
 * `view`: what it shows; `special`: for INODE_SPECIAL.  NULL when out of memory.
 */
struct inode *inode_intern(struct inodes *t, struct inode *parent, const char *name,
			   enum inode_kind kind, const struct view *view,
			   const struct special *special);

/* Returns the inode of `name` in `parent` with that kind if there is one, with a reference. */
struct inode *inode_find(struct inodes *t, struct inode *parent, const char *name,
			 enum inode_kind kind);

/* The kernel got (or, if the reply did not reach it, did not get) a reference by lookup. */
void inode_remember(struct inodes *t, struct inode *inode);
void inode_forget(struct inodes *t, uint64_t nodeid, uint64_t nlookup);

/*
 * Writes the store path of `inode`, or of `name` in it if that is not NULL, to `path` (PATH_SIZE).
 * For a special file: of the node that it belongs to.  Returns 0 or -ENAMETOOLONG.
 */
int inode_path(struct inodes *t, const struct inode *inode, const char *name, char *path);

/* Sets, clears or reads a flag. */
void inode_set_sticky(struct inodes *t, struct inode *inode, bool sticky);
bool inode_is_sticky(struct inodes *t, const struct inode *inode);
void inode_set_pending(struct inodes *t, struct inode *inode, bool pending);
bool inode_is_pending(struct inodes *t, const struct inode *inode);

/* The file got a new content, or was removed: it is no longer pending. */
void inode_changed(struct inodes *t, struct inode *inode);

/* Returns how often that happened. */
unsigned inode_changes(struct inodes *t, const struct inode *inode);

/* Calls `fn` with the name of each file in `parent` that is pending, under the lock. */
void inode_for_each_pending(struct inodes *t, const struct inode *parent,
			    void (*fn)(void *arg, const char *name), void *arg);

/*
 * The node `name` in `parent` is gone: its directory no longer sticks, its file is no longer
 * pending.
 */
void inode_gone(struct inodes *t, struct inode *parent, const char *name);

/*
 * The node moved: whatever inodes it had move with it, and what stood at the new place can no
 * longer be found there.  Returns 0 or -ENOMEM with nothing changed.
 */
int inode_rename(struct inodes *t, struct inode *parent, const char *name,
		 struct inode *new_parent, const char *new_name);

#endif
