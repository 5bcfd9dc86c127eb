/* SPDX-License-Identifier: MIT */
/* The inside of fs/inotify/. */
#ifndef FS_INOTIFY_INOTIFY_IMPL_H
#define FS_INOTIFY_INOTIFY_IMPL_H

#include <pthread.h>
#include <sys/queue.h>
#include <uthash.h>

#include "fs/inotify/inotify.h"
#include "fs/op/fs_impl.h"

/* ---- queue.c: names about which there is news -------------------------------------------------- */

struct news {
	struct inode *dir; /* with a reference */
	bool foreign;      /* not only changes of our own were reported, */
	uint64_t reported_ms; /* for the last time then (inode_now_ms()), if events did it */
	bool deep;         /* what is below may have been removed, or be new */
	bool lost;         /* a change may have been missed: it is told in any case */
	bool patient;      /* it need not be told at once: see PATIENT_MS */
	unsigned tries;    /* times that a change through the mount came in between */
	TAILQ_ENTRY(news) link;
	UT_hash_handle hh;
	size_t key_len;
	const char *name; /* in `dir`, behind its nodeid in `key`; "" for the root of a view itself */
	char key[];
};

TAILQ_HEAD(news_list, news);

struct news_queue {
	struct news_list list;    /* to be taken now */
	struct news_list patient; /* and when patient_due_ns (CLOCK_MONOTONIC) has come */
	uint64_t patient_due_ns;
	struct news *by_key;      /* of both */
	unsigned count;
	unsigned events; /* reported since the last sweep began, or less */
	bool sweep;      /* everything known is to be compared, */
	bool sweep_lost; /* and told */
};

void queue_init(struct news_queue *queue);
void queue_deinit(struct fs *fs, struct news_queue *queue);

/* Adds a name, or merges it with what is there.  Without memory everything will be compared. */
void queue_add(struct fs *fs, struct inode *dir, const char *name, const struct news *like);

/* Puts a name aside, to be added a second later, whatever else there is to do then. */
void queue_owe(struct fs *fs, struct inode *dir, const char *name, const struct news *like);
void queue_owed(struct fs *fs);

/* Adds all children of a directory that the kernel knows. */
void queue_add_children(struct fs *fs, struct inode *dir, const struct news *like);

/* Has the names that were to wait taken, if their time has come. */
void queue_wait_over(struct news_queue *queue);

/* Returns whether anything is to be taken now. */
bool queue_is_urgent(const struct news_queue *queue);

/* Returns the next news, out of the queue, or NULL.  news_free() ends it. */
struct news *queue_take(struct fs *fs);
void news_free(struct fs *fs, struct news *news);

/* Returns whether so much was reported that the server may have held something back. */
bool queue_was_flooded(const struct news_queue *queue);

/* Has everything known compared once the queue is empty; `lost`: and told in any case. */
void queue_sweep(struct fs *fs, bool lost);

/* For fs->tell_readers. */
void queue_note_event(struct fs *fs, const char *path, bool lost);

/* ---- raise.c: making the kernel raise events --------------------------------------------------- */

enum raise_kind {
	RAISE_PROBE,  /* none: nobody but the kernel sees it */
	RAISE_MODIFY, /* OPEN, MODIFY, CLOSE_WRITE */
	RAISE_ATTRIB,
	RAISE_CREATE,
	RAISE_DELETE,
};

/* The answer to what the probe makes; nothing else answers so. */
#define INOTIFY_PROBE_ERROR ENOTUNIQ

/* What the teller is doing now, and how its requests are answered.  Whatever does not fit is refused. */
struct expected {
	enum raise_kind kind;
	struct inode *dir;   /* borrowed */
	const char *name;    /* in dir */
	struct inode *inode; /* what is opened, made or removed; borrowed; NULL for a probe */
	bool is_dir;         /* `inode` is a directory */
	size_t size;         /* of the file */
	uint64_t changes;    /* dir->told.changes: nothing was made or removed through the mount since */
	uint64_t moved;      /* inode_moved(dir): nor was this, or anything above it, renamed */
	const struct inode *top; /* NULL, or nothing was reported of this inode, or anything below, since, and */
	uint64_t stirred;        /* nobody got there: top->told.stirred */
	uint64_t lookups;    /* how often `inode` was looked up for this */
	bool done;           /* the change was agreed to, which happens once */
	bool overtaken;      /* any of that was so */
	bool refused;        /* a request did not fit */
};

/*
 * Does it, with the lock released.  Returns 0; -EAGAIN: it was overtaken, so the store has to be looked at
 * again; or another -errno: nobody can be told.
 */
int raise_event(struct fs *fs, struct expected *expected) REQUIRES(fs_lock_held);

/* Leaves the mount, so that it can be unmounted completely.  Without the lock. */
void raise_pause(struct fs *fs);

/* After -EROFS: finds out whether the filesystem can be written to again. */
void raise_retry(struct fs *fs) REQUIRES(fs_lock_held);

/* Finds out whether all of this works.  Returns NULL or the reason why not. */
const char *raise_probe(struct fs *fs) REQUIRES(fs_lock_held);

/* ---- look.c: what there is to tell -------------------------------------------------------------- */

/* How many names are looked at together. */
#define LOOK_MAX 16

/* Asks the store about `n` names, and tells in their order what differs.  They stay the caller's. */
void look(struct fs *fs, struct news *const *news, unsigned n) MAY_WAIT;

/* ---- inotify.c ---------------------------------------------------------------------------------- */

struct inotify {
	pthread_t thread;
	pthread_cond_t wake;
	bool started; /* it has its own working directory */
	bool serving; /* requests are answered */
	bool work;    /* there may be something in the queue, */
	bool urgent;  /* that is to be taken now */
	bool readonly; /* somebody has made the filesystem itself so: what there is to tell waits */
	bool ending;
	bool ended;

	struct inotify_place place;
	char *mountpoint; /* place.mountpoint */
	bool inside; /* its working directory is in a mount that only it sees */
	bool copies; /* that is a copy of the visible one: the kernel refuses to mount it again */

	struct expected *expected; /* NULL: there must be no request */
	struct news_queue queue;
	struct news_list owed; /* what cannot be told now: a removed directory with an open file below, and other names */
	uint64_t owed_due_ns;  /* CLOCK_MONOTONIC: when it is tried again, if there is any */
};

/* Has the teller look at the queue. */
void inotify_wake(struct fs *fs);

#endif
