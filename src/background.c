/* SPDX-License-Identifier: MIT */
/*
 * The pipe between a starting daemon and the parent that waits for it: one NUL byte means "ready",
 * anything else is the text of an error.
 * For main.c; each side is a process with one thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/background.h"

static int write_all(int fd, const char *data, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= n;
	}
	return 0;
}

static void __attribute__((noreturn)) parent_wait(int fd, pid_t child)
{
	char buf[512];
	ssize_t n;
	int status;

	for (;;) {
		n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (buf[0] == '\0')
			_exit(EXIT_SUCCESS);
		write_all(STDERR_FILENO, buf, n);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			_exit(EXIT_FAILURE);
	if (WIFSIGNALED(status))
		dprintf(STDERR_FILENO, "xsfs: killed by signal %d (%s) while starting\n",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	/* The child ended without having been ready, which is a failure whatever
	 * its status says. */
	_exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

/*
 * Closes descriptors that the caller happened to have open and that a daemon would otherwise keep
 * open for months, such as a lock held by a script or the end of a pipe.  `keep` is moved to the
 * first number after the standard three.
 * Returns its new number or -errno.
 */
static int leave_descriptors(int keep)
{
	int fd = STDERR_FILENO + 1;

	if (keep != fd) {
		if (dup3(keep, fd, O_CLOEXEC) < 0)
			return -errno;
		close(keep);
	}
	/* By number, because not every C library has the function.  Kernels older than 5.9 lack the
	 * call too, and then the descriptors stay open. */
	syscall(SYS_close_range, fd + 1, ~0U, 0);
	return fd;
}

int background_fork(struct background *bg)
{
	int fds[2], err;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(fds[0]);
		close(fds[1]);
		return err;
	}
	if (pid > 0) {
		close(fds[1]);
		parent_wait(fds[0], pid);
	}
	close(fds[0]);
	bg->fd = fds[1];
	err = leave_descriptors(fds[1]);
	if (err < 0)
		return err;
	bg->fd = err;
	return chdir("/") < 0 ? -errno : 0;
}

/* Standard input, output and error belonged to the caller. */
static int leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC), i;

	if (fd < 0)
		return -errno;
	for (i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		dup2(fd, i);
	if (fd > STDERR_FILENO)
		close(fd);
	return 0;
}

void background_mounted(struct background *bg)
{
	if (bg->fd >= 0)
		setsid();
}

int background_ready(struct background *bg)
{
	int err;

	if (bg->fd < 0)
		return 0;
	/* Before the parent goes, because a program that reads its output expects
	 * the end of it then. */
	err = leave_terminal();
	if (!err)
		err = write_all(bg->fd, "", 1);
	close(bg->fd);
	bg->fd = -1;
	return err;
}

void background_failed(struct background *bg, const char *line)
{
	int fd = bg->fd < 0 ? STDERR_FILENO : bg->fd;

	if (dprintf(fd, "xsfs: %s\n", line) < 0 && fd != STDERR_FILENO)
		dprintf(STDERR_FILENO, "xsfs: %s\n", line);
}
