/* SPDX-License-Identifier: MIT */
/* See verbs.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/verbs.h"

static const struct {
	const char *name;
	const char *what;
} verbs[] = {
	{ "ls", "list the domains" },
	{ "devices", "list devices and the states of both halves" },
	{ "watch", "print what changes, with the old value and the new" },
	{ "wait", "wait until keys change or have a value" },
	{ "set", "write keys, and make those that are missing" },
	{ "restore", "make a tree of what .json printed" },
	{ "tx", "run a command in a transaction" },
#ifdef HAVE_TOP
	{ "top", "show domains, the tree and the mount as they change" },
#endif
};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

void verbs_list(void)
{
	for (size_t i = 0; i < N_VERBS; i++)
		printf("  xsfs %-12s %s\n", verbs[i].name, verbs[i].what);
}

void verbs_names(char *text, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < N_VERBS && len < size; i++)
		len += snprintf(text + len, size - len, "%s%s", i ? " " : "", verbs[i].name);
}

/* Becomes `program`: the one next to this program, else the first one in PATH. */
static void __attribute__((noreturn)) become(const char *program, char **argv)
{
	char path[PATH_MAX + 32];
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	path[len < 0 ? 0 : len] = '\0';
	slash = strrchr(path, '/');
	argv[0] = (char *)program;
	if (slash) {
		snprintf(slash + 1, sizeof(path) - (slash + 1 - path), "%s", program);
		execv(path, argv);
	}
	if (!slash || errno == ENOENT)
		execvp(program, argv);
	fprintf(stderr, "xsfs: %s: %s%s\n", program, strerror(errno),
		errno == ENOENT ? ": it belongs to a complete installation of xsfs" : "");
	exit(2);
}

static void run(const char *verb, char **argv)
{
	char program[32];

	for (size_t i = 0; i < N_VERBS; i++) {
		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		snprintf(program, sizeof(program), "xsfs-%s", verb);
		become(program, argv);
	}
	/* Not meant for people, so it is not in the list. */
	if (!strcmp(verb, "complete"))
		become("xsfs-complete", argv);
}

/* xsfs help [VERB] */
static void help(int argc, char **argv)
{
	char option[] = "--help", names[256];
	char *words[] = { argv[0], option, NULL };

	if (argc > 2) {
		run(argv[2], words);
		verbs_names(names, sizeof(names));
		fprintf(stderr, "xsfs: there is no verb %s; there are: %s\n", argv[2], names);
		exit(2);
	}
	puts("usage: xsfs VERB [ARGUMENT]...       xsfs help VERB       man xsfs-VERB\n"
	     "       xsfs [STORE] MOUNTPOINT ...   xsfs --help          man xsfs");
	verbs_list();
	puts("Not listed, but in every directory of a mount: .perms, .watch, .next, .dump, .json; and .xsfs at\n"
	     "its root, with watch, transaction, nodes, stats and more: .xsfs/README, man 5 xsfs");
	exit(0);
}

void verbs_run(int argc, char **argv)
{
	if (argc < 2)
		return;
	if (!strcmp(argv[1], "help"))
		help(argc, argv);
	run(argv[1], argv + 1);
}
