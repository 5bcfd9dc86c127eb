/* SPDX-License-Identifier: MIT */
/* The contents of answers, for how long the kernel may believe them, and what happens when
 * they do not arrive. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/model/kept_poll.h"
#include "tests/fs_fixture.h"

/* For how long an answer may be believed. */
#define VALID_SECONDS 60

static const struct stat file_attr = { .st_mode = S_IFREG | 0600, .st_size = 3 };
static const struct stat dir_attr = { .st_mode = S_IFDIR | 0700 };

/* A mount that caches, where events tell of everything. */
static int begin(void **state)
{
	struct fs_fixture *fx;

	fs_fixture_setup(state);
	fx = *state;
	fx->fs.caching = fx->fs.can_expire = fx->fs.inodes.track_stale = true;
	fx->covered = true;
	return 0;
}

/* The store reports an event, as far as this floor is concerned. */
static void event(struct fs_fixture *fx, const char *path)
{
	struct wakeups wakeups = STAILQ_HEAD_INITIALIZER(wakeups);

	events_add(&fx->fs.events, path);
	inodes_note_event(&fx->fs.inodes, path, &wakeups);
	assert_true(STAILQ_EMPTY(&wakeups));
}

static struct fuse_attr_out attr_answer(struct fs_fixture *fx)
{
	const struct kernel_msg *msg = kernel_hears_error(fx, 0);
	struct fuse_attr_out out;

	assert_true(msg->len == sizeof(out));
	memcpy(&out, msg->body, sizeof(out));
	return out;
}

static struct fuse_entry_out entry_answer(struct fs_fixture *fx)
{
	const struct kernel_msg *msg = kernel_hears_error(fx, 0);
	struct fuse_entry_out out;

	assert_true(msg->len >= sizeof(out));
	memcpy(&out, msg->body, sizeof(out));
	return out;
}

/* Returns for how long the kernel may believe the attributes of an inode in a new operation's answer. */
static uint64_t attr_validity(struct fs_fixture *fx, struct inode *inode)
{
	op_reply_attr(kernel_asks(fx, inode->nodeid), &file_attr);
	return attr_answer(fx).attr_valid;
}

/* ---- for how long ---- */

static void what_events_tell_of_is_believed(void **state)
{
	struct fs_fixture *fx = *state;

	assert_int_equal(attr_validity(fx, known_inode(fx, "a", INODE_LEAF)), VALID_SECONDS);
}

static void without_a_cache_nothing_is_believed(void **state)
{
	struct fs_fixture *fx = *state;

	fx->fs.caching = false;
	assert_int_equal(attr_validity(fx, known_inode(fx, "a", INODE_LEAF)), 0);
}

static void what_no_event_tells_of_is_not_believed(void **state)
{
	struct fs_fixture *fx = *state;

	fx->uncovered = "/a";
	assert_int_equal(attr_validity(fx, known_inode(fx, "a", INODE_LEAF)), 0);
	assert_int_equal(attr_validity(fx, known_inode(fx, "b", INODE_LEAF)), VALID_SECONDS);
}

static void what_changed_since_the_question_is_not_believed(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct op *op = kernel_asks(fx, inode->nodeid);

	event(fx, "/a");
	op_reply_attr(op, &file_attr);
	assert_int_equal(attr_answer(fx).attr_valid, 0);
}

static void a_change_elsewhere_is_no_reason_for_doubt(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct op *op = kernel_asks(fx, inode->nodeid);

	event(fx, "/b");
	op_reply_attr(op, &file_attr);
	assert_int_equal(attr_answer(fx).attr_valid, VALID_SECONDS);
}

static void after_a_gap_in_the_events_nothing_is_believed_that_was_asked_before(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, known_inode(fx, "a", INODE_LEAF)->nodeid);

	event(fx, NULL);
	op_reply_attr(op, &file_attr);
	assert_int_equal(attr_answer(fx).attr_valid, 0);
}

static void what_is_believed_is_taken_back_by_an_event(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct stale stale;

	attr_validity(fx, inode);
	assert_false(inode_take_stale(&fx->fs.inodes, &stale));
	event(fx, "/a");
	assert_true(inode_take_stale(&fx->fs.inodes, &stale));
	assert_ptr_equal(stale.inode, inode);
	if (inode_told(&fx->fs.inodes, &stale))
		inode_put(&fx->fs.inodes, inode);
}

static void what_was_never_believed_needs_no_taking_back(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct stale stale;

	fx->uncovered = "/a";
	attr_validity(fx, inode);
	event(fx, "/a");
	assert_false(inode_take_stale(&fx->fs.inodes, &stale));
}

static void a_file_that_the_store_has_not_yet_is_not_believed(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);

	inode_set_unwritten(&fx->fs.inodes, inode, true);
	assert_int_equal(attr_validity(fx, inode), 0);
	inode_set_unwritten(&fx->fs.inodes, inode, false);
	assert_int_equal(attr_validity(fx, inode), VALID_SECONDS);
}

static void in_a_transaction_nothing_is_believed(void **state)
{
	static const struct view inside = { .tx_id = 7 };
	struct fs_fixture *fx = *state;
	struct inodes *inodes = &fx->fs.inodes;
	struct inode *inode = inode_intern(inodes, inodes->root, "a", INODE_LEAF, &inside, NULL);

	inode_remember(inode);
	inode_put(inodes, inode);
	assert_int_equal(attr_validity(fx, inode), 0);
}

static void a_file_of_our_own_is_believed_only_if_it_is_a_value(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, ".f", INODE_SPECIAL);

	assert_int_equal(attr_validity(fx, inode), 0);
	inode->cacheable = true;
	assert_int_equal(attr_validity(fx, inode), VALID_SECONDS);
}

static void until_the_event_of_our_own_write_has_come_nothing_is_believed(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);

	inode_wrote(inode);
	assert_int_equal(attr_validity(fx, inode), 0);
	event(fx, "/a");
	assert_int_equal(attr_validity(fx, inode), VALID_SECONDS);
}

static void who_emptied_a_file_sees_another_size_than_the_rest(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct handle *handle = handle_new(&fx->fs.handles, inode, O_WRONLY);

	handle_empty(handle, 1, 0);
	assert_int_equal(attr_validity(fx, inode), 0);
	handle_free(handle);
	assert_int_equal(attr_validity(fx, inode), VALID_SECONDS);
}

static void what_was_removed_is_not_believed(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct wakeups wakeups = STAILQ_HEAD_INITIALIZER(wakeups);

	inode_remove(&fx->fs.inodes, fx->fs.inodes.root, "a", &wakeups);
	assert_int_equal(attr_validity(fx, inode), 0);
}

/* Makes a file below a directory that the store refuses to show. */
static struct inode *hidden_file(struct fs_fixture *fx)
{
	struct inodes *inodes = &fx->fs.inodes;
	struct inode *dir = known_inode(fx, "h", INODE_DIR);
	struct inode *inode = inode_intern(inodes, dir, "a", INODE_LEAF, &fx->fs.root_view, NULL);

	dir->hidden = true;
	inode_remember(inode);
	inode_put(inodes, inode);
	return inode;
}

static void a_guest_is_not_told_what_goes_with_a_directory_that_it_may_not_see(void **state)
{
	struct fs_fixture *fx = *state;

	fx->fs.config.privileged = false;
	assert_int_equal(attr_validity(fx, hidden_file(fx)), 0);
}

static void a_privileged_domain_is_told_everything(void **state)
{
	struct fs_fixture *fx = *state;

	assert_int_equal(attr_validity(fx, hidden_file(fx)), VALID_SECONDS);
}

/* ---- entries ---- */

static struct fuse_entry_out look_up(struct fs_fixture *fx, struct inode *inode, const struct stat *attr)
{
	op_reply_entry(kernel_asks(fx, INODE_ROOT_ID), inode, attr);
	return entry_answer(fx);
}

static void a_name_and_its_attributes_are_believed_alike(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct fuse_entry_out out = look_up(fx, inode, &file_attr);

	assert_int_equal(out.nodeid, inode->nodeid);
	assert_int_equal(out.attr_valid, VALID_SECONDS);
	assert_int_equal(out.entry_valid, VALID_SECONDS);
	assert_int_equal(out.attr.size, 3);
}

static void the_name_of_a_directory_is_not_believed_where_it_cannot_be_expired(void **state)
{
	struct fs_fixture *fx = *state;
	struct fuse_entry_out out;

	fx->fs.can_expire = false;
	out = look_up(fx, known_inode(fx, "d", INODE_DIR), &dir_attr);
	assert_int_equal(out.attr_valid, VALID_SECONDS);
	assert_int_equal(out.entry_valid, 0);
	out = look_up(fx, known_inode(fx, "a", INODE_LEAF), &file_attr);
	assert_int_equal(out.entry_valid, VALID_SECONDS);
}

static void a_directory_that_cannot_be_listed_is_not_believed(void **state)
{
	static const struct stat closed = { .st_mode = S_IFDIR | 0111 };
	struct fs_fixture *fx = *state;
	struct fuse_entry_out out = look_up(fx, known_inode(fx, "d", INODE_DIR), &closed);

	assert_int_equal(out.attr_valid, 0);
	assert_int_equal(out.entry_valid, 0);
}

static void the_number_and_the_time_are_those_of_the_inode(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct fuse_entry_out out;

	event(fx, "/a");
	out = look_up(fx, inode, &file_attr);
	assert_int_equal(out.attr.ino, inode->number);
	assert_int_equal(out.attr.mtime, inode->changed_at.tv_sec);
	assert_int_not_equal(out.attr.mtime, 0);
}

static void nodeids_are_those_of_this_mount(void **state)
{
	struct fs_fixture *fx = *state;

	fx->fs.generation = 4711;
	assert_int_equal(look_up(fx, known_inode(fx, "a", INODE_LEAF), &file_attr).generation, 4711);
}

static void an_entry_is_a_reference_of_the_kernel(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);

	look_up(fx, inode, &file_attr);
	inode_forget(&fx->fs.inodes, inode->nodeid, 1);
	assert_int_equal(inodes_count(&fx->fs.inodes), 2);
	inode_forget(&fx->fs.inodes, inode->nodeid, 1);
	assert_int_equal(inodes_count(&fx->fs.inodes), 1);
}

/* ---- answers that do not arrive ---- */

static void an_entry_that_does_not_arrive_is_no_reference(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct op *op = kernel_asks(fx, INODE_ROOT_ID);

	fx->kernel_gone = true;
	op_reply_entry(op, inode, &file_attr);
	inode_forget(&fx->fs.inodes, inode->nodeid, 1);
	assert_int_equal(inodes_count(&fx->fs.inodes), 1);
}

static void a_file_that_is_not_heard_to_be_open_is_closed(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct op *op = kernel_asks(fx, inode->nodeid);

	fx->kernel_gone = true;
	op_reply_open(op, handle_new(&fx->fs.handles, inode, O_RDONLY));
	assert_int_equal(fx->fs.handles.count, 0);
}

static void a_stream_that_is_not_heard_to_be_open_is_closed(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, ".w", INODE_SPECIAL);
	struct op *op = kernel_asks(fx, inode->nodeid);

	fx->kernel_gone = true;
	op_reply_open_stream(op, handle_new(&fx->fs.handles, inode, O_RDONLY));
	assert_int_equal(fx->fs.handles.count, 0);
}

static void a_new_file_that_is_not_heard_of_is_closed_and_forgotten(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct op *op = kernel_asks(fx, INODE_ROOT_ID);

	fx->kernel_gone = true;
	op_reply_create(op, inode, &file_attr, handle_new(&fx->fs.handles, inode, O_WRONLY));
	assert_int_equal(fx->fs.handles.count, 0);
	inode_forget(&fx->fs.inodes, inode->nodeid, 1);
	assert_int_equal(inodes_count(&fx->fs.inodes), 1);
}

/* ---- open files ---- */

static struct fuse_open_out open_answer(struct fs_fixture *fx, size_t offset)
{
	const struct kernel_msg *msg = kernel_hears_error(fx, 0);
	struct fuse_open_out out;

	assert_true(msg->len == offset + sizeof(out));
	memcpy(&out, msg->body + offset, sizeof(out));
	return out;
}

static struct fuse_open_out open_with(struct fs_fixture *fx, int flags)
{
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct op *op = kernel_asks(fx, inode->nodeid);

	op->fi.flags = flags;
	op_reply_open(op, handle_new(&fx->fs.handles, inode, flags));
	return open_answer(fx, 0);
}

static void the_kernel_asks_for_each_read_of_a_file(void **state)
{
	struct fs_fixture *fx = *state;
	struct fuse_open_out out = open_with(fx, O_RDONLY);

	assert_true(out.open_flags & FOPEN_DIRECT_IO);
	assert_int_equal(out.fh, (uintptr_t)LIST_FIRST(&fx->fs.handles.open));
}

static void only_who_writes_is_heard_at_close(void **state)
{
	struct fs_fixture *fx = *state;

	assert_true(open_with(fx, O_RDONLY).open_flags & FOPEN_NOFLUSH);
	assert_false(open_with(fx, O_WRONLY).open_flags & FOPEN_NOFLUSH);
	assert_false(open_with(fx, O_RDWR).open_flags & FOPEN_NOFLUSH);
}

static void a_stream_is_read_and_written_at_the_same_time(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, ".w", INODE_SPECIAL);
	struct op *op = kernel_asks(fx, inode->nodeid);

	op_reply_open_stream(op, handle_new(&fx->fs.handles, inode, O_RDWR));
	assert_int_equal(open_answer(fx, 0).open_flags, FOPEN_DIRECT_IO | FOPEN_STREAM);
}

static void a_new_file_is_answered_with_its_entry_and_its_handle(void **state)
{
	struct fs_fixture *fx = *state;
	struct inode *inode = known_inode(fx, "a", INODE_LEAF);
	struct op *op = kernel_asks(fx, INODE_ROOT_ID);
	struct fuse_open_out out;

	op_reply_create(op, inode, &file_attr, handle_new(&fx->fs.handles, inode, O_WRONLY));
	out = open_answer(fx, sizeof(struct fuse_entry_out));
	assert_true(out.open_flags & FOPEN_DIRECT_IO);
	assert_int_equal(out.fh, (uintptr_t)LIST_FIRST(&fx->fs.handles.open));
}

/* ---- extended attributes ---- */

static const struct kernel_msg *xattr_of_size(struct fs_fixture *fx, size_t size)
{
	struct op *op = kernel_asks(fx, INODE_ROOT_ID);

	op->size = size;
	op_reply_xattr(op, "value", 5);
	return kernel_hears(fx);
}

static void without_room_the_size_of_an_attribute_is_told(void **state)
{
	struct fs_fixture *fx = *state;
	const struct kernel_msg *msg = xattr_of_size(fx, 0);
	struct fuse_getxattr_out out;

	memcpy(&out, msg->body, sizeof(out));
	assert_int_equal(out.size, 5);
}

static void with_too_little_room_an_attribute_is_out_of_range(void **state)
{
	struct fs_fixture *fx = *state;

	assert_int_equal(xattr_of_size(fx, 4)->error, -ERANGE);
}

static void with_just_enough_room_an_attribute_is_told(void **state)
{
	struct fs_fixture *fx = *state;
	const struct kernel_msg *msg = xattr_of_size(fx, 5);

	assert_int_equal(msg->error, 0);
	assert_int_equal(msg->len, 5);
	assert_memory_equal(msg->body, "value", 5);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_events_tell_of_is_believed),
		TEST(without_a_cache_nothing_is_believed),
		TEST(what_no_event_tells_of_is_not_believed),
		TEST(what_changed_since_the_question_is_not_believed),
		TEST(a_change_elsewhere_is_no_reason_for_doubt),
		TEST(after_a_gap_in_the_events_nothing_is_believed_that_was_asked_before),
		TEST(what_is_believed_is_taken_back_by_an_event),
		TEST(what_was_never_believed_needs_no_taking_back),
		TEST(a_file_that_the_store_has_not_yet_is_not_believed),
		TEST(in_a_transaction_nothing_is_believed),
		TEST(a_file_of_our_own_is_believed_only_if_it_is_a_value),
		TEST(until_the_event_of_our_own_write_has_come_nothing_is_believed),
		TEST(who_emptied_a_file_sees_another_size_than_the_rest),
		TEST(what_was_removed_is_not_believed),
		TEST(a_guest_is_not_told_what_goes_with_a_directory_that_it_may_not_see),
		TEST(a_privileged_domain_is_told_everything),
		TEST(a_name_and_its_attributes_are_believed_alike),
		TEST(the_name_of_a_directory_is_not_believed_where_it_cannot_be_expired),
		TEST(a_directory_that_cannot_be_listed_is_not_believed),
		TEST(the_number_and_the_time_are_those_of_the_inode),
		TEST(nodeids_are_those_of_this_mount),
		TEST(an_entry_is_a_reference_of_the_kernel),
		TEST(an_entry_that_does_not_arrive_is_no_reference),
		TEST(a_file_that_is_not_heard_to_be_open_is_closed),
		TEST(a_stream_that_is_not_heard_to_be_open_is_closed),
		TEST(a_new_file_that_is_not_heard_of_is_closed_and_forgotten),
		TEST(the_kernel_asks_for_each_read_of_a_file),
		TEST(only_who_writes_is_heard_at_close),
		TEST(a_stream_is_read_and_written_at_the_same_time),
		TEST(a_new_file_is_answered_with_its_entry_and_its_handle),
		TEST(without_room_the_size_of_an_attribute_is_told),
		TEST(with_too_little_room_an_attribute_is_out_of_range),
		TEST(with_just_enough_room_an_attribute_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
