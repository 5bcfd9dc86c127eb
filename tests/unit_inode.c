/* SPDX-License-Identifier: MIT */
/* The table of inodes: how long an inode lives, which ones an event reaches, and what the
 * kernel is told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/model/handle.h"
#include "fs/model/inode.h"
#include "fs/model/kept_poll.h"
#include "fs/model/listing.h"
#include "tests/failing_malloc.h"

static const struct view view = { .layout = 0 };
static struct inodes table;

static int begin(void **state)
{
	(void)state;
	static const struct inode_ops *const ops[INODE_KINDS];

	return inodes_init(&table, "/", &view, ops);
}

static int end(void **state)
{
	(void)state;
	inodes_deinit(&table);
	return 0;
}

/* Returns the inode of `name`, with a reference. */
static struct inode *intern(struct inode *parent, const char *name, enum inode_kind kind)
{
	struct inode *inode = inode_intern(&table, parent, name, kind, &view, NULL);

	assert_non_null(inode);
	return inode;
}

/* What the operations do, with the polls that they woke up, of which there are none here. */
static void remove_name(struct inode *parent, const char *name)
{
	struct wakeups wakeups = STAILQ_HEAD_INITIALIZER(wakeups);

	inode_remove(&table, parent, name, &wakeups);
	assert_true(STAILQ_EMPTY(&wakeups));
}

static int rename_in_root(const char *name, const char *new_name)
{
	struct wakeups wakeups = STAILQ_HEAD_INITIALIZER(wakeups);
	int err;

	err = inode_rename(&table, table.root, name, table.root, new_name, &wakeups);
	assert_true(STAILQ_EMPTY(&wakeups));
	return err;
}

/* Returns how many events came to the inode by one at `path`. */
static unsigned touched(struct inode *inode, const char *path)
{
	uint64_t before = inode->events;
	struct wakeups wakeups = STAILQ_HEAD_INITIALIZER(wakeups);

	inodes_note_event(&table, path, &wakeups);
	assert_true(STAILQ_EMPTY(&wakeups));
	return inode->events - before;
}

static void assert_path(struct inode *inode, const char *expected)
{
	char path[PATH_SIZE];

	assert_int_equal(inode_path(&table, inode, NULL, path), 0);
	assert_string_equal(path, expected);
}

static void assert_no_path(struct inode *inode, int error)
{
	char path[PATH_SIZE];

	assert_int_equal(inode_path(&table, inode, NULL, path), error);
}

static void lives_while_it_is_known(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_DIR), *b = intern(a, "b", INODE_LEAF);
	uint64_t a_id = a->nodeid, b_id = b->nodeid;

	(void)state;
	assert_int_equal(inodes_count(&table), 3);
	assert_ptr_equal(intern(a, "b", INODE_LEAF), b);
	inode_put(&table, b);
	inode_remember(b);
	inode_put(&table, a);
	inode_put(&table, b);
	/* One by the kernel, the other by its child. */
	a = inode_get(&table, a_id);
	assert_non_null(a);
	inode_put(&table, a);
	inode_forget(&table, b_id, 1);
	assert_int_equal(inodes_count(&table), 1);
	assert_null(inode_get(&table, a_id));
	assert_null(inode_get(&table, b_id));
}

static void a_file_and_a_directory_have_one_name(void **state)
{
	struct inode *leaf = intern(table.root, "a", INODE_LEAF);
	struct inode *dir = intern(table.root, "a", INODE_DIR);

	(void)state;
	assert_int_not_equal(leaf->nodeid, dir->nodeid);
	assert_path(leaf, "/a");
	assert_path(dir, "/a");
	inode_put(&table, leaf);
	assert_null(inode_find(&table, table.root, "a", INODE_LEAF));
	assert_ptr_equal(inode_find(&table, table.root, "a", INODE_DIR), dir);
	inode_put(&table, dir);
	inode_put(&table, dir);
}

static void an_event_reaches_what_it_concerns(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_DIR), *b = intern(a, "b", INODE_LEAF);
	struct inode *other = intern(table.root, "ab", INODE_LEAF);

	(void)state;
	assert_int_equal(touched(b, "/a/b"), 1);
	assert_int_equal(touched(b, "/a"), 1);
	assert_int_equal(touched(b, "/"), 1);
	assert_int_equal(touched(b, NULL), 1);
	assert_int_equal(touched(b, "/a/b/below"), 1);
	assert_int_equal(touched(b, "/a/c"), 0);
	assert_int_equal(touched(b, "/ab"), 0);
	assert_int_equal(touched(b, "@releaseDomain"), 0);
	assert_int_equal(touched(a, "/a/b"), 0);
	assert_int_equal(touched(other, "/a"), 0);
	/* A node that is not there may come into being on the way to one below it. */
	inode_looked(a, a->events, true);
	assert_int_equal(touched(a, "/a/b"), 1);
	inode_put(&table, other);
	inode_put(&table, b);
	inode_put(&table, a);
}

static void an_event_needs_no_memory(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_DIR), *b = intern(a, "b", INODE_LEAF);

	(void)state;
	/* Whichever allocation fails, there is none. */
	for (unsigned fail = 1; fail < 10; fail++) {
		malloc_countdown = fail;
		assert_int_equal(touched(b, "/a/b"), 1);
		assert_int_equal(malloc_countdown, fail);
	}
	malloc_countdown = 0;
	inode_put(&table, b);
	inode_put(&table, a);
}

static void a_rename_moves_one_inode(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_DIR), *below = intern(a, "k", INODE_LEAF);
	struct inode *target = intern(table.root, "c", INODE_LEAF);

	(void)state;
	assert_int_equal(rename_in_root("a", "c"), 0);
	assert_path(a, "/c");
	assert_path(below, "/c/k");
	assert_int_equal(touched(below, "/c/k"), 1);
	assert_int_equal(touched(below, "/a"), 0);
	/* A program that has the replaced file open has nothing to do with what is there now. */
	assert_null(inode_find(&table, table.root, "c", INODE_LEAF));
	assert_no_path(target, -ESTALE);
	assert_int_equal(touched(target, "/c"), 0);
	inode_put(&table, target);
	inode_put(&table, below);
	inode_put(&table, a);
}

static void a_rename_replaces_a_directory(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_DIR);
	struct inode *target = intern(table.root, "c", INODE_DIR);
	struct inode *below = intern(target, ".watch", INODE_SPECIAL);

	(void)state;
	assert_int_equal(rename_in_root("a", "c"), 0);
	assert_ptr_equal(intern(table.root, "c", INODE_DIR), a);
	inode_put(&table, a);
	assert_no_path(target, -ENOENT);
	assert_no_path(below, -ENOENT);
	inode_put(&table, below);
	inode_put(&table, target);
	inode_put(&table, a);
	assert_int_equal(inodes_count(&table), 1);
}

static void a_removed_name_gets_another_inode(void **state)
{
	const enum inode_kind kinds[] = { INODE_DIR, INODE_LEAF };
	struct inode *old, *new;
	uint64_t old_id;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		old = intern(table.root, "a", kinds[i]);
		old_id = old->nodeid;
		inode_remember(old);
		remove_name(table.root, "a");
		assert_null(inode_find(&table, table.root, "a", kinds[i]));
		new = intern(table.root, "a", kinds[i]);
		assert_int_not_equal(new->nodeid, old_id);
		assert_path(new, "/a");
		assert_no_path(old, -ENOENT);
		/* The kernel still has both. */
		assert_ptr_equal(inode_get(&table, old_id), old);
		inode_put(&table, old);
		inode_put(&table, old);
		inode_put(&table, new);
		inode_forget(&table, old_id, 1);
		assert_int_equal(inodes_count(&table), 1);
	}
}

static void below_what_was_removed_nothing_has_a_path(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_DIR), *b = intern(a, "b", INODE_DIR);
	struct inode *k = intern(b, "k", INODE_LEAF), *new;
	unsigned contents = k->contents;
	char path[PATH_SIZE];

	(void)state;
	inode_set_unwritten(&table, k, true);
	remove_name(table.root, "a");
	assert_no_path(k, -ENOENT);
	assert_int_equal(inode_path(&table, b, "new", path), -ENOENT);
	assert_true(inode_is_removed(k));
	assert_false(inode_is_removed(table.root));
	/* Nothing will be written there any more, and nobody should wait for it. */
	assert_false(k->unwritten);
	assert_int_not_equal(k->contents, contents);
	assert_true(k->gone);
	/* No event is about it any more. */
	assert_int_equal(touched(k, "/a/b/k"), 0);
	new = intern(table.root, "a", INODE_DIR);
	assert_int_equal(touched(k, "/a"), 0);
	inode_put(&table, new);
	inode_put(&table, k);
	inode_put(&table, b);
	inode_put(&table, a);
	assert_int_equal(inodes_count(&table), 1);
}

/* Takes the inode for found now. */
static void find(struct inode *inode)
{
	inode_found(inode, inode_foreign(inode));
	assert_false(inode_is_doubtful(inode));
}

static void what_others_do_makes_doubtful(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_DIR), *k = intern(a, "k", INODE_LEAF);
	struct inode *value = intern(a, ".value", INODE_SPECIAL);
	const char *const paths[] = { "/a/k", "/a", "/", NULL };

	(void)state;
	assert_true(inode_is_doubtful(k));
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		find(k);
		touched(k, paths[i]);
		assert_true(inode_is_doubtful(k));
	}
	find(k);
	touched(k, "/a/other");
	assert_false(inode_is_doubtful(k));
	/* It was asked for before the event, and found after it. */
	inode_found(k, inode_foreign(k) - 1);
	assert_true(inode_is_doubtful(k));
	find(k);
	inode_gone(&table, a, "k");
	assert_true(inode_is_doubtful(k));
	find(k);
	inodes_doubted(&table, "/a");
	assert_true(inode_is_doubtful(k));
	find(k);
	inodes_removed(&table, "/a/k");
	assert_true(inode_is_doubtful(k));
	/* Of a `.value`: what happens to its directory. */
	find(value);
	assert_false(inode_is_doubtful(a));
	touched(value, "/a");
	assert_true(inode_is_doubtful(value));
	inode_put(&table, value);
	inode_put(&table, k);
	inode_put(&table, a);
}

static void own_writes_leave_no_doubt(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_DIR), *k = intern(a, "k", INODE_LEAF);
	struct inode *value = intern(a, ".value", INODE_SPECIAL);

	(void)state;
	find(k);
	find(a);
	inode_wrote(k);
	inode_wrote(k);
	assert_int_equal(touched(k, "/a/k"), 1);
	assert_int_equal(touched(k, "/a/k"), 1);
	assert_false(inode_is_doubtful(k));
	touched(k, "/a/k");
	assert_true(inode_is_doubtful(k));
	find(k);
	/* One that failed has no event. */
	inode_wrote(k);
	inode_write_over(&table, k, true);
	touched(k, "/a/k");
	assert_true(inode_is_doubtful(k));
	find(k);
	/* No write of ours is told by the name of a directory above. */
	inode_wrote(k);
	touched(k, "/a");
	assert_true(inode_is_doubtful(k));
	inode_write_over(&table, k, true);
	find(k);
	find(a);
	inode_wrote(value);
	touched(k, "/a");
	assert_false(inode_is_doubtful(value));
	assert_false(inode_is_doubtful(k));
	inode_put(&table, value);
	inode_put(&table, k);
	inode_put(&table, a);
}

/* Comparisons of strings, which stand for the work of whatever looks for names. */
static unsigned long comparisons;

int __real_strcmp(const char *a, const char *b);
int __wrap_strcmp(const char *a, const char *b);

int __wrap_strcmp(const char *a, const char *b)
{
	comparisons++;
	return __real_strcmp(a, b);
}

/* Returns the names that a listing of `dir` has, besides those from the store in `reply`, one behind the other. */
static const char *unwritten_names(const struct inode *dir, const char *reply, size_t len)
{
	struct listing *listing = listing_new();
	static char text[64];

	text[0] = '\0';
	assert_non_null(listing);
	assert_int_equal(listing_add_names(listing, reply, len), 0);
	assert_int_equal(inode_add_unwritten(dir, listing), 0);
	for (unsigned i = listing->n_sorted; i < listing->count; i++)
		strcat(text, listing->names[i]);
	listing_put(listing);
	return text;
}

static void unwritten_files_are_listed_where_they_are(void **state)
{
	struct inode *dir = intern(table.root, "dir", INODE_DIR), *file[3];
	static const char *const names[3] = { "a", "b", "c" };
	struct wakeups wakeups = STAILQ_HEAD_INITIALIZER(wakeups);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		file[i] = intern(table.root, names[i], INODE_LEAF);
		inode_set_unwritten(&table, file[i], true);
		inode_set_unwritten(&table, file[i], true);
	}
	assert_string_equal(unwritten_names(table.root, "", 0), "abc");
	assert_string_equal(unwritten_names(dir, "", 0), "");
	/* What is in the store already is not listed twice. */
	assert_string_equal(unwritten_names(table.root, "x\0b", 4), "ac");
	assert_int_equal(inode_rename(&table, table.root, "a", dir, "d", &wakeups), 0);
	assert_string_equal(unwritten_names(table.root, "", 0), "bc");
	assert_string_equal(unwritten_names(dir, "", 0), "d");
	inode_set_unwritten(&table, file[1], false);
	assert_string_equal(unwritten_names(table.root, "", 0), "c");
	remove_name(table.root, "c");
	assert_string_equal(unwritten_names(table.root, "", 0), "");
	assert_int_equal(table.unwritten, 1);
	/* One that nobody knows any more will not be written. */
	for (unsigned i = 0; i < 3; i++)
		inode_put(&table, file[i]);
	assert_int_equal(table.unwritten, 0);
	assert_string_equal(unwritten_names(dir, "", 0), "");
	inode_put(&table, dir);
}

/* Returns how many comparisons it takes to list a directory with `n` nodes and as many unwritten files. */
static unsigned long comparisons_for(unsigned n)
{
	struct inode *dir = intern(table.root, "dir", INODE_DIR), **files = calloc(n, sizeof(files[0]));
	struct listing *listing = listing_new();
	char name[16];

	assert_non_null(files);
	assert_non_null(listing);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "new%u", i);
		files[i] = intern(dir, name, INODE_LEAF);
		inode_set_unwritten(&table, files[i], true);
		snprintf(name, sizeof(name), "old%u", i);
		assert_int_equal(listing_add(listing, name), 0);
	}
	comparisons = 0;
	assert_int_equal(inode_add_unwritten(dir, listing), 0);
	assert_int_equal(listing->count, 2 * n);
	for (unsigned i = 0; i < n; i++)
		inode_put(&table, files[i]);
	inode_put(&table, dir);
	listing_put(listing);
	free(files);
	return comparisons;
}

static void the_work_of_a_listing_does_not_grow_with_the_square_of_the_files(void **state)
{
	(void)state;
	assert_in_range(comparisons_for(1000), 1000, 30 * 1000);
	assert_in_range(comparisons_for(4000), 4000, 30 * 4000);
}

/* Asks the store about the node, and gets an answer.  Returns whether that is remembered. */
static bool is_known_after_asking(struct inode *inode)
{
	inode_confirm(&table, inode, table.changes, true);
	return inode_is_confirmed(inode);
}

static void what_the_store_said_is_known_until_an_event(void **state)
{
	struct inode *k = intern(table.root, "k", INODE_LEAF);

	(void)state;
	assert_false(inode_is_confirmed(k));
	assert_true(is_known_after_asking(k));
	touched(k, "/k");
	assert_false(inode_is_confirmed(k));
	/* An event came while the store was asked. */
	inode_confirm(&table, k, table.changes, false);
	assert_false(inode_is_confirmed(k));
	assert_true(is_known_after_asking(k));
	/* The value was read, and is another although no event has come yet. */
	inode_saw_length(k, k->value_len);
	assert_true(inode_is_confirmed(k));
	inode_saw_length(k, k->value_len + 1);
	assert_false(inode_is_confirmed(k));
	inode_put(&table, k);
}

static void during_our_own_write_nothing_is_known(void **state)
{
	struct inode *k = intern(table.root, "k", INODE_LEAF);
	uint64_t changes = table.changes;

	(void)state;
	assert_true(is_known_after_asking(k));
	inode_wrote(k);
	assert_false(inode_is_confirmed(k));
	assert_false(is_known_after_asking(k));
	/* The event of what somebody else did is taken for ours.  The store was asked before our write. */
	touched(k, "/k");
	assert_true(is_known_after_asking(k));
	inode_write_over(&table, k, false);
	assert_false(inode_is_confirmed(k));
	/* So is an answer to a question from before. */
	inode_confirm(&table, k, changes, true);
	assert_false(inode_is_confirmed(k));
	assert_true(is_known_after_asking(k));
	touched(k, "/k");
	assert_false(inode_is_confirmed(k));
	inode_put(&table, k);
}

static void of_what_was_moved_or_made_anew_nothing_is_known(void **state)
{
	struct inode *d = intern(table.root, "d", INODE_DIR), *k = intern(d, "k", INODE_LEAF);
	uint64_t changes = table.changes;

	(void)state;
	assert_true(is_known_after_asking(k));
	/* An event at its new place may have come before it was there. */
	assert_int_equal(rename_in_root("d", "e"), 0);
	assert_false(inode_is_confirmed(k));
	inode_confirm(&table, k, changes, true);
	assert_false(inode_is_confirmed(k));
	assert_true(is_known_after_asking(k));
	/* Somebody had removed it, and no event has told that yet. */
	changes = table.changes;
	inode_made(&table, k);
	assert_false(inode_is_confirmed(k));
	inode_confirm(&table, k, changes, true);
	assert_false(inode_is_confirmed(k));
	assert_true(is_known_after_asking(k));
	inode_gone(&table, d, "k");
	assert_false(inode_is_confirmed(k));
	inode_put(&table, k);
	inode_put(&table, d);
}

static void a_rename_without_memory_changes_nothing(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF);

	(void)state;
	for (unsigned fail = 1; fail <= 2; fail++) {
		malloc_countdown = fail;
		assert_int_equal(rename_in_root("a", "b"), -ENOMEM);
		malloc_countdown = 0;
		assert_path(a, "/a");
	}
	assert_int_equal(touched(a, "/a"), 1);
	inode_put(&table, a);
}

static void remember_names(void)
{
	struct listing *listing = listing_new();

	assert_non_null(listing);
	assert_int_equal(listing_add_names(listing, "a\0b", 4), 0);
	assert_int_equal(listing_sort(listing), 0);
	inode_set_listing(&table, table.root, listing);
	listing_put(listing);
}

static bool names_are_known(void)
{
	struct listing *listing = inode_get_listing(&table, table.root);

	listing_put(listing);
	return listing;
}

/* Returns whether the names in the root are still known after an event at `path`. */
static bool listed_after(const char *path)
{
	remember_names();
	touched(table.root, path);
	return names_are_known();
}

static void names_are_forgotten_when_they_may_be_wrong(void **state)
{
	(void)state;
	assert_true(listed_after("/a/below"));
	assert_false(listed_after("/a"));
	assert_false(listed_after("/c/below"));
	assert_false(listed_after("/"));
	assert_false(listed_after(NULL));
}

/* The same after something that this mount did. */
static bool listed_after_own(void (*change)(struct inode *inode), struct inode *inode)
{
	remember_names();
	change(inode);
	return names_are_known();
}

static void is_written(struct inode *inode)
{
	inode_new_content(&table, inode);
}

static void is_made(struct inode *inode)
{
	inode_set_unwritten(&table, inode, true);
	inode_new_content(&table, inode);
}

static void is_removed(struct inode *inode)
{
	(void)inode;
	remove_name(table.root, "a");
}

static void is_found_gone(struct inode *inode)
{
	(void)inode;
	inode_gone(&table, table.root, "a");
}

static void is_renamed(struct inode *inode)
{
	(void)inode;
	assert_int_equal(rename_in_root("a", "b"), 0);
}

static void own_changes_do_not_wait_for_their_events(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF);

	(void)state;
	assert_true(listed_after_own(is_written, a));
	assert_false(listed_after_own(is_made, a));
	assert_false(listed_after_own(is_found_gone, a));
	assert_false(listed_after_own(is_renamed, a));
	inode_put(&table, a);
	a = intern(table.root, "a", INODE_LEAF);
	assert_false(listed_after_own(is_removed, a));
	inode_put(&table, a);
}

/* Something is to be told, but not at once: it was not due at `begin_ms`, before it was queued. */
static void assert_is_later(uint64_t begin_ms)
{
	assert_true(inode_stale_due(&table) > begin_ms);
	assert_true(inode_stale_due(&table) != INODE_NEVER);
}

static void the_kernel_is_told_of_what_it_believes(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF);
	uint64_t begin_ms = inode_now_ms();
	struct stale stale, none;

	(void)state;
	table.track_stale = true;
	touched(a, "/a");
	assert_false(inode_take_stale(&table, &stale));
	assert_true(inode_stale_due(&table) == INODE_NEVER);
	inode_believed(a);
	touched(a, "/a");
	touched(a, "/a");
	assert_true(inode_take_stale(&table, &stale));
	assert_ptr_equal(stale.inode, a);
	assert_int_equal(stale.parent, INODE_ROOT_ID);
	assert_string_equal(stale.name, "a");
	assert_false(inode_take_stale(&table, &none));
	assert_false(inode_told(&table, &stale));
	/* The answer that it believes may only be on its way: it is told again. */
	assert_is_later(begin_ms);
	/* Which keeps the inode. */
	inode_put(&table, a);
	assert_int_equal(inodes_count(&table), 2);
}

/* A write of ours, with its event. */
static void write_own(struct inode *inode, const char *path)
{
	inode_wrote(inode);
	touched(inode, path);
}

static void of_our_own_writes_the_kernel_is_told_later(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF);
	uint64_t begin_ms = inode_now_ms(), due_ms;

	(void)state;
	table.track_stale = true;
	inode_believed(a);
	inode_believed(table.root);
	write_own(a, "/a");
	assert_is_later(begin_ms);
	due_ms = inode_stale_due(&table);
	/* Another does not put it off. */
	for (begin_ms = inode_now_ms(); inode_now_ms() == begin_ms;)
		;
	write_own(a, "/a");
	assert_int_equal(inode_stale_due(&table), due_ms);
	/* Both the file, with its name, and the directory are told. */
	assert_int_equal(a->stale, STALE_QUEUED);
	assert_true(a->stale_name);
	assert_int_equal(table.root->stale, STALE_QUEUED);
	inode_put(&table, a);
}

static void what_others_do_after_our_own_write_is_told_at_once(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF);
	uint64_t begin_ms = inode_now_ms();
	struct stale stale;

	(void)state;
	table.track_stale = true;
	inode_believed(a);
	write_own(a, "/a");
	assert_is_later(begin_ms);
	touched(a, "/a");
	assert_true(inode_take_stale(&table, &stale));
	assert_ptr_equal(stale.inode, a);
	/* Ours, that comes while it is told, is not lost. */
	write_own(a, "/a");
	assert_true(inode_told(&table, &stale));
	inode_put(&table, a);
	assert_is_later(begin_ms);
	inode_put(&table, a);
}

static void shown(struct inode *inode, const char *value, bool current)
{
	inode_show(inode, FS_TEXT, value, strlen(value), current);
}

static void what_the_kernel_keeps_of_a_value_is_outdated_by_its_event(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF);
	struct handle reader = { .inode = a };

	(void)state;
	assert_false(inode_shows(&reader));
	shown(a, "one", true);
	assert_true(inode_shows_current(a));
	assert_int_equal(a->shown_size, 4);
	assert_memory_equal(a->shown, "one\n", 4);
	touched(a, "/a");
	assert_false(inode_shows_current(a));
	/* The kernel may have asked for it before it was told. */
	assert_true(inode_shows(&reader));
	shown(a, "longer", false);
	assert_false(inode_shows_current(a));
	shown(a, "", true);
	assert_true(inode_shows_current(a));
	assert_int_equal(a->shown_size, 0);
	inode_put(&table, a);
}

/* A reader asks for the size, and is answered. */
static void ask_size(struct handle *reader, size_t size)
{
	inode_size_sent(reader->inode, size);
	inode_size_asked(reader, size);
	reader->answered = reader->inode->tellings;
}

/* The kernel is told of an event. */
static void tell(struct inode *inode)
{
	struct stale stale;

	assert_true(inode_take_stale(&table, &stale));
	assert_ptr_equal(stale.inode, inode);
	assert_null(stale.content);
	inode_told(&table, &stale);
}

static void a_size_that_may_have_been_overtaken_is_not_sure(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF);
	struct handle reader = { .inode = a };

	(void)state;
	table.track_stale = true;
	ask_size(&reader, 2);
	assert_true(inode_size_settled(&reader, 2));
	/* The next is sent before the kernel is told of an event, and after that. */
	inode_believed(a);
	touched(a, "/a");
	ask_size(&reader, 4);
	assert_false(inode_size_settled(&reader, 4));
	tell(a);
	assert_false(inode_size_settled(&reader, 4));
	/* This question may have been on its way before. */
	ask_size(&reader, 4);
	assert_false(inode_size_settled(&reader, 4));
	ask_size(&reader, 4);
	assert_false(inode_size_settled(&reader, 2));
	assert_true(inode_size_settled(&reader, 4));
	/* It is for others, too, as nothing else was sent since. */
	reader.sized = 0;
	assert_true(inode_size_settled(&reader, 4));
	inode_size_sent(a, 3);
	assert_false(inode_size_settled(&reader, 4));
	assert_true(inode_size_may_be_less(a, 4));
	assert_false(inode_size_may_be_more(a, 4));
	inode_put(&table, a);
}

static void what_was_asked_for_is_shown_even_late(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF);
	struct handle reader = { .inode = a }, other = { .inode = a };

	(void)state;
	shown(a, "one", true);
	ask_size(&reader, 4);
	ask_size(&other, 5);
	touched(a, "/a");
	a->shown_events = 0;
	/* Nobody reads so late, but who got no processor. */
	a->shown_ms -= 100;
	assert_true(inode_shows(&reader));
	assert_false(inode_shows(&other));
	inode_outdate_shown(a);
	a->shown_ms -= 100;
	assert_false(inode_shows(&reader));
	inode_put(&table, a);
}

static void who_waits_for_a_longer_content_is_given_it(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF);
	struct stale stale;

	(void)state;
	table.track_stale = table.track_shown = true;
	inode_size_sent(a, 2);
	shown(a, "longer", true);
	inode_grow(&table, a);
	assert_true(inode_take_stale(&table, &stale));
	assert_int_equal(stale.content_size, 7);
	assert_memory_equal(stale.content, "longer\n", 7);
	stale.given = true;
	inode_told(&table, &stale);
	assert_false(inode_size_may_be_less(a, 7));
	assert_false(inode_is_untold(a));

	/* An answer that is sent meanwhile may arrive behind it. */
	inode_size_sent(a, 2);
	inode_grow(&table, a);
	assert_true(inode_take_stale(&table, &stale));
	assert_true(a->giving);
	inode_size_sent(a, 5);
	stale.given = true;
	inode_told(&table, &stale);
	assert_false(a->giving);
	assert_true(inode_size_may_be_less(a, 7));
	assert_false(inode_size_may_be_less(a, 5));

	/* It was refused. */
	inode_size_sent(a, 2);
	inode_grow(&table, a);
	assert_true(inode_take_stale(&table, &stale));
	inode_told(&table, &stale);
	assert_false(a->giving);
	assert_true(inode_size_may_be_less(a, 5));
	assert_false(inode_is_untold(a));
	inode_put(&table, a);
}

static void while_a_shorter_content_is_read_nothing_is_told(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF);
	struct handle one = { .inode = a }, two = { .inode = a };
	uint64_t begin_ms = inode_now_ms();

	(void)state;
	table.track_stale = true;
	inode_size_sent(a, 9);
	ask_size(&one, 2);
	inode_size_hold(&one);
	inode_size_hold(&one);
	inode_size_hold(&two);
	inode_believed(a);
	touched(a, "/a");
	assert_is_later(begin_ms);
	assert_true(inode_is_untold(a));
	assert_false(inode_size_may_be_less(a, 2));
	assert_true(inode_size_settled(&one, 2));
	inode_size_let_go(&table, &one);
	assert_is_later(begin_ms);
	inode_size_let_go(&table, &one);
	assert_is_later(begin_ms);
	inode_size_let_go(&table, &two);
	tell(a);

	/* Not for ever: then the reader no longer holds. */
	inode_size_hold(&one);
	inode_believed(a);
	touched(a, "/a");
	while (inode_stale_due(&table) > inode_now_ms())
		usleep(1000);
	tell(a);
	inode_size_sent(a, 9);
	assert_false(inode_size_settled(&one, 2));
	inode_size_let_go(&table, &one);
	touched(a, "/a");
	tell(a);
	inode_put(&table, a);
}

static void a_write_here_outdates_it_by_all_its_names(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF), *b = intern(table.root, "b", INODE_LEAF);
	struct inode *dir = intern(table.root, "a", INODE_DIR);
	struct inode *value = intern(dir, NAME_OF_VALUE, INODE_SPECIAL);

	(void)state;
	table.track_shown = true;
	shown(a, "one", true);
	shown(b, "two", true);
	shown(value, "one", true);
	inode_new_content(&table, a);
	assert_false(inode_shows_current(a));
	assert_false(inode_shows_current(value));
	assert_true(inode_shows_current(b));
	shown(a, "one", true);
	inode_new_content(&table, value);
	assert_false(inode_shows_current(a));
	inode_put(&table, value);
	inode_put(&table, dir);
	inode_put(&table, b);
	inode_put(&table, a);
}

static bool is_later(struct inode *inode, struct timespec *than)
{
	struct timespec at = inode->changed_at;
	bool later = time_is_later(&at, than);

	*than = at;
	return later;
}

static uint64_t listed_number(const char *name)
{
	return inode_child_number(&table, table.root, inode_number_prefix(table.root),
				  name);
}

static void a_number_stays_and_is_nobody_elses(void **state)
{
	uint64_t expected = listed_number("a");
	struct inode *a = intern(table.root, "a", INODE_LEAF), *dir, *other;

	(void)state;
	assert_int_equal(table.root->number, INODE_ROOT_ID);
	assert_int_equal(a->number, expected);
	assert_int_equal(listed_number("a"), expected);
	/* The same name as a directory, and another file of that name after a rename. */
	dir = intern(table.root, "a", INODE_DIR);
	assert_int_not_equal(dir->number, expected);
	inode_put(&table, dir);
	assert_int_equal(rename_in_root("a", "b"), 0);
	assert_int_equal(a->number, expected);
	assert_int_equal(listed_number("b"), expected);
	other = intern(table.root, "a", INODE_LEAF);
	assert_int_not_equal(other->number, expected);
	assert_int_equal(listed_number("a"), other->number);
	inode_put(&table, other);
	inode_put(&table, a);
	/* All are forgotten: the name has its number again. */
	assert_int_equal(listed_number("a"), expected);
	a = intern(table.root, "a", INODE_LEAF);
	assert_int_equal(a->number, expected);
	inode_put(&table, a);
}

static void a_time_only_goes_forward(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF);
	struct timespec at = { 0 };

	(void)state;
	inode_saw_value(a, "1", 1);
	assert_false(is_later(a, &at));
	inode_saw_value(a, "1", 1);
	assert_false(is_later(a, &at));
	inode_saw_value(a, "2", 1);
	assert_true(is_later(a, &at));
	touched(a, "/a");
	assert_true(is_later(a, &at));
	/* The event has told already. */
	inode_saw_value(a, "3", 1);
	assert_false(is_later(a, &at));
	/* A clock that was ahead. */
	a->changed_at.tv_sec += 1000;
	a->changed_at.tv_nsec = 999999999;
	at = a->changed_at;
	inode_new_content(&table, a);
	assert_true(is_later(a, &at));
	/* The event of a write of our own, which has set the time. */
	inode_wrote(a);
	touched(a, "/a");
	assert_false(is_later(a, &at));
	inode_put(&table, a);
}

static void the_time_outlives_the_inode(void **state)
{
	struct inode *a = intern(table.root, "a", INODE_LEAF), *dir, *leaf;
	struct timespec at = { 0 }, before;

	(void)state;
	touched(a, "/a");
	assert_true(is_later(a, &at));
	inode_put(&table, a);
	a = intern(table.root, "a", INODE_LEAF);
	assert_false(is_later(a, &at));
	assert_int_not_equal(at.tv_sec, 0);
	inode_put(&table, a);
	/* Nobody has looked at these when they are made. */
	before = at;
	touched(table.root, "/d/e/f");
	dir = intern(table.root, "d", INODE_DIR);
	assert_true(is_later(dir, &before));
	leaf = intern(dir, "other", INODE_LEAF);
	at = (struct timespec){ 0 };
	assert_false(is_later(leaf, &at));
	inode_put(&table, leaf);
	/* The event of a node may be about all below it. */
	touched(dir, "/d");
	leaf = intern(dir, "other", INODE_LEAF);
	assert_true(is_later(leaf, &before));
	inode_put(&table, leaf);
	inode_put(&table, dir);
}

static void names_move_the_time_of_their_directory(void **state)
{
	struct inode *dir = intern(table.root, "d", INODE_DIR), *leaf;
	struct timespec at = { 0 };

	(void)state;
	inode_saw_names(&table, dir, "a\0b", 4, true, true);
	assert_false(is_later(dir, &at));
	/* A value below it: in another order, but the same names. */
	touched(dir, "/d/a");
	assert_true(dir->names_unsure);
	inode_saw_names(&table, dir, "b\0a", 4, true, true);
	assert_false(dir->names_unsure);
	assert_false(is_later(dir, &at));
	touched(dir, "/d/c");
	inode_saw_names(&table, dir, "b\0a\0c", 6, true, true);
	assert_true(is_later(dir, &at));
	/* Too many for one reply: any event may be news. */
	touched(dir, "/d/c");
	inode_saw_names(&table, dir, NULL, 0, true, true);
	assert_true(is_later(dir, &at));
	leaf = intern(dir, "a", INODE_LEAF);
	inode_made(&table, leaf);
	assert_true(is_later(dir, &at));
	inode_gone(&table, dir, "a");
	assert_true(is_later(dir, &at));
	inode_gone(&table, dir, "a");
	inode_gone(&table, dir, "never");
	assert_false(is_later(dir, &at));
	inode_put(&table, leaf);
	inode_put(&table, dir);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(lives_while_it_is_known),
		TEST(a_file_and_a_directory_have_one_name),
		TEST(an_event_reaches_what_it_concerns),
		TEST(an_event_needs_no_memory),
		TEST(a_rename_moves_one_inode),
		TEST(a_rename_replaces_a_directory),
		TEST(unwritten_files_are_listed_where_they_are),
		TEST(the_work_of_a_listing_does_not_grow_with_the_square_of_the_files),
		TEST(what_the_store_said_is_known_until_an_event),
		TEST(during_our_own_write_nothing_is_known),
		TEST(of_what_was_moved_or_made_anew_nothing_is_known),
		TEST(a_rename_without_memory_changes_nothing),
		TEST(a_removed_name_gets_another_inode),
		TEST(below_what_was_removed_nothing_has_a_path),
		TEST(what_others_do_makes_doubtful),
		TEST(own_writes_leave_no_doubt),
		TEST(names_are_forgotten_when_they_may_be_wrong),
		TEST(own_changes_do_not_wait_for_their_events),
		TEST(the_kernel_is_told_of_what_it_believes),
		TEST(of_our_own_writes_the_kernel_is_told_later),
		TEST(what_others_do_after_our_own_write_is_told_at_once),
		TEST(what_the_kernel_keeps_of_a_value_is_outdated_by_its_event),
		TEST(a_size_that_may_have_been_overtaken_is_not_sure),
		TEST(what_was_asked_for_is_shown_even_late),
		TEST(who_waits_for_a_longer_content_is_given_it),
		TEST(while_a_shorter_content_is_read_nothing_is_told),
		TEST(a_write_here_outdates_it_by_all_its_names),
		TEST(a_number_stays_and_is_nobody_elses),
		TEST(a_time_only_goes_forward),
		TEST(the_time_outlives_the_inode),
		TEST(names_move_the_time_of_their_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
