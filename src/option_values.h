/* SPDX-License-Identifier: MIT */
/* The contents of a command line, and the parsing of the values of our own options.  For options.c. */
#ifndef SRC_OPTION_VALUES_H
#define SRC_OPTION_VALUES_H

#include <stdbool.h>
#include <sys/types.h>

#include "fs/fs.h"

struct options {
	const char *store;      /* as given, or "auto"; points into argv */
	const char *mountpoint; /* as given; points into argv */
	bool foreground;        /* -f, -d */
	bool debug;             /* -d, log=debug */
	bool help;              /* -h: nothing else was checked */
	bool version;           /* -V: the same */

	/* -o */
	enum fs_format format;
	enum fs_layout layout;
	enum fs_cache cache;
	enum fs_inotify inotify;
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
	bool nosymfollow;   /* which the mount is given by remount.h */

	/* The options that libfuse gets, as one list: fsname, subtype, and those of -o that are
	 * its own or the kernel's. */
	char *fuse;
};


/* Takes the value of an option, "" for one without.  Returns NULL, or what a correct
 * value would be. */
typedef const char *option_set(struct options *o, const char *value);

struct option_value {
	const char *name; /* one that ends in "=" has a value */
	option_set *set;
};

/* The last one has no name. */
extern const struct option_value options_own[];

/* Sets what is not said on the command line, all but `root`. */
void options_set_defaults(struct options *o);

#endif
