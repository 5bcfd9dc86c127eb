/* SPDX-License-Identifier: MIT */
/* Makes the guard and ends it; and the guard itself, which calls nothing that could need a lock that
 * another thread held when it was made. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/confine.h"
#include "src/guard.h"

#define NAME "fuse-guard"

/* The guard's descriptors. */
#define ABORT_FD 0
#define READY_FD 1

/* What the kernel sends when the parent's thread has ended. */
#define DEATH_SIGNAL SIGUSR1

/* ---- the guard ------------------------------------------------------------------------------ */

/* Keeps the two descriptors, as ABORT_FD and READY_FD, and no other.  The caller's standard ones must
 * not stay open, as somebody may wait for the end of them. */
static int descriptors_keep(int abort_fd, int ready_fd)
{
	/* Above both numbers, or moving the first might overwrite the second. */
	int high = fcntl(ready_fd, F_DUPFD, READY_FD + 1);

	if (high < 0 || dup2(abort_fd, ABORT_FD) < 0 || dup2(high, READY_FD) < 0)
		return -errno;
	return syscall(SYS_close_range, READY_FD + 1, ~0U, 0) < 0 ? -errno : 0;
}

static void title_set(const struct guard_title *title, const char *mountpoint)
{
	prctl(PR_SET_NAME, NAME, 0, 0, 0);
	if (title->size == 0)
		return;
	memset(title->start, 0, title->size);
	snprintf(title->start, title->size, NAME " %s", mountpoint);
}

/* Returns when the daemon's main thread has ended; all signals are blocked. */
static void death_wait(pid_t daemon)
{
	sigset_t set;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, DEATH_SIGNAL);
	/* Anybody may send that signal.  The kernel sends it in the name of the thread that ended; without
	 * a name if memory is short. */
	do {
		memset(&info, 0, sizeof(info));
		if (sigwaitinfo(&set, &info) < 0)
			info.si_pid = -1;
	} while (info.si_pid != daemon && info.si_pid != 0);
}

static void __attribute__((noreturn)) guard_run(pid_t daemon, bool seccomp)
{
	confine_guard(seccomp);
	/* After that, because giving up rights may undo it. */
	if (prctl(PR_SET_PDEATHSIG, DEATH_SIGNAL, 0, 0, 0) < 0 || write(READY_FD, "", 1) != 1)
		_exit(EXIT_FAILURE);
	/* If it has ended already, nobody has used the mount. */
	if (getppid() == daemon) {
		death_wait(daemon);
		if (write(ABORT_FD, "1", 1) != 1)
			_exit(EXIT_FAILURE);
	}
	_exit(EXIT_SUCCESS);
}

/* ---- the daemon's side ---------------------------------------------------------------------- */

void guard_title_find(struct guard_title *title, int argc, char **argv)
{
	char *end;

	title->start = argc > 0 ? argv[0] : NULL;
	title->size = 0;
	/* They lie one behind the other, as the kernel puts them. */
	for (int i = 0; i < argc; i++) {
		end = argv[i] + strlen(argv[i]) + 1;
		if (i > 0 && argv[i] != title->start + title->size)
			break;
		title->size = end - title->start;
	}
}

/* Waits for the guard and returns its status, as waitpid(2) reports it. */
static int reap(struct guard *g)
{
	int status = 0;

	while (waitpid(g->pid, &status, 0) < 0 && errno == EINTR)
		;
	g->pid = 0;
	close(g->fd);
	g->fd = -1;
	return status;
}

int guard_start(struct guard *g, int abort_fd, const struct guard_title *title, const char *mountpoint,
		bool seccomp)
{
	const pid_t daemon = getpid();
	sigset_t all, old;
	int fds[2], err = 0;
	char byte;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	/* None may be lost on the way, and none but the one end it. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	g->pid = fork();
	if (g->pid == 0) {
		if (descriptors_keep(abort_fd, fds[1]) < 0)
			_exit(EXIT_FAILURE);
		title_set(title, mountpoint);
		guard_run(daemon, seccomp);
	}
	if (g->pid < 0)
		err = -errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(fds[1]);
	g->fd = fds[0];
	if (err) {
		close(g->fd);
		*g = (struct guard)GUARD_INIT;
		return err;
	}
	/* Until then it has /dev/fuse open, which would keep the connection alive at our end. */
	while ((err = read(g->fd, &byte, 1)) < 0 && errno == EINTR)
		;
	if (err == 1)
		return 0;
	reap(g);
	return -ECHILD;
}

void guard_ended(struct guard *g, struct logger *log)
{
	int status = reap(g);

	log_warning(log, "the guard process ended (%s %d): if this one is killed too, umount -f may be needed",
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

void guard_stop(struct guard *g)
{
	if (!g->pid)
		return;
	kill(g->pid, SIGKILL);
	reap(g);
}
