/* SPDX-License-Identifier: MIT */
/*
 * Blocks signals and reads them from a descriptor.
 * For main.c and embedded.c; the mask is the calling thread's.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "src/signals.h"

static void signals_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCONT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
}

int signals_open(void)
{
	sigset_t set;
	int fd;

	signals_set(&set);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return -EINVAL;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int signals_read(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

void signals_block_all(void)
{
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

void signals_reset(void)
{
	sigset_t set;

	/* Ignored and blocked signals stay so across exec. */
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}
