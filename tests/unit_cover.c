/* SPDX-License-Identifier: MIT */
/* The watches that the server is asked for, the paths that they cover, and the parties
 * that hear of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/events_fixture.h"
#include "tests/failing_malloc.h"

/* What the handlers were told. */
static struct {
	char changed[64];
	unsigned changes, resyncs, unseen;
} told;

static void count_change(struct fs *fs, const char *path)
{
	(void)fs;
	told.changes++;
	strncpy(told.changed, path, sizeof(told.changed) - 1);
}

static void count_resync(struct fs *fs)
{
	(void)fs;
	told.resyncs++;
}

static void count_unseen(struct fs *fs)
{
	(void)fs;
	told.unseen++;
}

static const struct cover_handlers handlers = {
	.changed = count_change,
	.resync = count_resync,
	.unseen = count_unseen,
};

static int begin(void **state)
{
	memset(&told, 0, sizeof(told));
	*state = events_fixture_new(&handlers);
	return 0;
}

/* A party that needs a path covered. */
struct party {
	struct cover_ref ref;
	unsigned armed, lost;
	int error;
};

static void note_armed(struct cover_ref *ref, int error)
{
	struct party *party = (struct party *)ref;

	party->armed++;
	party->error = error;
}

static void note_lost(struct cover_ref *ref)
{
	((struct party *)ref)->lost++;
}

static struct party party_of(struct fs_fixture *fx, struct party *party, const char *path)
{
	*party = (struct party){ .ref = { .armed = note_armed, .lost = note_lost } };
	assert_int_equal(cover_add(&fx->fs, &party->ref, path), 0);
	return *party;
}

/* A mount of a guest that knows its number. */
static void become_guest(struct fs_fixture *fx, int domid)
{
	fx->fs.config.privileged = false;
	fx->fs.config.self_domid = domid;
}

/* ---- the base ---- */

static void nothing_is_watched_before_somebody_needs_it(void **state)
{
	struct fs_fixture *fx = *state;

	assert_false(cover_has(&fx->fs, "/a"));
	store_gets_nothing(fx);
}

static void the_root_is_watched_for_everything(void **state)
{
	struct fs_fixture *fx = *state;

	watch_the_root(fx);
	assert_true(cover_has(&fx->fs, "/"));
	assert_true(cover_has(&fx->fs, "/a/b"));
	store_gets_nothing(fx);
}

static void until_the_watch_is_set_nothing_is_covered(void **state)
{
	struct fs_fixture *fx = *state;
	struct fake_msg msg;

	cover_start(&fx->fs);
	assert_false(cover_has(&fx->fs, "/a"));
	msg = store_gets(fx, XS_WATCH, "/");
	answer(fx->base, &msg, "OK");
	/* Its initial event is to come. */
	assert_false(cover_has(&fx->fs, "/a"));
	fake_store_event(fx->base->store, "/", msg.body + 2);
	pump(fx->base);
	assert_true(cover_has(&fx->fs, "/a"));
}

static void what_was_read_before_the_watch_was_set_may_be_out_of_date(void **state)
{
	struct fs_fixture *fx = *state;

	watch_the_root(fx);
	assert_int_equal(told.unseen, 1);
	assert_int_equal(told.resyncs, 0);
	assert_int_equal(told.changes, 0);
}

static void events_are_passed_on(void **state)
{
	struct fs_fixture *fx = *state;
	struct token token = watch_the_root(fx);

	store_tells(fx, "/a/b", &token);
	assert_int_equal(told.changes, 1);
	assert_string_equal(told.changed, "/a/b");
}

static void after_a_reconnection_everything_may_have_changed(void **state)
{
	struct fs_fixture *fx = *state;

	watch_the_root(fx);
	store_restarts(fx);
	store_watches(fx, "/");
	assert_int_equal(told.resyncs, 1);
	assert_true(cover_has(&fx->fs, "/a"));
}

static void a_base_that_is_lost_is_tried_for_once_more(void **state)
{
	struct fs_fixture *fx = *state;

	watch_the_root(fx);
	store_restarts(fx);
	store_refuses(fx, XS_WATCH, "/", "E2BIG");
	assert_int_equal(told.resyncs, 1);
	assert_false(cover_has(&fx->fs, "/a"));
	store_watches(fx, "/");
	assert_true(cover_has(&fx->fs, "/a"));
	/* What came between the two was missed. */
	assert_int_equal(told.resyncs, 2);
}

static void a_base_that_is_lost_twice_is_given_up(void **state)
{
	struct fs_fixture *fx = *state;

	watch_the_root(fx);
	store_restarts(fx);
	store_refuses(fx, XS_WATCH, "/", "E2BIG");
	store_refuses(fx, XS_WATCH, "/", "E2BIG");
	assert_false(cover_has(&fx->fs, "/a"));
	store_gets_nothing(fx);
	assert_int_equal(told.resyncs, 2);
	/* Nobody has relied on it since. */
	store_restarts(fx);
	cover_start(&fx->fs);
	store_watches(fx, "/");
	assert_int_equal(told.resyncs, 2);
}

static void on_another_connection_the_base_is_tried_for_again(void **state)
{
	struct fs_fixture *fx = *state;

	cover_start(&fx->fs);
	store_refuses(fx, XS_WATCH, "/", "EQUOTA");
	assert_false(cover_has(&fx->fs, "/a"));
	store_gets_nothing(fx);
	store_restarts(fx);
	assert_false(cover_has(&fx->fs, "/a"));
	store_watches(fx, "/");
	assert_true(cover_has(&fx->fs, "/a"));
}

/* ---- the base of a guest ---- */

static void a_guest_watches_its_own_directory(void **state)
{
	struct fs_fixture *fx = *state;

	become_guest(fx, 7);
	cover_start(&fx->fs);
	store_watches(fx, "/local/domain/7");
	assert_true(cover_has(&fx->fs, "/local/domain/7/a"));
	assert_false(cover_has(&fx->fs, "/local/domain/70"));
	assert_false(cover_has(&fx->fs, "/local/domain"));
}

static void a_guest_that_does_not_know_its_number_asks_for_it(void **state)
{
	struct fs_fixture *fx = *state;

	become_guest(fx, -1);
	cover_start(&fx->fs);
	store_answers(fx, XS_READ, "domid", "12");
	store_watches(fx, "/local/domain/12");
	assert_true(cover_has(&fx->fs, "/local/domain/12"));
}

static void without_a_number_a_guest_has_no_base(void **state)
{
	static const char *const wrong[] = { "", "x", "65536", "-1" };
	struct fs_fixture *fx = *state;

	become_guest(fx, -1);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cover_start(&fx->fs);
		store_answers(fx, XS_READ, "domid", wrong[i]);
		assert_int_equal(fx->fs.cover->state, COVER_NONE);
		store_restarts(fx);
	}
	store_gets_nothing(fx);
}

static void a_mount_inside_of_the_guests_directory_is_its_own_base(void **state)
{
	struct fs_fixture *fx = *state;
	struct inodes *inodes = &fx->fs.inodes;

	become_guest(fx, 7);
	free(inodes->root_path);
	inodes->root_path = strdup("/local/domain/7/data");
	cover_start(&fx->fs);
	store_watches(fx, "/local/domain/7/data");
	assert_false(cover_has(&fx->fs, "/local/domain/7"));
}

/* ---- parties that need a path ---- */

static void who_needs_what_the_base_covers_has_it_at_once(void **state)
{
	struct fs_fixture *fx = *state;
	struct party party;

	watch_the_root(fx);
	assert_int_equal(party_of(fx, &party, "/a").armed, 1);
	assert_int_equal(party.error, 0);
	assert_true(cover_holds(&party.ref));
	store_gets_nothing(fx);
	cover_remove(&fx->fs, &party.ref);
}

static void who_comes_first_waits_for_the_base(void **state)
{
	struct fs_fixture *fx = *state;
	struct party party;

	assert_int_equal(party_of(fx, &party, "/a").armed, 0);
	store_watches(fx, "/");
	assert_int_equal(party.armed, 1);
	assert_int_equal(party.error, 0);
	store_gets_nothing(fx);
	cover_remove(&fx->fs, &party.ref);
}

static void who_has_left_meanwhile_is_not_told(void **state)
{
	struct fs_fixture *fx = *state;
	struct party first, second;

	party_of(fx, &first, "/a");
	party_of(fx, &second, "/b");
	cover_remove(&fx->fs, &first.ref);
	store_watches(fx, "/");
	assert_int_equal(first.armed, 0);
	assert_int_equal(second.armed, 1);
	cover_remove(&fx->fs, &second.ref);
}

static void who_is_outside_gets_a_watch_of_his_own(void **state)
{
	struct fs_fixture *fx = *state;
	struct party party;

	become_guest(fx, 7);
	cover_start(&fx->fs);
	store_watches(fx, "/local/domain/7");
	party_of(fx, &party, "/shared");
	assert_int_equal(party.armed, 0);
	store_watches(fx, "/shared");
	assert_int_equal(party.armed, 1);
	assert_true(cover_holds(&party.ref));
	/* That is no reason to look at what others have read. */
	assert_int_equal(told.resyncs, 0);
	cover_remove(&fx->fs, &party.ref);
	store_gets(fx, XS_UNWATCH, "/shared");
}

static void a_special_path_always_needs_a_watch_of_its_own(void **state)
{
	struct fs_fixture *fx = *state;
	struct party party;

	watch_the_root(fx);
	party_of(fx, &party, "@releaseDomain");
	store_watches(fx, "@releaseDomain");
	assert_int_equal(party.armed, 1);
	cover_remove(&fx->fs, &party.ref);
}

static void a_special_path_does_not_wait_for_the_base(void **state)
{
	struct fs_fixture *fx = *state;
	struct party party;

	cover_start(&fx->fs);
	store_gets(fx, XS_WATCH, "/");
	party_of(fx, &party, "@releaseDomain");
	store_watches(fx, "@releaseDomain");
	assert_int_equal(party.armed, 1);
	cover_remove(&fx->fs, &party.ref);
}

static void without_a_base_everybody_gets_a_watch_of_his_own(void **state)
{
	struct fs_fixture *fx = *state;
	struct party first, second;

	party_of(fx, &first, "/a");
	store_refuses(fx, XS_WATCH, "/", "E2BIG");
	assert_int_equal(first.armed, 0);
	store_watches(fx, "/a");
	assert_int_equal(first.armed, 1);
	party_of(fx, &second, "/b");
	store_watches(fx, "/b");
	assert_int_equal(second.armed, 1);
	cover_remove(&fx->fs, &first.ref);
	cover_remove(&fx->fs, &second.ref);
}

static void a_quota_of_watches_is_told(void **state)
{
	struct fs_fixture *fx = *state;
	struct party party;

	party_of(fx, &party, "@releaseDomain");
	store_refuses(fx, XS_WATCH, "@releaseDomain", "E2BIG");
	assert_int_equal(party.armed, 1);
	assert_int_equal(party.error, -EDQUOT);
	cover_remove(&fx->fs, &party.ref);
}

static void events_of_a_watch_of_its_own_are_passed_on(void **state)
{
	struct fs_fixture *fx = *state;
	struct party party;
	struct token token;

	watch_the_root(fx);
	party_of(fx, &party, "@releaseDomain");
	token = store_watches(fx, "@releaseDomain");
	store_tells(fx, "@releaseDomain", &token);
	assert_int_equal(told.changes, 1);
	assert_string_equal(told.changed, "@releaseDomain");
	cover_remove(&fx->fs, &party.ref);
}

static void who_loses_a_watch_of_his_own_hears_of_it(void **state)
{
	struct fs_fixture *fx = *state;
	struct party party;

	party_of(fx, &party, "@releaseDomain");
	store_watches(fx, "@releaseDomain");
	store_restarts(fx);
	assert_int_equal(party.lost, 0);
	store_refuses(fx, XS_WATCH, "@releaseDomain", "E2BIG");
	assert_int_equal(party.lost, 1);
	assert_false(cover_holds(&party.ref));
	assert_int_equal(told.resyncs, 1);
	cover_remove(&fx->fs, &party.ref);
}

static void the_base_holds_for_those_who_rely_on_it_until_it_cannot_be_had(void **state)
{
	struct fs_fixture *fx = *state;
	struct party party;

	watch_the_root(fx);
	party_of(fx, &party, "/a");
	store_restarts(fx);
	store_refuses(fx, XS_WATCH, "/", "E2BIG");
	assert_true(cover_holds(&party.ref));
	store_refuses(fx, XS_WATCH, "/", "E2BIG");
	assert_false(cover_holds(&party.ref));
	cover_remove(&fx->fs, &party.ref);
}

/* Whichever allocation fails, either it is said or somebody else has a watch. */
static void without_memory_nobody_waits_for_ever(void **state)
{
	struct fs_fixture *fx = *state;
	struct party party;
	int err;

	watch_the_root(fx);
	for (unsigned i = 1; i < 8; i++) {
		party = (struct party){ .ref = { .armed = note_armed } };
		malloc_countdown = i;
		err = cover_add(&fx->fs, &party.ref, "@releaseDomain");
		malloc_countdown = 0;
		pump(fx->base);
		assert_true(err ? party.armed == 0 : party.armed == 1 || stats(fx->base).in_flight);
		cover_remove(&fx->fs, &party.ref);
		store_restarts(fx);
		store_watches(fx, "/");
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_watched_before_somebody_needs_it),
		TEST(the_root_is_watched_for_everything),
		TEST(until_the_watch_is_set_nothing_is_covered),
		TEST(what_was_read_before_the_watch_was_set_may_be_out_of_date),
		TEST(events_are_passed_on),
		TEST(after_a_reconnection_everything_may_have_changed),
		TEST(a_base_that_is_lost_is_tried_for_once_more),
		TEST(a_base_that_is_lost_twice_is_given_up),
		TEST(on_another_connection_the_base_is_tried_for_again),
		TEST(a_guest_watches_its_own_directory),
		TEST(a_guest_that_does_not_know_its_number_asks_for_it),
		TEST(without_a_number_a_guest_has_no_base),
		TEST(a_mount_inside_of_the_guests_directory_is_its_own_base),
		TEST(who_needs_what_the_base_covers_has_it_at_once),
		TEST(who_comes_first_waits_for_the_base),
		TEST(who_has_left_meanwhile_is_not_told),
		TEST(who_is_outside_gets_a_watch_of_his_own),
		TEST(a_special_path_always_needs_a_watch_of_its_own),
		TEST(a_special_path_does_not_wait_for_the_base),
		TEST(without_a_base_everybody_gets_a_watch_of_his_own),
		TEST(a_quota_of_watches_is_told),
		TEST(events_of_a_watch_of_its_own_are_passed_on),
		TEST(who_loses_a_watch_of_his_own_hears_of_it),
		TEST(the_base_holds_for_those_who_rely_on_it_until_it_cannot_be_had),
		TEST(without_memory_nobody_waits_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
