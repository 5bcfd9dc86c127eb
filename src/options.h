/* SPDX-License-Identifier: MIT */
/*
 * The command line as given by a user, mount(8) or fstab, checked.
 * For main.c; pure, except for uid= and gid=, which look names up.  Main thread.
 */
#ifndef SRC_OPTIONS_H
#define SRC_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fs/fs.h"

struct options {
	const char *store;      /* as given, or "auto"; points into argv */
	const char *mountpoint; /* as given; points into argv */
	bool foreground;        /* -f, -d */
	bool debug;             /* -d */
	bool help;              /* -h: nothing else was checked */
	bool version;           /* -V: the same */

	/* -o */
	enum fs_format format;
	enum fs_layout layout;
	enum fs_cache cache;
	char *root;
	char *dirs;         /* NULL: not given */
	char *protect;      /* NULL: not given */
	uid_t uid;
	gid_t gid;
	mode_t umask;
	bool allow_other;
	bool strict_modes;
	unsigned timeout_s;
	unsigned threads;
	unsigned in_flight; /* 0: what the transport allows */
	unsigned tx_idle_s; /* 0: for ever */
	uint64_t streams;   /* a user's share; struct fs_config */
	uint64_t watched;   /* in bytes */
	uint64_t transactions;
	bool seccomp;       /* see confine.h */
	bool demo;

	/* The options that libfuse gets, as one list: fsname, subtype, and those of -o that are
	 * its own or the kernel's. */
	char *fuse;
};

/*
 * Parses the command line.  Returns 0, or -EINVAL with one line in `why` (of `size` bytes) that
 * says what is wrong and what would be right.  options_free() in both cases.
 */
int options_parse(struct options *options, int argc, char **argv, char *why, size_t size);

void options_free(struct options *options);

/* Returns the text of --help. */
const char *options_help(void);

/* The kinds of -o options. */
enum option_kind {
	OPTION_OURS,
	OPTION_ACCEPTED, /* for libfuse, the kernel or mount(8) */
	OPTION_UNKNOWN,
};

enum option_kind options_kind(const char *arg);

/* Returns the name of our own `i`th -o option ("format=", "allow_other"), or NULL past the end. */
const char *options_name(size_t i);

#endif
