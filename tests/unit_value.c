/* SPDX-License-Identifier: MIT */
/* `.value`, as it is created. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/node/node.h"
#include "fs/special/special_files.h"
#include "tests/fs_fixture.h"

/* Begins to create the .value of /a, as far as the store is asked whether there is one. */
static void begin_create(struct fs_fixture *fx, int flags)
{
	struct op *op = kernel_asks(fx, known_inode(fx, "a", INODE_DIR)->nodeid);

	op->kind = OP_CREATE;
	op->flags = op->fi.flags = O_WRONLY | O_CREAT | flags;
	assert_true(op_set_name(op, NAME_OF_VALUE));
	special_create_in(op, &special_value);
}

static struct handle *opened(struct fs_fixture *fx)
{
	kernel_hears_error(fx, 0);
	return LIST_FIRST(&fx->fs.handles.open);
}

static void until_it_is_written_it_is_this_mounts(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file;

	begin_create(fx, 0);
	store_answers(fx, XS_READ, "/a", "");
	file = opened(fx);
	assert_true(file->inode->unwritten);
	assert_true(handle_ends_empty(file));
}

/* Its end would empty what they have written. */
static void one_that_others_have_made_meanwhile_is_looked_up_again(void **state)
{
	struct fs_fixture *fx = *state;

	begin_create(fx, 0);
	store_answers(fx, XS_READ, "/a", "theirs");
	kernel_hears_error(fx, -ESTALE);
	begin_create(fx, O_EXCL);
	store_answers(fx, XS_READ, "/a", "theirs");
	kernel_hears_error(fx, -EEXIST);
	assert_int_equal(fx->fs.handles.count, 0);
}

static void who_may_owe_no_more_owes_none_here(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode;
	struct handle *file;

	fx->fs.quotas.kinds[QUOTA_EMPTY].share = 0;
	begin_create(fx, 0);
	store_answers(fx, XS_READ, "/a", "");
	file = opened(fx);
	inode = inode_ref(file->inode);
	assert_true(inode->unwritten);
	assert_true(handle_reads_empty(file));
	node_release(&fx->fs, file);
	assert_false(inode->unwritten);
	store_gets_nothing(fx);
	inode_put(&fx->fs.inodes, inode);
}

static void where_there_is_no_node_there_is_none(void **state)
{
	struct fs_fixture *fx = *state;

	begin_create(fx, 0);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	kernel_hears_error(fx, -ENOENT);
	assert_int_equal(fx->fs.handles.count, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fs_fixture_setup, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(until_it_is_written_it_is_this_mounts),
		TEST(one_that_others_have_made_meanwhile_is_looked_up_again),
		TEST(who_may_owe_no_more_owes_none_here),
		TEST(where_there_is_no_node_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
