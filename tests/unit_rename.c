/* SPDX-License-Identifier: MIT */
/* Directories that are renamed while something is done in them: that ends at the new place. */
#include <fcntl.h>
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

/* Somebody else may remove it at the new place before it is noted here that it is there: readers of inotify are told. */
static void what_moves_is_being_made_at_the_new_place(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *dir = directory_with_one_inside(fx);

	begin_rename(fx, dir);
	store_moves(fx, "/p");
	assert_int_equal(dir->told.making, 1);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
	assert_int_equal(dir->told.making, 0);
}

/* A rename of /p to /q that the store is about to commit. */
struct rename {
	uint64_t unique;
	struct fake_msg commit;
};

static struct rename store_moves_p(struct fs_fixture *fx)
{
	struct op *op = kernel_asks(fx, INODE_ROOT_ID);
	struct rename rename = { .unique = fx->unique };

	assert_true(op_set_name(op, "p"));
	op->target = inode_ref(fx->fs.inodes.root);
	op->new_name = strdup("q");
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
	rename.commit = store_gets(fx, XS_TRANSACTION_END, "T");
	return rename;
}

static void store_has_moved(struct fs_fixture *fx, const struct rename *rename)
{
	kernel_hears_nothing(fx);
	fake_store_reply(fx->base->store, &rename->commit, "OK", 3);
}

/* Returns the file /p/k, which the kernel knows. */
static struct inode *file_inside(struct fs_fixture *fx)
{
	struct inode *dir = known_inode(fx, "p", INODE_DIR);
	struct inode *file = inode_intern(&fx->fs.inodes, dir, "k", INODE_LEAF, dir->view, NULL);

	file->ops = &node_leaf_ops;
	inode_found(dir, inode_foreign(dir));
	inode_found(file, inode_foreign(file));
	return file;
}

/* A program has emptied the file, and closes a copy of its descriptor. */
static void begin_close(struct fs_fixture *fx, struct inode *file)
{
	struct handle *handle = handle_new(&fx->fs.handles, file, O_WRONLY | O_TRUNC);
	struct op *op;

	assert_non_null(handle);
	handle_empty(handle, 1, 0);
	op = kernel_asks(fx, file->nodeid);
	op->handle = handle;
	op->fi.lock_owner = 1;
	node_flush(op);
}

/* The kernel asks what /p/k is while the store has moved /p to /q, and the mount does not know it yet. */
static void what_is_in_a_directory_is_found_while_that_moves(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inside = file_inside(fx);
	struct rename rename = store_moves_p(fx);

	node_getattr(kernel_asks(fx, inside->nodeid));
	store_refuses(fx, XS_READ, "/p/k", "ENOENT");
	store_refuses(fx, XS_DIRECTORY, "/p/k", "ENOENT");
	store_has_moved(fx, &rename);
	store_answers(fx, XS_READ, "/q/k", "value");
	store_answers(fx, XS_DIRECTORY, "/q/k", "");
	kernel_hears_of(fx, rename.unique, 0);
	kernel_hears_error(fx, 0);
	inode_put(&fx->fs.inodes, inside);
}

/* Who waits for the rename may be interrupted, and that is not an answer either. */
static void who_asks_while_it_moves_can_be_interrupted(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inside = file_inside(fx);
	struct rename rename = store_moves_p(fx);
	uint64_t unique;

	node_getattr(kernel_asks(fx, inside->nodeid));
	unique = fx->unique;
	store_refuses(fx, XS_READ, "/p/k", "ENOENT");
	store_refuses(fx, XS_DIRECTORY, "/p/k", "ENOENT");
	kernel_interrupts(fx, unique);
	grace_is_over(fx);
	kernel_hears_of(fx, unique, -EINTR);
	store_has_moved(fx, &rename);
	kernel_hears_of(fx, rename.unique, 0);
	inode_put(&fx->fs.inodes, inside);
}

static void what_was_emptied_is_found_at_close_while_its_directory_moves(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inside = file_inside(fx);
	struct rename rename;

	store_tells(fx, "/p/k", &root);
	rename = store_moves_p(fx);
	begin_close(fx, inside);
	store_refuses(fx, XS_READ, "/p/k", "ENOENT");
	store_has_moved(fx, &rename);
	store_answers(fx, XS_READ, "/q/k", "value");
	kernel_hears_of(fx, rename.unique, 0);
	kernel_hears_error(fx, 0);
	inode_put(&fx->fs.inodes, inside);
}

static void what_was_created_is_looked_for_at_close_while_its_directory_moves(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inside = file_inside(fx);
	struct rename rename;

	inode_set_unwritten(&fx->fs.inodes, inside, true);
	store_tells(fx, "/p", &root);
	rename = store_moves_p(fx);
	begin_close(fx, inside);
	store_refuses(fx, XS_READ, "/p/k", "ENOENT");
	store_has_moved(fx, &rename);
	/* It may have been made at the new place, or the directory may be gone. */
	store_refuses(fx, XS_READ, "/q/k", "ENOENT");
	store_answers(fx, XS_READ, "/q", "");
	kernel_hears_of(fx, rename.unique, 0);
	kernel_hears_error(fx, 0);
	inode_put(&fx->fs.inodes, inside);
}

static void a_directory_is_found_by_who_creates_in_it_while_it_moves(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *dir = known_inode(fx, "p", INODE_DIR);
	struct rename rename;
	struct op *op;

	store_tells(fx, "/p", &root);
	rename = store_moves_p(fx);
	op = kernel_asks(fx, dir->nodeid);
	op->kind = OP_CREATE;
	assert_true(op_set_name(op, "k"));
	node_create(op);
	store_refuses(fx, XS_READ, "/p", "ENOENT");
	store_has_moved(fx, &rename);
	store_answers(fx, XS_READ, "/q", "");
	kernel_hears_of(fx, rename.unique, 0);
	kernel_hears_error(fx, 0);
}

static void a_directory_is_made_in_one_that_moves(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *dir = known_inode(fx, "p", INODE_DIR);
	struct rename rename = store_moves_p(fx);
	struct op *op = kernel_asks(fx, dir->nodeid);

	assert_true(op_set_name(op, "d"));
	node_mkdir(op);
	store_answers(fx, XS_TRANSACTION_START, "", "8");
	store_refuses(fx, XS_READ, "/p", "ENOENT");
	store_refuses(fx, XS_READ, "/p/d", "ENOENT");
	store_answers(fx, XS_MKDIR, "/p/d", "OK");
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	store_has_moved(fx, &rename);
	kernel_hears_of(fx, rename.unique, 0);
	store_answers(fx, XS_TRANSACTION_START, "", "9");
	store_answers(fx, XS_READ, "/q", "");
	store_refuses(fx, XS_READ, "/q/d", "ENOENT");
	store_answers(fx, XS_MKDIR, "/q/d", "OK");
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
}

static void a_directory_is_listed_in_parts_while_it_moves(void **state)
{
	static const char names[] = "1\0k\0";
	struct fs_fixture *fx = *state;
	struct inode *dir = known_inode(fx, "p", INODE_DIR);
	struct rename rename = store_moves_p(fx);
	struct fake_msg msg;

	node_opendir(kernel_asks(fx, dir->nodeid));
	store_refuses(fx, XS_DIRECTORY, "/p", "E2BIG");
	store_answers(fx, XS_READ, "/p", "");
	store_answers(fx, XS_READ, "/p", "");
	store_refuses(fx, XS_DIRECTORY_PART, "/p", "ENOENT");
	store_has_moved(fx, &rename);
	kernel_hears_of(fx, rename.unique, 0);
	store_answers(fx, XS_READ, "/q", "");
	msg = store_gets(fx, XS_DIRECTORY_PART, "/q");
	fake_store_reply(fx->base->store, &msg, names, sizeof(names));
	pump(fx->base);
	kernel_hears_error(fx, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(an_empty_directory_stays_one),
		TEST(an_empty_directory_stays_one_whose_parent_moved_meanwhile),
		TEST(what_moves_is_being_made_at_the_new_place),
		TEST(what_is_in_a_directory_is_found_while_that_moves),
		TEST(who_asks_while_it_moves_can_be_interrupted),
		TEST(what_was_emptied_is_found_at_close_while_its_directory_moves),
		TEST(what_was_created_is_looked_for_at_close_while_its_directory_moves),
		TEST(a_directory_is_found_by_who_creates_in_it_while_it_moves),
		TEST(a_directory_is_made_in_one_that_moves),
		TEST(a_directory_is_listed_in_parts_while_it_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
