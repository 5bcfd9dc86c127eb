/* SPDX-License-Identifier: MIT */
/*
 * What the teller does about a name while somebody else does something to it: no news is dropped that nothing else would bring.
 */
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fs/inotify/inotify_impl.h"
#include "tests/fs_fixture.h"

/* The thread id of the teller, as the kernel gives it. */
#define TELLER 77

static struct inotify in;

static void inotify_deinit(struct fs_fixture *fx)
{
	queue_deinit(&fx->fs, &in.queue);
	pthread_cond_destroy(&in.wake);
	fx->fs.inotify = NULL;
	fx->fs.teller = 0;
}

static int setup(void **state)
{
	struct fs_fixture *fx = fs_fixture_new();

	in = (struct inotify){ .work = false };
	queue_init(&in.queue);
	TAILQ_INIT(&in.owed);
	pthread_cond_init(&in.wake, NULL);
	fx->fs.inotify = &in;
	fx->fs.teller = TELLER;
	fx->deinit = inotify_deinit;
	/* The root was listed, and was empty. */
	told_names_first(fx->fs.inodes.root, "", 0);
	*state = fx;
	return 0;
}

/* Fails the test unless a name in the root is looked at again, and nothing else is, if not at once. */
static void is_looked_at_again(struct fs_fixture *fx, const char *name, bool at_once)
{
	struct news *news;

	if (!at_once)
		assert_null(queue_take(&fx->fs));
	in.queue.patient_due_ns = 0;
	queue_wait_over(&in.queue);
	news = queue_take(&fx->fs);
	assert_non_null(news);
	assert_ptr_equal(news->dir, fx->fs.inodes.root);
	assert_string_equal(news->name, name);
	assert_true(news->deep);
	news_free(&fx->fs, news);
	assert_int_equal(in.queue.count, 0);
}

/* ---- telling ---- */

/* A request of the teller's, with a body of a name behind an argument of some bytes. */
static void teller_asks(struct fs_fixture *fx, uint32_t opcode, size_t skip, const char *name)
{
	char data[128] = "";
	struct fuse_in_header header = {
		.len = sizeof(header) + skip + strlen(name) + 1,
		.opcode = opcode,
		.unique = 1000,
		.nodeid = fx->fs.inodes.root->nodeid,
		.pid = TELLER,
	};
	struct fuse_buf buf = { .mem = data, .size = header.len };

	memcpy(data, &header, sizeof(header));
	strcpy(data + sizeof(header) + skip, name);
	assert_true(inotify_answers(&fx->fs, &buf));
	assert_true(in.expected->done);
	in.expected = NULL;
}

static struct expected expect(struct fs_fixture *fx, enum raise_kind kind, struct inode *inode)
{
	return (struct expected){
		.kind = kind,
		.dir = fx->fs.inodes.root,
		.name = inode->name,
		.inode = inode,
		.is_dir = inode->kind == INODE_DIR,
		.changes = fx->fs.inodes.root->told.changes,
	};
}

/* The teller goes on some time after the kernel has its answer, and by then much may have happened. */
static void a_directory_that_is_back_before_the_teller_goes_on_is_noticed(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *root = fx->fs.inodes.root, *dir = known_inode(fx, "d", INODE_DIR);
	struct expected e = expect(fx, RAISE_DELETE, dir);

	told_name_add(root, "d", TOLD_DIR);
	in.expected = &e;
	teller_asks(fx, FUSE_RMDIR, 0, "d");
	queue_note_event(&fx->fs, "/d/k", false);
	is_looked_at_again(fx, "d", true);
}

static void what_a_user_does_before_the_teller_goes_on_comes_after(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *root = fx->fs.inodes.root, *file = known_inode(fx, "k", INODE_LEAF);
	struct expected e = expect(fx, RAISE_DELETE, file);

	told_name_add(root, "k", TOLD_FILE);
	in.expected = &e;
	teller_asks(fx, FUSE_UNLINK, 0, "k");
	assert_int_equal(told_name(root, "k"), TOLD_NOT);
	file->told.deleted = true;
	e = expect(fx, RAISE_CREATE, file);
	in.expected = &e;
	teller_asks(fx, FUSE_MKNOD, sizeof(struct fuse_mknod_in), "k");
	assert_int_equal(told_name(root, "k"), TOLD_FILE);
	assert_false(file->told.deleted);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_directory_that_is_back_before_the_teller_goes_on_is_noticed),
		TEST(what_a_user_does_before_the_teller_goes_on_comes_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
