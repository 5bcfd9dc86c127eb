/* SPDX-License-Identifier: MIT */
/*
 * xsfs-tx: runs a command in a transaction of the store, and commits that if the command succeeds.
 *
 * The transaction is an open file of this process, which no child inherits: however this
 * process ends, anything that was not committed is gone.  One thread.  The signals that end
 * programs are blocked and handled between the steps: while the command runs they concern the
 * command, which ends first.
 * System calls are restarted after EINTR, which a stop (Ctrl-Z) leaves behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "src/tools/mountpoint.h"
#include "src/tools/usage.h"

/* Size of messages, which may name a path. */
#define WHY_SIZE (MOUNTPOINT_FILE_SIZE + 512)

#define RETRIES_DEFAULT 100
#define RETRIES_MAX 1000000

/* Pauses before another try: the first and the longest. */
#define PAUSE_FIRST_MS 2
#define PAUSE_LAST_MS 1000

/* The same as env(1) and timeout(1) use; 1 to 123 mostly come from the command. */
enum {
	STATUS_CONFLICT = 124,
	STATUS_ERROR = 125,
	STATUS_CANNOT_RUN = 126,
	STATUS_NOT_FOUND = 127,
};

struct runner {
	const char *mount;
	unsigned retries;
	char **command;
	struct mountpoint mountpoint;
	char view[PATH_MAX];    /* the root of the transaction's view */
	char dir[MOUNTPOINT_FILE_SIZE]; /* the directory in which the command runs */
	int fd;                 /* open file of the transaction */
	pid_t child;
	int child_status;       /* as from waitpid(2) */
	bool signalled;         /* a signal asked us to end */
	sigset_t handled;
	sigset_t old_mask;
	char why[WHY_SIZE];
};

static const char usage[] = "usage: xsfs-tx [-m MOUNT] [-r RETRIES] COMMAND [ARGUMENT]...";

static const char help[] =
	"Runs COMMAND in a transaction of the xenstore that is mounted at MOUNT: in the current\n"
	"directory as the transaction sees it, with its root in $XSFS.  Commits if COMMAND succeeds.\n"
	"  -m, --mount=MOUNT    where the store is mounted ($XSFS_MOUNT, or where you are)\n"
	"  -r, --retries=N      how often to run COMMAND again after a conflict (100)\n"
	"  -h, --help           print this help\n"
	"  -V, --version        print the version\n"
	"Status: that of COMMAND; 124: a conflict each time; 125: an error; 126, 127: COMMAND cannot\n"
	"be run, or not be found.  More: man xsfs-tx";

/* Returns `status`, with a reason. */
static int fail(struct runner *r, int status, const char *what, int err)
{
	snprintf(r->why, sizeof(r->why), "%s: %s", what, strerror(err));
	return status;
}

/* ---- the arguments -------------------------------------------------------------------------- */

static int set_retries(struct runner *r, const char *text)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && *end == '\0' && !errno && number <= RETRIES_MAX) {
		r->retries = number;
		return 0;
	}
	snprintf(r->why, sizeof(r->why), "--retries %s: must be a number up to %d", text,
		 RETRIES_MAX);
	return STATUS_ERROR;
}

/* Help and version are printed here, and end the program. */
static int arguments_parse(struct runner *r, int argc, char **argv)
{
	static const struct option options[] = {
		{ "mount", required_argument, NULL, 'm' },
		{ "retries", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	int option, status = 0;

	opterr = 0;
	/* The "+" leaves everything after the command to the command. */
	while (!status && (option = getopt_long(argc, argv, "+m:r:hV", options, NULL)) != -1) {
		switch (option) {
		case 'm':
			r->mount = optarg;
			break;
		case 'r':
			status = set_retries(r, optarg);
			break;
		case 'h':
			printf("%s\n%s\n", usage, help);
			exit(0);
		case 'V':
			puts("xsfs-tx " PACKAGE_VERSION);
			exit(0);
		default:
			usage_wrong_option(r->why, sizeof(r->why), argv[optind - 1], usage);
			status = STATUS_ERROR;
		}
	}
	r->command = argv + optind;
	if (!status && optind >= argc) {
		snprintf(r->why, sizeof(r->why), "%s", usage);
		status = STATUS_ERROR;
	}
	return status;
}

/* ---- the transaction ------------------------------------------------------------------------ */

/* Chooses where the command runs: in our current directory, if that is on the mount. */
static void set_dir(struct runner *r)
{
	const struct mountpoint *m = &r->mountpoint;
	size_t skip = m->root[1] ? strlen(m->root) : 0;

	snprintf(r->dir, sizeof(r->dir), "%s%s%s", r->view, m->uniform ? "/.xsfs/nodes" : "",
		 m->here[0] && m->here[1] ? m->here + skip : "");
}

static int transaction_open(struct runner *r)
{
	char file[PATH_MAX], name[64];
	size_t len = 0;
	ssize_t count;
	int size;

	size = snprintf(file, sizeof(file), "%s/.xsfs/transaction", r->mountpoint.dir);
	if (size >= (int)sizeof(file))
		return fail(r, STATUS_ERROR, r->mountpoint.dir, ENAMETOOLONG);
	r->fd = TEMP_FAILURE_RETRY(open(file, O_RDWR | O_CLOEXEC));
	if (r->fd < 0)
		return fail(r, STATUS_ERROR, file, errno);
	while (len < sizeof(name) - 1 && !memchr(name, '\n', len)) {
		count = TEMP_FAILURE_RETRY(read(r->fd, name + len, sizeof(name) - 1 - len));
		if (count <= 0)
			return fail(r, STATUS_ERROR, file, count ? errno : EIO);
		len += count;
	}
	name[len] = '\0';
	name[strcspn(name, "\n")] = '\0';
	size = snprintf(r->view, sizeof(r->view), "%s/.xsfs/tx/%s", r->mountpoint.dir, name);
	if (size >= (int)sizeof(r->view))
		return fail(r, STATUS_ERROR, r->mountpoint.dir, ENAMETOOLONG);
	set_dir(r);
	return 0;
}

/* Returns what poll(2) reports about the transaction. */
static short transaction_state(struct runner *r)
{
	struct pollfd fd = { .fd = r->fd, .events = POLLIN | POLLPRI };

	return poll(&fd, 1, 0) > 0 ? fd.revents : 0;
}

static int conflict(struct runner *r)
{
	snprintf(r->why, sizeof(r->why), "nothing was changed: others changed what %s had read",
		 r->command[0]);
	return STATUS_CONFLICT;
}

/* Returns 0, STATUS_CONFLICT (worth another try) or STATUS_ERROR. */
static int transaction_commit(struct runner *r)
{
	/* A transaction that ended before the command did would be ECANCELED too, but not
	 * because of a conflict. */
	if (transaction_state(r) & POLLHUP) {
		snprintf(r->why, sizeof(r->why), "nothing was changed: the transaction ended before "
						 "%s did (not used for long, or the connection was "
						 "lost)", r->command[0]);
		return STATUS_ERROR;
	}
	if (TEMP_FAILURE_RETRY(write(r->fd, "commit\n", 7)) == 7)
		return 0;
	return errno == ECANCELED ? conflict(r) : fail(r, STATUS_ERROR, "commit", errno);
}

/* The command failed.  Returns STATUS_CONFLICT if a conflict may be the reason, or -1. */
static int transaction_failed(struct runner *r)
{
	return (transaction_state(r) & (POLLPRI | POLLHUP)) == POLLPRI ? conflict(r) : -1;
}

/* ---- the command ---------------------------------------------------------------------------- */

/* Runs in the child.  Tells the parent through `report` why the command could not be run. */
static void child_run(struct runner *r, int report)
{
	int problem[2] = { 0, 0 }; /* an errno, and whether it concerns the directory */

	if (chdir(r->dir) < 0) {
		problem[0] = errno;
		problem[1] = 1;
	} else if (setenv("XSFS", r->view, 1) < 0) {
		problem[0] = errno;
	} else {
		sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
		execvp(r->command[0], r->command);
		problem[0] = errno;
	}
	if (write(report, problem, sizeof(problem)) != sizeof(problem))
		_exit(STATUS_ERROR);
	_exit(STATUS_CANNOT_RUN);
}

/* Starts the command, and returns once it runs.  Returns 0, or a status with a reason. */
static int child_start(struct runner *r)
{
	int report[2], problem[2];
	ssize_t count;

	if (pipe2(report, O_CLOEXEC) < 0)
		return fail(r, STATUS_ERROR, "pipe", errno);
	r->child = fork();
	if (r->child < 0) {
		close(report[0]);
		close(report[1]);
		return fail(r, STATUS_ERROR, "fork", errno);
	}
	if (r->child == 0)
		child_run(r, report[1]);
	close(report[1]);
	/* The exec closes the other end. */
	count = TEMP_FAILURE_RETRY(read(report[0], problem, sizeof(problem)));
	close(report[0]);
	if (count != sizeof(problem))
		return 0;
	waitpid(r->child, &r->child_status, 0);
	if (problem[1])
		return fail(r, STATUS_ERROR, r->dir, problem[0]);
	return fail(r, problem[0] == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN, r->command[0],
		    problem[0]);
}

/* Returns when the command has ended; meanwhile passes on the signals that we get. */
static void child_wait(struct runner *r)
{
	siginfo_t info;

	while (waitpid(r->child, &r->child_status, WNOHANG) == 0) {
		if (sigwaitinfo(&r->handled, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		r->signalled = true;
		/* The terminal has sent its signals to the command as well. */
		if (info.si_code != SI_KERNEL)
			kill(r->child, info.si_signo);
	}
}

/* Ends in the same way as the command, so that a shell sees what happened. */
static int child_result(const struct runner *r)
{
	const struct rlimit no_core = { 0 };
	int signo;
	sigset_t set;

	if (!WIFSIGNALED(r->child_status))
		return WEXITSTATUS(r->child_status);
	signo = WTERMSIG(r->child_status);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(signo, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	raise(signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + signo;
}

/* ---- main ----------------------------------------------------------------------------------- */

/* Makes one try.  Returns 0, STATUS_CONFLICT with a reason, or the status to end with. */
static int run_once(struct runner *r)
{
	int status = transaction_open(r);

	if (!status)
		status = child_start(r);
	if (!status) {
		child_wait(r);
		if (WIFEXITED(r->child_status) && WEXITSTATUS(r->child_status) == 0)
			status = transaction_commit(r);
		else
			status = WIFEXITED(r->child_status) ? transaction_failed(r) : -1;
	}
	/* Without a commit this aborts. */
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	return status;
}

/* Sleeps, unless a signal comes.  Half of the time is random, so that two programs that met do
 * not meet again. */
static void pause_before_retry(struct runner *r, unsigned try)
{
	unsigned ms = try < 9 ? PAUSE_FIRST_MS << try : PAUSE_LAST_MS;
	sigset_t ends = r->handled;
	struct timespec left;

	/* SIGCHLD of the command may still be pending, if it ended before anybody
	 * waited for a signal. */
	sigdelset(&ends, SIGCHLD);
	ms = ms / 2 + random() % (ms / 2 + 1);
	left = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	if (sigtimedwait(&ends, NULL, &left) > 0)
		r->signalled = true;
}

static int run(struct runner *r)
{
	unsigned try = 0;
	int status;

	for (;;) {
		status = run_once(r);
		if (status != STATUS_CONFLICT || try >= r->retries || r->signalled)
			break;
		pause_before_retry(r, try++);
		if (r->signalled)
			break;
		r->why[0] = '\0';
	}
	return status < 0 ? child_result(r) : status;
}

static void signals_block(struct runner *r)
{
	static const int signals[] = { SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };

	/* Our parent may have told the kernel to reap children by itself. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&r->handled);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&r->handled, signals[i]);
	sigprocmask(SIG_BLOCK, &r->handled, &r->old_mask);
}

int main(int argc, char **argv)
{
	static struct runner r = { .fd = -1, .retries = RETRIES_DEFAULT };
	struct timespec now;
	int status;

	status = arguments_parse(&r, argc, argv);
	if (!status && mountpoint_find(&r.mountpoint, r.mount, NULL, r.why, sizeof(r.why)))
		status = STATUS_ERROR;
	if (!status) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		srandom(now.tv_nsec ^ (unsigned)getpid());
		signals_block(&r);
		status = run(&r);
	}
	if (r.why[0])
		fprintf(stderr, "xsfs-tx: %s\n", r.why);
	return status;
}
