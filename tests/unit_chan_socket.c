/* SPDX-License-Identifier: MIT */
/*
 * Tests the channel over the socket transport on fakestore, a real process that
 * misbehaves on command.  One thread; fakestore is started from the current directory, or
 * from the path in $FAKESTORE.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring/chan.h"

struct world {
	char dir[32], socket[48], control[48];
	pid_t pid;
	FILE *from, *to; /* fakestore's answers and its commands */
	struct chan *chan;
};

/* Waits for a line of fakestore's. */
static void expect(struct world *w, const char *word)
{
	char line[300] = "";

	if (!fgets(line, sizeof(line), w->from) || strncmp(line, word, strlen(word)))
		fail_msg("fakestore said \"%s\" and not \"%s\"", line, word);
}

static void command(struct world *w, const char *line)
{
	fprintf(w->to, "%s\n", line);
	fflush(w->to);
	if (strcmp(line, "die"))
		expect(w, "done");
}

static void start(struct world *w)
{
	const char *program = getenv("FAKESTORE");
	int out[2];

	assert_int_equal(pipe(out), 0);
	w->pid = fork();
	if (w->pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execl(program ? program : "./fakestore", "fakestore", w->socket, w->control,
		      (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	w->from = fdopen(out[0], "r");
	assert_non_null(w->from);
	expect(w, "ready");
}

static void stop(struct world *w)
{
	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
	fclose(w->from);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct chan_config config = { .timeout_ms = 5000 };

	strcpy(w->dir, "/tmp/unit_chan_socket.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->socket, sizeof(w->socket), "%s/socket", w->dir);
	snprintf(w->control, sizeof(w->control), "%s/control", w->dir);
	assert_int_equal(mkfifo(w->control, 0600), 0);
	start(w);
	w->to = fopen(w->control, "w");
	assert_non_null(w->to);
	assert_int_equal(transport_socket_new(&config.transport, w->socket, NULL), 0);
	assert_int_equal(chan_new(&w->chan, &config), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	chan_free(w->chan);
	stop(w);
	fclose(w->to);
	unlink(w->socket);
	unlink(w->control);
	rmdir(w->dir);
	free(w);
	return 0;
}

static struct request *submit(struct world *w, uint32_t type, const char *path, const char *data)
{
	struct request *req = request_new_path(type, 0, path, data, data ? strlen(data) : 0);

	assert_non_null(req);
	chan_submit(w->chan, req);
	return req;
}

/* Waits for a request and drops it. */
static int finish(struct world *w, struct request *req)
{
	int error = chan_wait(w->chan, req);

	request_put(req);
	return error;
}

/* Reads `path`; fails the test unless that gives `value`. */
static void read_is(struct world *w, const char *path, const char *value)
{
	struct request *req = submit(w, XS_READ, path, NULL);

	assert_int_equal(chan_wait(w->chan, req), 0);
	assert_string_equal(req->reply, value);
	request_put(req);
}

/* Writes /k0 to /k9. */
static void write_ten(struct world *w)
{
	struct request *reqs[10];
	char path[16], value[16];

	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "/k%d", i);
		snprintf(value, sizeof(value), "v%d", i);
		reqs[i] = submit(w, XS_WRITE, path, value);
	}
	for (int i = 0; i < 10; i++)
		assert_int_equal(finish(w, reqs[i]), 0);
}

static void read_ten(struct world *w)
{
	struct request *reqs[10];
	char path[16], value[16];

	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "/k%d", i);
		reqs[i] = submit(w, XS_READ, path, NULL);
	}
	for (int i = 0; i < 10; i++) {
		snprintf(value, sizeof(value), "v%d", i);
		assert_int_equal(chan_wait(w->chan, reqs[i]), 0);
		assert_string_equal(reqs[i]->reply, value);
		request_put(reqs[i]);
	}
}

static void honest(void **state)
{
	struct world *w = *state;
	struct request *req;

	write_ten(w);
	read_ten(w);
	req = submit(w, XS_DIRECTORY, "/", NULL);
	assert_int_equal(chan_wait(w->chan, req), 0);
	assert_int_equal(req->reply_len, 30);
	assert_memory_equal(req->reply, "k0\0k1", 6);
	request_put(req);
	assert_int_equal(finish(w, submit(w, XS_RM, "/k3", NULL)), 0);
	assert_int_equal(finish(w, submit(w, XS_READ, "/k3", NULL)), -ENOENT);
	assert_int_equal(finish(w, submit(w, XS_READ, "//", NULL)), -EINVAL);
}

static void transaction_conflicts(void **state)
{
	struct world *w = *state;
	struct request *start_req = submit(w, XS_TRANSACTION_START, "", NULL), *req;
	uint32_t id;

	assert_int_equal(chan_wait(w->chan, start_req), 0);
	id = atoi(start_req->reply);
	request_put(start_req);
	req = request_new_path(XS_WRITE, id, "/t", "in", 2);
	chan_submit(w->chan, req);
	assert_int_equal(finish(w, req), 0);
	assert_int_equal(finish(w, submit(w, XS_READ, "/t", NULL)), -ENOENT);
	assert_int_equal(finish(w, submit(w, XS_WRITE, "/t", "out")), 0);
	req = request_new_path(XS_TRANSACTION_END, id, "T", NULL, 0);
	chan_submit(w->chan, req);
	assert_int_equal(finish(w, req), -EAGAIN);
	read_is(w, "/t", "out");
}

static void late(void **state)
{
	struct world *w = *state;

	write_ten(w);
	command(w, "delay 30");
	read_ten(w);
}

static void reordered(void **state)
{
	struct world *w = *state;

	write_ten(w);
	command(w, "reorder 4");
	read_ten(w);
}

static void byte_by_byte(void **state)
{
	struct world *w = *state;

	write_ten(w);
	command(w, "split 1");
	read_ten(w);
}

static void answered_twice(void **state)
{
	struct world *w = *state;
	struct chan_stats stats;

	write_ten(w);
	command(w, "twice 3");
	read_ten(w);
	read_ten(w);
	chan_stats(w->chan, &stats);
	assert_int_equal(stats.unknown_replies, 3);
}

static void silence(void **state)
{
	struct world *w = *state;
	struct request *req = request_new_path(XS_READ, 0, "/", NULL, 0);

	command(w, "silent 1");
	req->timeout_ms = 30;
	chan_submit(w->chan, req);
	assert_int_equal(finish(w, req), -ETIMEDOUT);
	/* Others are not concerned. */
	write_ten(w);
	read_ten(w);
}

static void foreign_id(void **state)
{
	struct world *w = *state;
	struct request *req = request_new_path(XS_READ, 0, "/", NULL, 0);

	command(w, "wrong-id 1");
	req->timeout_ms = 30;
	chan_submit(w->chan, req);
	assert_int_equal(finish(w, req), -ETIMEDOUT);
	write_ten(w);
}

static void error_name(void **state)
{
	struct world *w = *state;

	command(w, "error 2 EQUOTA");
	assert_int_equal(finish(w, submit(w, XS_WRITE, "/a", "v")), -EDQUOT);
	command(w, "error 1 ENONSENSE");
	assert_int_equal(finish(w, submit(w, XS_WRITE, "/a", "v")), -EIO);
}

static void lie(void **state)
{
	struct world *w = *state;

	command(w, "lie 1 no such thing");
	read_is(w, "/nowhere", "no such thing");
}

/* After `fault` a request fails, the connection is made anew, and then everything works. */
static void breaks_the_connection(struct world *w, const char *fault)
{
	struct chan_stats stats;

	write_ten(w);
	command(w, fault);
	assert_int_equal(finish(w, submit(w, XS_READ, "/k0", NULL)), -EIO);
	read_ten(w);
	chan_stats(w->chan, &stats);
	assert_int_equal(stats.reconnects, 1);
}

static void wrong_type(void **state)
{
	breaks_the_connection(*state, "wrong-type 1");
}

static void oversize(void **state)
{
	breaks_the_connection(*state, "oversize 1");
}

static void garbage(void **state)
{
	breaks_the_connection(*state, "garbage 1");
}

static void half_a_message(void **state)
{
	breaks_the_connection(*state, "half 1");
}

static void closed(void **state)
{
	breaks_the_connection(*state, "after 1 close");
}

static void refused_for_a_while(void **state)
{
	struct world *w = *state;
	struct request *req;

	command(w, "refuse on");
	command(w, "close");
	req = submit(w, XS_WRITE, "/a", "v");
	/* Until it has been turned away at least once. */
	for (struct chan_stats stats = { 0 }; stats.reconnects < 2;) {
		struct pollfd fds[CHAN_POLLFDS];

		if (chan_service(w->chan) == 0 && chan_may_sleep(w->chan))
			poll(fds, chan_pollfds(w->chan, fds), chan_timeout(w->chan));
		chan_stats(w->chan, &stats);
	}
	command(w, "refuse off");
	/* What was in flight on one of those connections failed, what comes now does not. */
	finish(w, req);
	while (finish(w, submit(w, XS_WRITE, "/a", "v")) == -EIO)
		;
	read_is(w, "/a", "v");
}

static void died_and_came_back(void **state)
{
	struct world *w = *state;
	struct request *req;

	write_ten(w);
	command(w, "die");
	waitpid(w->pid, NULL, 0);
	fclose(w->from);
	req = submit(w, XS_READ, "/k0", NULL);
	assert_int_equal(finish(w, req), -EIO);
	req = submit(w, XS_WRITE, "/new", "v");
	start(w);
	assert_int_equal(finish(w, req), 0);
	read_is(w, "/new", "v");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(honest),
		TEST(transaction_conflicts),
		TEST(late),
		TEST(reordered),
		TEST(byte_by_byte),
		TEST(answered_twice),
		TEST(silence),
		TEST(foreign_id),
		TEST(error_name),
		TEST(lie),
		TEST(wrong_type),
		TEST(oversize),
		TEST(garbage),
		TEST(half_a_message),
		TEST(closed),
		TEST(refused_for_a_while),
		TEST(died_and_came_back),
	};

	return cmocka_run_group_tests_name("chan_socket", tests, NULL, NULL);
}
