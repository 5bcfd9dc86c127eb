/* SPDX-License-Identifier: MIT */
/*
 * The inside of the table of inodes, for its own files.  From the bottom up: inode_name.c (names
 * and paths), inode_listing.c (names in directories), inode_stale.c (news for the kernel),
 * inode_shown.c (values that the kernel keeps), inode_size.c (and their sizes), inode_stat.c (numbers and times),
 * inode.c (lifetimes and flags), inode_events.c (effects of events), inode_tree.c (removals and renames).
 */
#ifndef FS_MODEL_INODE_IMPL_H
#define FS_MODEL_INODE_IMPL_H

#include "fs/model/inode.h"
#include "fs/model/kept_poll.h"


/* The event of what this mount has done comes within this time of its reply, before it or after it. */
#define OWN_EVENT_MS 1000

/* Returns the key (malloc) under which `name` in `parent` is found, and its length; NULL
 * without memory.  `kind`: an enum inode_kind, or a unique number for an inode that must not
 * be found by name. */
char *inode_key_new(const struct inode *parent, const char *name, uint64_t kind, size_t *len);

/* Gives the inode, which is not in the table of names, a key (taken). */
void inode_set_key(struct inode *inode, char *key, size_t len);

/* Puts the inode into the table of names.  Without memory it cannot be found there: its name will
 * lead to another inode, and events find it on a list. */
void inode_hash(struct inodes *t, struct inode *inode);

/* Takes the inode out of the table of names; does nothing if it is not in it. */
void inode_unhash(struct inodes *t, struct inode *inode);

/* The file has another value than before: for its times, and for what is shown of it. */
void inode_value_changed(struct inodes *t, struct inode *inode);

/* Returns the inode with that key, without a reference, or NULL. */
struct inode *inode_find_key(struct inodes *t, const char *key, size_t key_len);

/* Returns the inode of `name` in `parent` with that kind, without a reference, or NULL. */
struct inode *inode_peek(struct inodes *t, const struct inode *parent, const char *name,
				enum inode_kind kind);

/* inode_path() of the inode itself. */
int inode_own_path(struct inodes *t, const struct inode *inode, char *path);

/* Returns the next inode of a subtree in preorder, or NULL after the last. */
struct inode *inode_next(const struct inode *top, struct inode *inode);

/* An inode and everything below it was removed: wakes every poll on them. */
void inode_wake_removed(struct inodes *t, struct inode *top, struct wakeups *wakeups);

/* Frees the inode if nothing needs it, and then its parent if nothing needs that. */
void inode_release(struct inodes *t, struct inode *inode);

/* Forgets the names in a directory, if they are known. */
void inode_drop_listing(struct inodes *t, struct inode *inode);

/* Who made a change, as far as that is known. */
enum changed_by {
	CHANGED_BY_OTHERS, /* or the kernel does not know of it: it is told at once */
	CHANGED_BY_US,     /* through this mount: the kernel is told 25 ms later */
};

/* The kernel must be told that the inode's attributes are outdated, and with `name` its name
 * too, if it believes anything about it.  If nobody looks, only the first of many changes
 * costs anything. */
void inode_outdate(struct inodes *t, struct inode *inode, enum changed_by by, bool name);

/* The kernel is about to be given a content of this size, which makes the file no shorter. */
void inode_size_stored(struct inode *inode, size_t size);

/* Nobody holds any more: what the kernel is told later because of that it is told now. */
void inode_tell_held(struct inodes *t, struct inode *inode);

/* The kernel was told to forget the content, if it is outdated. */
void inode_told_shown(struct inode *inode);

/* The inode changed at that time.  The recorded time always moves forward, whatever
 * the clock says. */
void inode_move_time(struct inode *inode, const struct timespec *at);

/* A child of the directory was made or removed, now. */
void inode_change_dir(struct inodes *t, struct inode *dir, enum changed_by by);

/* This mount has written or made the node: no answer to a question from before tells of it. */
void inode_is_new(struct inodes *t, struct inode *inode);

/* The content of the file was changed by this mount, now. */
void inode_change_value(struct inode *inode);

/* The node is no longer there; NULL is allowed.  The first such call counts as a change
 * of its directory. */
void inode_absent(struct inodes *t, struct inode *inode);

/* An event at that time may mean that a child was made or removed. */
void inode_names_event(struct inodes *t, struct inode *dir, const struct timespec *at,
			      enum changed_by by);

/* Gives a new, otherwise complete inode its number and time; `shared`: the number is one that other
 * inodes of that name have, too. */
void inode_stat_begin(struct inodes *t, struct inode *inode, bool shared);

/* Undoes inode_stat_begin(), for an inode that can still be found by its name. */
void inode_stat_end(struct inodes *t, struct inode *inode);

#endif
