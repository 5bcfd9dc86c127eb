/* SPDX-License-Identifier: MIT */
/* Nodes as files and directories: the results of lookups, and the requests that reads and writes
 * send to the store. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/node/node.h"
#include "fs/op/transaction.h"
#include "tests/events_fixture.h"

/* A string with the NULs that are in it. */
#define NAMES(s) s, sizeof(s) - 1

/* The watch on everything. */
static struct token root;

static int begin(void **state)
{
	events_fixture_setup(state);
	root = watch_the_root(*state);
	return 0;
}

/* ---- lookups ---- */

static void begin_lookup(struct fs_fixture *fx, const char *name)
{
	struct op *op = kernel_asks(fx, INODE_ROOT_ID);

	assert_true(op_set_name(op, name));
	node_lookup(op);
}

static struct fuse_entry_out entry_answer(struct fs_fixture *fx)
{
	const struct kernel_msg *msg = kernel_hears_error(fx, 0);
	struct fuse_entry_out out;

	memcpy(&out, msg->body, sizeof(out));
	return out;
}

/* Looks /a up, which has a value and these children. */
static struct fuse_entry_out look_up(struct fs_fixture *fx, const char *value, const char *names, size_t len)
{
	struct fake_msg msg;

	begin_lookup(fx, "a");
	store_answers(fx, XS_READ, "/a", value);
	msg = store_gets(fx, XS_DIRECTORY, "/a");
	fake_store_reply(fx->base->store, &msg, names, len);
	pump(fx->base);
	return entry_answer(fx);
}

static bool is_dir(struct fuse_entry_out entry)
{
	assert_true(S_ISDIR(entry.attr.mode) || S_ISREG(entry.attr.mode));
	return S_ISDIR(entry.attr.mode);
}

static void without_children_it_is_a_file_with_its_text(void **state)
{
	struct fs_fixture *fx = *state;
	struct fuse_entry_out out = look_up(fx, "value", "", 0);

	assert_int_equal(out.attr.mode, S_IFREG | 0600);
	assert_int_equal(out.attr.size, 6);
}

static void an_empty_value_is_an_empty_file(void **state)
{
	struct fs_fixture *fx = *state;

	assert_int_equal(look_up(fx, "", "", 0).attr.size, 0);
}

static void as_raw_bytes_it_has_no_newline(void **state)
{
	struct fs_fixture *fx = *state;

	fx->fs.config.format = FS_RAW;
	assert_int_equal(look_up(fx, "value", "", 0).attr.size, 5);
}

static void with_children_it_is_a_directory(void **state)
{
	struct fs_fixture *fx = *state;

	assert_int_equal(look_up(fx, "value", NAMES("k\0")).attr.mode, S_IFDIR | 0700);
}

static void with_too_many_children_for_a_reply_it_is_a_directory(void **state)
{
	struct fs_fixture *fx = *state;

	begin_lookup(fx, "a");
	store_answers(fx, XS_READ, "/a", "");
	store_refuses(fx, XS_DIRECTORY, "/a", "E2BIG");
	assert_true(is_dir(entry_answer(fx)));
}

static void what_may_not_be_read_is_a_directory_to_pass_through(void **state)
{
	struct fs_fixture *fx = *state;

	begin_lookup(fx, "a");
	store_refuses(fx, XS_READ, "/a", "EACCES");
	store_refuses(fx, XS_DIRECTORY, "/a", "EACCES");
	assert_int_equal(entry_answer(fx).attr.mode, S_IFDIR | 0111);
}

static void what_is_not_there_is_not_there(void **state)
{
	struct fs_fixture *fx = *state;

	begin_lookup(fx, "a");
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	store_refuses(fx, XS_DIRECTORY, "/a", "ENOENT");
	kernel_hears_error(fx, -ENOENT);
}

static void a_name_that_no_node_can_have_is_not_asked_for(void **state)
{
	struct fs_fixture *fx = *state;

	begin_lookup(fx, "a.b");
	kernel_hears_error(fx, -ENOENT);
	store_gets_nothing(fx);
}

static void a_file_that_the_store_has_not_yet_is_there(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct fuse_entry_out out;

	inode_set_unwritten(&fx->fs.inodes, inode, true);
	begin_lookup(fx, "a");
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	store_refuses(fx, XS_DIRECTORY, "/a", "ENOENT");
	out = entry_answer(fx);
	assert_int_equal(out.nodeid, inode->nodeid);
	assert_int_equal(out.attr.size, 0);
}

static void a_directory_that_the_kernel_knows_stays_one_without_children(void **state)
{
	struct fs_fixture *fx = *state;

	assert_true(is_dir(look_up(fx, "", NAMES("k\0"))));
	store_tells(fx, "/a/k", &root);
	assert_true(is_dir(look_up(fx, "", "", 0)));
}

static void what_somebody_else_may_have_made_anew_is_what_it_is_now(void **state)
{
	struct fs_fixture *fx = *state;

	assert_true(is_dir(look_up(fx, "", NAMES("k\0"))));
	store_tells(fx, "/a", &root);
	assert_false(is_dir(look_up(fx, "", "", 0)));
}

static void what_mkdir_made_is_a_directory(void **state)
{
	struct fs_fixture *fx = *state;

	empty_nodes_add(&fx->fs.empty_nodes, "/a");
	assert_true(is_dir(look_up(fx, "", "", 0)));
}

static void what_is_meant_to_be_a_directory_is_one_if_it_has_no_value(void **state)
{
	struct fs_fixture *fx = *state;

	patterns_deinit(&fx->fs.dirs);
	assert_int_equal(dirs_init(&fx->fs.dirs, "/a"), 0);
	assert_false(is_dir(look_up(fx, "value", "", 0)));
	assert_true(is_dir(look_up(fx, "", "", 0)));
}

/* ---- open files ---- */

/* Returns an open file of /a, which the store is known to have. */
static struct handle *open_a(struct fs_fixture *fx, int flags)
{
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct op *op = kernel_asks(fx, inode->nodeid);

	inode->ops = &node_leaf_ops;
	inode_found(inode, inode_foreign(inode));
	op->flags = op->fi.flags = flags;
	node_open(op);
	kernel_hears_error(fx, 0);
	return LIST_FIRST(&fx->fs.handles.open);
}

static void to_open_a_file_the_store_is_not_asked(void **state)
{
	struct fs_fixture *fx = *state;

	open_a(fx, O_RDWR | O_TRUNC);
	store_gets_nothing(fx);
}

static void what_was_removed_on_the_way_is_looked_up_again(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct op *op = kernel_asks(fx, inode->nodeid);

	inode_remove(&fx->fs.inodes, fx->fs.inodes.root, "a", &fx->fs.wakeups);
	node_open(op);
	kernel_hears_error(fx, -ESTALE);
}

/* ---- reads ---- */

static void begin_read(struct fs_fixture *fx, struct handle *file, size_t size, off_t off)
{
	struct op *op = kernel_asks(fx, file->inode->nodeid);

	op->handle = file;
	op->size = size;
	op->off = off;
	node_read(op);
}

static void assert_text(struct fs_fixture *fx, const char *text)
{
	const struct kernel_msg *msg = kernel_hears_error(fx, 0);

	assert_int_equal(msg->len, strlen(text));
	assert_memory_equal(msg->body, text, msg->len);
}

static void a_value_is_read_with_a_newline(void **state)
{
	struct fs_fixture *fx = *state;

	begin_read(fx, open_a(fx, O_RDONLY), 4096, 0);
	store_answers(fx, XS_READ, "/a", "value");
	assert_text(fx, "value\n");
}

static void the_rest_comes_from_what_was_read(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_RDONLY);

	begin_read(fx, file, 3, 0);
	store_answers(fx, XS_READ, "/a", "value");
	assert_text(fx, "val");
	begin_read(fx, file, 4096, 3);
	assert_text(fx, "ue\n");
	begin_read(fx, file, 4096, 6);
	assert_text(fx, "");
	store_gets_nothing(fx);
}

static void who_goes_on_behind_the_end_gets_what_was_added(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_RDONLY);

	begin_read(fx, file, 4096, 0);
	store_answers(fx, XS_READ, "/a", "a");
	assert_text(fx, "a\n");
	begin_read(fx, file, 4096, 2);
	assert_text(fx, "");
	begin_read(fx, file, 4096, 2);
	store_answers(fx, XS_READ, "/a", "a\nb");
	assert_text(fx, "b\n");
}

static void who_goes_on_behind_the_end_gets_nothing_of_another_value(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_RDONLY);

	begin_read(fx, file, 4096, 0);
	store_answers(fx, XS_READ, "/a", "a");
	assert_text(fx, "a\n");
	begin_read(fx, file, 4096, 2);
	assert_text(fx, "");
	begin_read(fx, file, 4096, 2);
	store_answers(fx, XS_READ, "/a", "other");
	assert_text(fx, "");
}

static void from_the_start_it_is_asked_for_again(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_RDONLY);

	begin_read(fx, file, 4096, 0);
	store_answers(fx, XS_READ, "/a", "old");
	assert_text(fx, "old\n");
	begin_read(fx, file, 4096, 0);
	store_answers(fx, XS_READ, "/a", "new");
	assert_text(fx, "new\n");
}

static void what_this_file_has_emptied_reads_as_empty(void **state)
{
	struct fs_fixture *fx = *state;

	begin_read(fx, open_a(fx, O_RDWR | O_TRUNC), 4096, 0);
	assert_text(fx, "");
	store_gets_nothing(fx);
}

static void a_new_file_reads_as_empty(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_RDONLY);

	inode_set_unwritten(&fx->fs.inodes, file->inode, true);
	begin_read(fx, file, 4096, 0);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	assert_text(fx, "");
}

static void what_another_client_removed_cannot_be_read(void **state)
{
	struct fs_fixture *fx = *state;

	begin_read(fx, open_a(fx, O_RDONLY), 4096, 0);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	kernel_hears_error(fx, -ENOENT);
}

static void a_file_that_another_one_replaced_reads_as_it_was(void **state)
{
	struct fs_fixture *fx = *state;
	struct inodes *inodes = &fx->fs.inodes;
	struct handle *file = open_a(fx, O_RDONLY);
	char *last = strdup("last ");

	assert_non_null(last);
	known_inode(fx, "b", INODE_LEAF);
	inode_set_last(file->inode, last, 4);
	assert_int_equal(inode_rename(inodes, inodes->root, "b", inodes->root, "a", &fx->fs.wakeups), 0);
	begin_read(fx, file, 4096, 0);
	assert_text(fx, "last\n");
	store_gets_nothing(fx);
}

/* ---- writes ---- */

static void begin_write(struct fs_fixture *fx, struct handle *file, const char *text, off_t off, int flags)
{
	struct op *op = kernel_asks(fx, file->inode->nodeid);

	op->handle = file;
	op->off = off;
	op->flags = flags;
	assert_true(op_set_data(op, text, strlen(text)));
	node_write(op);
}

/* The store gets a value for /a, and takes it or not. */
static void store_is_written(struct fs_fixture *fx, const char *value, const char *refusal)
{
	struct fake_msg msg = store_gets(fx, XS_WRITE, "/a");
	const char *got = msg.body + sizeof("/a");

	assert_int_equal(msg.hdr.len - sizeof("/a"), strlen(value));
	assert_memory_equal(got, value, strlen(value));
	if (refusal)
		fake_store_error(fx->base->store, &msg, refusal);
	else
		fake_store_reply(fx->base->store, &msg, "OK", 3);
	pump(fx->base);
}

static void what_replaces_the_value_is_one_request(void **state)
{
	struct fs_fixture *fx = *state;

	begin_write(fx, open_a(fx, O_WRONLY | O_TRUNC), "new\n", 0, 0);
	store_is_written(fx, "new", NULL);
	kernel_hears_error(fx, 0);
	store_gets_nothing(fx);
}

static void what_follows_is_written_with_what_came_before(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_TRUNC);

	begin_write(fx, file, "one\n", 0, 0);
	store_is_written(fx, "one", NULL);
	kernel_hears_error(fx, 0);
	begin_write(fx, file, "two\n", 4, 0);
	store_is_written(fx, "one\ntwo", NULL);
	kernel_hears_error(fx, 0);
	store_gets_nothing(fx);
}

static void where_the_node_may_be_gone_it_is_looked_for_first(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_TRUNC);

	store_tells(fx, "/a", &root);
	begin_write(fx, file, "new\n", 0, 0);
	store_answers(fx, XS_READ, "/a", "old");
	store_is_written(fx, "new", NULL);
	kernel_hears_error(fx, 0);
}

static void what_is_gone_does_not_come_back_by_a_write(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_TRUNC);

	store_tells(fx, "/a", &root);
	begin_write(fx, file, "new\n", 0, 0);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	kernel_hears_error(fx, -ENOENT);
	store_gets_nothing(fx);
}

static void where_the_old_value_matters_it_is_a_transaction(void **state)
{
	struct fs_fixture *fx = *state;

	begin_write(fx, open_a(fx, O_WRONLY), "XY", 1, 0);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_answers(fx, XS_READ, "/a", "abcd");
	store_is_written(fx, "aXYd", NULL);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
}

static void an_append_goes_behind_what_the_store_has(void **state)
{
	struct fs_fixture *fx = *state;

	begin_write(fx, open_a(fx, O_WRONLY | O_APPEND), "b\n", 0, O_APPEND);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_answers(fx, XS_READ, "/a", "a");
	store_is_written(fx, "a\nb", NULL);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
}

static void an_append_finds_what_this_mount_makes_meanwhile(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_APPEND);
	struct inodes *inodes = &fx->fs.inodes;
	struct fake_msg begin;

	inode_set_unwritten(inodes, file->inode, true);
	begin_write(fx, file, "b\n", 0, O_APPEND);
	begin = store_gets(fx, XS_TRANSACTION_START, "");
	/* The one who created it has closed it, and the store has taken the empty value. */
	inode_write_over(inodes, file->inode, false);
	inode_new_content(inodes, file->inode);
	answer(fx->base, &begin, "7");
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	store_answers(fx, XS_TRANSACTION_START, "", "8");
	store_answers(fx, XS_READ, "/a", "");
	store_is_written(fx, "b", NULL);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
}

static void what_no_message_can_carry_is_too_large(void **state)
{
	struct fs_fixture *fx = *state;

	begin_write(fx, open_a(fx, O_WRONLY | O_TRUNC), "x", 1 << 20, 0);
	kernel_hears_error(fx, -EFBIG);
	store_gets_nothing(fx);
}

static void who_could_not_write_does_not_empty_it_at_the_end(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_TRUNC);

	begin_write(fx, file, "new\n", 0, 0);
	store_is_written(fx, "new", "EACCES");
	kernel_hears_error(fx, -EACCES);
	node_release(&fx->fs, file);
	store_gets_nothing(fx);
}

/* Nor who was interrupted before the pool had come to it, or where that had no thread. */
static void what_the_pool_never_began_has_failed_too(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_APPEND | O_TRUNC);
	struct pool *pool = fx->fs.pool;

	inode_set_unwritten(&fx->fs.inodes, file->inode, true);
	/* The lock is held until the answer is looked for: no thread goes on before. */
	begin_write(fx, file, "new\n", 0, O_APPEND);
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	kernel_hears_error(fx, -EINTR);
	assert_false(handle_ends_empty(file));
	handle_cut(file, 0, 0);
	assert_true(handle_ends_empty(file));
	fx->fs.pool = NULL;
	begin_write(fx, file, "new\n", 0, O_APPEND);
	fx->fs.pool = pool;
	kernel_hears_error(fx, -EIO);
	assert_false(handle_ends_empty(file));
	node_release(&fx->fs, file);
	store_gets_nothing(fx);
}

static void who_has_written_nothing_leaves_it_empty_at_the_end(void **state)
{
	struct fs_fixture *fx = *state;

	node_release(&fx->fs, open_a(fx, O_WRONLY | O_TRUNC));
	store_is_written(fx, "", NULL);
	store_gets_nothing(fx);
}

static void what_cannot_be_made_at_the_end_is_shown_no_longer(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_TRUNC);
	struct inode *inode = file->inode;
	struct pool *pool = fx->fs.pool;

	inode_set_unwritten(&fx->fs.inodes, inode, true);
	file->missing_at_close = true;
	inode_found(inode, 0);
	/* As where no thread can be started. */
	fx->fs.pool = NULL;
	node_release(&fx->fs, file);
	fx->fs.pool = pool;
	assert_false(inode->unwritten);
	store_gets_nothing(fx);
}

/* Begins the end of `file`, about whose node something has been heard, as far as the store is asked for it. */
static void begin_release(struct fs_fixture *fx, struct handle *file, struct fake_msg *read, struct fake_msg *write)
{
	store_tells(fx, "/a", &root);
	node_release(&fx->fs, file);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	*read = store_gets(fx, XS_READ, "/a");
	*write = store_gets(fx, XS_WRITE, "/a");
}

static void store_has_old(struct fs_fixture *fx, const struct fake_msg *read, const struct fake_msg *write)
{
	fake_store_reply(fx->base->store, read, "old", 3);
	fake_store_reply(fx->base->store, write, "OK", 3);
	pump(fx->base);
}

static void what_is_written_after_a_close_stays(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_TRUNC), *later = open_a(fx, O_WRONLY | O_TRUNC);
	struct fake_msg read, write;

	begin_release(fx, file, &read, &write);
	begin_write(fx, later, "new\n", 0, 0);
	store_answers(fx, XS_READ, "/a", "old");
	store_is_written(fx, "new", NULL);
	kernel_hears_error(fx, 0);
	store_has_old(fx, &read, &write);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	store_gets_nothing(fx);
}

/* Also if that is on the pool, too: it may have been committed, and that not noted yet. */
static void for_what_is_being_written_after_a_close_it_waits(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_TRUNC);
	struct inode *inode = file->inode;
	struct fake_msg read, write;

	begin_release(fx, file, &read, &write);
	inode->writers++;
	store_has_old(fx, &read, &write);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	inode->writers--;
	inode_new_content(&fx->fs.inodes, inode);
	store_answers(fx, XS_TRANSACTION_START, "", "8");
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	store_gets_nothing(fx);
}

/* The same end as far as its transaction begins, which the store is yet to answer. */
static struct fake_msg hold_release(struct fs_fixture *fx, struct handle *file)
{
	store_tells(fx, "/a", &root);
	node_release(&fx->fs, file);
	return store_gets(fx, XS_TRANSACTION_START, "");
}

/* It does now, and nothing is written. */
static void release_is_not_due(struct fs_fixture *fx, const struct fake_msg *begin)
{
	fake_store_reply(fx->base->store, begin, "7", 2);
	pump(fx->base);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	store_gets_nothing(fx);
}

/* `text` is appended to /a, where the store has the value `old`, and makes it `now`. */
static void is_appended(struct fs_fixture *fx, struct handle *file, const char *text, const char *old, const char *now)
{
	begin_write(fx, file, text, 0, O_APPEND);
	store_answers(fx, XS_TRANSACTION_START, "", "8");
	store_answers(fx, XS_READ, "/a", old);
	store_is_written(fx, now, NULL);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
}

/* What comes after the empty value edits that. */
static void what_is_appended_after_a_close_finds_it_empty(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_TRUNC), *later = open_a(fx, O_WRONLY | O_APPEND);
	struct fake_msg begin;

	begin = hold_release(fx, file);
	is_appended(fx, later, "new\n", "old", "new");
	release_is_not_due(fx, &begin);
}

/* But not if something else was written before. */
static void what_is_appended_to_what_was_written_after_a_close_keeps_that(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_TRUNC), *whole = open_a(fx, O_WRONLY | O_TRUNC),
		      *later = open_a(fx, O_WRONLY | O_APPEND);
	struct fake_msg begin;

	begin = hold_release(fx, file);
	begin_write(fx, whole, "new\n", 0, 0);
	store_answers(fx, XS_READ, "/a", "old");
	store_is_written(fx, "new", NULL);
	kernel_hears_error(fx, 0);
	is_appended(fx, later, "more\n", "new", "new\nmore");
	release_is_not_due(fx, &begin);
}

/* Nor if the empty value is about to be committed: others may have written since. */
static void what_is_appended_while_a_close_is_committed_keeps_what_is_there(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_a(fx, O_WRONLY | O_TRUNC), *later = open_a(fx, O_WRONLY | O_APPEND);
	struct fake_msg read, write, commit;

	begin_release(fx, file, &read, &write);
	store_has_old(fx, &read, &write);
	commit = store_gets(fx, XS_TRANSACTION_END, "T");
	begin_write(fx, later, "more\n", 0, O_APPEND);
	store_answers(fx, XS_TRANSACTION_START, "", "8");
	store_answers(fx, XS_READ, "/a", "theirs");
	store_is_written(fx, "theirs\nmore", NULL);
	fake_store_reply(fx->base->store, &commit, "OK", 3);
	pump(fx->base);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
	store_gets_nothing(fx);
}

/* ---- users who may owe no more empty values ---- */

/* An operation on /a, which the store is known to have. */
static struct op *begin_without_share(struct fs_fixture *fx, enum op_kind kind, int flags)
{
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct op *op = kernel_asks(fx, inode->nodeid);

	fx->fs.quotas.kinds[QUOTA_EMPTY].share = 0;
	inode->ops = &node_leaf_ops;
	inode_found(inode, inode_foreign(inode));
	op->kind = kind;
	op->flags = op->fi.flags = flags;
	return op;
}

static void what_they_open_is_emptied_first(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file;

	node_open(begin_without_share(fx, OP_OPEN, O_WRONLY | O_TRUNC));
	store_is_written(fx, "", NULL);
	kernel_hears_error(fx, 0);
	file = LIST_FIRST(&fx->fs.handles.open);
	begin_write(fx, file, "new\n", 0, 0);
	store_is_written(fx, "new", NULL);
	kernel_hears_error(fx, 0);
	node_release(&fx->fs, file);
	store_gets_nothing(fx);
}

/* ESTALE makes the kernel look it up again, and with O_CREAT make it. */
static void what_is_gone_when_they_open_it_is_looked_up_again(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = begin_without_share(fx, OP_OPEN, O_WRONLY | O_TRUNC);

	store_tells(fx, "/a", &root);
	node_open(op);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	kernel_hears_error(fx, -ESTALE);
	assert_int_equal(fx->fs.handles.count, 0);
}

static void what_cannot_be_emptied_they_cannot_open(void **state)
{
	struct fs_fixture *fx = *state;

	node_open(begin_without_share(fx, OP_OPEN, O_WRONLY | O_TRUNC));
	store_is_written(fx, "", "EACCES");
	kernel_hears_error(fx, -EACCES);
	assert_int_equal(fx->fs.handles.count, 0);
}

/* They begin to cut /a.  Returns the open file. */
static struct handle *begin_cut(struct fs_fixture *fx)
{
	struct handle *file = open_a(fx, O_WRONLY);
	struct op *op = begin_without_share(fx, OP_SETATTR, 0);

	op->handle = file;
	node_truncate(op);
	return file;
}

static void what_they_cut_is_emptied_first(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = begin_cut(fx);

	store_is_written(fx, "", NULL);
	kernel_hears_error(fx, 0);
	assert_true(handle_is_whole(file));
	node_release(&fx->fs, file);
	store_gets_nothing(fx);
}

static void what_cannot_be_cut_is_as_it_was(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = begin_cut(fx);

	store_is_written(fx, "", "EACCES");
	kernel_hears_error(fx, -EACCES);
	assert_false(handle_reads_empty(file));
	node_release(&fx->fs, file);
	store_gets_nothing(fx);
}

/* Begins to create /a where that share is used up, as far as the store is asked whether it is there. */
static void begin_create(struct fs_fixture *fx, int flags)
{
	struct op *op = kernel_asks(fx, INODE_ROOT_ID);

	fx->fs.quotas.kinds[QUOTA_EMPTY].share = 0;
	op->kind = OP_CREATE;
	op->flags = op->fi.flags = O_WRONLY | O_CREAT | flags;
	assert_true(op_set_name(op, "a"));
	node_create(op);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_answers(fx, XS_READ, "/", "");
}

static void what_they_create_is_made_first(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file;

	begin_create(fx, 0);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	store_is_written(fx, "", NULL);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	kernel_hears_error(fx, 0);
	file = LIST_FIRST(&fx->fs.handles.open);
	assert_false(file->inode->unwritten);
	assert_true(handle_is_whole(file));
	node_release(&fx->fs, file);
	store_gets_nothing(fx);
}

/* Then the kernel looks it up, and opens it, unless it must not be there. */
static void what_others_have_made_meanwhile_is_not_touched(void **state)
{
	struct fs_fixture *fx = *state;

	begin_create(fx, 0);
	store_answers(fx, XS_READ, "/a", "theirs");
	store_is_written(fx, "", NULL);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	kernel_hears_error(fx, -ESTALE);
	begin_create(fx, O_EXCL);
	store_answers(fx, XS_READ, "/a", "theirs");
	store_is_written(fx, "", NULL);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	kernel_hears_error(fx, -EEXIST);
	assert_int_equal(fx->fs.handles.count, 0);
}

static void what_cannot_be_made_is_not_open(void **state)
{
	struct fs_fixture *fx = *state;

	begin_create(fx, 0);
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	store_is_written(fx, "", "EACCES");
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
	kernel_hears_error(fx, -EACCES);
	assert_int_equal(fx->fs.handles.count, 0);
}

/* In a transaction names are looked up outside: the kernel might never find it. */
static void what_only_a_transaction_has_is_a_conflict(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *tx = open_transaction(fx, "5");
	struct inode *inside = inode_intern(&fx->fs.inodes, fx->fs.inodes.root, "inside", INODE_DIR,
					    transaction_view(tx->own, false), NULL);
	struct op *op = kernel_asks(fx, inside->nodeid);

	fx->fs.quotas.kinds[QUOTA_EMPTY].share = 0;
	op->kind = OP_CREATE;
	op->flags = op->fi.flags = O_WRONLY | O_CREAT;
	assert_true(op_set_name(op, "a"));
	node_create(op);
	store_answers(fx, XS_READ, "/", "");
	store_answers(fx, XS_READ, "/a", "theirs");
	kernel_hears_error(fx, -ECANCELED);
	inode_put(&fx->fs.inodes, inside);
	handle_free(tx);
	store_answers(fx, XS_TRANSACTION_END, "F", "OK");
}

/* ---- listings ---- */

static void begin_list(struct fs_fixture *fx)
{
	node_opendir(kernel_asks(fx, known_inode(fx, "a", INODE_DIR)->nodeid));
}

static void what_goes_while_it_is_listed_is_not_there(void **state)
{
	struct fs_fixture *fx = *state;
	struct fake_msg names;

	begin_list(fx);
	names = store_gets(fx, XS_DIRECTORY, "/a");
	fake_store_reply(fx->base->store, &names, NAMES("k\0"));
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	kernel_hears_error(fx, -ENOENT);
}

static void a_large_directory_that_goes_while_it_is_listed_is_not_there(void **state)
{
	struct fs_fixture *fx = *state;

	begin_list(fx);
	store_refuses(fx, XS_DIRECTORY, "/a", "E2BIG");
	store_answers(fx, XS_READ, "/a", "value");
	store_refuses(fx, XS_READ, "/a", "ENOENT");
	kernel_hears_error(fx, -ENOENT);
}

/* ---- truncates ---- */

static void begin_truncate(struct fs_fixture *fx, struct handle *file, off_t off)
{
	struct op *op = kernel_asks(fx, file->inode->nodeid);

	op->new_size = off;
	node_truncate(op);
}

static void without_an_open_file_it_is_emptied_at_once(void **state)
{
	struct fs_fixture *fx = *state;

	begin_truncate(fx, open_a(fx, O_WRONLY), 0);
	store_is_written(fx, "", NULL);
	kernel_hears_error(fx, 0);
}

static void cut_to_a_size_the_rest_goes(void **state)
{
	struct fs_fixture *fx = *state;

	begin_truncate(fx, open_a(fx, O_WRONLY), 2);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_answers(fx, XS_READ, "/a", "abcd");
	store_is_written(fx, "ab", NULL);
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	store_answers(fx, XS_READ, "/a", "ab");
	store_answers(fx, XS_DIRECTORY, "/a", "");
	kernel_hears_error(fx, 0);
}

static void cut_to_the_size_that_it_has_nothing_is_written(void **state)
{
	struct fs_fixture *fx = *state;

	begin_truncate(fx, open_a(fx, O_WRONLY), 3);
	store_answers(fx, XS_TRANSACTION_START, "", "7");
	store_answers(fx, XS_READ, "/a", "ab");
	store_answers(fx, XS_TRANSACTION_END, "T", "OK");
	store_answers(fx, XS_READ, "/a", "ab");
	store_answers(fx, XS_DIRECTORY, "/a", "");
	kernel_hears_error(fx, 0);
}

/* ---- permissions ---- */

/* Sets the permissions of /a to `text`, which the store is about to be asked for. */
static void begin_chmod(struct fs_fixture *fx, struct inode *a, const char *text)
{
	struct op *op = kernel_asks(fx, a->nodeid);

	assert_true(op_set_name(op, "user.xenstore.perms"));
	assert_true(op_set_data(op, text, strlen(text)));
	node_setxattr(op);
}

static void permissions_that_the_store_refuses_were_not_told(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *a = known_inode(fx, "a", INODE_LEAF);
	struct perms_told before, during;

	told_perms(a, NAMES("n0"));
	before = told_get_perms(a);
	begin_chmod(fx, a, "n0,r1");
	/* The event may come before the answer. */
	during = told_get_perms(a);
	assert_true(during.hash != before.hash);
	store_refuses(fx, XS_SET_PERMS, "/a", "EACCES");
	kernel_hears_error(fx, -EACCES);
	assert_true(told_get_perms(a).hash == before.hash);
	begin_chmod(fx, a, "n0,r1");
	store_answers(fx, XS_SET_PERMS, "/a", "OK");
	kernel_hears_error(fx, 0);
	assert_true(told_get_perms(a).hash == during.hash);
}

static void what_was_told_while_the_store_refused_stays_told(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *a = known_inode(fx, "a", INODE_LEAF);
	struct perms_told told;

	begin_chmod(fx, a, "n0,r1");
	told_perms(a, NAMES("n0\0r2"));
	told = told_get_perms(a);
	store_refuses(fx, XS_SET_PERMS, "/a", "EACCES");
	kernel_hears_error(fx, -EACCES);
	assert_true(told_get_perms(a).hash == told.hash);
	assert_int_equal(told_get_perms(a).state, TOLD_KNOWN);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_children_it_is_a_file_with_its_text),
		TEST(an_empty_value_is_an_empty_file),
		TEST(as_raw_bytes_it_has_no_newline),
		TEST(with_children_it_is_a_directory),
		TEST(with_too_many_children_for_a_reply_it_is_a_directory),
		TEST(what_may_not_be_read_is_a_directory_to_pass_through),
		TEST(what_is_not_there_is_not_there),
		TEST(a_name_that_no_node_can_have_is_not_asked_for),
		TEST(a_file_that_the_store_has_not_yet_is_there),
		TEST(a_directory_that_the_kernel_knows_stays_one_without_children),
		TEST(what_somebody_else_may_have_made_anew_is_what_it_is_now),
		TEST(what_mkdir_made_is_a_directory),
		TEST(what_is_meant_to_be_a_directory_is_one_if_it_has_no_value),
		TEST(to_open_a_file_the_store_is_not_asked),
		TEST(what_was_removed_on_the_way_is_looked_up_again),
		TEST(a_value_is_read_with_a_newline),
		TEST(the_rest_comes_from_what_was_read),
		TEST(who_goes_on_behind_the_end_gets_what_was_added),
		TEST(who_goes_on_behind_the_end_gets_nothing_of_another_value),
		TEST(from_the_start_it_is_asked_for_again),
		TEST(what_this_file_has_emptied_reads_as_empty),
		TEST(a_new_file_reads_as_empty),
		TEST(what_another_client_removed_cannot_be_read),
		TEST(a_file_that_another_one_replaced_reads_as_it_was),
		TEST(what_replaces_the_value_is_one_request),
		TEST(what_follows_is_written_with_what_came_before),
		TEST(where_the_node_may_be_gone_it_is_looked_for_first),
		TEST(what_is_gone_does_not_come_back_by_a_write),
		TEST(where_the_old_value_matters_it_is_a_transaction),
		TEST(an_append_goes_behind_what_the_store_has),
		TEST(an_append_finds_what_this_mount_makes_meanwhile),
		TEST(what_no_message_can_carry_is_too_large),
		TEST(who_could_not_write_does_not_empty_it_at_the_end),
		TEST(what_the_pool_never_began_has_failed_too),
		TEST(who_has_written_nothing_leaves_it_empty_at_the_end),
		TEST(what_cannot_be_made_at_the_end_is_shown_no_longer),
		TEST(what_is_written_after_a_close_stays),
		TEST(for_what_is_being_written_after_a_close_it_waits),
		TEST(what_is_appended_after_a_close_finds_it_empty),
		TEST(what_is_appended_to_what_was_written_after_a_close_keeps_that),
		TEST(what_is_appended_while_a_close_is_committed_keeps_what_is_there),
		TEST(what_they_open_is_emptied_first),
		TEST(what_is_gone_when_they_open_it_is_looked_up_again),
		TEST(what_cannot_be_emptied_they_cannot_open),
		TEST(what_they_cut_is_emptied_first),
		TEST(what_cannot_be_cut_is_as_it_was),
		TEST(what_they_create_is_made_first),
		TEST(what_others_have_made_meanwhile_is_not_touched),
		TEST(what_cannot_be_made_is_not_open),
		TEST(what_only_a_transaction_has_is_a_conflict),
		TEST(what_goes_while_it_is_listed_is_not_there),
		TEST(a_large_directory_that_goes_while_it_is_listed_is_not_there),
		TEST(without_an_open_file_it_is_emptied_at_once),
		TEST(cut_to_a_size_the_rest_goes),
		TEST(cut_to_the_size_that_it_has_nothing_is_written),
		TEST(permissions_that_the_store_refuses_were_not_told),
		TEST(what_was_told_while_the_store_refused_stays_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
