/* SPDX-License-Identifier: MIT */
/* Finds the mount from what the kernel says about the current directory.  Main thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/mountinfo.h"
#include "src/tools/mountpoint.h"

#define NODES "/.xsfs/nodes"
#define TRANSACTIONS "/.xsfs/tx/"

static int complain(int err, char *why, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int complain(int err, char *why, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return err;
}

/* ---- the mount ------------------------------------------------------------------------------ */

/* If the current directory is on an xsfs mount, writes the mount to `dir` and returns true. */
static bool find_here(char *dir)
{
	struct mountinfo info;
	struct statx st;

	/* Not synchronised, because that would ask the store. */
	if (statx(AT_FDCWD, ".", AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0 ||
	    !(st.stx_mask & STATX_MNT_ID) || mountinfo_find(&info, st.stx_mnt_id) ||
	    !info.is_xsfs || !mountinfo_is_whole(&info))
		return false;
	strcpy(dir, info.point);
	return true;
}

/* A search and its results. */
struct search {
	const char *word; /* a file on the mount; NULL: any mount will do */
	unsigned found;
	char *dir;        /* of the last one found, a buffer of PATH_MAX */
	char all[256];    /* the directories of all that were found */
};

/* Returns whether the search's word is a file below a directory. */
static bool is_file_of(const struct search *s, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(s->word, dir, len) && (s->word[len] == '/' || s->word[len] == '\0');
}

static bool search_take(const struct mountinfo *info, void *arg)
{
	struct search *s = arg;
	size_t len = strlen(s->all);

	if (!info->is_xsfs || !mountinfo_is_whole(info))
		return false;
	/* The longest match is the innermost mount. */
	if (s->word && (!is_file_of(s, info->point) ||
			(s->found && strlen(info->point) < strlen(s->dir))))
		return false;
	/* A mount that is covered by another is no longer visible. */
	if (s->found && !strcmp(s->dir, info->point))
		return false;
	snprintf(s->all + len, sizeof(s->all) - len, "%s%s", len ? ", " : "", info->point);
	strcpy(s->dir, info->point);
	s->found++;
	return false;
}

/* Writes the mount on which `word` is a file to `dir`.  Returns whether there is one. */
static bool find_word(char *dir, const char *word)
{
	struct search s = { .dir = dir, .word = word };

	if (!word || *word != '/')
		return false;
	mountinfo_each(search_take, &s);
	return s.found > 0;
}

/* Writes the only xsfs mount that exists to `dir`. */
static int find_only(char *dir, char *why, size_t size)
{
	struct search s = { .dir = dir };

	mountinfo_each(search_take, &s);
	if (s.found == 1)
		return 0;
	if (s.found > 1)
		return complain(-EINVAL, why, size, "xenstore is mounted on %s; say which by -m or "
						    "XSFS_MOUNT, or go there", s.all);
	return complain(-ENOENT, why, size, "no xenstore is mounted; mount it (xsfs DIRECTORY)");
}

/* Asks the mount which node it shows. */
static int read_root(struct mountpoint *m, char *why, size_t size)
{
	char file[PATH_MAX + 16], line[PATH_SIZE + 16];
	FILE *stats;
	int err = 0;

	snprintf(file, sizeof(file), "%s/.xsfs/stats", m->dir);
	stats = fopen(file, "re");
	if (!stats) {
		err = -errno;
		if (err == -ENOENT || err == -ENOTDIR)
			return complain(err, why, size, "%s: no xenstore is mounted there", m->dir);
		return complain(err, why, size, "%s: %s", m->dir, strerror(-err));
	}
	m->root[0] = '\0';
	while (!m->root[0] && fgets(line, sizeof(line), stats)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "root ", 5) && path_is_legal(line + 5))
			strcpy(m->root, line + 5);
	}
	fclose(stats);
	if (!m->root[0])
		err = complain(-EINVAL, why, size, "%s: no xenstore is mounted there", m->dir);
	return err;
}

/* Appends "/name/name…" to a path.  Returns 0, -EINVAL or -ENAMETOOLONG. */
static int append_all(char path[PATH_SIZE], const char *names)
{
	char name[PATH_SIZE];
	int err = 0;

	while (*names && !err) {
		size_t len;

		names += strspn(names, "/");
		len = strcspn(names, "/");
		if (len == 0)
			break;
		if (len >= sizeof(name))
			return -ENAMETOOLONG;
		memcpy(name, names, len);
		name[len] = '\0';
		names += len;
		if (!strcmp(name, "."))
			continue;
		if (!strcmp(name, "..")) {
			char *last = strrchr(path, '/');

			if (path[1] == '\0')
				err = -EINVAL;
			last[last == path] = '\0';
		} else if (!name_is_legal(name)) {
			err = -EINVAL;
		} else {
			err = path_append(path, name);
		}
	}
	return err;
}

/* Writes the name of the transaction that contains a file of the mount to `tx`; leaves it untouched
 * if there is none. */
static void transaction_of_file(const struct mountpoint *m, const char *file,
				char tx[MOUNTPOINT_TX_SIZE])
{
	size_t len = strlen(m->dir);

	if (!strncmp(file, m->dir, len) && !strncmp(file + len, TRANSACTIONS, strlen(TRANSACTIONS)))
		snprintf(tx, MOUNTPOINT_TX_SIZE, "%.*s",
			 (int)strcspn(file + len + strlen(TRANSACTIONS), "/"),
			 file + len + strlen(TRANSACTIONS));
}

/* Writes the node that a file of the mount shows to `path`; *uniform: in `.xsfs/nodes`.  Returns
 * false if it shows none, or is not on the mount. */
static bool node_of_file(const struct mountpoint *m, const char *file, char path[PATH_SIZE],
			 bool *uniform)
{
	size_t len = strlen(m->dir);
	const char *rest = file + len;

	if (strncmp(file, m->dir, len) != 0 || (*rest && *rest != '/'))
		return false;
	/* The same node, seen inside a transaction. */
	if (!strncmp(rest, TRANSACTIONS, strlen(TRANSACTIONS))) {
		rest += strlen(TRANSACTIONS);
		rest += strcspn(rest, "/");
	}
	*uniform = !strncmp(rest, NODES, strlen(NODES));
	if (*uniform)
		rest += strlen(NODES);
	strcpy(path, m->root);
	/* A name with a dot is one of xsfs's own, not a node. */
	return append_all(path, rest) == 0;
}

/* Sets m->here. */
static void find_node_here(struct mountpoint *m)
{
	char *cwd = getcwd(NULL, 0);

	m->uniform = false;
	if (!cwd || !node_of_file(m, cwd, m->here, &m->uniform))
		m->here[0] = '\0';
	if (cwd)
		transaction_of_file(m, cwd, m->tx);
	free(cwd);
}

/* Accepts the directory that the user named. */
static int take_given(struct mountpoint *m, const char *given, char *why, size_t size)
{
	int err;

	if (realpath(given, m->dir))
		return 0;
	err = -errno;
	return complain(err, why, size, "%s: %s", given, strerror(-err));
}

int mountpoint_find(struct mountpoint *m, const char *given, const char *word, char *why,
		    size_t size)
{
	const char *environment = getenv("XSFS_MOUNT");
	int err = 0;

	if (given && *given)
		err = take_given(m, given, why, size);
	else if (find_word(m->dir, word))
		err = 0;
	else if (environment && *environment)
		err = take_given(m, environment, why, size);
	else if (!find_here(m->dir))
		err = find_only(m->dir, why, size);
	if (!err)
		err = read_root(m, why, size);
	m->tx[0] = '\0';
	if (!err)
		find_node_here(m);
	if (!err && word)
		transaction_of_file(m, word, m->tx);
	return err;
}

/* ---- keys ----------------------------------------------------------------------------------- */

static bool is_below_root(const struct mountpoint *m, const char *path)
{
	size_t len = strlen(m->root);

	return len == 1 ||
	       (!strncmp(path, m->root, len) && (path[len] == '/' || path[len] == '\0'));
}

int mountpoint_key(const struct mountpoint *m, const char *key, char path[PATH_SIZE], char *why,
		   size_t size)
{
	bool uniform;
	int err;

	if (*key && *key != '/' && !m->here[0])
		return complain(-EINVAL, why, size,
				"%s: relative, and the current directory is no node of the store at "
				"%s", key, m->dir);
	if (node_of_file(m, key, path, &uniform))
		return 0;
	strcpy(path, *key == '/' ? "/" : m->here);
	err = *key ? append_all(path, key) : -EINVAL;
	if (err)
		return complain(err, why, size, "%s: %s", key,
				err == -EINVAL ? "not the path of a key" : strerror(-err));
	if (!is_below_root(m, path))
		return complain(-EINVAL, why, size, "%s: %s has only what is in %s", path, m->dir,
				m->root);
	return 0;
}

void mountpoint_node(const struct mountpoint *m, const char *path, char file[MOUNTPOINT_FILE_SIZE])
{
	size_t skip = m->root[1] ? strlen(m->root) : 0;

	snprintf(file, MOUNTPOINT_FILE_SIZE, "%s%s%s", m->dir, NODES, path[1] ? path + skip : "");
}
