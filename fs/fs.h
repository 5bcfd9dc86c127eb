/* SPDX-License-Identifier: MIT */
/*
 * The filesystem as a whole: made from a channel and options, mounted, run, ended.
 * For src/, the one header of fs/ that it needs.
 */
#ifndef FS_FS_H
#define FS_FS_H

#include <stdbool.h>
#include <sys/types.h>

#include "ring/chan.h"
#include "ring/logger.h"

struct fs;

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
};

struct fs_config {
	struct chan *chan;     /* borrowed; connected, with no handlers set */
	struct logger *log;    /* borrowed */
	const char *root;      /* store path that is mounted, absolute; "/" for all (copied) */
	enum fs_format format;
	enum fs_layout layout;
	enum fs_cache cache;
	uid_t uid;             /* owner of all files */
	gid_t gid;
	mode_t umask;          /* taken from 0666 and 0777; the default 0077 leaves 0600 and 0700 */
	bool strict_modes;     /* chmod, chown and utimens: EPERM instead of no effect */
	bool privileged;       /* the store exempts us from quotas: more transactions at a time */
	int self_domid;        /* our own domain where the caller knows it, -1: ask the store */
	unsigned threads;      /* that read /dev/fuse, the I/O thread included; at least 1 */
	unsigned timeout_ms;   /* how long an operation waits for the store */
	const char *dirs;      /* the option dirs=, legal (dirs.h); NULL: not given (copied) */
	unsigned tx_idle_s;    /* after how long without use a transaction is aborted; 0: never */
};

/* A descriptor of the caller's that fs_run() polls for input as well. */
struct fs_extra_fd {
	int fd;
	/* Called on the I/O thread when it is readable. */
	void (*ready)(void *arg);
	void *arg;
};

/*
 * Makes the filesystem and its FUSE session.  `argc`, `argv`: libfuse's mount options as
 * fuse_session_new(3) takes them (program name first, "-o", "fsname=…", …).
 * Returns 0 or -errno (-EINVAL: libfuse did not like its options and has said so).
 * In the process that will run it; no thread is started yet.
 */
int fs_new(struct fs **out, const struct fs_config *config, int argc, char **argv);

/* Mounts at `mountpoint`, an absolute path.
 * Returns 0, -EIO (libfuse has said why) or another -errno. */
int fs_mount(struct fs *fs, const char *mountpoint);

/*
 * Serves until unmounted or fs_stop() is called: the calling thread becomes the I/O thread, which
 * services the channel; others are started and ended in here.  When it returns, no operation is
 * pending: what was has been answered with an error, and the channel is shut down.
 * `extra`, `n_extra` (at most 4): more descriptors to look after.  All signals that are handled through
 * descriptors must be blocked before.
 * Returns 0, or -errno when reading /dev/fuse failed.
 */
int fs_run(struct fs *fs, const struct fs_extra_fd *extra, unsigned n_extra);

/* The process, or the machine, was stopped for a while, and events may have been lost meanwhile.  I/O thread only. */
void fs_gap(struct fs *fs);

/* Makes fs_run() return soon.  I/O thread (an fs_extra_fd's callback) only. */
void fs_stop(struct fs *fs);

/* Removes the mount if it is still there (fs/mount.h) and frees. */
void fs_free(struct fs *fs);

#endif
