/* SPDX-License-Identifier: MIT */
/*
 * xsfs-wait: waits until a key has a value, is there, is gone, or changes.
 *
 * An event says no more than "look again".  So first the key is subscribed to, then it is looked
 * at, and again after each line of the stream: what happens in between is not lost.  The main
 * thread does that; another ends the program in time.  System calls are begun again after EINTR,
 * which a stop (Ctrl-Z) leaves behind.
 *
 * While nothing happens it is in epoll_wait(2), the only wait for a FUSE file in which Linux can
 * freeze a process, and so save the guest that it runs in: read(2) has a request under way, and
 * poll(2) makes one when it is disturbed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "src/mountpoint.h"
#include "src/usage.h"

/* The kernel's limit for an attribute; a value is smaller. */
#define VALUE_MAX 65536

/* Of the messages, which may name a path. */
#define WHY_SIZE (PATH_MAX + 512)

enum { STATUS_TRUE, STATUS_TIMEOUT, STATUS_ERROR };

enum what { WAIT_CHANGE, WAIT_VALUE, WAIT_EXISTS, WAIT_GONE };

struct arguments {
	const char *mount;
	const char *key;
	const char *value;
	enum what what;
	bool timed;
	double timeout_s;
};

/* What was seen of the key. */
struct sight {
	bool exists;
	size_t len;
	char value[VALUE_MAX];
};

struct waiter {
	struct arguments arguments;
	struct mountpoint mountpoint;
	char path[PATH_SIZE]; /* in the store, or a special one like "@introduceDomain" */
	char file[MOUNTPOINT_FILE_SIZE];
	struct sight first, now;
	int fd;    /* the stream of events */
	int epoll; /* waits for it */
	bool told; /* there was an event on the key itself */
	char lines[2 * PATH_SIZE];
	size_t lines_len;
	char why[WHY_SIZE];
};

static const char usage[] = "usage: xsfs-wait [-m MOUNT] KEY [VALUE | --gone | --exists] "
			    "[--timeout S]";

static const char help[] =
	"Waits until KEY in the xenstore that is mounted at MOUNT changes, or has VALUE.\n"
	"  KEY                  a path in the store, or from the current directory in the mount\n"
	"  VALUE                wait until this is its value\n"
	"  -e, --exists         wait until the key is there\n"
	"  -g, --gone           wait until it is not\n"
	"  -m, --mount=MOUNT    where the store is mounted ($XSFS_MOUNT, or where you are)\n"
	"  -t, --timeout=S      wait no longer than S seconds, 0: only look\n"
	"  -h, --help           print this help\n"
	"  -V, --version        print the version\n"
	"Status 0: it is so; 1: not in time; 2: an error.  More: man xsfs-wait";

/* ---- the arguments -------------------------------------------------------------------------- */

static int fail(struct waiter *w, int err, const char *what)
{
	snprintf(w->why, sizeof(w->why), "%s: %s", what, strerror(-err));
	return err;
}

static int usage_error(struct waiter *w)
{
	snprintf(w->why, sizeof(w->why), "%s", usage);
	return -EINVAL;
}

static int set_timeout(struct waiter *w, const char *text)
{
	char *end;

	w->arguments.timed = true;
	w->arguments.timeout_s = strtod(text, &end);
	/* A comparison that "nan" does not pass; the end is about a century off. */
	if (*text && *end == '\0' && w->arguments.timeout_s >= 0 && w->arguments.timeout_s < 4e9)
		return 0;
	snprintf(w->why, sizeof(w->why), "--timeout %s: must be a number of seconds", text);
	return -EINVAL;
}

static int set_what(struct waiter *w, enum what what)
{
	if (w->arguments.what != WAIT_CHANGE && w->arguments.what != what)
		return usage_error(w);
	w->arguments.what = what;
	return 0;
}

/* Help and version are printed here, and end the program. */
static int arguments_parse(struct waiter *w, int argc, char **argv)
{
	static const struct option options[] = {
		{ "exists", no_argument, NULL, 'e' },   { "gone", no_argument, NULL, 'g' },
		{ "mount", required_argument, NULL, 'm' },
		{ "timeout", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },     { "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option, err = 0;

	opterr = 0;
	while (!err && (option = getopt_long(argc, argv, "egm:t:hV", options, NULL)) != -1) {
		switch (option) {
		case 'e':
			err = set_what(w, WAIT_EXISTS);
			break;
		case 'g':
			err = set_what(w, WAIT_GONE);
			break;
		case 'm':
			w->arguments.mount = optarg;
			break;
		case 't':
			err = set_timeout(w, optarg);
			break;
		case 'h':
			printf("%s\n%s\n", usage, help);
			exit(STATUS_TRUE);
		case 'V':
			puts("xsfs-wait " PACKAGE_VERSION);
			exit(STATUS_TRUE);
		default:
			usage_wrong_option(w->why, sizeof(w->why), argv[optind - 1], usage);
			err = -EINVAL;
		}
	}
	if (err)
		return err;
	if (optind == argc || argc - optind > 2)
		return usage_error(w);
	w->arguments.key = argv[optind];
	w->arguments.value = argv[optind + 1];
	return w->arguments.value ? set_what(w, WAIT_VALUE) : 0;
}

/* ---- looking -------------------------------------------------------------------------------- */

static bool is_special(const struct waiter *w)
{
	return w->path[0] == '@';
}

/* Returns 0, or why nothing could be seen. */
static int look(const struct waiter *w, struct sight *sight)
{
	ssize_t len;

	if (is_special(w))
		return 0;
	len = TEMP_FAILURE_RETRY(getxattr(w->file, "user.xenstore.value", sight->value,
					  sizeof(sight->value)));
	sight->exists = len >= 0;
	sight->len = sight->exists ? len : 0;
	return len < 0 && errno != ENOENT ? -errno : 0;
}

static bool equal(const struct sight *a, const struct sight *b)
{
	return a->exists == b->exists && a->len == b->len && !memcmp(a->value, b->value, a->len);
}

static bool is_so(const struct waiter *w)
{
	const char *value = w->arguments.value;

	switch (w->arguments.what) {
	case WAIT_VALUE:
		return w->now.exists && w->now.len == strlen(value) &&
		       !memcmp(w->now.value, value, w->now.len);
	case WAIT_EXISTS:
		return w->now.exists;
	case WAIT_GONE:
		return !w->now.exists;
	case WAIT_CHANGE:
		return w->told || !equal(&w->now, &w->first);
	}
	return false;
}

/* ---- events --------------------------------------------------------------------------------- */

/* On a mount that is read-only no path can be written: streams the subtree of the nearest node
 * above the key that exists. */
static int open_above(struct waiter *w)
{
	char path[PATH_SIZE], file[MOUNTPOINT_FILE_SIZE + 8];
	char *last;

	strcpy(path, w->path);
	for (;;) {
		mountpoint_node(&w->mountpoint, path, file);
		strcat(file, "/.watch");
		w->fd = TEMP_FAILURE_RETRY(open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
		if (w->fd >= 0)
			return 0;
		if (errno != ENOENT || !strcmp(path, w->mountpoint.root))
			return fail(w, -errno, file);
		last = strrchr(path, '/');
		last[last == path] = '\0';
	}
}

static int open_stream(struct waiter *w)
{
	char file[PATH_MAX + 16];
	size_t len = strlen(w->path);

	snprintf(file, sizeof(file), "%s/.xsfs/watch", w->mountpoint.dir);
	w->fd = TEMP_FAILURE_RETRY(open(file, O_RDWR | O_NONBLOCK | O_CLOEXEC));
	if (w->fd < 0 && (errno == EROFS || errno == EACCES) && !is_special(w))
		return open_above(w);
	if (w->fd < 0)
		return fail(w, -errno, file);
	if (TEMP_FAILURE_RETRY(write(w->fd, w->path, len)) != (ssize_t)len)
		return fail(w, -errno, w->path);
	return 0;
}

/* From when this returns, changes are reported. */
static int subscribe(struct waiter *w)
{
	struct epoll_event event = { .events = EPOLLIN };
	int err = open_stream(w);

	if (err)
		return err;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->fd, &event))
		return fail(w, -errno, "waiting for events");
	return 0;
}

static void take_line(struct waiter *w, const char *line)
{
	const char *path = strchr(line, ' ');

	if (!path || strcmp(path + 1, w->path) != 0)
		return;
	/* Removing a node above is told for the key too, also if that was not there. */
	if (strncmp(line, "deleted ", 8) != 0 || w->first.exists)
		w->told = true;
}

/* Takes what events there are.  Returns 0, -EAGAIN when there are none, or -errno. */
static int read_events(struct waiter *w)
{
	char *line = w->lines, *end;
	ssize_t count;

	count = TEMP_FAILURE_RETRY(
		read(w->fd, w->lines + w->lines_len, sizeof(w->lines) - w->lines_len));
	if (count < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (count <= 0)
		return fail(w, count ? -errno : -EIO, "the stream of events ended");
	w->lines_len += count;
	while ((end = memchr(line, '\n', w->lines + w->lines_len - line))) {
		*end = '\0';
		take_line(w, line);
		line = end + 1;
	}
	w->lines_len -= line - w->lines;
	memmove(w->lines, line, w->lines_len);
	return 0;
}

static int wait_for_events(struct waiter *w)
{
	struct epoll_event event;
	int err;

	/* A wake-up may be for nothing. */
	do {
		if (TEMP_FAILURE_RETRY(epoll_wait(w->epoll, &event, 1, -1)) < 0)
			return fail(w, -errno, "waiting for events");
		err = read_events(w);
	} while (err == -EAGAIN);
	return err;
}

/*
 * Takes the events of what was done before we came, which some servers send a little later; as
 * everything comes in order, the answer to the first look was behind them.
 */
static int take_old_events(struct waiter *w)
{
	int err;

	do
		err = read_events(w);
	while (!err);
	w->told = false;
	return err == -EAGAIN ? 0 : err;
}

/* ---- time ----------------------------------------------------------------------------------- */

/* Ends the program whatever the main thread waits for; less cannot always interrupt that. */
static void *timeout_thread(void *arg)
{
	const struct arguments *arguments = arg;
	struct timespec left = { .tv_sec = arguments->timeout_s };

	left.tv_nsec = (arguments->timeout_s - left.tv_sec) * 1e9;
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
	_exit(STATUS_TIMEOUT);
}

static int start_timeout(struct waiter *w)
{
	pthread_t thread;
	int err;

	if (!w->arguments.timed || w->arguments.timeout_s == 0)
		return 0;
	err = pthread_create(&thread, NULL, timeout_thread, &w->arguments);
	return err ? fail(w, -err, "no thread for the timeout") : 0;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int find_key(struct waiter *w)
{
	const struct arguments *arguments = &w->arguments;
	int err = mountpoint_find(&w->mountpoint, arguments->mount, w->why, sizeof(w->why));

	if (err)
		return err;
	if (arguments->key[0] != '@') {
		err = mountpoint_key(&w->mountpoint, arguments->key, w->path, w->why,
				     sizeof(w->why));
		mountpoint_node(&w->mountpoint, w->path, w->file);
		return err;
	}
	if (arguments->what != WAIT_CHANGE) {
		snprintf(w->why, sizeof(w->why), "%s: an event, no key: it has no value and is "
						 "never gone", arguments->key);
		return -EINVAL;
	}
	snprintf(w->path, sizeof(w->path), "%s", arguments->key);
	return 0;
}

/* Looks for the first time.  Returns 0, or why that does not work here. */
static int first_look(struct waiter *w)
{
	int err = look(w, &w->first);

	if (!err && w->arguments.what == WAIT_CHANGE)
		err = take_old_events(w);
	if (!err)
		err = look(w, &w->now);
	return err && !w->why[0] ? fail(w, err, w->path) : err;
}

/* Returns 0 when it is so, 1 when the time is over, or -errno. */
static int wait_for_it(struct waiter *w)
{
	int err = start_timeout(w);

	if (!err)
		err = find_key(w);
	if (!err)
		err = subscribe(w);
	if (!err)
		err = first_look(w);
	if (err)
		return err;
	/* What cannot be seen now (the store is away, or the key is not ours to read yet) is seen
	 * after a later event: there is one when the store is back. */
	while (err || !is_so(w)) {
		if (w->arguments.timed && w->arguments.timeout_s == 0)
			return STATUS_TIMEOUT;
		if (err != -ETIMEDOUT && wait_for_events(w))
			return -EIO;
		err = look(w, &w->now);
	}
	return STATUS_TRUE;
}

int main(int argc, char **argv)
{
	static struct waiter w = { .fd = -1, .epoll = -1 };
	int status = arguments_parse(&w, argc, argv);

	if (status == 0)
		status = wait_for_it(&w);
	if (status >= 0)
		return status;
	fprintf(stderr, "xsfs-wait: %s\n", w.why);
	return STATUS_ERROR;
}
