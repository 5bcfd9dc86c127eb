/* SPDX-License-Identifier: MIT */
/* Where something is mounted, by the kernel's list of mounts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/mountinfo.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What is read instead of /proc/self/mountinfo; NULL: it cannot be opened. */
static const char *list;

FILE *__wrap_fopen(const char *path, const char *mode);

FILE *__wrap_fopen(const char *path, const char *mode)
{
	assert_string_equal(path, "/proc/self/mountinfo");
	assert_true(mode[0] == 'r');
	errno = EMFILE;
	return list ? fmemopen((void *)list, strlen(list), "r") : NULL;
}

/* Ours is 0:42, at /xen, at /moved place, and from /b on at /side. */
static const char mounts[] =
	"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	"30 22 0:42 / /xen rw,nosuid shared:7 - fuse.xsfs xenstore rw,user_id=0\n"
	"31 30 0:50 / /xen/a/b rw - tmpfs none rw\n"
	"40 22 0:42 /b /side rw - fuse.xsfs xenstore rw\n"
	"41 40 0:51 / /side/c rw - tmpfs none rw\n"
	"42 41 0:52 / /side/c/inner rw - tmpfs none rw\n"
	"50 22 0:42 / /moved\\040place rw - fuse.xsfs xenstore rw\n"
	"51 50 0:53 / /moved\\040place/x\\040y rw - tmpfs none rw\n"
	"52 50 0:54 / /moved\\040place/gone//deleted rw - tmpfs none rw\n"
	"60 22 0:55 / /xenon/n rw - tmpfs none rw\n"
	"61 30 0:56 / /xen rw - tmpfs none rw\n";

static void places_are_those_of_the_filesystem(void **state)
{
	static const struct {
		const char *path;
		bool mounted;
	} cases[] = {
		{ "/a", true }, { "/a/b", true }, { "/a/b/c", false }, { "/a/bc", false },
		/* by the bind mount; what is mounted on that other filesystem is not ours */
		{ "/b", true }, { "/b/c", true }, { "/b/c/inner", false }, { "/c", false }, { "/bc", false },
		/* by the one that was moved */
		{ "/x y", true }, { "/x", false }, { "/gone", true },
		/* another name that begins in the same way; what covers the whole mount is not below any name */
		{ "/on", false }, { "/n", false }, { "/none", false }, { "/", true },
	};

	(void)state;
	list = mounts;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (mountinfo_is_mounted_on(0, 42, cases[i].path) != cases[i].mounted)
			fail_msg("%s: %s", cases[i].path, cases[i].mounted ? "not found" : "found");
	assert_false(mountinfo_is_mounted_on(0, 43, "/"));
	assert_false(mountinfo_is_mounted_on(8, 42, "/"));
}

static void a_mount_over_all_is_on_the_root(void **state)
{
	(void)state;
	list = "30 22 0:42 / /xen rw - fuse.xsfs xenstore rw\n61 30 0:56 / /xen rw - tmpfs none rw\n";
	assert_true(mountinfo_is_mounted_on(0, 42, "/"));
	assert_false(mountinfo_is_mounted_on(0, 42, "/a"));
	list = "30 1 0:42 / / rw - fuse.xsfs xenstore rw\n61 30 0:56 / /a rw - tmpfs none rw\n";
	assert_true(mountinfo_is_mounted_on(0, 42, "/a"));
	assert_false(mountinfo_is_mounted_on(0, 42, "/b"));
}

static void what_cannot_be_read_may_be_mounted(void **state)
{
	(void)state;
	list = NULL;
	assert_true(mountinfo_is_mounted_on(0, 42, "/a"));
	list = "30 22 0:42 / /xen rw - fuse.xsfs xenstore rw\nnonsense\n";
	assert_true(mountinfo_is_mounted_on(0, 42, "/a"));
}

static void a_mount_is_found_by_its_id(void **state)
{
	struct mountinfo m;

	(void)state;
	list = mounts;
	assert_int_equal(mountinfo_find(&m, 40), 0);
	assert_int_equal(m.parent, 22);
	assert_int_equal(m.minor, 42);
	assert_string_equal(m.root, "/b");
	assert_string_equal(m.point, "/side");
	assert_true(m.is_xsfs);
	assert_false(mountinfo_is_whole(&m));
	assert_int_equal(mountinfo_find(&m, 51), 0);
	assert_string_equal(m.point, "/moved place/x y");
	assert_true(mountinfo_is_whole(&m));
	assert_false(m.is_xsfs);
	assert_int_equal(mountinfo_find(&m, 99), -ENOENT);
	list = NULL;
	assert_int_equal(mountinfo_find(&m, 40), -EMFILE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_those_of_the_filesystem),
		cmocka_unit_test(a_mount_over_all_is_on_the_root),
		cmocka_unit_test(what_cannot_be_read_may_be_mounted),
		cmocka_unit_test(a_mount_is_found_by_its_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
