/* SPDX-License-Identifier: MIT */
/* What the teller does about a name while somebody else does something to it: no news is lost. */
#include <linux/fuse.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "fs/op/lock.h"
#include "tests/inotify_fixture.h"

/* The thread id of the teller, as the kernel gives it. */
#define TELLER 77

static int setup(void **state)
{
	struct fs_fixture *fx;

	inotify_fixture_setup(state);
	fx = *state;
	fx->fs.teller = TELLER;
	/* The root was listed, and was empty. */
	told_names_first(fx->fs.inodes.root, "", 0);
	return 0;
}

/* ---- the teller ---- */

struct looker {
	struct fs_fixture *fx;
	pthread_t thread;
	bool done;
};

static void *look_at_next(void *arg)
{
	struct looker *looker = arg;
	struct fs *fs = &looker->fx->fs;
	struct news *news;

	fs_lock(fs);
	news = queue_take(fs);
	look(fs, &news, 1);
	news_free(fs, news);
	looker->done = true;
	fs_unlock(fs);
	return NULL;
}

static bool has_looked(void *arg)
{
	return ((struct looker *)arg)->done;
}

/* The teller begins to look at a name. */
static void look_begins(struct looker *looker, struct fs_fixture *fx, struct inode *dir, const char *name)
{
	*looker = (struct looker){ .fx = fx };
	queue_add(&fx->fs, dir, name, &(struct news){ .deep = true });
	assert_int_equal(pthread_create(&looker->thread, NULL, look_at_next, looker), 0);
}

static void look_ends(struct looker *looker)
{
	wait_until(looker->fx, has_looked, looker);
	pthread_join(looker->thread, NULL);
}

/* The teller looks at a name in the root whose path that is: there is a value, or NULL. */
static void look_at(struct fs_fixture *fx, const char *path, const char *value)
{
	struct looker looker;

	look_begins(&looker, fx, fx->fs.inodes.root, path + 1);
	if (value) {
		store_answers(fx, XS_READ, path, value);
		store_answers(fx, XS_DIRECTORY, path, "");
		store_answers(fx, XS_GET_PERMS, path, "n0");
	} else {
		store_refuses(fx, XS_READ, path, "ENOENT");
		store_refuses(fx, XS_DIRECTORY, path, "ENOENT");
		store_refuses(fx, XS_GET_PERMS, path, "ENOENT");
	}
	look_ends(&looker);
}

/* Fails the test unless a name in the root is looked at again, and nothing else is, if not at once. */
static void is_looked_at_again(struct fs_fixture *fx, const char *name, bool at_once)
{
	struct news *news;

	if (!at_once)
		assert_null(queue_take(&fx->fs));
	patience_ends();
	news = queue_take(&fx->fs);
	assert_non_null(news);
	assert_ptr_equal(news->dir, fx->fs.inodes.root);
	assert_string_equal(news->name, name);
	assert_true(news->deep);
	news_free(&fx->fs, news);
	assert_int_equal(in.queue.count, 0);
}

/* ---- looking ---- */

static void what_is_being_removed_here_is_looked_at_afterwards(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *root = fx->fs.inodes.root;
	struct leaving leaving;

	known_inode(fx, "k", INODE_LEAF);
	told_name_add(root, "k", TOLD_FILE);
	/* The store has removed it for us, and somebody else has made it again, before our removal is noted. */
	inode_begin_leaving(&fx->fs.inodes, root, "k", &leaving);
	look_at(fx, "/k", "1");
	inode_remove(&fx->fs.inodes, root, "k", &fx->fs.wakeups);
	inode_end_leaving(&fx->fs.inodes, &leaving);
	is_looked_at_again(fx, "k", false);
}

static void an_event_of_what_is_being_removed_here_can_wait(void **state)
{
	struct fs_fixture *fx = *state;
	struct leaving leaving;

	known_inode(fx, "d", INODE_DIR);
	inode_begin_leaving(&fx->fs.inodes, fx->fs.inodes.root, "d", &leaving);
	queue_note_event(&fx->fs, "/d", false);
	inode_end_leaving(&fx->fs.inodes, &leaving);
	is_looked_at_again(fx, "d", false);
}

static void what_is_being_made_here_is_looked_at_afterwards(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *root = fx->fs.inodes.root;

	/* Somebody else has removed it, before it is noted that it was made. */
	root->told.making++;
	look_at(fx, "/k", NULL);
	root->told.making--;
	is_looked_at_again(fx, "k", false);
	look_at(fx, "/k", NULL);
	assert_int_equal(in.queue.count, 0);
}

static void a_file_whose_first_value_is_sent_is_looked_at_afterwards(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *file = known_inode(fx, "k", INODE_LEAF);

	told_made(file);
	inode_set_unwritten(&fx->fs.inodes, file, true);
	look_at(fx, "/k", NULL);
	assert_int_equal(in.queue.count, 0);
	told_write(file, "1", 1);
	look_at(fx, "/k", NULL);
	is_looked_at_again(fx, "k", false);
	inode_set_unwritten(&fx->fs.inodes, file, false);
}

static void news_of_a_removed_directory_are_about_its_name(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *root = fx->fs.inodes.root, *dir = known_inode(fx, "d", INODE_DIR);
	struct looker looker;

	/* It was made again, and is not known yet. */
	queue_note_event(&fx->fs, "/d/k", false);
	news_free(&fx->fs, queue_take(&fx->fs));
	inode_ref(dir);
	inode_remove(&fx->fs.inodes, root, "d", &fx->fs.wakeups);
	look_begins(&looker, fx, dir, "k");
	look_ends(&looker);
	inode_put(&fx->fs.inodes, dir);
	is_looked_at_again(fx, "d", true);
}

/* ---- telling ---- */

/* The teller raises an event of a node in the root, and the kernel has the answer: its request has the name behind an
 * argument of some bytes. */
static void teller_raises(struct fs_fixture *fx, enum raise_kind kind, struct inode *inode, uint32_t opcode, size_t skip)
{
	struct inode *root = fx->fs.inodes.root;
	struct expected e = {
		.kind = kind,
		.dir = root,
		.name = inode->name,
		.inode = inode,
		.is_dir = inode->kind == INODE_DIR,
		.changes = root->told.changes,
	};
	char data[128] = "";
	struct fuse_in_header header = {
		.len = sizeof(header) + skip + strlen(inode->name) + 1,
		.opcode = opcode,
		.unique = 1000,
		.nodeid = root->nodeid,
		.pid = TELLER,
	};
	struct fuse_buf buf = { .mem = data, .size = header.len };

	memcpy(data, &header, sizeof(header));
	strcpy(data + sizeof(header) + skip, inode->name);
	in.expected = &e;
	assert_true(inotify_answers(&fx->fs, &buf));
	assert_true(e.done);
	in.expected = NULL;
}

/* The teller goes on some time after the kernel has its answer, and by then much may have happened. */
static void a_directory_that_is_back_before_the_teller_goes_on_is_noticed(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *root = fx->fs.inodes.root, *dir = known_inode(fx, "d", INODE_DIR);

	told_name_add(root, "d", TOLD_DIR);
	teller_raises(fx, RAISE_DELETE, dir, FUSE_RMDIR, 0);
	queue_note_event(&fx->fs, "/d/k", false);
	is_looked_at_again(fx, "d", true);
}

static void what_a_user_does_before_the_teller_goes_on_comes_after(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *root = fx->fs.inodes.root, *file = known_inode(fx, "k", INODE_LEAF);

	told_name_add(root, "k", TOLD_FILE);
	teller_raises(fx, RAISE_DELETE, file, FUSE_UNLINK, 0);
	assert_int_equal(told_name(root, "k"), TOLD_NOT);
	file->told.deleted = true;
	teller_raises(fx, RAISE_CREATE, file, FUSE_MKNOD, sizeof(struct fuse_mknod_in));
	assert_int_equal(told_name(root, "k"), TOLD_FILE);
	assert_false(file->told.deleted);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_being_removed_here_is_looked_at_afterwards),
		TEST(an_event_of_what_is_being_removed_here_can_wait),
		TEST(what_is_being_made_here_is_looked_at_afterwards),
		TEST(a_file_whose_first_value_is_sent_is_looked_at_afterwards),
		TEST(news_of_a_removed_directory_are_about_its_name),
		TEST(a_directory_that_is_back_before_the_teller_goes_on_is_noticed),
		TEST(what_a_user_does_before_the_teller_goes_on_comes_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
