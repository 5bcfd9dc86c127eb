/* SPDX-License-Identifier: MIT */
/* Histories for which a reader can easily tell whether they are linearizable: the
 * checker has to agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/history/history.h"

static enum verdict verdict_of(const char *text, unsigned may)
{
	static struct history h;
	FILE *in = fmemopen((char *)text, strlen(text), "r");
	enum verdict verdict;

	assert_non_null(in);
	history_init(&h);
	assert_int_equal(history_parse(&h, in, text), 0);
	fclose(in);
	verdict = history_check(&h, may, NULL);
	history_deinit(&h);
	return verdict;
}

#define CAN_BE(text) assert_int_equal(verdict_of(text, 0), LINEARIZABLE)
#define CANNOT_BE(text) assert_int_equal(verdict_of(text, exceptions_admitted()), REFUSED)

/* Only with that exception. */
#define NEEDS(which, text)                                                                         \
	do {                                                                                       \
		assert_int_equal(verdict_of(text, 0), REFUSED);                                    \
		assert_int_equal(verdict_of(text, MAY(which)), LINEARIZABLE);                      \
	} while (0)

/* ---- values ---- */

static void a_read_sees_the_last_write(void **state)
{
	(void)state;
	CAN_BE("initial p v1\n"
	       "0 direct 1 2 xs-write p v2 = ok\n"
	       "1 direct 3 4 xs-read p = v2\n");
	CANNOT_BE("initial p v1\n"
		  "0 direct 1 2 xs-write p v2 = ok\n"
		  "1 direct 3 4 xs-read p = v1\n");
	CANNOT_BE("initial p v1\n"
		  "1 direct 3 4 xs-read p = v9\n");
}

static void of_two_writes_at_once_either_is_the_last(void **state)
{
	(void)state;
	CAN_BE("0 direct 1 5 xs-write p v1 = ok\n"
	       "1 direct 2 4 xs-write p v2 = ok\n"
	       "2 direct 6 7 xs-read p = v1\n");
	CAN_BE("0 direct 1 5 xs-write p v1 = ok\n"
	       "1 direct 2 4 xs-write p v2 = ok\n"
	       "2 direct 6 7 xs-read p = v2\n");
	/* But the same one for all. */
	CANNOT_BE("0 direct 1 5 xs-write p v1 = ok\n"
		  "1 direct 2 4 xs-write p v2 = ok\n"
		  "2 direct 6 7 xs-read p = v2\n"
		  "3 direct 8 9 xs-read p = v1\n");
}

static void a_value_does_not_go_back(void **state)
{
	(void)state;
	CAN_BE("initial p v1\n"
	       "0 direct 1 9 xs-write p v2 = ok\n"
	       "1 direct 2 3 xs-read p = v1\n"
	       "2 direct 4 5 xs-read p = v2\n");
	CANNOT_BE("initial p v1\n"
		  "0 direct 1 9 xs-write p v2 = ok\n"
		  "1 direct 2 3 xs-read p = v2\n"
		  "2 direct 4 5 xs-read p = v1\n");
}

static void what_did_not_end_may_have_happened(void **state)
{
	(void)state;
	CAN_BE("initial p v1\n"
	       "0 direct 1 - xs-write p v2 = ok\n"
	       "1 direct 3 4 xs-read p = v1\n");
	CAN_BE("initial p v1\n"
	       "0 direct 1 - xs-write p v2 = ok\n"
	       "1 direct 3 4 xs-read p = v2\n");
	CAN_BE("initial p v1\n"
	       "0 A 1 - unlink p = EINTR\n"
	       "1 direct 3 4 xs-read p = ENOENT\n");
	CANNOT_BE("initial p v1\n"
		  "0 direct 1 - xs-write p v2 = ok\n"
		  "1 direct 3 4 xs-read p = v2\n"
		  "1 direct 5 6 xs-read p = v1\n");
	/* Nothing happens before it was asked for. */
	CANNOT_BE("initial p v1\n"
		  "0 direct 5 - xs-write p v2 = ok\n"
		  "1 direct 3 4 xs-read p = v2\n");
}

static void appends_are_all_there(void **state)
{
	(void)state;
	CAN_BE("initial p v1\n"
	       "0 A 1 2 open p write,append = ok\n"
	       "1 B 1 2 open p write,append = ok\n"
	       "0 A 3 6 write v2 = ok\n"
	       "1 B 3 6 write v3 = ok\n"
	       "2 direct 7 8 xs-read p = v1+v3+v2\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,append = ok\n"
		  "1 B 1 2 open p write,append = ok\n"
		  "0 A 3 6 write v2 = ok\n"
		  "1 B 3 6 write v3 = ok\n"
		  "2 direct 7 8 xs-read p = v1+v3\n");
}

static void a_transaction_is_one_step(void **state)
{
	(void)state;
	CAN_BE("initial p v1\ninitial q v1\n"
	       "0 direct 1 9 tx xs-write p v2; xs-write q v2 = ok\n"
	       "1 direct 2 3 xs-read p = v1\n"
	       "1 direct 4 5 xs-read q = v2\n");
	CANNOT_BE("initial p v1\ninitial q v1\n"
		  "0 direct 1 9 tx xs-write p v2; xs-write q v2 = ok\n"
		  "1 direct 2 3 xs-read p = v2\n"
		  "1 direct 4 5 xs-read q = v1\n");
	CAN_BE("0 direct 1 9 tx xs-write p v2 = EAGAIN\n"
	       "1 direct 10 11 xs-read p = ENOENT\n");
	CANNOT_BE("0 direct 1 9 tx xs-write p v2 = EAGAIN\n"
		  "1 direct 10 11 xs-read p = v2\n");
	/* Both read that the other had not written. */
	CANNOT_BE("0 direct 1 9 tx xs-read q ENOENT; xs-write p v1 = ok\n"
		  "1 direct 1 9 tx xs-read p ENOENT; xs-write q v2 = ok\n");
}

/* ---- making and removing ---- */

static void of_two_who_create_one_succeeds(void **state)
{
	(void)state;
	CAN_BE("0 A 1 5 open p write,creat,excl = ok\n"
	       "1 B 2 4 open p write,creat,excl = EEXIST\n");
	CANNOT_BE("0 A 1 5 open p write,creat,excl = ok\n"
		  "1 B 2 4 open p write,creat,excl = ok\n");
	CANNOT_BE("0 A 1 5 mkdir p = ok\n"
		  "1 B 2 4 mknod p = ok\n");
	CANNOT_BE("1 B 2 4 mknod p = EEXIST\n");
	/* Unless it was removed meanwhile. */
	CAN_BE("0 A 1 5 open p write,creat,excl = ok\n"
	       "1 B 2 4 open p write,creat,excl = ok\n"
	       "2 direct 2 3 xs-rm p = ok\n");
}

static void of_two_who_remove_one_succeeds(void **state)
{
	(void)state;
	CAN_BE("initial p v1\n"
	       "0 A 1 5 unlink p = ok\n"
	       "1 B 2 4 unlink p = ENOENT\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 5 unlink p = ok\n"
		  "1 B 2 4 unlink p = ok\n");
	CANNOT_BE("initial p v1\n"
		  "1 B 2 4 unlink p = ENOENT\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 5 unlink p = EIO\n");
}

static void what_has_children_is_not_removed(void **state)
{
	(void)state;
	CAN_BE("initial p \"\"\ninitial p/x v1\n"
	       "0 A 1 2 rmdir p = ENOTEMPTY\n"
	       "0 A 3 4 unlink p = EISDIR\n");
	CANNOT_BE("initial p \"\"\ninitial p/x v1\n"
		  "0 A 1 2 rmdir p = ok\n");
	CANNOT_BE("initial p \"\"\ninitial p/x v1\n"
		  "0 A 1 9 rmdir p = ok\n"
		  "1 B 2 3 unlink p/x = ok\n"
		  "1 B 4 5 mknod p/y = ok\n"
		  "2 direct 10 11 xs-read p/y = \"\"\n");
	/* A directory with a .value is not empty. */
	CANNOT_BE("initial p v1\ninitial p/x v1\n"
		  "0 A 1 9 rmdir p = ok\n"
		  "1 B 2 3 unlink p/x = ok\n");
}

static void nothing_is_made_below_what_is_gone(void **state)
{
	(void)state;
	CANNOT_BE("initial p \"\"\ninitial p/x v1\n"
		  "0 direct 1 2 xs-rm p = ok\n"
		  "1 A 3 4 mkdir p/y = ok\n");
	CAN_BE("initial p \"\"\ninitial p/x v1\n"
	       "0 direct 1 2 xs-rm p = ok\n"
	       "1 A 3 4 mkdir p/y = ENOENT\n");
	/* XS_WRITE makes its parents, and says so. */
	CAN_BE("0 direct 1 2 xs-write p/x v1 = ok\n"
	       "1 direct 3 4 xs-read p = \"\"\n");
}

static void what_was_removed_does_not_come_back(void **state)
{
	(void)state;
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "1 direct 3 4 xs-rm p = ok\n"
		  "0 A 5 6 write v2 = ok\n"
		  "1 direct 7 8 xs-read p = v2\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "1 direct 3 4 xs-rm p = ok\n"
		  "0 A 5 6/7 close = ok\n"
		  "1 direct 8 9 xs-read p = \"\"\n");
	CAN_BE("initial p v1\n"
	       "0 A 1 2 open p write,trunc = ok\n"
	       "1 direct 3 4 xs-rm p = ok\n"
	       "0 A 5 6 write v2 = ENOENT\n"
	       "1 direct 7 8 xs-read p = ENOENT\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "0 A 5 6 write v2 = ENOENT\n");
	/* Nor by who appends, be it at the same time. */
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,append = ok\n"
		  "1 direct 3 4 xs-rm p = ok\n"
		  "1 direct 5 6 xs-read p = ENOENT\n"
		  "0 A 3 8 write v2 = ok\n"
		  "1 direct 9 10 xs-read p = v2\n");
}

static void a_write_may_be_late(void **state)
{
	(void)state;
	NEEDS(LATE, "initial p v1\n"
		    "0 A 1 2 open p write,trunc = ok\n"
		    "1 direct 3 4 xs-rm p = ok\n"
		    "1 direct 5 6 xs-read p = ENOENT\n"
		    "0 A 3 8 write v2 = ok\n"
		    "1 direct 9 10 xs-read p = v2\n");
	/* With a cache until the event has come. */
	NEEDS(LATE, "cache meta\n"
		    "initial p v1\n"
		    "0 A 1 2 open p write,trunc = ok\n"
		    "1 direct 3 4 xs-rm p = ok\n"
		    "0 A 5 6 write v2 = ok\n");
	CANNOT_BE("cache meta\n"
		  "initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "1 direct 3 4 xs-rm p = ok\n"
		  "0 A 200000 200001 write v2 = ok\n");
	/* A mount knows at once what it has removed itself. */
	CANNOT_BE("cache meta\n"
		  "initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "1 A 3 4 unlink p = ok\n"
		  "0 A 5 6 write v2 = ok\n");
}

static void what_somebody_else_removed_comes_back_with_the_node(void **state)
{
	(void)state;
	CAN_BE("initial p v1\n"
	       "0 A 1 2 open p write,trunc = ok\n"
	       "1 B 3 4 unlink p = ok\n"
	       "1 direct 5 6 xs-write p v3 = ok\n"
	       "0 A 7 8 write v2 = ok\n"
	       "1 direct 9 10 xs-read p = v2\n");
	/* Not what this mount removed. */
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "1 A 3 4 unlink p = ok\n"
		  "1 direct 5 6 xs-write p v3 = ok\n"
		  "0 A 7 8 write v2 = ok\n");
	/* Its other layout is somebody else. */
	CAN_BE("initial p v1\n"
	       "0 A.nodes 1 2 open p write,trunc = ok\n"
	       "1 A 3 4 unlink p = ok\n"
	       "1 direct 5 6 xs-write p v3 = ok\n"
	       "0 A.nodes 7 8 write v2 = ok\n");
	/* What it replaced is read as it was. */
	CAN_BE("initial p v1\n"
	       "initial q v2\n"
	       "0 A 1 2 open p = ok\n"
	       "1 A 3 4 rename q p = ok\n"
	       "0 A 5 6 read = v1\n");
	CANNOT_BE("initial p v1\n"
		  "initial q v2\n"
		  "0 A 1 2 open p = ok\n"
		  "1 A 3 4 rename q p = ok\n"
		  "0 A 5 6 read = v2\n");
}

static void a_file_is_empty_for_who_emptied_it(void **state)
{
	(void)state;
	CAN_BE("initial p v1\n"
	       "0 A 1 2 open p write,trunc = ok\n"
	       "1 A 3 4 stat p = file 0\n"
	       "1 B 3 4 stat p = file 3\n"
	       "0 A 5 6 write v1 = ok\n"
	       "1 A 7 8 stat p = file 3\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "1 B 3 4 stat p = file 0\n"
		  "0 A 5 6 write v1 = ok\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,append = ok\n"
		  "1 A 3 4 stat p = file 0\n"
		  "0 A 5 6 write v1 = ok\n");
}

static void an_empty_value_may_be_hidden(void **state)
{
	(void)state;
	CAN_BE("0 A.nodes 1 2 mkdir p = ok\n"
	       "0 A.nodes 3 4 list p = none\n"
	       "0 A.nodes 5 6 open p write,trunc = ENOENT\n"
	       "0 B.nodes 7 8 list p = .value\n");
	CANNOT_BE("0 A.nodes 1 2 mkdir p = ok\n"
		  "0 B.nodes 3 4 list p = none\n");
	CANNOT_BE("0 A.nodes 1 2 mkdir p = ok\n"
		  "0 direct 3 4 xs-write p v1 = ok\n"
		  "0 A.nodes 5 6 list p = none\n");
	CAN_BE("initial p v1\n"
	       "0 A.nodes 1 2 unlink p = ok\n"
	       "0 A.nodes 3 4 list p = none\n"
	       "0 direct 5 6 xs-read p = \"\"\n");
	CANNOT_BE("initial p v1\n"
		  "0 A.nodes 1 2 truncate p = ok\n"
		  "0 A.nodes 3 4 list p = none\n");
	/* Who has it open writes nothing when it was removed. */
	CAN_BE("initial p v1\n"
	       "0 A.nodes 1 2 open p write,trunc = ok\n"
	       "1 A.nodes 3 4 unlink p = ok\n"
	       "0 A.nodes 5 6 close = ok\n"
	       "0 A.nodes 7 8 open p write,trunc = ENOENT\n");
}

/* ---- open files ---- */

static void a_file_is_created_by_its_first_write(void **state)
{
	(void)state;
	CAN_BE("0 A 1 2 open p write,trunc,creat = ok\n"
	       "1 A 3 4 stat p = file 0\n"
	       "2 B 3 4 stat p = ENOENT\n"
	       "1 A 3 4 list . = p\n"
	       "0 A 5 6 write v1 = ok\n"
	       "2 B 7 8 stat p = file 3\n");
	CANNOT_BE("0 A 1 2 open p write,trunc,creat = ok\n"
		  "2 B 3 4 stat p = file 0\n"
		  "0 A 5 6 write v1 = ok\n");
	CANNOT_BE("0 A 1 2 open p write,trunc,creat = ok\n"
		  "1 A 3 4 stat p = ENOENT\n"
		  "0 A 5 6 write v1 = ok\n");
}

static void a_new_file_goes_with_its_directory(void **state)
{
	(void)state;
	CAN_BE("initial p \"\"\ninitial p/y v1\n"
	       "0 A 1 2 open p/x write,trunc,creat = ok\n"
	       "1 A 3 4 unlink p/y = ok\n"
	       "1 A 5 6 mkdir q = ok\n"
	       "1 A 7 8 rename q p = ok\n"
	       "1 A 9 10 list p = none\n"
	       "0 A 11 12 write v2 = ENOENT\n");
	CANNOT_BE("initial p \"\"\ninitial p/y v1\n"
		  "0 A 1 2 open p/x write,trunc,creat = ok\n"
		  "0 A 11 12 write v2 = ENOENT\n");
	/* Where somebody else removes it, it may be made again before the mount learns of it. */
	CAN_BE("initial p \"\"\ninitial p/y v1\n"
	       "0 A 1 2 open p/x write,trunc,creat = ok\n"
	       "1 direct 3 4 xs-rm p = ok\n"
	       "1 direct 5 6 xs-write p/y v1 = ok\n"
	       "0 A 7 8 write v2 = ok\n");
	CAN_BE("initial p \"\"\ninitial p/y v1\n"
	       "0 A 1 2 open p/x write,trunc,creat = ok\n"
	       "1 direct 3 4 xs-rm p = ok\n"
	       "1 direct 5 6 xs-write p/y v1 = ok\n"
	       "2 A 7 8 open p/x write,creat,excl = ok\n"
	       "0 A 9 10 write v2 = ENOENT\n");
}

static void the_last_close_writes_what_is_due(void **state)
{
	(void)state;
	/* Not over what somebody else wrote. */
	CAN_BE("0 A 1 2 open p write,trunc,creat = ok\n"
	       "1 direct 3 4 xs-write p v1 = ok\n"
	       "0 A 5 6/7 close = ok\n"
	       "1 direct 8 9 xs-read p = v1\n");
	CAN_BE("initial p v1\n"
	       "0 A 1 2 open p write,trunc = ok\n"
	       "0 A 3 4/9 close = ok\n"
	       "1 direct 5 6 xs-read p = v1\n"
	       "1 direct 7 8 xs-read p = \"\"\n"
	       "1 direct 10 11 xs-read p = \"\"\n");
	/* The same mount sees it at once. */
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "0 A 3 4/9 close = ok\n"
		  "1 A 5 6 open p = ok\n"
		  "1 A 7 8 read = v1\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "0 A 3 4/9 close = ok\n"
		  "1 direct 10 11 xs-read p = v1\n");
	/* Not before, whoever asks. */
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "1 direct 3 4 xs-read p = \"\"\n"
		  "0 A 5 6 write v2 = ok\n");
}

/* ---- rename ---- */

static void a_rename_is_one_step(void **state)
{
	(void)state;
	CAN_BE("initial p v1\ninitial p/x v2\n"
	       "0 A 1 2 rename p q = ok\n"
	       "1 direct 3 4 tx xs-read q v1; xs-read q/x v2; xs-read p ENOENT = ok\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 9 rename p q = ok\n"
		  "1 direct 2 3 tx xs-read p v1; xs-read q v1 = ok\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 9 rename p q = ok\n"
		  "1 direct 2 3 tx xs-read p ENOENT; xs-read q ENOENT = ok\n");
	CANNOT_BE("initial p v1\ninitial p/x v2\n"
		  "0 A 1 2 rename p q = ok\n"
		  "1 direct 3 4 xs-read q/x = ENOENT\n");
}

static void a_rename_replaces_only_what_has_no_children(void **state)
{
	(void)state;
	CAN_BE("initial p v1\ninitial q v2\n"
	       "0 A 1 2 rename p q = ok\n"
	       "1 direct 3 4 xs-read q = v1\n");
	CANNOT_BE("initial p v1\ninitial q v2\n"
		  "0 A 1 2 rename p q excl = ok\n");
	CAN_BE("initial p v1\ninitial q v2\n"
	       "0 A 1 2 rename p q excl = EEXIST\n");
	CANNOT_BE("initial p v1\ninitial q v2\ninitial q/x v3\n"
		  "0 A 1 2 rename p q = ok\n");
	CAN_BE("initial p v1\ninitial p/x v1\ninitial q v2\ninitial q/x v3\n"
	       "0 A 1 2 rename p q = ENOTEMPTY\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 rename p q = EIO\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 rename p q = ENOENT\n");
}

static void a_write_is_not_lost_in_a_rename(void **state)
{
	(void)state;
	CANNOT_BE("initial p v1\n"
		  "0 A 1 9 rename p q = ok\n"
		  "1 direct 2 3 xs-write p v2 = ok\n"
		  "2 direct 10 11 xs-read p = ENOENT\n"
		  "2 direct 12 13 xs-read q = v1\n");
	CAN_BE("initial p v1\n"
	       "0 A 1 9 rename p q = ok\n"
	       "1 direct 2 3 xs-write p v2 = ok\n"
	       "2 direct 10 11 xs-read p = ENOENT\n"
	       "2 direct 12 13 xs-read q = v2\n");
}

/* ---- looking ---- */

static void a_listing_is_one_step(void **state)
{
	(void)state;
	CAN_BE("initial p \"\"\ninitial p/x v1\n"
	       "0 A 1 9 list p = p/x,p/y\n"
	       "1 direct 2 3 xs-write p/y v2 = ok\n");
	CANNOT_BE("initial p \"\"\ninitial p/x v1\n"
		  "0 A 4 9 list p = p/x\n"
		  "1 direct 2 3 xs-write p/y v2 = ok\n");
	CANNOT_BE("initial p \"\"\ninitial p/x v1\n"
		  "0 A 1 9 list p = p/y\n"
		  "1 direct 2 3 xs-write p/y v2 = ok\n"
		  "1 direct 4 5 xs-rm p/x = ok\n"
		  "1 direct 6 7 xs-rm p/y = ok\n"
		  "2 direct 1 9 tx xs-read p/x v1; xs-read p/y ENOENT = ok\n"
		  "0 A 10 11 list p = p/x,p/y\n");
	CANNOT_BE("initial p \"\"\ninitial p/x v1\n"
		  "0 A 1 2 list p = none\n");
	CANNOT_BE("initial p \"\"\ninitial p/x v1\n"
		  "0 A 1 2 list p = p/x,unknown\n");
}

static void a_directory_of_mkdir_stays_one(void **state)
{
	(void)state;
	CAN_BE("0 A 1 2 mkdir p = ok\n"
	       "0 A 3 4 stat p = dir\n"
	       "1 B 3 4 stat p = file 0\n"
	       "0 A 5 6 list p = none\n"
	       "0 A 7 8 rmdir p = ok\n");
	CANNOT_BE("0 A 1 2 mkdir p = ok\n"
		  "0 A 3 4 stat p = file 0\n");
	CANNOT_BE("0 A 1 2 mkdir p = ok\n"
		  "1 direct 3 4 xs-write p/x v1 = ok\n"
		  "1 direct 5 6 xs-rm p/x = ok\n"
		  "0 A 7 8 stat p = file 0\n");
	/* A dead one. */
	CANNOT_BE("0 A 1 2 mkdir p = ok\n"
		  "0 A 3 4 rmdir p = ok\n"
		  "0 A 5 6 mkdir p = ok\n"
		  "0 A 7 8 mknod p/x = ENOENT\n");
}

/* ---- what is admitted ---- */

static void a_cache_shows_what_others_changed_later(void **state)
{
	(void)state;
	NEEDS(STALE, "cache meta\ninitial p v1\n"
		     "0 direct 1 2 xs-write p long = ok\n"
		     "1 A 3 4 stat p = file 3\n");
	NEEDS(STALE, "cache meta\ninitial p v1\n"
		     "0 direct 1 2 xs-rm p = ok\n"
		     "1 A 3 4 stat p = file 3\n"
		     "1 A 5 6 open p = ok\n"
		     "1 A 7 8 read = ENOENT\n");
	NEEDS(STALE, "cache meta\ninitial p v1\ninitial p/x v1\n"
		     "0 B 1 2 mknod p/y = ok\n"
		     "1 A 3 4 list p = p/x,.value\n");
	NEEDS(STALE, "cache meta\ninitial p v1\n"
		     "0 direct 1 2 xs-write p/x v2 = ok\n"
		     "1 A 3 4 mkdir p/y = ENOTDIR\n");
	/* A rename to the same name makes nothing newer. */
	NEEDS(STALE, "cache meta\ninitial q v1\ninitial q/x v2\n"
		     "0 direct 1 2 xs-rm q/x = ok\n"
		     "1 A 3 4 rename q q = ok\n"
		     "1 A 5 6 open q/x write,trunc = ok\n");
	/* Not with cache=off. */
	CANNOT_BE("cache off\ninitial p v1\n"
		  "0 direct 1 2 xs-write p long = ok\n"
		  "1 A 3 4 stat p = file 3\n");
	/* Not values. */
	CANNOT_BE("cache meta\ninitial p v1\n"
		  "0 direct 1 2 xs-write p long = ok\n"
		  "1 A 3 4 open p = ok\n"
		  "1 A 5 6 read = v1\n");
	/* Not what this mount did. */
	CANNOT_BE("cache meta\ninitial p v1\n"
		  "0 A 1 2 unlink p = ok\n"
		  "1 A 3 4 stat p = file 3\n");
	CANNOT_BE("cache meta\ninitial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "0 A 3 4 write long = ok\n"
		  "1 A 5 6 stat p = file 3\n");
	/* Not what never was; not twice differently; not that a name does not exist. */
	CANNOT_BE("cache meta\ninitial p v1\n"
		  "0 direct 1 2 xs-write p long = ok\n"
		  "1 A 3 4 stat p = file 4\n");
	CANNOT_BE("cache meta\ninitial p v1\n"
		  "0 direct 1 2 xs-write p long = ok\n"
		  "1 A 3 4 stat p = file 5\n"
		  "1 A 5 6 stat p = file 3\n");
	CANNOT_BE("cache meta\n"
		  "0 direct 1 2 xs-write p v1 = ok\n"
		  "1 A 3 4 stat p = ENOENT\n");
}

static void a_change_is_seen_at_once_where_it_was_made(void **state)
{
	const unsigned may = MAY(STALE) | MAY(VIEWS);
	const char text[] = "cache meta\ninitial p v1\n"
			    "0 A 1 2 unlink p = ok\n"
			    "1 A.nodes 3 4 stat p = dir\n";

	(void)state;
	assert_int_equal(verdict_of(text, MAY(STALE)), REFUSED);
	assert_int_equal(verdict_of(text, may), LINEARIZABLE);
	CANNOT_BE("cache meta\ninitial p v1\n"
		  "0 A 1 2 unlink p = ok\n"
		  "1 A 3 4 stat p = file 3\n");
	CANNOT_BE("cache off\ninitial p v1\n"
		  "0 A 1 2 unlink p = ok\n"
		  "1 A.nodes 3 4 stat p = dir\n");
}

static void a_directory_that_was_seen_may_stay_one(void **state)
{
	(void)state;
	NEEDS(KIND, "initial p v1\ninitial p/x v2\n"
		    "0 direct 1 2 xs-rm p/x = ok\n"
		    "1 A 3 4 stat p = dir\n");
	NEEDS(KIND, "initial p \"\"\ninitial p/x v2\n"
		    "0 direct 1 2 xs-rm p/x = ok\n"
		    "1 A 3 4 stat p = file 0\n");
	NEEDS(KIND, "0 A 1 2 mkdir p = ok\n"
		    "0 direct 3 4 xs-rm p = ok\n"
		    "0 direct 5 6 xs-write p \"\" = ok\n"
		    "1 A 7 8 stat p = dir\n");
	/* Not what never was one. */
	CANNOT_BE("initial p v1\n"
		  "1 B 1 2 stat q = ENOENT\n"
		  "1 B 3 4 stat p/x = ENOENT\n");
}

static void a_rename_moves_paths_that_are_walked(void **state)
{
	(void)state;
	NEEDS(WALK, "initial q v1\ninitial q/x v2\n"
		    "0 A 1 5 rename q p = ok\n"
		    "1 A 2 6 rename q/x p/x = ok\n"
		    "2 direct 7 8 xs-read p/x = v2\n");
	NEEDS(WALK, "initial q v1\ninitial p \"\"\n"
		    "0 A.nodes 1 5 rename q p = ok\n"
		    "1 A.nodes 2 6 mkdir p/x = ENOENT\n");
	NEEDS(WALK, "initial q v1\ninitial p \"\"\n"
		    "0 A.nodes 1 5 rename q p = ok\n"
		    "1 A.nodes 2 6 list p = ENOENT\n");
	NEEDS(WALK, "initial q \"\"\ninitial q/x v2\n"
		    "0 A 1 4 rename q q = ok\n"
		    "1 A 5 7 rename q p = ok\n"
		    "2 A 3 9 rename q/x q = ok\n");
	CANNOT_BE("initial q v1\ninitial p \"\"\n"
		  "0 A.nodes 1 5 rename q p = ok\n"
		  "1 A.nodes 6 7 mkdir p/x = ENOENT\n");
	NEEDS(TWO_LOOKS, "initial p v1\n"
			 "0 B 1 5 rename p q excl = ok\n"
			 "1 A 2 6 rename p q excl = EEXIST\n");
	CANNOT_BE("initial p v1\n"
		  "0 B 3 5 rename p q excl = ENOENT\n"
		  "1 A 1 2 rename p q excl = EEXIST\n");
}

/* ---- texts ---- */

static void a_history_is_read_as_it_was_written(void **state)
{
	static const char text[] =
		"seed 7\ncache meta\ninitial p \"\"\ninitial p/x v1\n"
		"0 A            1.000      2.500  open:2 p/x write,trunc,creat = ok\n"
		"0 A            3.000      4.000  write:2 v2 = ok\n"
		"0 A            5.000      6.000/9.000  close:2 = ok\n"
		"1 B.nodes      1.000          -  rename p q excl = EINTR\n"
		"2 A.raw        1.000      2.000  tx xs-read p/x v1+v2; xs-rm p ok; xs-mkdir q EIO = "
		"EAGAIN\n"
		"2 A.raw        3.000      4.000  xs-directory . = p,q\n"
		"3 direct       1.000      2.000  xs-read q/y = \"\"\n"
		"1 B.nodes      6.000      7.000  list p = p/x,.value,unknown\n"
		"1 B            8.000      9.000  stat p = dir\n"
		"1 B           10.000     11.000  stat p/x = file 12\n"
		"1 B           12.000     13.000  stat p/y = error-99\n";
	char again[sizeof(text) + 100] = "";
	static struct history h;
	FILE *file = fmemopen((char *)text, strlen(text), "r");

	(void)state;
	history_init(&h);
	assert_int_equal(history_parse(&h, file, "text"), 0);
	fclose(file);
	file = fmemopen(again, sizeof(again), "w");
	history_print(&h, file);
	fclose(file);
	assert_string_equal(again, text);
	history_deinit(&h);
}

static void a_refused_history_is_made_small(void **state)
{
	static const char text[] =
		"initial p v1\n"
		"0 direct 1 2 xs-read p = v1\n"
		"1 A 1 2 stat q = ENOENT\n"
		"1 A 3 4 mkdir q = ok\n"
		"0 direct 5 6 xs-write p v2 = ok\n"
		"0 direct 7 8 xs-read p = v1\n"
		"1 A 9 10 rmdir q = ok\n";
	static struct history h;
	FILE *file = fmemopen((char *)text, strlen(text), "r");

	(void)state;
	history_init(&h);
	assert_int_equal(history_parse(&h, file, "text"), 0);
	fclose(file);
	assert_int_equal(history_explain(&h, 0), 0);
	assert_int_equal(history_shrink(&h, 0, 0), 2);
	assert_int_equal(h.n_steps, 3);
	assert_int_equal(h.steps[1].op, OP_XS_WRITE);
	assert_int_equal(h.steps[2].op, OP_XS_READ);
	history_deinit(&h);
}

/* ---- who serves them dies ---- */

static void what_a_dead_mount_acknowledged_holds(void **state)
{
	(void)state;
	CAN_BE("initial p v1\n"
	       "0 A 1 2 open p write,trunc = ok\n"
	       "0 A 3 4 write v2 = ok\n"
	       "0 A 5 9 new-mount = ok\n"
	       "1 A 10 11 open p = ok\n"
	       "1 A 12 13 read = v2\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "0 A 3 4 write v2 = ok\n"
		  "0 A 5 9 new-mount = ok\n"
		  "1 A 10 11 open p = ok\n"
		  "1 A 12 13 read = v1\n");
	/* The next one has no excuse to be stale. */
	CANNOT_BE("cache meta\ninitial p v1\n"
		  "0 direct 1 2 xs-rm p = ok\n"
		  "0 A 3 4 new-mount = ok\n"
		  "1 A 5 6 stat p = file 3\n");
	/* Nor does it know of a directory what the store does not. */
	CAN_BE("0 A 1 2 mkdir p = ok\n"
	       "0 A 3 4 new-mount = ok\n"
	       "1 A 5 6 stat p = file 0\n");
}

static void what_a_death_interrupted_may_have_happened(void **state)
{
	(void)state;
	CAN_BE("initial p v1\n"
	       "0 A 1 - unlink p = lost\n"
	       "0 A 2 4 new-mount = ok\n"
	       "1 A 5 6 stat p = file 3\n");
	CAN_BE("initial p v1\n"
	       "0 A 1 - unlink p = lost\n"
	       "0 A 2 4 new-mount = ok\n"
	       "1 A 5 6 stat p = ENOENT\n");
	/* Also when the next one is there, but once. */
	CAN_BE("initial p v1\n"
	       "0 A 1 2 open p write,trunc = ok\n"
	       "0 A 3 - write v2 = lost\n"
	       "0 A 4 5 new-mount = ok\n"
	       "1 direct 6 7 xs-read p = v1\n"
	       "1 direct 8 9 xs-read p = v2\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "0 A 3 - write v2 = lost\n"
		  "0 A 4 5 new-mount = ok\n"
		  "1 direct 6 7 xs-read p = v2\n"
		  "1 direct 8 9 xs-read p = v1\n");
	/* As a whole. */
	CANNOT_BE("initial p v1\n"
		  "0 A 1 - rename p q = lost\n"
		  "0 A 4 5 new-mount = ok\n"
		  "1 direct 6 7 xs-read q = v1\n"
		  "1 direct 8 9 xs-read p = v1\n");
	/* Not only at a time at which it would have changed nothing. */
	CAN_BE("0 B.raw 1 - xs-rm p = lost\n"
	       "1 direct 2 3 xs-write p v1 = ok\n"
	       "1 direct 4 5 xs-read p = ENOENT\n");
	CAN_BE("initial p v1\n"
	       "0 B.raw 1 - xs-write p v1 = lost\n"
	       "1 direct 2 3 xs-write p v2 = ok\n"
	       "1 direct 4 5 xs-read p = v1\n");
	CANNOT_BE("0 B.raw 1 - xs-rm p = lost\n"
		  "1 direct 2 3 xs-write p v1 = ok\n"
		  "1 direct 4 5 xs-read p = ENOENT\n"
		  "1 direct 6 7 xs-read p = v1\n");
}

static void a_new_server_has_nothing(void **state)
{
	(void)state;
	CAN_BE("initial p v1\n"
	       "0 direct 1 2 new-server = ok\n"
	       "1 A 3 4 stat p = ENOENT\n");
	CANNOT_BE("initial p v1\n"
		  "0 direct 1 2 new-server = ok\n"
		  "1 direct 3 4 xs-read p = v1\n");
	CANNOT_BE("0 direct 1 2 new-server = ok\n"
		  "1 direct 3 4 xs-write p v2 = ok\n"
		  "1 direct 5 6 xs-read p = ENOENT\n");
	/* A file that was open is one whose node somebody else has removed. */
	CAN_BE("initial p v1\n"
	       "0 A 1 2 open p write,trunc = ok\n"
	       "0 direct 3 4 new-server = ok\n"
	       "0 A 5 6 write v2 = ENOENT\n");
	CANNOT_BE("initial p v1\n"
		  "0 A 1 2 open p write,trunc = ok\n"
		  "0 direct 3 4 new-server = ok\n"
		  "0 A 5 6 write v2 = ok\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_read_sees_the_last_write),
		cmocka_unit_test(of_two_writes_at_once_either_is_the_last),
		cmocka_unit_test(a_value_does_not_go_back),
		cmocka_unit_test(what_did_not_end_may_have_happened),
		cmocka_unit_test(appends_are_all_there),
		cmocka_unit_test(a_transaction_is_one_step),
		cmocka_unit_test(of_two_who_create_one_succeeds),
		cmocka_unit_test(of_two_who_remove_one_succeeds),
		cmocka_unit_test(what_has_children_is_not_removed),
		cmocka_unit_test(nothing_is_made_below_what_is_gone),
		cmocka_unit_test(what_was_removed_does_not_come_back),
		cmocka_unit_test(a_write_may_be_late),
		cmocka_unit_test(what_somebody_else_removed_comes_back_with_the_node),
		cmocka_unit_test(a_file_is_empty_for_who_emptied_it),
		cmocka_unit_test(an_empty_value_may_be_hidden),
		cmocka_unit_test(a_file_is_created_by_its_first_write),
		cmocka_unit_test(a_new_file_goes_with_its_directory),
		cmocka_unit_test(the_last_close_writes_what_is_due),
		cmocka_unit_test(a_rename_is_one_step),
		cmocka_unit_test(a_rename_replaces_only_what_has_no_children),
		cmocka_unit_test(a_write_is_not_lost_in_a_rename),
		cmocka_unit_test(a_listing_is_one_step),
		cmocka_unit_test(a_directory_of_mkdir_stays_one),
		cmocka_unit_test(a_cache_shows_what_others_changed_later),
		cmocka_unit_test(a_change_is_seen_at_once_where_it_was_made),
		cmocka_unit_test(a_directory_that_was_seen_may_stay_one),
		cmocka_unit_test(a_rename_moves_paths_that_are_walked),
		cmocka_unit_test(what_a_dead_mount_acknowledged_holds),
		cmocka_unit_test(what_a_death_interrupted_may_have_happened),
		cmocka_unit_test(a_new_server_has_nothing),
		cmocka_unit_test(a_history_is_read_as_it_was_written),
		cmocka_unit_test(a_refused_history_is_made_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
