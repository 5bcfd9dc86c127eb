/* SPDX-License-Identifier: MIT */
/* Tests src/options.c and the parsing of STORE: what is accepted, and how the rest is refused. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/options.h"
#include "src/remount.h"
#include "src/store_source.h"

#define ARGS_MAX 16

static struct options options;
static char why[1024];

static int teardown(void **state)
{
	(void)state;
	options_free(&options);
	return 0;
}

/* Parses a command line, which ends with NULL. */
static int parse(const char *first, ...)
{
	/* Kept: the options point into it. */
	static char *argv[ARGS_MAX];
	int argc = 0;
	va_list ap;

	options_free(&options);
	argv[argc++] = (char *)"xsfs";
	va_start(ap, first);
	for (const char *arg = first; arg; arg = va_arg(ap, const char *)) {
		assert_true(argc < ARGS_MAX - 1);
		argv[argc++] = (char *)arg;
	}
	va_end(ap);
	argv[argc] = NULL;
	return options_parse(&options, argc, argv, why, sizeof(why));
}

#define assert_refused(part, ...)                                                    \
	do {                                                                         \
		assert_int_equal(parse(__VA_ARGS__, NULL), -EINVAL);                 \
		assert_non_null(strstr(why, part));                                  \
		assert_null(strchr(why, '\n'));                                      \
	} while (0)

static void defaults(void **state)
{
	(void)state;
	assert_int_equal(parse("/xen", NULL), 0);
	assert_string_equal(options.store, "auto");
	assert_string_equal(options.mountpoint, "/xen");
	assert_false(options.foreground || options.debug || options.help || options.version);
	assert_int_equal(options.format, FS_TEXT);
	assert_int_equal(options.layout, FS_TREE);
	assert_string_equal(options.root, "/");
	assert_null(options.dirs);
	assert_null(options.protect);
	assert_int_equal(options.uid, geteuid());
	assert_int_equal(options.gid, getegid());
	assert_int_equal(options.umask, 0077);
	assert_false(options.allow_other || options.strict_modes);
	assert_int_equal(options.timeout_s, 30);
	assert_int_equal(options.threads, 1);
	assert_int_equal(options.in_flight, 0);
	assert_string_equal(options.fuse, "fsname=auto,subtype=xsfs");
}

static void every_option(void **state)
{
	(void)state;
	assert_int_equal(parse("socket:/s", "/xen", "-o",
			       "format=raw,layout=nodes,root=/local/domain/1,uid=5,gid=6,umask=022",
			       "-ostrict-modes,timeout=7,threads=8", "-o", "in_flight=9", NULL), 0);
	assert_string_equal(options.store, "socket:/s");
	assert_string_equal(options.mountpoint, "/xen");
	assert_int_equal(options.format, FS_RAW);
	assert_int_equal(options.layout, FS_NODES);
	assert_string_equal(options.root, "/local/domain/1");
	assert_int_equal(options.uid, 5);
	assert_int_equal(options.gid, 6);
	assert_int_equal(options.umask, 022);
	assert_true(options.strict_modes);
	assert_int_equal(options.timeout_s, 7);
	assert_int_equal(options.threads, 8);
	assert_int_equal(options.in_flight, 9);
}

static void names_of_users(void **state)
{
	(void)state;
	assert_int_equal(parse("/xen", "-o", "uid=root,gid=root", NULL), 0);
	assert_int_equal(options.uid, 0);
	assert_int_equal(options.gid, 0);
	assert_refused("uid=no-such-user", "/xen", "-o", "uid=no-such-user");
	assert_refused("gid=no-such-group", "/xen", "-o", "gid=no-such-group");
}

static void the_last_one_counts(void **state)
{
	(void)state;
	assert_int_equal(parse("/xen", "-o", "root=/a,format=raw,root=/b,format=text", NULL), 0);
	assert_string_equal(options.root, "/b");
	assert_int_equal(options.format, FS_TEXT);
}

static void flags(void **state)
{
	(void)state;
	assert_int_equal(parse("-f", "/xen", NULL), 0);
	assert_true(options.foreground);
	assert_false(options.debug);
	assert_int_equal(parse("/xen", "-d", NULL), 0);
	assert_true(options.foreground);
	assert_true(options.debug);
	assert_int_equal(parse("-h", NULL), 0);
	assert_true(options.help);
	assert_int_equal(parse("--version", "whatever", "else", "there", "is", NULL), 0);
	assert_true(options.version);
}

/* What mount(8) hands over, and what fstab may hold, is no error; what the kernel needs goes on. */
static void from_mount(void **state)
{
	(void)state;
	assert_int_equal(parse("xenstore", "/xen", "-o",
			       "rw,dev,suid,exec,auto,nouser,async,relatime,_netdev,nofail,"
			       "x-systemd.automount,X-mount.mkdir,comment=a b,user=joe", NULL), 0);
	assert_string_equal(options.store, "xenstore");
	assert_string_equal(options.fuse, "fsname=xenstore,subtype=xsfs");
	assert_int_equal(parse("/xen", "-o", "context=system_u:object_r:xenfs_t:s0", NULL), 0);
	assert_string_equal(options.fuse,
			    "context=system_u:object_r:xenfs_t:s0,fsname=auto,subtype=xsfs");
	/* A label with categories has commas; mount(8) passes the quotes on, and the kernel wants them. */
	assert_int_equal(parse("/xen", "-o", "ro,context=\"system_u:object_r:xenfs_t:s0:c1,c2\",umask=077", NULL), 0);
	assert_string_equal(options.fuse,
			    "ro,context=\"system_u:object_r:xenfs_t:s0:c1\\,c2\",fsname=auto,subtype=xsfs");
	assert_int_equal(options.umask, 077);
	assert_refused("c2", "/xen", "-ocontext=a:s0:c1,c2");
	assert_int_equal(parse("none", "/xen", "-o", "ro,nosuid,nodev,noexec,noatime", NULL), 0);
	assert_string_equal(options.fuse, "ro,nosuid,nodev,noexec,noatime,fsname=none,subtype=xsfs");
	assert_false(options.nosymfollow);
	/* Not libfuse's, which would refuse it. */
	assert_int_equal(parse("none", "/xen", "-o", "ro,nosymfollow", NULL), 0);
	assert_string_equal(options.fuse, "ro,fsname=none,subtype=xsfs");
	assert_true(options.nosymfollow);
	assert_int_equal(parse("none", "/xen", "-o", "nosymfollow,symfollow", NULL), 0);
	assert_false(options.nosymfollow);
	assert_refused("user_id=0", "auto", "/xen", "-o", "user_id=0");
}

static bool wants_remount(const char *first, const char *second)
{
	char *argv[] = { (char *)"xsfs", (char *)"auto", (char *)first, (char *)second, NULL };

	return remount_wanted(second ? 4 : 3, argv);
}

static void remounting(void **state)
{
	(void)state;
	assert_true(wants_remount("-o", "rw,remount"));
	/* As mount(8) of util-linux 2.41 does it, with what the kernel shows of the mount. */
	assert_true(wants_remount("-o", "rw,nosuid,user_id=0,group_id=0,remount"));
	assert_true(wants_remount("-oremount,user_id=0", NULL));
	assert_false(wants_remount("-o", "x-remount,ro,comment=remount"));
	assert_false(wants_remount("-o", "context=\"a,remount\""));
	assert_false(wants_remount("remount", NULL));
	assert_false(wants_remount("-o", NULL));
	assert_false(wants_remount("--", "-oremount"));
	assert_int_equal(options_kind("timeout=5"), OPTION_OURS);
	assert_int_equal(options_kind("nofail"), OPTION_ACCEPTED);
	assert_int_equal(options_kind("nosymfollow"), OPTION_ACCEPTED);
	assert_int_equal(options_kind("nosuid"), OPTION_ACCEPTED);
	assert_int_equal(options_kind("timeout"), OPTION_UNKNOWN);
}

static void allow_other(void **state)
{
	(void)state;
	assert_int_equal(parse("/xen", "-o", "allow_other", NULL), 0);
	assert_true(options.allow_other);
	assert_non_null(strstr(options.fuse, ",allow_other,default_permissions"));
}

/* A store's commas must not become options of libfuse. */
static void commas_of_the_store(void **state)
{
	(void)state;
	assert_int_equal(parse("ring:domid=1,gfn=2", "/xen", NULL), 0);
	assert_string_equal(options.store, "ring:domid=1,gfn=2");
	assert_string_equal(options.fuse, "fsname=ring:domid=1\\,gfn=2,subtype=xsfs");
}

static void positional(void **state)
{
	(void)state;
	assert_int_equal(parse("--", "-o\"a,b\"", NULL), 0);
	assert_string_equal(options.mountpoint, "-o\"a,b\"");
	assert_int_equal(parse("-o", "ro", "--", "-o", "\"a,b\"", NULL), 0);
	assert_string_equal(options.mountpoint, "\"a,b\"");
	assert_refused("-o", "-o", "-o", "\"a,b\"");
	assert_int_equal(parse("--", "-odd", NULL), 0);
	assert_string_equal(options.mountpoint, "-odd");
	assert_refused("no mount point", "-f");
	assert_refused("no mount point", "-o", "ro");
	assert_refused("one argument too many: c", "a", "b", "c");
}

static void unknown(void **state)
{
	(void)state;
	assert_refused("-o bogus", "/xen", "-o", "ro,bogus");
	assert_refused("-o bogus=1", "/xen", "-o", "bogus=1");
	assert_refused("-o ro=1", "/xen", "-o", "ro=1");
	assert_refused("-o form", "/xen", "-o", "form");
	assert_refused("-o fsname=x", "/xen", "-o", "fsname=x");
	assert_refused("-x", "/xen", "-x");
	assert_refused("-fd", "/xen", "-fd");
	assert_refused("--bogus", "/xen", "--bogus");
}

static void values_missing_or_too_many(void **state)
{
	(void)state;
	assert_refused("-o timeout=VALUE", "/xen", "-o", "timeout");
	assert_refused("-o root=VALUE", "/xen", "-o", "root");
	assert_refused("allow_other takes no value", "/xen", "-o", "allow_other=1");
	assert_refused("strict-modes takes no value", "/xen", "-o", "strict-modes=");
	assert_int_equal(parse("/xen", "-o", NULL), -EINVAL);
	assert_true(why[0]);
}

static void words(void **state)
{
	(void)state;
	assert_refused("text or raw", "/xen", "-o", "format=binary");
	assert_refused("text or raw", "/xen", "-o", "format=");
	assert_refused("text or raw", "/xen", "-o", "format=textual");
	assert_refused("tree or nodes", "/xen", "-o", "layout=flat");
}

static void dirs(void **state)
{
	(void)state;
	assert_int_equal(parse("/xen", "-o", "dirs=/a,dirs=none:/b/*", NULL), 0);
	assert_string_equal(options.dirs, "none:/b/*");
	assert_refused("absolute paths", "/xen", "-o", "dirs=a");
	assert_refused("absolute paths", "/xen", "-o", "dirs=");
	assert_refused("-o dirs=VALUE", "/xen", "-o", "dirs");
}

static void protect(void **state)
{
	(void)state;
	assert_int_equal(parse("/xen", "-o", "protect=none,protect=/a:/b/*", NULL), 0);
	assert_string_equal(options.protect, "/a:/b/*");
	assert_refused("absolute paths", "/xen", "-o", "protect=all");
	assert_refused("-o protect=VALUE", "/xen", "-o", "protect");
}

static void roots(void **state)
{
	static const char *const wrong[] = {
		"root=", "root=a", "root=/a/", "root=//", "root=/a//b", "root=/a.b", "root=/a b",
		"root=@releaseDomain", "root=/\xc3\xa4",
	};
	char longest[XENSTORE_ABS_PATH_MAX + 16];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused("absolute path", "/xen", "-o", wrong[i]);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "root=/", 6);
	longest[5 + XENSTORE_ABS_PATH_MAX + 1] = '\0';
	assert_refused("absolute path", "/xen", "-o", longest);
	longest[5 + XENSTORE_ABS_PATH_MAX] = '\0';
	assert_int_equal(parse("/xen", "-o", longest, NULL), 0);
	assert_int_equal(strlen(options.root), XENSTORE_ABS_PATH_MAX);
}

static void numbers(void **state)
{
	static const char *const wrong[] = {
		"timeout=0", "timeout=86401", "timeout=-1", "timeout=", "timeout=1s", "timeout= 1",
		"timeout=99999999999999999999", "threads=0", "threads=65", "threads=x",
		"in_flight=0", "in_flight=1025", "umask=8", "umask=1000", "umask=00777", "umask=",
		"umask=-1", "uid=4294967295", "gid=-1", "uid=",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused("must be ", "/xen", "-o", wrong[i]);
	assert_int_equal(parse("/xen", "-o", "timeout=86400,threads=64,in_flight=1024,umask=0777,"
					     "uid=4294967294,gid=0", NULL), 0);
	assert_int_equal(options.uid, 4294967294u);
}

/* The options and the verbs: more than the 24 lines of old, no more than a window has today. */
static void help_is_narrow_and_short(void **state)
{
	const char *line = options_help(), *end;
	unsigned lines = 0;

	(void)state;
	for (; (end = strchr(line, '\n')); line = end + 1, lines++)
		assert_true(end - line <= 80);
	assert_int_equal(*line, '\0');
	assert_true(lines <= 32);
}

static void help_has_every_option(void **state)
{
	char wanted[64];
	size_t i;

	(void)state;
	for (i = 0; options_name(i); i++) {
		snprintf(wanted, sizeof(wanted), "  -o %s", options_name(i));
		assert_non_null(strstr(options_help(), wanted));
	}
	assert_true(i >= 11);
}

/* ---- STORE ---------------------------------------------------------------------------------- */

static struct store_spec spec;

#define assert_store(text) assert_int_equal(store_spec_parse(&spec, text, why, sizeof(why)), 0)
#define assert_no_store(text, part)                                                          \
	do {                                                                                 \
		assert_int_equal(store_spec_parse(&spec, text, why, sizeof(why)), -EINVAL);  \
		assert_non_null(strstr(why, part));                                          \
		assert_null(strchr(why, '\n'));                                              \
	} while (0)

static void store_names(void **state)
{
	static const char *const same_as_auto[] = { "auto", "xenstore", "none" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_store(same_as_auto[i]);
		assert_int_equal(spec.kind, STORE_AUTO);
	}
	assert_store("socket");
	assert_int_equal(spec.kind, STORE_SOCKET);
	assert_string_equal(spec.path, "");
	assert_store("xenbus");
	assert_int_equal(spec.kind, STORE_XENBUS);
	assert_store("embedded");
	assert_int_equal(spec.kind, STORE_EMBEDDED);
	assert_false(spec.oxenstored);
	assert_store("embedded:o");
	assert_true(spec.oxenstored);
	assert_no_store("embedded:x", "embedded:c");
	assert_no_store("", "unknown store");
	assert_no_store("sock", "unknown store sock");
	assert_no_store("auto:x", "unknown store");
	assert_no_store("autox", "unknown store");
}

static void store_paths(void **state)
{
	char here[PATH_MAX], expected[PATH_MAX + 8], longest[PATH_MAX + 16];

	(void)state;
	assert_store("socket:/run/a:b");
	assert_string_equal(spec.path, "/run/a:b");
	assert_store("xenbus:/dev/xb");
	assert_string_equal(spec.path, "/dev/xb");
	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(expected, sizeof(expected), "%s/sock", here);
	assert_store("socket:sock");
	assert_string_equal(spec.path, expected);
	assert_no_store("socket:", "path is missing");
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "socket:/", 8);
	longest[sizeof(longest) - 1] = '\0';
	assert_no_store(longest, "too long");
}

static void store_rings(void **state)
{
	(void)state;
	assert_store("ring:domid=5,gfn=0xff000,port=3,events=interdomain,server=2,privileged");
	assert_int_equal(spec.kind, STORE_RING);
	assert_int_equal(spec.ring.domid, 5);
	assert_int_equal(spec.ring.gfn, 0xff000);
	assert_int_equal(spec.ring.port, 3);
	assert_int_equal(spec.ring.events, RING_EVENTS_INTERDOMAIN);
	assert_int_equal(spec.ring.server_domid, 2);
	assert_true(spec.ring.privileged);
	assert_store("ring:gfn=10,events=unbound");
	assert_int_equal(spec.ring.domid, 0x7ff0); /* DOMID_SELF */
	assert_int_equal(spec.ring.events, RING_EVENTS_UNBOUND);
	assert_false(spec.ring.privileged);
	assert_false(spec.ring.find);
	assert_store("ring:gfn=10,port=3,events=static");
	assert_int_equal(spec.ring.events, RING_EVENTS_STATIC);
	assert_store("ring:gfn=10,port=3,events=poll");
	assert_int_equal(spec.ring.events, RING_EVENTS_POLL);
	assert_store("ring:gfn=10,port=3");
	assert_int_equal(spec.ring.events, RING_EVENTS_AUTO);
	/* What is not said is found. */
	assert_store("ring");
	assert_int_equal(spec.kind, STORE_RING);
	assert_true(spec.ring.find);
	assert_int_equal(spec.ring.domid, 0x7ff0);
	assert_int_equal(spec.ring.events, RING_EVENTS_AUTO);
	assert_store("ring:events=poll,privileged");
	assert_true(spec.ring.find);
	assert_true(spec.ring.privileged);
	assert_int_equal(spec.ring.events, RING_EVENTS_POLL);
	/* Domain 0 needs no frame number and has no quotas. */
	assert_store("ring:domid=0");
	assert_false(spec.ring.find);
	assert_int_equal(spec.ring.gfn, 0);
	assert_int_equal(spec.ring.events, RING_EVENTS_AUTO);
	assert_true(spec.ring.privileged);
}

static void store_rings_wrong(void **state)
{
	static const char *const numbers_wrong[] = {
		"ring:domid=32752,gfn=1", "ring:domid=-1,gfn=1", "ring:domid=,gfn=1", "ring:gfn=",
		"ring:gfn=1g", "ring:gfn=0x", "ring:gfn=1,port=0", "ring:gfn=1,port=4294967296",
		"ring:gfn=1,server=40000", "ring:gfn=99999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers_wrong) / sizeof(numbers_wrong[0]); i++)
		assert_no_store(numbers_wrong[i], "no such number");
	assert_no_store("ring:", "unknown word");
	assert_no_store("ring:domid=1", "gfn= is missing");
	assert_no_store("ring:gfn=1,", "unknown word");
	assert_no_store("ring:gfn=1,frame=2", "unknown word frame");
	assert_no_store("ring:gfn=1,events=often", "events=often: must be static");
	assert_no_store("ring:gfn=1,events=interdomain", "needs port=");
	assert_no_store("ring:events=interdomain", "needs port=");
	assert_no_store("ring:gfn=1,events=static", "needs port=");
	assert_no_store("ring:gfn=1,events=poll", "needs port=");
	/* Half of what could be found. */
	assert_no_store("ring:port=1", "needs gfn=");
	assert_no_store("ring:find", "unknown word find");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_option),
		cmocka_unit_test(names_of_users),
		cmocka_unit_test(the_last_one_counts),
		cmocka_unit_test(flags),
		cmocka_unit_test(from_mount),
		cmocka_unit_test(allow_other),
		cmocka_unit_test(commas_of_the_store),
		cmocka_unit_test(positional),
		cmocka_unit_test(unknown),
		cmocka_unit_test(values_missing_or_too_many),
		cmocka_unit_test(words),
		cmocka_unit_test(roots),
		cmocka_unit_test(remounting),
		cmocka_unit_test(dirs),
		cmocka_unit_test(protect),
		cmocka_unit_test(numbers),
		cmocka_unit_test(help_is_narrow_and_short),
		cmocka_unit_test(help_has_every_option),
		cmocka_unit_test(store_names),
		cmocka_unit_test(store_paths),
		cmocka_unit_test(store_rings),
		cmocka_unit_test(store_rings_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
