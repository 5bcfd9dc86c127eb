/* SPDX-License-Identifier: MIT */
/*
 * Parses the command line by a single table: a new option is a line there, a function,
 * and a line of help.
 * For main.c.  fuse_opt splits the words (commas, escapes, "--"); their meaning is decided here.
 */
#include <errno.h>
#include <fuse_opt.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/model/name.h"
#include "fs/model/patterns.h"
#include "ring/wire.h"
#include "src/option_list.h"
#include "src/options.h"

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

/* The argument of fuse_opt's callback. */
struct parser {
	struct options *options;
	char *why;
	size_t size;
	unsigned positional;
};

/* Takes the value of an option, "" for one without.  Returns NULL, or what a correct
 * value would be. */
typedef const char *option_set(struct options *o, const char *value);

/* Sets *value to the number `text`.  Returns whether it is a number from `min` to `max`. */
static bool number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	return wire_number_parse(text, strlen(text), max, value) == 0 && *value >= min;
}

static const char *set_format(struct options *o, const char *value)
{
	if (strcmp(value, "text") == 0)
		o->format = FS_TEXT;
	else if (strcmp(value, "raw") == 0)
		o->format = FS_RAW;
	else
		return "text or raw";
	return NULL;
}

static const char *set_layout(struct options *o, const char *value)
{
	if (strcmp(value, "tree") == 0)
		o->layout = FS_TREE;
	else if (strcmp(value, "nodes") == 0)
		o->layout = FS_NODES;
	else
		return "tree or nodes";
	return NULL;
}

static const char *set_cache(struct options *o, const char *value)
{
	if (strcmp(value, "meta") == 0)
		o->cache = FS_CACHE_META;
	else if (strcmp(value, "off") == 0)
		o->cache = FS_CACHE_OFF;
	else
		return "meta or off";
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

static const char *set_demo(struct options *o, const char *value)
{
	(void)value;
	o->demo = true;
	return NULL;
}

/* Our own options.  A name that ends in "=" has a value. */
static const struct {
	const char *name;
	option_set *set;
} table[] = {
	{ "format=", set_format },
	{ "layout=", set_layout },
	{ "cache=", set_cache },
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
	{ "demo", set_demo },
};

/* Options for libfuse or the kernel, passed on unchanged.  "=" at the end: takes a value. */
static const char *const passed_on[] = {
	"ro", "auto_unmount", "nosuid", "nodev", "noexec", "noatime", "sync", "dirsync",
	"default_permissions", "context=", "fscontext=", "defcontext=", "rootcontext=",
};

/* Options of mount(8) and fstab(5) that are defaults here or meant for mount(8) itself.  "=" at the
 * end: takes a value; "-" at the end: anything may follow. */
static const char *const dropped[] = {
	"rw", "dev", "suid", "exec", "async", "defaults", "auto", "noauto", "user", "user=",
	"nouser", "users", "nousers", "owner", "noowner", "group", "nogroup", "nofail", "_netdev",
	"atime", "relatime", "norelatime", "strictatime", "nostrictatime", "diratime",
	"nodiratime", "lazytime", "nolazytime", "iversion", "noiversion", "mand", "nomand",
	"silent", "loud", "symfollow", "comment=", "helper=", "uhelper=", "x-", "X-",
};

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

const char *options_name(size_t i)
{
	return i < ARRAY_SIZE(table) ? table[i].name : NULL;
}

/* Returns whether `arg` is the option `name`, which ends in '=' or '-' if more may follow. */
static bool name_matches(const char *name, const char *arg)
{
	size_t len = strlen(name);

	if (name[len - 1] == '=' || name[len - 1] == '-')
		return strncmp(arg, name, len) == 0;
	return strcmp(arg, name) == 0;
}

__attribute__((format(printf, 2, 3)))
static int complain(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, p->size, fmt, ap);
	va_end(ap);
	return -1;
}

/* Complains about one of our options that lacks its value or has one too many. */
static int complain_value(struct parser *p, const char *arg)
{
	size_t len = strcspn(arg, "=");

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *name = table[i].name;

		if (strncmp(name, arg, len) != 0)
			continue;
		if (arg[len] == '\0' && strcmp(name + len, "=") == 0)
			return complain(p, "-o %s needs a value: -o %sVALUE", arg, name);
		if (arg[len] == '=' && name[len] == '\0')
			return complain(p, "-o %s takes no value", name);
	}
	return complain(p, "unknown option -o %.200s; xsfs --help lists those that exist", arg);
}

/* Returns whether `arg` matches one of the names. */
static bool any_matches(const char *const *names, size_t n, const char *arg)
{
	for (size_t i = 0; i < n; i++)
		if (name_matches(names[i], arg))
			return true;
	return false;
}

enum option_kind options_kind(const char *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (name_matches(table[i].name, arg))
			return OPTION_OURS;
	return any_matches(passed_on, ARRAY_SIZE(passed_on), arg) ||
	       any_matches(dropped, ARRAY_SIZE(dropped), arg) ? OPTION_ACCEPTED : OPTION_UNKNOWN;
}

static int mount_option(struct parser *p, const char *arg)
{
	const char *allowed;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (!name_matches(table[i].name, arg))
			continue;
		allowed = table[i].set(p->options, arg + strlen(table[i].name));
		return allowed ? complain(p, "-o %.200s: must be %s", arg, allowed) : 0;
	}
	if (any_matches(passed_on, ARRAY_SIZE(passed_on), arg))
		return fuse_opt_add_opt_escaped(&p->options->fuse, arg);
	return any_matches(dropped, ARRAY_SIZE(dropped), arg) ? 0 : complain_value(p, arg);
}

static int flag(struct parser *p, const char *arg)
{
	struct options *o = p->options;

	if (strcmp(arg, "-f") == 0 || strcmp(arg, "--foreground") == 0) {
		o->foreground = true;
	} else if (strcmp(arg, "-d") == 0 || strcmp(arg, "--debug") == 0) {
		o->debug = true;
		o->foreground = true;
	} else if (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0) {
		o->help = true;
	} else if (strcmp(arg, "-V") == 0 || strcmp(arg, "--version") == 0) {
		o->version = true;
	} else {
		return complain(p, "unknown option %.200s; xsfs --help lists those that exist", arg);
	}
	return 0;
}

static int positional(struct parser *p, const char *arg)
{
	struct options *o = p->options;

	switch (p->positional++) {
	case 0:
		o->mountpoint = arg;
		return 0;
	case 1:
		o->store = o->mountpoint;
		o->mountpoint = arg;
		return 0;
	default:
		return complain(p, "one argument too many: %.200s; usage: xsfs [STORE] MOUNTPOINT "
				   "[-o OPTIONS]", arg);
	}
}

static int argument(void *data, const char *arg, int key, struct fuse_args *out)
{
	struct parser *p = data;

	(void)out;
	/* A request for help is granted, whatever else is wrong. */
	if (p->options->help || p->options->version)
		return 0;
	if (key == FUSE_OPT_KEY_NONOPT)
		return positional(p, arg);
	return arg[0] == '-' ? flag(p, arg) : mount_option(p, arg);
}

static int fuse_list_finish(struct options *o)
{
	char *fsname;
	int rc;

	if (asprintf(&fsname, "fsname=%s", o->store) < 0)
		return -1;
	rc = fuse_opt_add_opt_escaped(&o->fuse, fsname);
	free(fsname);
	if (rc == 0)
		rc = fuse_opt_add_opt(&o->fuse, "subtype=xsfs");
	/* Without the kernel's checks everybody could do everything. */
	if (rc == 0 && o->allow_other)
		rc = fuse_opt_add_opt(&o->fuse, "allow_other,default_permissions");
	return rc;
}

/* Calls fuse_opt_parse(), with the option lists prepared for it. */
static int arguments_parse(struct parser *p, int argc, char **argv)
{
	static const struct fuse_opt opts[] = { FUSE_OPT_END };
	struct fuse_args args = FUSE_ARGS_INIT(argc, NULL);
	char **copies = calloc(argc + 1, sizeof(*copies)), **prepared = calloc(argc + 1, sizeof(*prepared));
	int rc = copies && prepared ? 0 : -1;

	for (int i = 0; rc == 0 && i < argc; i++) {
		prepared[i] = argv[i];
		if (i > 0 && strchr(argv[i], '"') && (!strncmp(argv[i], "-o", 2) || !strcmp(argv[i - 1], "-o"))) {
			copies[i] = prepared[i] = option_list_escape(argv[i]);
			rc = copies[i] ? 0 : -1;
		}
	}
	args.argv = prepared;
	if (rc == 0)
		rc = fuse_opt_parse(&args, p, opts, argument);
	fuse_opt_free_args(&args);
	for (int i = 0; copies && i < argc; i++)
		free(copies[i]);
	free(copies);
	free(prepared);
	return rc;
}

int options_parse(struct options *options, int argc, char **argv, char *why, size_t size)
{
	struct parser p = { .options = options, .why = why, .size = size };
	int rc;

	*options = (struct options){
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
	why[0] = '\0';
	options->root = strdup("/");
	if (!options->root)
		return complain(&p, "out of memory"), -EINVAL;
	rc = arguments_parse(&p, argc, argv);
	if (options->help || options->version)
		return 0;
	if (rc == 0 && p.positional == 0)
		rc = complain(&p, "no mount point given; usage: xsfs [STORE] MOUNTPOINT "
				  "[-o OPTIONS]");
	if (rc == 0)
		rc = fuse_list_finish(options);
	if (rc == 0)
		return 0;
	/* fuse_opt itself complains about a missing argument or a lack of memory. */
	if (!why[0])
		complain(&p, "the options cannot be read");
	return -EINVAL;
}

void options_free(struct options *options)
{
	free(options->root);
	free(options->dirs);
	free(options->protect);
	free(options->fuse);
	options->root = options->dirs = options->protect = options->fuse = NULL;
}
