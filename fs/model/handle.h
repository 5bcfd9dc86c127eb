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
	struct fs *fs;
};

struct handle {
	struct inode *inode; /* with a reference */
	int flags;           /* as given to open() */

	/* What the last read at offset 0 saw; later offsets continue it. */
	char *snapshot; /* NULL: none */
	size_t snapshot_size;
	bool end_told; /* a reader of it was told where it ends */

	/* The whole content as written so far, when this handle defines all of it (it truncated or
	 * created the file); else each write edits what the store has. */
	bool whole;
	char *content;
	size_t content_size;

	/* Truncated or created, but nothing written yet: an empty value is due at the end, unless
	 * something else happens to the file first (it had due_since changes), or a write is
	 * refused: who could not replace the old value keeps it. */
	bool empty_due;
	bool write_refused;
	unsigned due_since;
	bool emptied;         /* is on the inode's list: empty_due */
	unsigned emptied_since;
	pid_t emptier;        /* the process to which that was done; 0: not known */
	LIST_ENTRY(handle) emptied_link;
	bool asked;            /* at close: the file was not yet in the store */
	bool closing;          /* the next close writes it */
	uint64_t first_closer; /* who closed a descriptor of it first; 0: nobody */

	/* A directory's names. */
	struct listing *listing;
	bool listing_used; /* a reader began with it: starting over reads anew */

	/* Polls, see poll.h. */
	struct kept_poll *poll;       /* to be notified; NULL: none */
	uint64_t seen;                /* the inode's `events` when all of the value was read; 0: not */
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

/* Makes a set for the open files of `inodes` (borrowed); `fs` is what their hooks are called with. */
void handles_init(struct handles *all, struct inodes *inodes, struct fs *fs);

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

/* Begins anew: the content is empty and defined by this handle.  `process`: whose doing that is, 0 if that
 * is not known. */
void handle_truncate(struct handle *handle, pid_t process);

/* A descriptor was closed by `owner` (FUSE's lock owner: a process).  Returns whether that is to
 * write the empty value; see node_flush(). */
bool handle_is_last_close(struct handle *handle, uint64_t owner);

/* The empty value was written, or is not to be written any more.  Returns whether it was due. */
bool handle_take_empty_due(struct handle *handle);

/* Returns whether an empty value is due: through this handle the file is empty. */
bool handle_is_empty_due(struct handle *handle);

/* Returns whether that value has to be written when the handle is closed. */
bool handle_ends_empty(struct handle *handle);

#endif
