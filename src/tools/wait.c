/* SPDX-License-Identifier: MIT */
/*
 * xsfs-wait: waits until keys have a value, exist, are gone, or change.
 *
 * An event says no more than "look again".  So the program first subscribes to the keys, then looks
 * at them, and again after each of their events: nothing that happens in between is lost.  The main
 * thread does that; another ends the program when its time is over.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "src/tools/tool.h"
#include "src/tools/tool_read.h"
#include "src/tools/tool_stream.h"

enum what { WAIT_CHANGE, WAIT_VALUE, WAIT_EXISTS, WAIT_GONE };

/* The state of a key as last seen. */
struct sight {
	bool exists;
	char *value; /* owned */
	size_t len;
};

/* One of the conditions waited for. */
struct condition {
	const char *key;
	const char *value; /* WAIT_VALUE */
	enum what what;
	char path[PATH_SIZE]; /* in the store, or a special one like "@introduceDomain" */
	struct sight first, now;
	bool told;  /* there was an event on the key itself */
	bool stale; /* must be looked at again */
};

static struct tool tool = {
	.name = "xsfs-wait",
	.usage = "usage: xsfs-wait [-m MOUNT] KEY [VALUE] | KEY[=VALUE]... [--any | --all] "
		 "[--gone | --exists] [--timeout S]",
	.help = "Waits until KEY in a mounted xenstore changes, or has VALUE.\n"
		"  KEY                  a path in the store or in the mount, or from where you are\n"
		"  VALUE                wait until this is its value\n"
		"  -A, --all            of several keys wait for all (as without this option)\n"
		"  -a, --any            wait for one of them\n"
		"  -e, --exists         wait until the key is there\n"
		"  -g, --gone           wait until it is not\n"
		"  -m, --mount=MOUNT    where the store is mounted ($XSFS_MOUNT, or where you are)\n"
		"  -t, --timeout=S      wait no longer than S seconds, 0: only look\n"
		"  -h, --help           print this help\n"
		"  -V, --version        print the version\n"
		"Status 0: it holds; 1: the timeout passed; 2: an error.  More: man xsfs-wait",
};

static struct {
	struct condition *conditions;
	size_t n;
	enum what what; /* for keys without a value */
	bool any, all;
	bool timed;
	double timeout_s;
	struct stream stream;
} waiter;

/* ---- the arguments -------------------------------------------------------------------------- */

static int set_timeout(const char *text)
{
	char *end;

	waiter.timed = true;
	waiter.timeout_s = strtod(text, &end);
	/* Written so that "nan" fails; the limit is about a century. */
	if (*text && *end == '\0' && waiter.timeout_s >= 0 && waiter.timeout_s < 4e9)
		return 0;
	return tool_complain(&tool, -EINVAL, "--timeout %s: must be a number of seconds", text);
}

static int set_what(enum what what)
{
	if (waiter.what != WAIT_CHANGE && waiter.what != what)
		return tool_usage_error(&tool);
	waiter.what = what;
	return 0;
}

static int options_parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "all", no_argument, NULL, 'A' },
		{ "any", no_argument, NULL, 'a' },
		{ "exists", no_argument, NULL, 'e' },
		{ "gone", no_argument, NULL, 'g' },
		{ "timeout", required_argument, NULL, 't' },
		TOOL_OPTIONS,
		{ 0 },
	};
	int option, err = 0;

	opterr = 0;
	while (!err && (option = getopt_long(argc, argv, "Aaegt:" TOOL_LETTERS, options, NULL)) != -1) {
		switch (option) {
		case 'A':
			waiter.all = true;
			break;
		case 'a':
			waiter.any = true;
			break;
		case 'e':
			err = set_what(WAIT_EXISTS);
			break;
		case 'g':
			err = set_what(WAIT_GONE);
			break;
		case 't':
			err = set_timeout(optarg);
			break;
		default:
			err = tool_option(&tool, option, argv);
		}
	}
	if (!err && waiter.any && waiter.all)
		err = tool_usage_error(&tool);
	return err;
}

/* KEY or KEY=VALUE: no key contains a "=". */
static void set_condition(struct condition *c, char *word)
{
	char *equals = strchr(word, '=');

	*c = (struct condition){ .key = word, .what = waiter.what };
	if (equals) {
		*equals = '\0';
		c->value = equals + 1;
		c->what = WAIT_VALUE;
	}
}

/* Two words are a key and its value, unless something says that both are keys. */
static bool is_key_and_value(int n, char **words)
{
	return n == 2 && !waiter.any && !waiter.all && !strchr(words[0], '=');
}

static int arguments_parse(int argc, char **argv)
{
	int err = options_parse(argc, argv);
	int n = argc - optind;

	if (err)
		return err;
	if (n < 1 || (n > 2 && !waiter.any && !waiter.all && !strchr(argv[optind], '=')))
		return tool_usage_error(&tool);
	waiter.conditions = calloc(n, sizeof(*waiter.conditions));
	if (!waiter.conditions)
		return tool_fail(&tool, -ENOMEM, argv[optind]);
	if (is_key_and_value(n, argv + optind)) {
		err = set_what(WAIT_VALUE);
		waiter.conditions[0] = (struct condition){
			.key = argv[optind], .value = argv[optind + 1], .what = WAIT_VALUE,
		};
		n = 1;
	} else {
		for (int i = 0; i < n; i++)
			set_condition(&waiter.conditions[i], argv[optind + i]);
	}
	waiter.n = n;
	return err;
}

/* ---- looking -------------------------------------------------------------------------------- */

/* Returns 0, or the reason why nothing could be seen. */
static int look(const struct condition *c, struct sight *sight)
{
	ssize_t len;

	if (stream_is_special(c->path))
		return 0;
	free(sight->value);
	len = tool_value(&tool.mountpoint, c->path, &sight->value);
	sight->exists = len >= 0;
	sight->len = len >= 0 ? len : 0;
	return len < 0 && len != -ENOENT ? len : 0;
}

static bool equal(const struct sight *a, const struct sight *b)
{
	return a->exists == b->exists && a->len == b->len &&
	       (!a->exists || !memcmp(a->value, b->value, a->len));
}

static bool is_met(const struct condition *c)
{
	switch (c->what) {
	case WAIT_VALUE:
		return c->now.exists && c->now.len == strlen(c->value) &&
		       !memcmp(c->now.value, c->value, c->now.len);
	case WAIT_EXISTS:
		return c->now.exists;
	case WAIT_GONE:
		return !c->now.exists;
	case WAIT_CHANGE:
		return c->told || !equal(&c->now, &c->first);
	}
	return false;
}

static bool is_so(void)
{
	size_t met = 0;

	for (size_t i = 0; i < waiter.n; i++)
		met += is_met(&waiter.conditions[i]);
	return met == waiter.n || (waiter.any && met > 0);
}

/* ---- events --------------------------------------------------------------------------------- */

static void take_event(const struct stream_event *event)
{
	for (size_t i = 0; i < waiter.n; i++) {
		struct condition *c = &waiter.conditions[i];

		/* Also for the path of another condition: one below it may have made the key. */
		c->stale = true;
		if (strcmp(event->path, c->path) != 0)
			continue;
		/* The removal of a node above is reported for the key too, even if the
		 * key did not exist. */
		if (event->kind != STREAM_DELETED || c->first.exists)
			c->told = true;
	}
}

/* Takes the events that there are.  Returns how many, or -errno. */
static int take_events(void)
{
	struct stream_event event;
	int n, taken = 0;

	while ((n = stream_next(&waiter.stream, &tool, &event)) > 0) {
		take_event(&event);
		taken++;
	}
	return n < 0 ? n : taken;
}

static int wait_for_events(void)
{
	int err;

	/* A wake-up may be spurious. */
	do {
		err = stream_wait(&waiter.stream, &tool, -1);
		if (!err)
			err = take_events();
	} while (err == 0);
	return err < 0 ? err : 0;
}

/* ---- time ----------------------------------------------------------------------------------- */

/* Ends the program, whatever the main thread waits for; a milder way cannot always interrupt it. */
static void *timeout_thread(void *arg)
{
	struct timespec left = { .tv_sec = waiter.timeout_s };

	(void)arg;
	left.tv_nsec = (waiter.timeout_s - left.tv_sec) * 1e9;
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
		;
	_exit(TOOL_NO);
}

static int start_timeout(void)
{
	pthread_t thread;
	int err;

	if (!waiter.timed || waiter.timeout_s == 0)
		return 0;
	err = pthread_create(&thread, NULL, timeout_thread, NULL);
	return err ? tool_fail(&tool, -err, "no thread for the timeout") : 0;
}

/* ---- main ----------------------------------------------------------------------------------- */

/* Looks at the keys that had events.  Returns 0, or the reason why one could not be seen; that is
 * tried again after the next event. */
static int look_again(void)
{
	int err = 0;

	for (size_t i = 0; i < waiter.n && !err; i++) {
		struct condition *c = &waiter.conditions[i];

		if (c->stale)
			err = look(c, &c->now);
		c->stale = err;
	}
	return err;
}

static int find_key(struct condition *c)
{
	if (!stream_is_special(c->key))
		return tool_key(&tool, c->key, c->path);
	if (c->what != WAIT_CHANGE)
		return tool_complain(&tool, -EINVAL, "%s: an event, no key: it has no value and "
						     "is never gone", c->key);
	strcpy(c->path, c->key);
	return 0;
}

static int find_keys(void)
{
	int err = tool_find_mount(&tool, waiter.conditions[0].key);

	for (size_t i = 0; i < waiter.n && !err; i++)
		err = find_key(&waiter.conditions[i]);
	return err;
}

static int subscribe(void)
{
	int err = stream_open(&waiter.stream, &tool);

	for (size_t i = 0; i < waiter.n && !err; i++)
		err = stream_add(&waiter.stream, &tool, waiter.conditions[i].path);
	return err;
}

/*
 * Looks for the first time.  Then takes the events of changes made before we started, which
 * some servers send a little later; as everything comes in order, they precede the answer to
 * the first look.
 * Returns 0, or the reason why waiting does not work here.
 */
static int first_look(void)
{
	int err = 0;

	for (size_t i = 0; i < waiter.n && !err; i++) {
		struct condition *c = &waiter.conditions[i];

		err = look(c, &c->first);
		if (err)
			tool_fail(&tool, err, c->path);
	}
	if (!err)
		err = take_events();
	for (size_t i = 0; i < waiter.n; i++) {
		waiter.conditions[i].told = false;
		waiter.conditions[i].stale = true;
	}
	if (err >= 0 && (err = look_again()) < 0 && !tool.why[0])
		tool_fail(&tool, err, waiter.conditions[0].path);
	return err;
}

/* Returns a status, or -errno. */
static int wait_for_it(void)
{
	int err = start_timeout();

	if (!err)
		err = find_keys();
	if (!err)
		err = subscribe();
	if (!err)
		err = first_look();
	if (err)
		return err;
	/* A key that cannot be seen now (the store is away, or we may not read the key yet) is seen
	 * after a later event, which comes when the store is back. */
	while (err || !is_so()) {
		if (waiter.timed && waiter.timeout_s == 0)
			return TOOL_NO;
		if (err != -ETIMEDOUT && wait_for_events())
			return -EIO;
		err = look_again();
	}
	return TOOL_OK;
}

int main(int argc, char **argv)
{
	int status = arguments_parse(argc, argv);

	if (!status)
		status = wait_for_it();
	return tool_end(&tool, status);
}
