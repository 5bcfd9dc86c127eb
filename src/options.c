/* SPDX-License-Identifier: MIT */
/*
 * Parses the command line by the table of option_values.c.
 * For main.c.  fuse_opt splits the words (commas, escapes, "--"); their meaning is decided here.
 */
#include <errno.h>
#include <fuse_opt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/option_list.h"
#include "src/option_values.h"
#include "src/options.h"

/* The argument of fuse_opt's callback. */
struct parser {
	struct options *options;
	char *why;
	size_t size;
	unsigned positional;
};

/* Options for libfuse or the kernel, passed on unchanged.  "=" at the end: takes a value. */
static const char *const passed_on[] = {
	"ro", "auto_unmount", "nosuid", "nodev", "noexec", "noatime", "sync", "dirsync",
	"default_permissions", "context=", "fscontext=", "defcontext=", "rootcontext=",
};

/* Options for the kernel that libfuse does not know. */
static const char *const symlinks[] = { "nosymfollow", "symfollow" };

/* Options of mount(8) and fstab(5) that are defaults here or meant for mount(8) itself.  "=" at the
 * end: takes a value; "-" at the end: anything may follow. */
static const char *const dropped[] = {
	"rw", "dev", "suid", "exec", "async", "defaults", "auto", "noauto", "user", "user=",
	"nouser", "users", "nousers", "owner", "noowner", "group", "nogroup", "nofail", "_netdev",
	"atime", "relatime", "norelatime", "strictatime", "nostrictatime", "diratime",
	"nodiratime", "lazytime", "nolazytime", "iversion", "noiversion", "mand", "nomand",
	"silent", "loud", "comment=", "helper=", "uhelper=", "x-", "X-",
};

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

const char *options_name(size_t i)
{
	return options_own[i].name;
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

	for (size_t i = 0; options_own[i].name; i++) {
		const char *name = options_own[i].name;

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
	for (size_t i = 0; options_own[i].name; i++)
		if (name_matches(options_own[i].name, arg))
			return OPTION_OURS;
	return any_matches(passed_on, ARRAY_SIZE(passed_on), arg) ||
	       any_matches(symlinks, ARRAY_SIZE(symlinks), arg) ||
	       any_matches(dropped, ARRAY_SIZE(dropped), arg) ? OPTION_ACCEPTED : OPTION_UNKNOWN;
}

const char *options_set(struct options *options, const char *arg)
{
	const struct option_value *own = options_own;

	while (!name_matches(own->name, arg))
		own++;
	return own->set(options, arg + strlen(own->name));
}

static int mount_option(struct parser *p, const char *arg)
{
	const char *allowed;

	if (options_kind(arg) == OPTION_OURS) {
		allowed = options_set(p->options, arg);
		return allowed ? complain(p, "-o %.200s: must be %s", arg, allowed) : 0;
	}
	if (any_matches(symlinks, ARRAY_SIZE(symlinks), arg)) {
		p->options->nosymfollow = strcmp(arg, "symfollow") != 0;
		return 0;
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
	const char *list;

	if (rc == 0)
		memcpy(prepared, argv, argc * sizeof(*prepared));
	/* Only the lists: what else there is stays in use as it is. */
	for (int i = 1; rc == 0 && i < argc && strcmp(argv[i], "--") != 0; i++) {
		list = option_list_at(argc, argv, &i);
		if (list && strchr(list, '"')) {
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

	options_set_defaults(options);
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
