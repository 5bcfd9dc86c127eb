/* SPDX-License-Identifier: MIT */
/*
 * Tells the readers of inotify(7) and fanotify(7) what others change in the store.
 *
 * Linux raises such events for what is done through a mount, and for nothing that a FUSE server does by
 * itself.  So a thread of ours, the teller, does to our own mount what has happened to the store: it opens
 * and closes a file, makes one, removes one; the kernel raises the events of that; and the requests that
 * arrive from it are answered without the store (answer.c).
 *
 *     an event ──▶ queue.c ──▶ look.c ──▶ tell.c: what differs from what was told? ──▶ raise.c ──▶ kernel
 *                                                                                                    │
 *                                                                               answer.c ◀── its requests
 *
 * Only what the kernel knows can have a reader.  Nothing waits for the teller, except the end of the
 * filesystem, which goes on answering meanwhile.
 */
#ifndef FS_INOTIFY_INOTIFY_H
#define FS_INOTIFY_INOTIFY_H

#include <stdbool.h>

#include "fs/op/capability.h"

struct fs;
struct fuse_buf;

/* The mount that it works on. */
struct inotify_place {
	const char *mountpoint; /* copied */
	unsigned major, minor;  /* its device number */
	/* mountinfo_is_mounted_on(), which is a floor above.  Called without the lock. */
	bool (*is_mounted_on)(unsigned major, unsigned minor, const char *path);
};

/*
 * Starts the teller.  Call it before system calls are filtered: it gets a working directory of its own.
 * Returns 0, or -errno: without it everything else works.
 */
int inotify_start(struct fs *fs, const struct inotify_place *place);

/*
 * Of a mount that is read-only: makes the filesystem itself writable, so that the teller can work through another
 * mount of it, and leaves the visible one as it is.  Returns 0 or -errno.
 */
int inotify_unlock(const char *mountpoint);

/* Requests are answered from now on: the teller makes sure that it is recognised, and begins. */
void inotify_serve(struct fs *fs) REQUIRES(fs_lock_held);

/* Answers a request if the teller has made it.  Returns false if libfuse is to handle it.  On any thread that
 * reads /dev/fuse. */
bool inotify_answers(struct fs *fs, const struct fuse_buf *buf) REQUIRES(fs_lock_held);

/* Asks the teller to end.  Returns whether it has ended; until then requests must be answered. */
bool inotify_end(struct fs *fs) EXCLUDES(fs_lock_held);

#endif
