/* SPDX-License-Identifier: MIT */
/* The reports in `.xsfs`: the counters, and what is under way. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fs/special/raw.h"
#include "fs/special/special_files.h"
#include "tests/events_fixture.h"

static void free_raws(struct fs_fixture *fx);

static void (*free_events)(struct fs_fixture *fx);

static int begin(void **state)
{
	struct fs_fixture *fx;

	events_fixture_setup(state);
	fx = *state;
	fx->fs.raws = raws_new();
	assert_non_null(fx->fs.raws);
	free_events = fx->deinit;
	fx->deinit = free_raws;
	return 0;
}

static void free_raws(struct fs_fixture *fx)
{
	raws_free(fx->fs.raws);
	free_events(fx);
}

/* Returns the text of a file, which the caller frees. */
static char *text_of(struct fs_fixture *fx, const struct special *special)
{
	char *text = NULL;
	size_t size = 0;

	assert_int_equal(special->text(&fx->fs, &text, &size), 0);
	assert_int_equal(strlen(text), size);
	return text;
}

/* Fails the test unless one of the lines is this one. */
static void assert_line(const char *text, const char *line)
{
	size_t len = strlen(line);
	const char *at = text;

	while ((at = strstr(at, line)) && ((at > text && at[-1] != '\n') || at[len] != '\n'))
		at++;
	if (!at)
		fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void assert_stat(struct fs_fixture *fx, const char *line)
{
	char *text = text_of(fx, &special_stats);

	assert_line(text, line);
	free(text);
}

/* Asks the store for a path, in an operation that nobody waits for. */
static void done(struct op *op)
{
	op_reply_error(op, 0);
}

static void ask(struct fs_fixture *fx, const char *path)
{
	struct op *op = op_new(&fx->fs, NULL, 0, OP_OWN_LOOK);

	op_call(op, XS_READ, 0, path, NULL, 0);
	op_submit(op, done);
}

/* ---- stats ---- */

static void the_connection_is_told(void **state)
{
	struct fs_fixture *fx = *state;

	assert_stat(fx, "root /");
	assert_stat(fx, "transport fake");
	assert_stat(fx, "state connected");
}

static void a_lost_connection_is_told(void **state)
{
	struct fs_fixture *fx = *state;

	fx->base->store->connect_error = -EAGAIN;
	fake_store_eof(fx->base->store);
	pump(fx->base);
	assert_stat(fx, "state connecting");
}

static void requests_are_counted_by_their_type(void **state)
{
	struct fs_fixture *fx = *state;

	ask(fx, "/a");
	ask(fx, "/b");
	store_answers(fx, XS_READ, "/a", "1");
	store_refuses(fx, XS_READ, "/b", "ENOENT");
	assert_stat(fx, "requests_READ 2");
	assert_stat(fx, "completed 2");
	assert_stat(fx, "errors 1");
	assert_stat(fx, "in_flight 0");
}

static void what_is_open_is_counted(void **state)
{
	struct fs_fixture *fx = *state;

	assert_stat(fx, "transactions 0");
	open_transaction(fx, "5");
	assert_stat(fx, "transactions 1");
	assert_stat(fx, "open_files 1");
}

static void each_line_is_a_name_and_a_value_and_no_name_comes_twice(void **state)
{
	struct fs_fixture *fx = *state;
	char *text, *line, *rest, *other, *save;
	char name[64];

	ask(fx, "/a");
	store_answers(fx, XS_READ, "/a", "1");
	text = text_of(fx, &special_stats);
	rest = strdup(text);
	assert_non_null(rest);
	for (line = strtok_r(rest, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		assert_non_null(strchr(line, ' '));
		name[0] = '\n';
		memcpy(name + 1, line, strchr(line, ' ') - line + 1);
		name[strchr(line, ' ') - line + 2] = '\0';
		other = strstr(text, name);
		assert_true(!other || !strstr(other + 1, name));
	}
	free(rest);
	free(text);
}

/* ---- requests ---- */

static void what_is_under_way_is_shown_with_its_path(void **state)
{
	struct fs_fixture *fx = *state;
	char *text;

	ask(fx, "/a/b");
	text = text_of(fx, &special_requests);
	assert_non_null(strstr(text, "ms sent tx=0 READ /a/b\n"));
	free(text);
}

static void whatever_it_is_called_it_is_one_line(void **state)
{
	struct fs_fixture *fx = *state;
	char *text;

	ask(fx, "/a\nb\xff");
	text = text_of(fx, &special_requests);
	assert_non_null(strstr(text, "READ /a?b?\n"));
	free(text);
}

static void what_was_given_up_on_the_wire_is_shown_as_that(void **state)
{
	struct fs_fixture *fx = *state;
	struct op *op = kernel_asks(fx, INODE_ROOT_ID);
	char *text;

	op_call(op, XS_READ, 0, "/a", NULL, 0);
	op_submit(op, done);
	kernel_interrupts(fx, fx->unique);
	grace_is_over(fx);
	text = text_of(fx, &special_requests);
	assert_non_null(strstr(text, "ms abandoned tx=0 READ /a\n"));
	free(text);
}

static void an_open_transaction_is_shown(void **state)
{
	struct fs_fixture *fx = *state;
	char *text;

	open_transaction(fx, "5");
	text = text_of(fx, &special_requests);
	assert_non_null(strstr(text, "ms open tx=5 transaction "));
	free(text);
}

static void errors_without_a_name_have_their_number(void **state)
{
	struct fs_fixture *fx = *state;
	char *text;

	/* Linux leaves these two out; the third is too large to be counted by itself. */
	op_count_error(&fx->fs.op_counters, -41);
	op_count_error(&fx->fs.op_counters, -58);
	op_count_error(&fx->fs.op_counters, -58);
	op_count_error(&fx->fs.op_counters, -5000);
	op_count_error(&fx->fs.op_counters, -EIO);
	text = text_of(fx, &special_metrics);
	assert_non_null(strstr(text, "xsfs_operation_errors_total{errno=\"41\"} 1\n"));
	assert_non_null(strstr(text, "xsfs_operation_errors_total{errno=\"58\"} 2\n"));
	assert_non_null(strstr(text, "xsfs_operation_errors_total{errno=\"other\"} 1\n"));
	assert_non_null(strstr(text, "xsfs_operation_errors_total{errno=\"EIO\"} 1\n"));
	free(text);
}

static void where_nothing_is_under_way_nothing_is_shown(void **state)
{
	struct fs_fixture *fx = *state;
	char *text = text_of(fx, &special_requests);

	assert_string_equal(text, "");
	free(text);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_connection_is_told),
		TEST(a_lost_connection_is_told),
		TEST(requests_are_counted_by_their_type),
		TEST(what_is_open_is_counted),
		TEST(each_line_is_a_name_and_a_value_and_no_name_comes_twice),
		TEST(what_is_under_way_is_shown_with_its_path),
		TEST(whatever_it_is_called_it_is_one_line),
		TEST(what_was_given_up_on_the_wire_is_shown_as_that),
		TEST(an_open_transaction_is_shown),
		TEST(errors_without_a_name_have_their_number),
		TEST(where_nothing_is_under_way_nothing_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
