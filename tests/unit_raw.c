/* SPDX-License-Identifier: MIT */
/* Raw clients as open files: how reads and writes wait.  What the messages mean is in unit_client.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/special/raw.h"
#include "tests/events_fixture.h"

static void (*free_events)(struct fs_fixture *fx);

static void free_raws(struct fs_fixture *fx)
{
	raws_free(fx->fs.raws);
	free_events(fx);
}

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

static struct handle *open_client(struct fs_fixture *fx)
{
	struct inode *inode = known_inode(fx, "xenbus", INODE_SPECIAL);
	struct handle *file = handle_new(&fx->fs.handles, inode, 0);
	struct raw *raw = raw_new(&fx->fs);

	assert_non_null(file);
	assert_non_null(raw);
	handle_set_own(file, raw, raw_close);
	return file;
}

static void begin_read(struct fs_fixture *fx, struct handle *file, size_t size)
{
	struct op *op = kernel_asks(fx, file->inode->nodeid);

	op->handle = file;
	op->size = size;
	raw_read(op);
}

/* The client writes a whole READ of `path`. */
static void ask_for(struct fs_fixture *fx, struct handle *file, const char *path)
{
	struct op *op = kernel_asks(fx, file->inode->nodeid);
	struct xsd_sockmsg hdr = { .type = XS_READ, .len = strlen(path) + 1 };
	char message[256];

	memcpy(message, &hdr, sizeof(hdr));
	memcpy(message + sizeof(hdr), path, hdr.len);
	assert_true(op_set_data(op, message, sizeof(hdr) + hdr.len));
	op->handle = file;
	raw_write(op);
	kernel_hears_error(fx, 0);
}

static void a_read_waits_for_the_answer(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_client(fx);

	ask_for(fx, file, "/a");
	begin_read(fx, file, 4096);
	kernel_hears_nothing(fx);
	store_answers(fx, XS_READ, "/a", "value");
	assert_int_equal(kernel_hears_error(fx, 0)->len, sizeof(struct xsd_sockmsg) + strlen("value"));
}

/* Lets `n` reads wait for one answer, of which each gets one byte.  Returns how much of the stack that took. */
static size_t stack_of_reads(struct fs_fixture *fx, struct handle *file, unsigned n)
{
	char value[1100];

	assert_in_range(n, sizeof(struct xsd_sockmsg), sizeof(value));
	for (unsigned i = 0; i < n; i++)
		begin_read(fx, file, 1);
	ask_for(fx, file, "/a");
	memset(value, 'v', sizeof(value));
	value[n - sizeof(struct xsd_sockmsg)] = '\0';
	fx->deepest = NULL;
	store_answers(fx, XS_READ, "/a", value);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(kernel_hears(fx)->len, 1);
	return (char *)__builtin_frame_address(0) - fx->deepest;
}

static void however_many_reads_wait_the_stack_is_as_deep(void **state)
{
	struct fs_fixture *fx = *state;
	struct handle *file = open_client(fx);
	size_t few = stack_of_reads(fx, file, 20), many = stack_of_reads(fx, file, 1000);

	assert_in_range(many, 1, few + 1024);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fs_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_read_waits_for_the_answer),
		TEST(however_many_reads_wait_the_stack_is_as_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
