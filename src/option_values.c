/* SPDX-License-Identifier: MIT */
/*
 * Our own options: a new one is a function here, a line in the table below, and a line of help
 * (options_help.c).
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/model/name.h"
#include "fs/model/patterns.h"
#include "ring/wire.h"
#include "src/option_values.h"

#define TIMEOUT_DEFAULT_S 30
#define TIMEOUT_MAX_S 86400
#define THREADS_DEFAULT 1
#define THREADS_MAX 64
#define IN_FLIGHT_MAX 1024
#define TX_IDLE_DEFAULT_S 60
#define TX_IDLE_MAX_S 86400
/* A user's share of what a mount keeps for users: xsfs(8), LIMITS. */
#define STREAMS_DEFAULT 128
#define WATCHED_DEFAULT (4 << 20)
#define TRANSACTIONS_DEFAULT 16
#define SHARE_MAX 1000000

void options_set_defaults(struct options *o)
{
	*o = (struct options){
		.store = "auto",
		.format = FS_TEXT,
		.layout = FS_TREE,
		.cache = FS_CACHE_META,
		.uid = geteuid(),
		.gid = getegid(),
		.umask = 0077,
		.timeout_s = TIMEOUT_DEFAULT_S,
		.threads = THREADS_DEFAULT,
		.tx_idle_s = TX_IDLE_DEFAULT_S,
		.streams = STREAMS_DEFAULT,
		.watched = WATCHED_DEFAULT,
		.transactions = TRANSACTIONS_DEFAULT,
		.seccomp = true,
	};
}

/* Sets *value to the number `text`.  Returns whether it is a number from `min` to `max`. */
static bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	return wire_number_parse(text, strlen(text), max, value) == 0 && *value >= min;
}

/* Returns which of the words `value` is, or -1. */
static int word_find(const char *const *words, const char *value)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], value) == 0)
			return i;
	return -1;
}

static const char *set_format(struct options *o, const char *value)
{
	int word = word_find(fs_format_words, value);

	if (word < 0)
		return "text or raw";
	o->format = word;
	return NULL;
}

static const char *set_layout(struct options *o, const char *value)
{
	int word = word_find(fs_layout_words, value);

	if (word < 0)
		return "tree or nodes";
	o->layout = word;
	return NULL;
}

static const char *set_cache(struct options *o, const char *value)
{
	int word = word_find(fs_cache_words, value);

	if (word < 0)
		return "meta, off or full";
	o->cache = word;
	return NULL;
}

static const char *set_inotify(struct options *o, const char *value)
{
	int word = word_find(fs_inotify_words, value);

	if (word < 0)
		return "auto, on or off";
	o->inotify = word;
	return NULL;
}

/* Replaces *text by a copy of the value. */
static const char *keep_text(char **text, const char *value)
{
	char *copy = strdup(value);

	if (!copy)
		return "given when there is more memory";
	free(*text);
	*text = copy;
	return NULL;
}

static const char *set_root(struct options *o, const char *value)
{
	if (!path_is_legal(value))
		return "an absolute path in the store, like /local/domain/1: letters, digits and "
		       "-_@ between single slashes, none at the end";
	return keep_text(&o->root, value);
}

static const char *set_patterns(char **patterns, const char *value)
{
	if (!patterns_option_is_legal(value))
		return "absolute paths with colons between them, shell patterns for names, like "
		       "/tool/*/queue:/mine; none leaves out the built-in ones";
	return keep_text(patterns, value);
}

static const char *set_dirs(struct options *o, const char *value)
{
	return set_patterns(&o->dirs, value);
}

static const char *set_protect(struct options *o, const char *value)
{
	return set_patterns(&o->protect, value);
}

static const char *set_uid(struct options *o, const char *value)
{
	const struct passwd *user;
	uint64_t n;

	if (number_parse(value, 0, UINT32_MAX - 1, &n)) {
		o->uid = n;
		return NULL;
	}
	user = getpwnam(value);
	if (!user)
		return "a user's name or number";
	o->uid = user->pw_uid;
	return NULL;
}

static const char *set_gid(struct options *o, const char *value)
{
	const struct group *group;
	uint64_t n;

	if (number_parse(value, 0, UINT32_MAX - 1, &n)) {
		o->gid = n;
		return NULL;
	}
	group = getgrnam(value);
	if (!group)
		return "a group's name or number";
	o->gid = group->gr_gid;
	return NULL;
}

static const char *set_umask(struct options *o, const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || len > 4 || strspn(value, "01234567") != len ||
	    strtoul(value, NULL, 8) > 0777)
		return "an octal number up to 0777";
	o->umask = strtoul(value, NULL, 8);
	return NULL;
}

static const char *set_allow_other(struct options *o, const char *value)
{
	(void)value;
	o->allow_other = true;
	return NULL;
}

static const char *set_strict_modes(struct options *o, const char *value)
{
	(void)value;
	o->strict_modes = true;
	return NULL;
}

static const char *set_timeout(struct options *o, const char *value)
{
	uint64_t n;

	if (!number_parse(value, 1, TIMEOUT_MAX_S, &n))
		return "a number of seconds from 1 to 86400";
	o->timeout_s = n;
	return NULL;
}

static const char *set_threads(struct options *o, const char *value)
{
	uint64_t n;

	if (!number_parse(value, 1, THREADS_MAX, &n))
		return "a number from 1 to 64";
	o->threads = n;
	return NULL;
}

static const char *set_in_flight(struct options *o, const char *value)
{
	uint64_t n;

	if (!number_parse(value, 1, IN_FLIGHT_MAX, &n))
		return "a number from 1 to 1024";
	o->in_flight = n;
	return NULL;
}

static const char *set_tx_idle(struct options *o, const char *value)
{
	uint64_t n;

	if (!number_parse(value, 0, TX_IDLE_MAX_S, &n))
		return "a number of seconds up to 86400, 0: for ever";
	o->tx_idle_s = n;
	return NULL;
}

static const char *set_share(uint64_t *share, const char *value, unsigned unit)
{
	uint64_t n;

	if (!number_parse(value, 1, SHARE_MAX, &n))
		return "a number from 1 to 1000000";
	*share = n * unit;
	return NULL;
}

static const char *set_streams(struct options *o, const char *value)
{
	return set_share(&o->streams, value, 1);
}

static const char *set_watched(struct options *o, const char *value)
{
	return set_share(&o->watched, value, 1024);
}

static const char *set_transactions(struct options *o, const char *value)
{
	return set_share(&o->transactions, value, 1);
}

static const char *set_seccomp(struct options *o, const char *value)
{
	if (strcmp(value, "on") == 0)
		o->seccomp = true;
	else if (strcmp(value, "off") == 0)
		o->seccomp = false;
	else
		return "on or off";
	return NULL;
}

static const char *set_log(struct options *o, const char *value)
{
	if (strcmp(value, "debug") == 0)
		o->debug = true;
	else if (strcmp(value, "info") == 0)
		o->debug = false;
	else
		return "info or debug";
	return NULL;
}

static const char *set_demo(struct options *o, const char *value)
{
	(void)value;
	o->demo = true;
	return NULL;
}

const struct option_value options_own[] = {
	{ "format=", set_format },
	{ "layout=", set_layout },
	{ "cache=", set_cache },
	{ "inotify=", set_inotify },
	{ "root=", set_root },
	{ "dirs=", set_dirs },
	{ "protect=", set_protect },
	{ "uid=", set_uid },
	{ "gid=", set_gid },
	{ "umask=", set_umask },
	{ "allow_other", set_allow_other },
	{ "strict-modes", set_strict_modes },
	{ "timeout=", set_timeout },
	{ "threads=", set_threads },
	{ "in_flight=", set_in_flight },
	{ "tx_idle=", set_tx_idle },
	{ "streams=", set_streams },
	{ "watched=", set_watched },
	{ "transactions=", set_transactions },
	{ "seccomp=", set_seccomp },
	{ "log=", set_log },
	{ "demo", set_demo },
	{ NULL, NULL },
};
