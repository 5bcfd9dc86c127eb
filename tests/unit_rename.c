/* SPDX-License-Identifier: MIT */
/* Directories that are renamed while something is done in them: that ends at the new place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/node/node.h"
#include "tests/events_fixture.h"

/* The watch on everything. */
static struct token root;

static int begin(void **state)
{
	events_fixture_setup(state);
	root = watch_the_root(*state);
	return 0;
}

/* Returns the directory /p, in which this mount has made the empty directory d. */
static struct inode *directory_with_one_inside(struct fs_fixture *fx)
{
	empty_nodes_add(&fx->fs.empty_nodes, "/p/d");
	return known_inode(fx, "p", INODE_DIR);
}

/* The kernel asks that d in `dir` become e. */
static void begin_rename(struct fs_fixture *fx, struct inode *dir)
{
	struct op *op = kernel_asks(fx, dir->nodeid);

	assert_true(op_set_name(op, "d"));
	op->target = inode_ref(dir);
	op->new_name = strdup("e");
	assert_non_null(op->new_name);
	node_rename(op);
}

/* Makes the path of a name in the directory `dir`. */
static const char *in(const char *dir, const char *name)
{
	static char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* The store moves the empty node d of `dir` to e, as far as the commit. */
static void store_moves(struct fs_fixture *fx, const char *dir)
{
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	/* both parents, and the two places */
	store_answers(fx, XS_READ, dir, "");
	store_answers(fx, XS_READ, dir, "");
	store_answers(fx, XS_READ, in(dir, "d"), "");
	store_refuses(fx, XS_READ, in(dir, "e"), "ENOENT");
	store_refuses(fx, XS_DIRECTORY, in(dir, "e"), "ENOENT");
	/* the copy */
	store_answers(fx, XS_READ, in(dir, "d"), "");
	store_answers(fx, XS_GET_PERMS, in(dir, "d"), "n0");
	store_answers(fx, XS_DIRECTORY, in(dir, "d"), "");
	store_answers(fx, XS_WRITE, in(dir, "e"), "OK");
	store_answers(fx, XS_SET_PERMS, in(dir, "e"), "OK");
	store_answers(fx, XS_RM, in(dir, "d"), "OK");
}

static void an_empty_directory_stays_one(void **state)
{
	struct fs_fixture *fx = *state;

	begin_rename(fx, directory_with_one_inside(fx));
	store_moves(fx, "/p");
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
	assert_true(empty_nodes_has(&fx->fs.empty_nodes, "/p/e"));
	assert_false(empty_nodes_has(&fx->fs.empty_nodes, "/p/d"));
}

static void an_empty_directory_stays_one_whose_parent_moved_meanwhile(void **state)
{
	struct fs_fixture *fx = *state;
	struct inodes *inodes = &fx->fs.inodes;

	begin_rename(fx, directory_with_one_inside(fx));
	store_moves(fx, "/p");
	/* What another thread of the pool has just done. */
	assert_int_equal(inode_rename(inodes, inodes->root, "p", inodes->root, "q", &fx->fs.wakeups), 0);
	empty_nodes_rename(&fx->fs.empty_nodes, "/p", "/q");
	store_refuses(fx, XS_TRANSACTION_END, "T", "EAGAIN");
	store_moves(fx, "/q");
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
	assert_true(empty_nodes_has(&fx->fs.empty_nodes, "/q/e"));
	assert_false(empty_nodes_has(&fx->fs.empty_nodes, "/q/d"));
}

/* The kernel asks what /p/k is while the store has moved /p to /q, and the mount does not know it yet. */
static void what_is_in_a_directory_is_found_while_that_moves(void **state)
{
	struct fs_fixture *fx = *state;
	struct inodes *inodes = &fx->fs.inodes;
	struct inode *dir = known_inode(fx, "p", INODE_DIR);
	struct inode *inside = inode_intern(inodes, dir, "k", INODE_LEAF, dir->view, NULL);
	uint64_t renamed;
	struct fake_msg commit;
	struct op *op = kernel_asks(fx, INODE_ROOT_ID);

	assert_true(op_set_name(op, "p"));
	op->target = inode_ref(inodes->root);
	op->new_name = strdup("q");
	renamed = fx->unique;
	node_rename(op);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_answers(fx, XS_READ, "/", "");
	store_answers(fx, XS_READ, "/", "");
	store_answers(fx, XS_READ, "/p", "");
	store_refuses(fx, XS_READ, "/q", "ENOENT");
	store_refuses(fx, XS_DIRECTORY, "/q", "ENOENT");
	store_answers(fx, XS_READ, "/p", "");
	store_answers(fx, XS_GET_PERMS, "/p", "n0");
	store_answers(fx, XS_DIRECTORY, "/p", "");
	store_answers(fx, XS_WRITE, "/q", "OK");
	store_answers(fx, XS_SET_PERMS, "/q", "OK");
	store_answers(fx, XS_RM, "/p", "OK");
	commit = store_gets(fx, XS_TRANSACTION_END, "T");

	node_getattr(kernel_asks(fx, inside->nodeid));
	store_refuses(fx, XS_READ, "/p/k", "ENOENT");
	store_refuses(fx, XS_DIRECTORY, "/p/k", "ENOENT");
	kernel_hears_nothing(fx);
	fake_store_reply(fx->base->store, &commit, "OK", 3);
	store_answers(fx, XS_READ, "/q/k", "value");
	store_answers(fx, XS_DIRECTORY, "/q/k", "");
	kernel_hears_of(fx, renamed, 0);
	kernel_hears_error(fx, 0);
	inode_put(inodes, inside);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_empty_directory_stays_one),
		TEST(an_empty_directory_stays_one_whose_parent_moved_meanwhile),
		TEST(what_is_in_a_directory_is_found_while_that_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
