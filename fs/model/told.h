/* SPDX-License-Identifier: MIT */
/*
 * What the readers of inotify(7) have been told of an inode: by the kernel, which raises the events of
 * everything that is done through the mount, or by fs/inotify/, which raises those of what others do in the
 * store.  An event is due where this differs from the store.
 *
 * It begins with what the kernel was told when it got to know the inode.  From then on only the two
 * above change it, not what somebody happens to see: that may be a change that is yet to be told.
 *
 * No I/O.  The caller holds the filesystem's lock.
 */
#ifndef FS_MODEL_TOLD_H
#define FS_MODEL_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inode;
struct listing;

/* What a name was told to be. */
enum told_kind {
	TOLD_NOT = -1, /* it is not there */
	TOLD_UNSURE,   /* it is there, as what is not known */
	TOLD_FILE,
	TOLD_DIR,
	TOLD_SEEN,     /* it was seen, but not told that it is new: that it goes would have to be told */
};

enum told_state {
	TOLD_NOTHING, /* nobody has looked yet */
	TOLD_KNOWN,
	TOLD_LOST,    /* anything may have been told: the next event is told in any case */
};

/* What was told of the permissions at one time. */
struct perms_told {
	enum told_state state;
	uint64_t hash; /* of the reply to XS_GET_PERMS */
};

struct told {
	enum told_state value_state;
	enum told_state perms_state;
	uint64_t value;      /* hash of the value */
	uint64_t perms;      /* hash of the reply to XS_GET_PERMS */
	uint64_t writes;     /* counts the values that this mount has sent to the store */
	unsigned writing;    /* transactions of this mount's own that write it now: what they have sent is not there yet */
	bool deleted;        /* that it is gone was told, and not yet that it is back */
	uint64_t own_ms;     /* when something else than a write was last done to it through this mount; 0: never */

	/* INODE_DIR: the names in it, as sorted hashes whose lowest two bits are a told_kind. */
	bool names_known;
	uint64_t *names;
	unsigned n_names, max_names;
	unsigned making;  /* nodes in it that this mount is making now: the store may have them already */
	uint64_t changes; /* counts the names made and removed through this mount */
	uint64_t reported_ms; /* when the store told of the inode for the last time, or of a name in it without one; 0: never */
	uint64_t stirred; /* counts what was reported of the inode, or of anything below, and how often a user got there */
};

/* Frees what it holds. */
void told_deinit(struct told *told);

/* The value, or the permissions as in the reply to XS_GET_PERMS, were told. */
void told_value(struct inode *inode, const void *value, size_t len);
void told_perms(struct inode *inode, const void *perms, size_t len);

/* This mount is about to send the value, of which the kernel tells. */
void told_write(struct inode *inode, const void *value, size_t len);

/* Returns what was told of the permissions. */
struct perms_told told_get_perms(const struct inode *inode);

/* What told_perms() had made of it, `noted`, was not told after all, as the store refused it: it is again what it
 * was `before`, unless something else was told meanwhile. */
void told_perms_refused(struct inode *inode, struct perms_told noted, struct perms_told before);

/* The kernel was told this hash (fnv_value()) of the value when it got to know the inode.  Later it has
 * no effect. */
void told_value_first(struct inode *inode, uint64_t value);

/* The same for the names in a directory, from a whole reply to XS_DIRECTORY. */
void told_names_first(struct inode *dir, const char *reply, size_t len);

/* Somebody was given a list of all names in a directory. */
void told_listing(struct inode *dir, const struct listing *listing);

/* Returns what was told of a name, if dir->told.names_known. */
enum told_kind told_name(const struct inode *dir, const char *name);

/* The name was told to be there, or to be gone. */
void told_name_add(struct inode *dir, const char *name, enum told_kind kind);
void told_name_remove(struct inode *dir, const char *name);

/* The kernel has looked the inode up: it is known of which kind it is, and may be in use. */
void told_looked_up(struct inode *inode);

/* Something was reported of the inode, or somebody got there. */
void told_stir(struct inode *inode);

/* The inode was made through this mount (a file or directory without a value), or the name was removed, and
 * the kernel tells. */
void told_made(struct inode *inode);
void told_removed(struct inode *dir, const char *name);

/* The same for what others have made or removed, of which fs/inotify/ tells. */
void told_new(struct inode *inode);
void told_gone(struct inode *inode);

/* Something was done through this mount, to the inode, or to all below it too: the store will tell of it, or
 * just has. */
void told_own(struct inode *inode);
void told_own_below(struct inode *top);

/* Returns whether that may be all that the store has told of the inode up to `reported_ms` (inode_now_ms()): it was
 * done shortly before, or after that, as an event may come before the answer.  It does not matter when this is asked. */
bool told_is_own(const struct inode *inode, uint64_t reported_ms);

#endif
