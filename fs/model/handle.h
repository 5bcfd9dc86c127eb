/* SPDX-License-Identifier: MIT */
/*
 * An open file or directory: what it has read, what it is writing.  For the operations of fs/; the
 * caller holds the filesystem's lock.
 *
 * The kernel lets one write, truncate or fsync at a time through to a file (its inode's lock), but
 * reads run beside them.
 */
#ifndef FS_MODEL_HANDLE_H
#define FS_MODEL_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fs/model/inode.h"
#include "fs/model/quota.h"

struct listing;
struct fs;
struct kept_poll;
struct poll_cover;

LIST_HEAD(handle_list, handle);

/* All open files and directories of a mount.  An unmount may leave some without a RELEASE. */
struct handles {
	struct handle_list open;
	unsigned count;
	struct inodes *inodes;
	struct quotas *quotas;
	struct fs *fs;
};

/*
 * What the handle has done to the file's content:
 *
 *            emptied by open(), created          written by a write, or as empty
 *    EDITING ──────────────────────▶ EMPTIED ──────────────────────────────────▶ WHOLE
 *      │                               │ │                                         ▲
 *      │                               │ └──── a write is refused ──▶ REFUSED ─────┤
 *      │                 ftruncate to 0│                                 ▲         │
 *      └───────────────────────────────┴─▶ CUT ─────────────────────────┴──────────┘
 *
 * Emptying leads to EMPTIED or CUT from everywhere; an append, or a truncate to another size than 0, leads
 * back to EDITING.  In EMPTIED and CUT an empty value is owed to the store, which still has the old one:
 * watchers are not to see the gap before the write that nearly always follows.  It is owed no more when
 * something else has happened to the file meanwhile.  In REFUSED it reads as empty here, but the empty
 * value is not written: a program that could not replace the old value has not lost it, and where there was
 * none before there is nothing to write.
 *
 * A user may have only so many open files that are EMPTIED or CUT (QUOTA_EMPTY), so that the number of empty values
 * is bounded when a process ends with all its files.  Beyond that a file is emptied in the store first, and is
 * WHOLE then, which leads there from EDITING as well.
 */
enum handle_state {
	HANDLE_EDITING, /* each write edits what the store has */
	HANDLE_EMPTIED, /* the empty value is written when the last descriptor is closed */
	HANDLE_CUT,     /* it is written at the next close */
	HANDLE_REFUSED,
	HANDLE_WHOLE,   /* the store has `content`, and nothing else is the file's content */
};

struct handle {
	struct inode *inode; /* with a reference */
	int flags;           /* as given to open() */

	bool cached;         /* reads are answered by the kernel, as long as it has the page */

	/* cache=full: what its reader knows of the size, see inode_size.c. */
	uint64_t answered; /* the inode's `tellings` when it was last answered */
	uint64_t sized;    /* the same when it was last answered before it asked for the size */
	size_t size;       /* which it was given */
	uint64_t asked_ms; /* when, by inode_now_ms(); 0: it has read since */
	uint64_t written;  /* the inode's `outdated` then */
	uint64_t hold;     /* the inode's `hold_round` when it began to hold, 0: it does not */

	/* The content that the last read at offset 0 saw; later offsets continue it. */
	char *snapshot; /* NULL: none */
	size_t snapshot_size;
	bool end_told; /* a reader of it was told where it ends */

	enum handle_state state;
	char *content; /* WHOLE: the content as written so far; NULL: empty */
	size_t content_size;

	/* EMPTIED, CUT, REFUSED: the handle is on its inode's list, and `contents` of the inode was this. */
	unsigned emptied_since;
	pid_t emptier; /* the process that emptied the file; 0: not known */
	uid_t user;    /* EMPTIED, CUT: who is charged with one of his QUOTA_EMPTY, */
	bool charged;  /* if that was not taken over */
	LIST_ENTRY(handle) emptied_link;

	bool missing_at_close; /* a close has found that the file was not yet in the store */
	uint64_t first_closer; /* who closed a descriptor of it first; 0: nobody */

	/* A directory's names. */
	struct listing *listing;
	bool listing_used; /* a reader began with it: starting over reads anew */

	/* Polls, see poll.h. */
	struct kept_poll *poll;       /* to be notified; NULL: none */
	uint64_t seen;                /* the inode's `events` when all of the value was read; 0: not */
	uint64_t told;                /* the inode's `events` when a poll last said that it has news */
	bool polled;                  /* is on the inode's list */
	bool unwatched;               /* is on fs->polls's: nothing tells of changes */
	LIST_ENTRY(handle) poll_link;
	LIST_ENTRY(handle) unwatched_link;

	/* A watch for the file where none covers its path; NULL: none. */
	struct poll_cover *cover;

	/* Called first when the handle is freed: for what poll.c keeps in it.  NULL: nothing. */
	void (*unpoll)(struct fs *fs, struct handle *handle);

	void *own; /* what its special file keeps for it; NULL: nothing */
	void (*close_own)(struct fs *fs, void *own);

	struct handles *all;
	LIST_ENTRY(handle) open_link;
};

/* Makes a set for the open files of `inodes`, whose users' shares are in `quotas` (both borrowed); `fs` is what their
 * hooks are called with. */
void handles_init(struct handles *all, struct inodes *inodes, struct quotas *quotas, struct fs *fs);

/* Frees all that are left, after the last operation, and the set. */
void handles_deinit(struct handles *all);

/* Makes a handle for `inode` (a reference is taken).  Returns NULL when out of memory. */
struct handle *handle_new(struct handles *all, struct inode *inode, int flags);

/* Gives the handle what its special file keeps for it, and how that is freed: `close` waits for nothing,
 * and runs also at the end of the mount, when the channel takes no more requests. */
void handle_set_own(struct handle *handle, void *own, void (*close)(struct fs *fs, void *own));

/* Frees a handle; NULL is allowed. */
void handle_free(struct handle *handle);

/* Replaces the snapshot; takes `data` (from malloc; NULL drops it). */
void handle_set_snapshot(struct handle *handle, char *data, size_t size);

/*
 * Copies up to `size` bytes at `off` of the snapshot to `buf`.
 * Returns the number, or -1 if there is no snapshot.
 */
ssize_t handle_read_snapshot(struct handle *handle, char *buf, size_t size, off_t off);

/* The same for content that may grow.  A reader is told once where the snapshot ends; the next read
 * there returns -1: the store is to be asked, and handle_extend_snapshot() told. */
ssize_t handle_read_growing(struct handle *handle, char *buf, size_t size, off_t off);

/*
 * The content was found to be `data` by a read that was not from the start.  It becomes the snapshot
 * (`data`, from malloc, is taken in any case) if there is none, or if it begins with all of that.
 * Returns whether the snapshot is that content now.
 */
bool handle_extend_snapshot(struct handle *handle, char *data, size_t size);

/* Notes that `content` (taken) is what the store has now through this handle. */
void handle_set_content(struct handle *handle, char *content, size_t size);

/*
 * open() has emptied the file, or created it.  `process`: whose doing that is, 0 if that is not known; `user`: who is
 * charged for the empty value that is owed now.
 * Returns 0, or having changed nothing -EDQUOT if he owes as many as he may: then it is to be written now, and given to
 * handle_set_content(); or -ENOMEM.
 */
int handle_empty(struct handle *handle, pid_t process, uid_t user);

/* The same by ftruncate(): then the next close is the end. */
int handle_cut(struct handle *handle, pid_t process, uid_t user);

/* open() has created the file where the store has an empty value already: it reads as empty, and nothing is owed. */
void handle_begin_empty(struct handle *handle, pid_t process);

/* The file ends, and its empty value is about to be written.  Returns whether somebody, *user, is charged with that: it
 * is the caller's to give back. */
bool handle_take_charge(struct handle *handle, uid_t *user);

/* The store has refused a write through the handle. */
void handle_refuse(struct handle *handle);

/* The store's content is no longer what this handle alone has made it. */
void handle_edit(struct handle *handle);

/* Returns whether the handle defines all of the content, so that a write need not read the old one. */
bool handle_is_whole(const struct handle *handle);

/* A descriptor was closed by `owner` (FUSE's lock owner: a process).  Returns whether that is to
 * write the empty value; see node_flush(). */
bool handle_is_last_close(struct handle *handle, uint64_t owner);

/* The empty value was written, or is not to be written any more.  Returns whether the store had not yet
 * what the file reads as here. */
bool handle_settle_empty(struct handle *handle);

/* Returns whether the file is empty as seen through this handle, whatever the store has. */
bool handle_reads_empty(const struct handle *handle);

/* Returns whether that value has to be written when the handle is closed. */
bool handle_ends_empty(const struct handle *handle);

#endif
