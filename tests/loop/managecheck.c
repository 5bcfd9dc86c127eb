/* SPDX-License-Identifier: MIT */
/*
 * managecheck.c - the promises of libxenmanage, put to the library that is preloaded.
 *
 * For t_loop.sh.  As domain 0 of a loopback world without a server, it makes and kills domains
 * with the command that is its argument; without an argument it plays a domain that may not ask.
 * It finds the functions by their names, as a server that is linked with the real library does, so
 * that it can be built where there is none.  One thread; it stops at the first broken promise,
 * with exit status 1.
 */
#include "tests/loop/manage.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xen/xen.h>

#define TIMEOUT_MS	60000
#define CAPS_DOM0	(XENMANAGE_GETDOMSTATE_CAP_CONTROL | XENMANAGE_GETDOMSTATE_CAP_HARDWARE | \
			 XENMANAGE_GETDOMSTATE_CAP_XENSTORE)

#define CHECK(cond) do {							\
	if (!(cond)) {								\
		fprintf(stderr, "managecheck: line %d: %s (errno: %s)\n", __LINE__,	\
			#cond, strerror(errno));				\
		exit(1);							\
	}									\
} while (0)
#define CHECK_FAILS(call, err) do {						\
	errno = 0;								\
	CHECK((call) == -1 && errno == (err));					\
} while (0)

static struct {
	__typeof__(&xenmanage_open) open;
	__typeof__(&xenmanage_close) close;
	__typeof__(&xenmanage_get_domain_info) info;
	__typeof__(&xenmanage_poll_changed_domain) poll;
} lib;

static void lib_find(void)
{
	CHECK((lib.open = dlsym(RTLD_DEFAULT, "xenmanage_open")));
	CHECK((lib.close = dlsym(RTLD_DEFAULT, "xenmanage_close")));
	CHECK((lib.info = dlsym(RTLD_DEFAULT, "xenmanage_get_domain_info")));
	CHECK((lib.poll = dlsym(RTLD_DEFAULT, "xenmanage_poll_changed_domain")));
}

/* Runs xsloop COMMAND on this world, with up to two more arguments. */
static void xsloop(const char *program, const char *command, const char *arg1, const char *arg2)
{
	const char *dir = getenv("XSLOOP_DIR");
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		unsetenv("LD_PRELOAD");
		execl(program, program, command, dir, arg1, arg2, (char *)NULL);
		_exit(127);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* The next domain that has changed is this one; its unique id. */
static uint64_t changed(xenmanage_handle *xm, unsigned int want, unsigned int want_state,
			unsigned int want_caps)
{
	unsigned int domid = ~0u, state = ~0u, caps = ~0u;
	uint64_t id = ~0ull;

	CHECK(lib.poll(xm, &domid, &state, &caps, &id) == 0);
	CHECK(domid == want && state == want_state && caps == want_caps);
	CHECK((id != 0) == (want_state != 0));
	return id;
}

static void no_more(xenmanage_handle *xm)
{
	unsigned int domid;

	CHECK_FAILS(lib.poll(xm, &domid, NULL, NULL, NULL), ENOENT);
}

static void virq_take(xenevtchn_handle *xce, int port)
{
	struct pollfd pfd = { .fd = xenevtchn_fd(xce), .events = POLLIN };

	CHECK(poll(&pfd, 1, TIMEOUT_MS) == 1);
	CHECK(xenevtchn_pending(xce) == port);
	CHECK(xenevtchn_unmask(xce, port) == 0);
}

static void check_arguments(xenmanage_handle *xm)
{
	unsigned int domid;

	errno = 0;
	CHECK(!lib.open(NULL, 1) && errno == EINVAL);
	CHECK(lib.close(NULL) == 0);
	CHECK_FAILS(lib.info(NULL, 0, NULL, NULL, NULL), EINVAL);
	CHECK_FAILS(lib.info(xm, DOMID_FIRST_RESERVED, NULL, NULL, NULL), EINVAL);
	CHECK_FAILS(lib.info(xm, DOMID_FIRST_RESERVED - 1, NULL, NULL, NULL), ESRCH);
	CHECK_FAILS(lib.poll(xm, NULL, NULL, NULL, NULL), EINVAL);
	CHECK_FAILS(lib.poll(NULL, &domid, NULL, NULL, NULL), EINVAL);
	/* The list belongs to the domain that is told when it grows. */
	CHECK_FAILS(lib.poll(xm, &domid, NULL, NULL, NULL), EACCES);
}

static void check_info(xenmanage_handle *xm)
{
	unsigned int state, caps;
	uint64_t id, again;

	CHECK(lib.info(xm, 0, &state, &caps, &id) == 0);
	CHECK(state == XENMANAGE_GETDOMSTATE_STATE_EXIST && caps == CAPS_DOM0 && id != 0);
	CHECK(lib.info(xm, 0, NULL, NULL, &again) == 0 && again == id);
	CHECK(lib.info(xm, 5, &state, &caps, &again) == 0);
	CHECK(state == XENMANAGE_GETDOMSTATE_STATE_EXIST && caps == 0 && again != 0 && again != id);
	CHECK(lib.info(xm, 5, NULL, NULL, NULL) == 0);
}

static void check_changes(xenmanage_handle *xm, const char *program)
{
	xenevtchn_handle *xce = xenevtchn_open(NULL, 0);
	uint64_t first, second, now;
	int port;

	CHECK(xce && (port = xenevtchn_bind_virq(xce, VIRQ_DOM_EXC)) > 0);
	/* To a new store, all domains are new. */
	changed(xm, 0, XENMANAGE_GETDOMSTATE_STATE_EXIST, CAPS_DOM0);
	changed(xm, 5, XENMANAGE_GETDOMSTATE_STATE_EXIST, 0);
	no_more(xm);
	xsloop(program, "domain", "7", "4711");
	virq_take(xce, port);
	first = changed(xm, 7, XENMANAGE_GETDOMSTATE_STATE_EXIST, 0);
	no_more(xm);
	CHECK(lib.info(xm, 7, NULL, NULL, &now) == 0 && now == first);
	/* One page more makes no other domain of it. */
	xsloop(program, "domain", "7", "4712");
	no_more(xm);
	CHECK(lib.info(xm, 7, NULL, NULL, &now) == 0 && now == first);
	xsloop(program, "kill-domain", "7", NULL);
	virq_take(xce, port);
	changed(xm, 7, 0, 0);
	no_more(xm);
	CHECK_FAILS(lib.info(xm, 7, NULL, NULL, NULL), ESRCH);
	/* The next of the number is told from it, even by who never saw it gone. */
	xsloop(program, "domain", "7", "4711");
	second = changed(xm, 7, XENMANAGE_GETDOMSTATE_STATE_EXIST, 0);
	CHECK(second != first);
	xsloop(program, "kill-domain", "7", NULL);
	xsloop(program, "domain", "7", "4711");
	now = changed(xm, 7, XENMANAGE_GETDOMSTATE_STATE_EXIST, 0);
	no_more(xm);
	CHECK(now != first && now != second);
	CHECK(xenevtchn_close(xce) == 0);
}

int main(int argc, char **argv)
{
	xenmanage_handle *xm;
	unsigned int domid;

	lib_find();
	CHECK((xm = lib.open(NULL, 0)));
	if (argc < 2) {
		CHECK_FAILS(lib.info(xm, 0, NULL, NULL, NULL), EPERM);
		CHECK_FAILS(lib.poll(xm, &domid, NULL, NULL, NULL), EPERM);
	} else {
		check_arguments(xm);
		xsloop(argv[1], "domain", "5", "1");
		check_info(xm);
		check_changes(xm, argv[1]);
	}
	CHECK(lib.close(xm) == 0);
	return 0;
}
