/* SPDX-License-Identifier: MIT */
/*
 * The inside of the table of inodes, for its own files.  From the bottom up: inode_name.c (names and
 * paths), inode_listing.c (names in directories), inode_stale.c (what the kernel is to be told),
 * inode_stat.c (numbers and times), inode.c (lifetimes and flags), inode_events.c (what events mean),
 * inode_tree.c (removals and renames).
 */
#ifndef FS_MODEL_INODE_IMPL_H
#define FS_MODEL_INODE_IMPL_H

#include "fs/model/inode.h"
#include "fs/model/kept_poll.h"

/* Returns CLOCK_MONOTONIC in milliseconds, some of them late. */
uint64_t inode_now_ms(void);

/* Returns the key (malloc) under which `name` in `parent` is found, and its length; NULL without
 * memory.  `kind`: an enum inode_kind, or a number of its own for what is not to be found. */
char *inode_key_new(const struct inode *parent, const char *name, uint64_t kind, size_t *len);

/* Gives the inode, which is not in the table of names, a key (taken). */
void inode_set_key(struct inode *inode, char *key, size_t len);

/* Puts the inode into the table of names.  Without memory it is not found there: its name will lead
 * to another, and events find it on a list. */
void inode_hash(struct inodes *t, struct inode *inode);

/* Takes it out; nothing happens if it is not in. */
void inode_unhash(struct inodes *t, struct inode *inode);

/* Returns the inode with that key, without a reference, or NULL. */
struct inode *inode_find_key(struct inodes *t, const char *key, size_t key_len);

/* Returns the inode of `name` in `parent` with that kind, without a reference, or NULL. */
struct inode *inode_peek(struct inodes *t, const struct inode *parent, const char *name,
				enum inode_kind kind);

/* inode_path() of the inode itself. */
int inode_own_path(struct inodes *t, const struct inode *inode, char *path);

/* The next inode of a subtree in preorder, or NULL behind the last. */
struct inode *inode_next(const struct inode *top, struct inode *inode);

/* An inode and all below it were removed: nobody is to wait for a change any more. */
void inode_wake_removed(struct inodes *t, struct inode *top, struct wakeups *wakeups);

/* Frees the inode if nothing needs it, and then perhaps its parent. */
void inode_release(struct inodes *t, struct inode *inode);

/* Forgets the names in a directory, if they are known. */
void inode_drop_listing(struct inodes *t, struct inode *inode);

/* The kernel is to be told of the inode's attributes, and with `name` of its name, if it believes
 * anything of it: of changes that nobody looks at, only the first costs anything. */
void inode_outdate(struct inodes *t, struct inode *inode, bool name);

/* The inode changed at that time; later than any before, whatever the clock says. */
void inode_move_time(struct inode *inode, const struct timespec *at);

/* A child of a directory was made or removed here, now. */
void inode_change_dir(struct inodes *t, struct inode *dir);

/* The content of a file changed here, now. */
void inode_change_value(struct inode *inode);

/* The node is not there any more; NULL is allowed.  The first time that changes its directory. */
void inode_absent(struct inodes *t, struct inode *inode);

/* An event at that time may be about the making or the removal of a child.  `tell`: the kernel too. */
void inode_names_event(struct inodes *t, struct inode *dir, const struct timespec *at,
			      bool tell);

/* A new inode that is complete otherwise gets its number and time; `shared`: a number that others of
 * that name have, too. */
void inode_stat_begin(struct inodes *t, struct inode *inode, bool shared);

/* The same backwards, for one that can still be found by its name. */
void inode_stat_end(struct inodes *t, struct inode *inode);

#endif
