/* SPDX-License-Identifier: MIT */
/*
 * The nodeids that the kernel knows, and the nodes, files and directories that they stand for.
 * For the operations of fs/; no I/O.
 *
 * Inodes form a tree by name, so a rename moves one of them, not a subtree.  The same node may have
 * two inodes, one as a file and one as a directory, because the kernel must never see a nodeid
 * change its type.
 *
 * Lifetime.  An inode lives while the kernel knows it (nlookup), while it has children, or while
 * somebody holds a reference (inode_get and friends give one; inode_put returns it).
 *
 * Removal.  When a directory is removed the kernel marks its inode dead, and remembers that for as
 * long as anybody holds it, so its nodeid must not be given out again.  So a removal that the
 * kernel knows of (unlink, rmdir, the target of a rename) takes the inode out of the table of names
 * for good; the next lookup or creation of that name makes another.  The removed inode no longer
 * has a path, and neither has anything below it: inode_path() fails, and with it every operation
 * that needs the store.  A node that somebody else removes from the store is a different case: its
 * inode stays, and stands for the node again if the node comes back.
 *
 * The caller holds the filesystem's lock (fs/op/fs_impl.h).
 */
#ifndef FS_MODEL_INODE_H
#define FS_MODEL_INODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>
#include <uthash.h>

#include "fs/model/config.h"
#include "fs/model/name.h"
#include "fs/model/recent.h"
#include "fs/model/told.h"

/* nodeid of the mount's root; FUSE_ROOT_ID. */
#define INODE_ROOT_ID 1

enum inode_kind {
	INODE_DIR,     /* a node as a directory */
	INODE_LEAF,    /* a node as a regular file */
	INODE_SPECIAL, /* a file or directory of xsfs itself, see special.h */
};

/* The most times that the kernel is told of one change. */
#define INODE_ROUNDS 4

/* A time that never comes. */
#define INODE_NEVER UINT64_MAX

#define INODE_KINDS 3

struct inode_ops;
struct empty_nodes;
struct special;
struct transaction;
struct handle;
struct listing;
struct cover_ref;
struct wakeups;

/* Bytes of directory names that are remembered, over all directories. */
#define INODE_LISTING_BYTES_MAX (16u << 20)

struct view;
struct op;

/* Hooks of a view that does not last (a transaction's). */
struct view_hooks {
	/* An inode begins to show the view, or stops showing it. */
	void (*get)(const struct view *view);
	void (*put)(const struct view *view);
	bool (*is_over)(const struct view *view);
	/* An operation in the view begins, and a round of its requests was answered. */
	void (*touch)(const struct view *view);
	void (*answered)(const struct view *view, const struct op *op);
};

/* A way to look at the store.  A transaction's view lives for as long as an inode shows it. */
struct view {
	const struct view_hooks *hooks; /* NULL: it lasts as long as the mount */
	enum fs_layout layout;
	uint32_t tx_id;         /* 0: none */
	uint32_t epoch;         /* the connection on which the transaction was started */
	struct transaction *tx; /* the transaction whose view this is; NULL: none */
	uid_t owner;            /* the user who started that */
	struct empty_nodes *empty_nodes;      /* what is known here of nodes without a value */
};

/* Returns whether a view shows a transaction that is over. */
static inline bool view_is_over(const struct view *view)
{
	return view->hooks && view->hooks->is_over(view);
}

/*
 * What the kernel remembers of an inode, and has to forget:
 *
 *              an event, inode_drop()              inode_take_stale()
 *    SETTLED ──────────────────────────▶ QUEUED ──────────────────────▶ TELLING
 *       ▲                                   ▲                            │   │
 *       │                                   └─ an event, another round ──┘   │
 *       └───────────────────── told for the last time ───────────────────────┘
 */
enum stale_state {
	STALE_SETTLED, /* there is nothing to tell */
	STALE_QUEUED,  /* waits in stale[round], with a reference */
	STALE_TELLING, /* the notifier has it, with that reference */
};

struct inode {
	/* Constant members. */
	uint64_t nodeid;
	enum inode_kind kind;
	const struct inode_ops *ops; /* the file operations of this inode */
	const struct view *view;
	const struct special *special; /* set for INODE_SPECIAL */
	uint64_t number;               /* for stat(2) */

	/* Members that change. */
	struct inode *parent; /* with a reference; NULL for the root */
	const char *name;     /* points into key */
	uint64_t nlookup;
	unsigned refs;
	unsigned opens;   /* those of the references that are open files */
	unsigned contents; /* counts those that the file got here, removals included */
	unsigned writers;  /* operations on the pool that are about to give it another one, but for the next: */
	LIST_HEAD(, op) releases; /* on the pool, with an empty value that is yet to be committed */
	bool cacheable; /* events tell when its attributes change: the kernel may remember them; nodes
	                 * are from the start, special files are not */
	unsigned leaving; /* removals and renames of it that are under way here */
	bool moving;      /* a rename of it has come as far as the store, or is about to */
	uint64_t moved;   /* the last rename of it: inode_moved() */
	bool view_root; /* its path is the mount's root path */
	bool sticky;    /* INODE_DIR: stays a directory although the node has no children */
	bool hidden;    /* INODE_DIR: the store refuses to show it */
	bool unwritten; /* created here, not yet in the store, */
	bool refused;   /* refused by the store, and told so: not retried unasked */
	bool hashed;    /* can be found by name */
	int removed;    /* 0, or why it has no path: -ENOENT; -ESTALE: another file replaced it */
	char *last;     /* the value that the replaced file had; NULL: unknown */
	size_t last_len;
	bool numbered;  /* no other inode has its number */
	bool absent;    /* the store last said that the node is gone */
	LIST_HEAD(, inode) children;
	TAILQ_HEAD(, inode) unwritten_files; /* those of its children that are unwritten */
	TAILQ_ENTRY(inode) unwritten_link;
	LIST_ENTRY(inode) sibling;

	/* What events have told; see event.h. */
	uint64_t events;            /* counts the events that concern the inode; starts at 1 */
	uint64_t foreign;           /* counts those that no write of ours caused; starts at 1 */
	uint64_t found;             /* `foreign` when it was last found in the store; 0: not yet */
	uint64_t looked_at;         /* `events` when a poll last asked the store about the node */
	bool own_look;              /* such a question, which nobody waits for, is under way */
	uint64_t confirmed;         /* `events` when its attributes were last asked for; 0: not known since */
	size_t value_len;           /* INODE_LEAF: the length of its value then */
	uint64_t confirmed_at;      /* `changes` of the table then */
	uint64_t written;           /* the same when this mount last wrote or made it */
	bool gone;                  /* the store said so then, or when it was read */
	struct timespec changed_at; /* time of the last change; 0: no change known */
	uint64_t value_hash;        /* hash of the value last seen */
	bool value_known;           /* value_hash is valid */
	bool names_known;           /* INODE_DIR: the names of its children have been seen */
	bool names_unsure;          /* those names may have changed since */
	unsigned n_names;
	uint64_t *names;            /* sorted hashes of the names; owned */
	struct timespec names_event_at; /* when they may have changed, if names_unsure */
	LIST_HEAD(, handle) emptied;    /* open files through which it reads as empty, see handle.h */
	unsigned own_writes;        /* our own writes whose events are still to come */
	uint64_t own_write_ms;      /* when the last of them was made */
	LIST_HEAD(, handle) pollers;
	struct cover_ref *cover;    /* poll.c: a watch for this path alone */
	struct listing *listing;    /* the names in it, for as long as they are known to be right */
	TAILQ_ENTRY(inode) listing_link;
	LIST_ENTRY(inode) unnamed_link;

	/* What the kernel may believe without asking, and what it has yet to be
	 * told; see notifier.c. */
	bool believed;              /* a time of validity was given since it was last told */
	uint64_t answered_ms;       /* CLOCK_MONOTONIC: when that was */
	bool unsettled;             /* it may not be stored there yet: it is told several times */
	bool stale_name;            /* the name must be told too, not only the attributes */
	enum stale_state stale;
	uint64_t due_ms;            /* CLOCK_MONOTONIC: when it is to be told */
	unsigned round;             /* QUEUED, TELLING: which telling that is, the first is 0 */
	TAILQ_ENTRY(inode) stale_link;

	/* cache=full: the content that the kernel was last told the size of; see inode_shown.c. */
	char *shown;           /* NULL: not known */
	size_t shown_size;
	uint64_t shown_events; /* `events` when the store said so; 0: the kernel knows that it is outdated */
	bool paged;            /* the kernel may have got it since it was last told to forget it */
	uint64_t outdated;     /* counts the times that this mount has made it outdated */
	uint64_t shown_ms;     /* CLOCK_MONOTONIC: when the kernel was told that, or the size */

	/* cache=full: which size the kernel has; see inode_size.c. */
	size_t least_size, most_size; /* it is one of these, or between them */
	unsigned holds;               /* open files that the kernel is told nothing for; not past 25 ms */
	uint64_t hold_round;          /* counts the times that there were any */
	bool held;                    /* QUEUED: it is told later than it would be, because of them */
	uint64_t tellings;            /* counts when the kernel began to be told, and when it had been */
	bool growing;                 /* the kernel is to be given what is shown, not only told to forget */
	bool giving;                  /* it is being given that */
	bool size_valid;              /* since it was last told, an answer has let it use a size without asking */

	struct told told; /* what the readers of inotify know */

	char *key;
	size_t key_len;
	UT_hash_handle by_id;
	UT_hash_handle by_name;
	UT_hash_handle by_number;
};

struct inodes {
	const struct inode_ops *const *ops; /* by kind */
	struct inode *by_id;
	struct inode *by_name;
	struct inode *by_number;
	struct recent recent; /* changes of nodes that have no inode */
	uint64_t last_id;
	uint64_t changes; /* renames of inodes, and writes and creations of nodes by this mount, so far */
	unsigned unwritten; /* inodes that are */
	char *root_path;
	struct inode *root;
	struct inode *nodes_root; /* root of the uniform view, if the kernel knows it */
	TAILQ_HEAD(, inode) listings; /* inodes that hold a listing, longest unused first */
	size_t listing_bytes;
	LIST_HEAD(, inode) unnamed;   /* not hashed for want of memory, yet not removed */
	/* Inodes that the kernel has yet to be told of for the n-th time, the
	 * earliest due first. */
	TAILQ_HEAD(inode_queue, inode) stale[INODE_ROUNDS];
	unsigned untold;              /* how many there are, or are being told of */
	bool track_stale;             /* the kernel caches, so it has to be told */
	bool track_shown;             /* ... values, too */
	bool telling;                 /* readers of inotify are told, so what they know is kept */
};

/*
 * Makes a table that holds only the root, a directory in `view` (borrowed for the table's life),
 * whose store path is `root_path` (copied).  `ops` (borrowed) has INODE_KINDS tables of operations.
 * Returns 0 or -ENOMEM.
 */
int inodes_init(struct inodes *t, const char *root_path, const struct view *view,
		const struct inode_ops *const *ops);

/* Frees the table and everything in it. */
void inodes_deinit(struct inodes *t);

/* Returns how many inodes there are. */
unsigned inodes_count(struct inodes *t);

/* Returns the inode of a nodeid, with a reference, or NULL if there is none. */
struct inode *inode_get(struct inodes *t, uint64_t nodeid);

/* Returns another reference. */
struct inode *inode_ref(struct inode *inode);

/* Gives a reference back; NULL is allowed. */
void inode_put(struct inodes *t, struct inode *inode);

/* Like inode_ref() and inode_put(), for a reference that is an open file. */
struct inode *inode_ref_open(struct inode *inode);
void inode_put_open(struct inodes *t, struct inode *inode);

/* Returns whether the inode, or anything below it, is open. */
bool inode_is_open(struct inode *top);

/*
 * Returns the inode of `name` in `parent` with that kind, made if need be, with a reference.
 * `view`: the view that it shows; `special`: for INODE_SPECIAL.  NULL when out of memory.
 */
struct inode *inode_intern(struct inodes *t, struct inode *parent, const char *name,
			   enum inode_kind kind, const struct view *view,
			   const struct special *special);

/* Returns a new INODE_SPECIAL inode of `name` in `parent` that can be found only by its nodeid;
 * with a reference.  NULL when out of memory. */
struct inode *inode_new_single(struct inodes *t, struct inode *parent, const char *name,
			       const struct special *special);

/* Returns the inode of `name` in `parent` with that kind, with a reference, or NULL
 * if there is none. */
struct inode *inode_find(struct inodes *t, struct inode *parent, const char *name,
			 enum inode_kind kind);

/* The kernel got a reference by a lookup, or, if the reply did not reach it, did not
 * get it after all. */
void inode_remember(struct inode *inode);
void inode_forget(struct inodes *t, uint64_t nodeid, uint64_t nlookup);

/*
 * Writes the store path of `inode`, or of `name` in it if that is not NULL, to `path`
 * (PATH_SIZE).  For a special file this is the path of the node that it belongs to.  Returns
 * 0, -ENAMETOOLONG, -ENOENT if the inode or anything above it was removed, or -ESTALE if it is
 * a file that another one replaced.
 */
int inode_path(struct inodes *t, const struct inode *inode, const char *name, char *path);

/* Returns whether the inode, or something above it, was removed. */
bool inode_is_removed(const struct inode *inode);

/* Returns the directory of an inode, with a reference. */
struct inode *inode_get_parent(const struct inode *inode);

/* Sets whether the file was created here and is not in the store yet. */
void inode_set_unwritten(struct inodes *t, struct inode *inode, bool unwritten);

/* A file that is unwritten was refused by the store.  This lasts until it is no longer, or created again. */
void inode_refuse(struct inode *inode);

/* Finds the lowest inode, from this one upwards, that is hidden, and writes its store path to
 * `path` (PATH_SIZE).  Returns whether there is one. */
bool inode_hidden_above(struct inodes *t, const struct inode *inode, char *path);

/* The file got a new content, or was removed: it is no longer unwritten. */
void inode_new_content(struct inodes *t, struct inode *inode);

/* Adds the names of the files in `parent` that are unwritten to those that the store has.  Returns 0 or
 * -ENOMEM. */
int inode_add_unwritten(const struct inode *parent, struct listing *listing);

/*
 * The store has no node `name` in `parent`: its directory no longer sticks, and its file has no value.
 * That file is not unwritten.
 */
void inode_gone(struct inodes *t, struct inode *parent, const char *name);

/* The inodes of a name that is about to lead elsewhere or nowhere. */
struct leaving {
	struct inode *dir, *leaf; /* with references; NULL: there is none */
};

/*
 * Call the first before this mount removes or renames the node `name` in `parent`, and the
 * second when that is done and noted, or has failed.  In between, a path obtained from an
 * inode may be out of date by the time it reaches the store; inode_is_leaving() says so for
 * the inode and everything below it.
 */
void inode_begin_leaving(struct inodes *t, struct inode *parent, const char *name,
			 struct leaving *leaving);
void inode_end_leaving(struct inodes *t, struct leaving *leaving);
bool inode_is_leaving(const struct inode *inode);

/* The store is about to move the node, as a rename here asks, or that is over.  The inode, or NULL. */
void inode_set_moving(struct inode *inode, bool moving);

/* Returns whether that is so of the inode, or of a directory above it: then its path may be wrong. */
bool inode_is_moving(const struct inode *inode);

/* Returns a number that is another one after each rename of the inode, or of a directory above it. */
uint64_t inode_moved(const struct inode *inode);

/*
 * The node `name` in `parent` was removed, and the kernel knows it or is about to: removes its
 * are removed.  To be called before the reply.  `wakeups` as for inodes_note_event().
 */
void inode_remove(struct inodes *t, struct inode *parent, const char *name,
		  struct wakeups *wakeups);

/* The same for one directory only, and what is below it, which somebody else removed from the store. */
void inode_remove_dir(struct inodes *t, struct inode *dir, struct wakeups *wakeups);

/* A rename is about to replace the file, whose value is `data` (from malloc, with room
 * for one more byte; taken): programs that have the file open go on reading that value,
 * as from any replaced file. */
void inode_set_last(struct inode *inode, char *data, size_t len);

/* Returns that value (for the caller to free, with room for one more byte) if the inode was
 * replaced and the value is known, else NULL. */
char *inode_get_last(const struct inode *inode, size_t *len);

/* The node at `path` was removed in a way that the kernel does not know of: by the commit of a
 * transaction, or in the other layout.  Directories at and below it no longer stick, and nothing
 * there counts as found. */
void inodes_removed(struct inodes *t, const char *path);

/* The node at `path` was moved or replaced in a way that the kernel does not know of: nothing at or
 * below it counts as found. */
void inodes_doubted(struct inodes *t, const char *path);

/*
 * Something at or below `path` may have changed, or something above it come into being.  Notes that
 * in all inodes concerned, drops the listings that may be wrong, and queues what the kernel has to
 * be told.  Polls that wait for it are added to `wakeups`: fs->wakeups.  NULL for `path`: anything
 * may have changed.
 */
void inodes_note_event(struct inodes *t, const char *path, struct wakeups *wakeups);

/* inode_wrote(): this mount is about to write the node's value, so the resulting event says nothing
 * new about its kind, its existence or the names above it.  inode_write_over(): that was answered;
 * with `failed`, no event will come. */
void inode_wrote(struct inode *inode);
bool inode_is_written(struct inode *inode); /* its event has not come yet */
void inode_write_over(struct inodes *t, struct inode *inode, bool failed);

/* Returns the inode that such things are noted at: for a special file that of its node; without a
 * reference. */
struct inode *inode_of_node(struct inode *inode);

/*
 * Whether a node may be taken to be in the store.  inode_found(): the store said that it was there,
 * asked after inode_foreign() had returned `foreign` (0: withdraws that).  inode_is_doubtful(): it
 * was not found yet, or something that was not our own write has happened since to the node or
 * above it.  For a special file, all of this is about its node.
 */
uint64_t inode_foreign(const struct inode *inode);
void inode_found(struct inode *inode, uint64_t foreign);
bool inode_is_doubtful(const struct inode *inode);

/* The store was asked when inode->events was `events`, and said whether the node was there. */
void inode_looked(struct inode *inode, uint64_t events, bool gone);

/*
 * Whether the attributes of a node are known without asking the store: it was found (inode->confirmed),
 * and since then no event has come, and this mount has not written, made, or moved it, nor begun to.
 * inode_confirm(): it was found by a question that was asked when the table's `changes` were that;
 * `sure`: no event has come since.
 */
void inode_confirm(struct inodes *t, struct inode *inode, uint64_t changes, bool sure);
bool inode_is_confirmed(struct inode *inode);

/* Another answer tells this length of the value: if it differs, the attributes are not known. */
void inode_saw_length(struct inode *inode, size_t value_len);

/* The node was made here, now. */
void inode_made(struct inodes *t, struct inode *inode);

/*
 * Compare what the store now says of a node with what it said before: another value
 * without an event is a change, made now.  inode_saw_names() takes the reply to
 * XS_DIRECTORY, NULL if it was too large; `covered`: events tell of changes; `sure`: no
 * event has come since the store was asked.
 */
void inode_saw_value(struct inode *inode, const void *value, size_t len);
void inode_saw_names(struct inodes *t, struct inode *dir, const char *reply, size_t len,
		     bool covered, bool sure);

/*
 * Inode numbers for a listing: of `name` in a directory, even if the kernel does not know it yet,
 * given what inode_number_prefix() returned for that directory; and of the directory above it.
 */
uint64_t inode_number_prefix(const struct inode *dir);
uint64_t inode_child_number(struct inodes *t, const struct inode *dir, uint64_t prefix,
			    const char *name);
uint64_t inode_parent_number(const struct inode *inode);

/* Writes the processes that emptied an open file of the inode to `processes`, `max` at most.
 * Returns how many. */
unsigned inode_emptiers(const struct inode *inode, pid_t *processes, unsigned max);

/* Remembers the names in a directory (takes a reference), or drops them (NULL). */
void inode_set_listing(struct inodes *t, struct inode *inode, struct listing *listing);

/* Returns the names in a directory, with a reference, or NULL if they are not known to be right. */
struct listing *inode_get_listing(struct inodes *t, struct inode *inode);

/*
 * cache=full.  The kernel cuts what it has read of a file to the size that it was told before, so it is
 * given the content that belongs to that size: inode_show() keeps it (a copy of the value, as a file in
 * `format`) when the size is told.  `current`: no event has come since the store was asked.
 */
void inode_show(struct inode *inode, enum fs_format format, const void *value, size_t len, bool current);

/* Returns whether that is what the store has, as far as events have told. */
bool inode_shows_current(const struct inode *inode);

/* Returns whether a read is to be answered from it: it is current, or the kernel may still believe in
 * its size, or the reader was told that and has not read since. */
bool inode_shows(const struct handle *reader);

/* What is shown of the file is known to be outdated. */
void inode_outdate_shown(struct inode *inode);

/* The value at `path` was changed here: what is shown of it is outdated, whatever its file is called. */
void inodes_outdate_shown(struct inodes *t, const char *path);

/* cache=full.  The kernel is about to be given an answer with this size of the file, which it may not take. */
void inode_size_sent(struct inode *inode, size_t size);

/* Returns whether it may have a size below that one, and would cut a content that is as long. */
bool inode_size_may_be_less(const struct inode *inode, size_t size);

/* Returns whether it may have a size above that one, and would put zeros behind a content that is as long. */
bool inode_size_may_be_more(const struct inode *inode, size_t size);

/* From now on the kernel is told nothing of the file, for up to 25 ms, until the reader has let go. */
void inode_size_hold(struct handle *reader);

/* The reader was answered, or closes its file; if it does not hold nothing happens.  See notifier_wake(). */
void inode_size_let_go(struct inodes *t, struct handle *reader);

/* A read through an open file, which asks for the size first, is about to be given this one. */
void inode_size_asked(struct handle *reader, size_t size);

/* That read has come.  Returns whether the kernel is sure to have this size when it is answered with so much: no other
 * was sent, or nothing can have overtaken the answer that inode_size_asked() was for, or the reader holds. */
bool inode_size_settled(const struct handle *reader, size_t size);

/* The kernel is given what is shown of the file, which makes it as long as that if it was shorter, and has to forget the
 * content.  See notifier_wake(). */
void inode_grow(struct inodes *t, struct inode *inode);

/* The kernel is about to be given an answer that it may believe for a while.  From now on an event
 * finds the inode. */
void inode_believed(struct inode *inode);

/* The kernel has something to forget about the inode.  See notifier_wake(). */
void inode_set_stale(struct inodes *t, struct inode *inode);

/* The kernel has to forget the content of the file.  See notifier_wake(). */
void inode_drop_content(struct inodes *t, struct inode *inode);

/* Returns whether the kernel has yet to be told for the first time of something that has happened. */
bool inode_is_untold(const struct inode *inode);

/* The kernel has to forget the inode and everything below it.  See notifier_wake(). */
void inode_drop(struct inodes *t, struct inode *inode);

/* One thing that the kernel has to be told. */
struct stale {
	struct inode *inode;  /* with a reference */
	uint64_t parent;      /* 0: only its attributes are stale */
	bool paged;           /* the kernel may have its content */
	char *content;        /* to be given to the kernel first, owned; NULL: nothing */
	size_t content_size;
	size_t least_size;    /* that of the inode before it was given that */
	bool given;           /* for the caller to set: the kernel has taken it */
	char name[PATH_SIZE]; /* name in `parent` */
};

/* Returns CLOCK_MONOTONIC in milliseconds, by the coarse clock, which lags by a few of them. */
uint64_t inode_now_ms(void);

/* Returns the time by that clock at which the kernel is to be told something next; it may have
 * passed.  INODE_NEVER: there is nothing to tell. */
uint64_t inode_stale_due(const struct inodes *t);

/* Takes the next thing that is due to be told; the caller then calls inode_told().  Returns false if
 * nothing is due now. */
bool inode_take_stale(struct inodes *t, struct stale *stale);

/* The kernel was told what `stale` says, whose content is freed.  Returns true if that was the last time: the
 * caller then gives the reference back.  Otherwise the kernel will be told again. */
bool inode_told(struct inodes *t, struct stale *stale);

/*
 * The node moved: its inodes move with it, and any inodes at the new place are removed.  `wakeups`
 * `wakeups` as for inodes_note_event().  Returns 0 or -ENOMEM with nothing changed.
 */
int inode_rename(struct inodes *t, struct inode *parent, const char *name,
		 struct inode *new_parent, const char *new_name, struct wakeups *wakeups);

#endif
