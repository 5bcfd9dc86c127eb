/* SPDX-License-Identifier: MIT */
/* The configuration of a filesystem, from the mount options.  For all of fs/, and for
 * src/ through fs.h. */
#ifndef FS_MODEL_CONFIG_H
#define FS_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct chan;
struct logger;

/* How a node's value becomes a file's content; xsfs(5), "Values". */
enum fs_format {
	FS_TEXT, /* the value and one newline; an empty value is an empty file */
	FS_RAW,  /* the bytes as they are */
};

/* How nodes become files and directories; xsfs(5), "The tree". */
enum fs_layout {
	FS_TREE,  /* a node without children is a file */
	FS_NODES, /* every node is a directory, its value in `.value` */
};

/* What the kernel may remember; xsfs(5), "Caching". */
enum fs_cache {
	FS_CACHE_OFF,  /* nothing */
	FS_CACHE_META, /* names and attributes, while a watch covers them */
	FS_CACHE_FULL, /* values, too */
};

/* Whether readers of inotify(7) are told what others change in the store; xsfs(5), "Events". */
enum fs_inotify {
	FS_INOTIFY_AUTO, /* with FS_CACHE_META, where it is seen to work */
	FS_INOTIFY_ON,   /* with FS_CACHE_OFF, too */
	FS_INOTIFY_OFF,
};

/* The words for the values of these options, by value; the last is NULL. */
extern const char *const fs_format_words[];
extern const char *const fs_layout_words[];
extern const char *const fs_cache_words[];
extern const char *const fs_inotify_words[];

struct fs_config {
	struct chan *chan;     /* borrowed; connected, with no handlers set */
	struct logger *log;    /* borrowed */
	const char *server_dir; /* with the `socket` of our own server; NULL: none (borrowed) */
	const char *root;      /* store path that is mounted, absolute; "/" for all (copied) */
	enum fs_format format;
	enum fs_layout layout;
	enum fs_cache cache;
	enum fs_inotify inotify;
	uid_t uid;             /* owner of all files */
	gid_t gid;
	mode_t umask;          /* taken from 0666 and 0777; the default 0077 leaves 0600 and 0700 */
	bool allow_other;      /* others are let in; the kernel sees to it, `.xsfs/options` tells it */
	bool strict_modes;     /* chmod, chown and utimens: EPERM instead of no effect */
	bool privileged;       /* the store exempts us from quotas: more transactions at a time */
	int self_domid;        /* our own domain if the caller knows it; -1: ask the store */
	unsigned threads;      /* that read /dev/fuse, the I/O thread included; at least 1 */
	unsigned timeout_ms;   /* how long an operation waits for the store */
	const char *dirs;      /* the option dirs=, legal (dirs.h); NULL: not given (copied) */
	const char *protect;   /* the option protect=, legal (patterns.h); NULL: not given (copied) */
	unsigned park_ms;      /* bound for waiting for events, then EINTR; 0: none */
	uint64_t streams;      /* a user's share of these, as in quota.h, */
	uint64_t watched;
	uint64_t transactions;
	unsigned tx_idle_s;    /* seconds unused until a transaction is aborted; 0: never */
};

#endif
