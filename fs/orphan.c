/* SPDX-License-Identifier: MIT */
/* Looks through /proc for the process behind a connection, and asks mounts by a child that may hang. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fs/connection.h"
#include "fs/orphan.h"

#define PATIENCE_MS 10000

/* "/proc/PID/task/TID/fdinfo/FD" */
#define PROC_PATH_SIZE 96

/* ---- who serves it -------------------------------------------------------------------------- */

/* Calls `take` for each numbered entry of a directory of /proc until it returns true.  Returns whether it did. */
static bool each_number(const char *dir, bool (*take)(const char *path, unsigned number), unsigned number)
{
	char path[PROC_PATH_SIZE];
	struct dirent *entry;
	bool taken = false;
	DIR *d = opendir(dir);

	if (!d)
		return false;
	while (!taken && (entry = readdir(d))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		if (snprintf(path, sizeof(path), "%s/%.20s", dir, entry->d_name) < (int)sizeof(path))
			taken = take(path, number);
	}
	closedir(d);
	return taken;
}

/* Returns whether a file of fdinfo is that of the connection's /dev/fuse. */
static bool serves(const char *path, unsigned number)
{
	FILE *file = fopen(path, "re");
	char line[128];
	unsigned found;
	bool it = false;

	if (!file)
		return false;
	while (!it && fgets(line, sizeof(line), file))
		it = sscanf(line, "fuse_connection: %u", &found) == 1 && found == number;
	fclose(file);
	return it;
}

static bool thread_serves(const char *path, unsigned number)
{
	char dir[PROC_PATH_SIZE];

	return snprintf(dir, sizeof(dir), "%s/fdinfo", path) < (int)sizeof(dir) &&
	       each_number(dir, serves, number);
}

/* Returns whether the process's first thread has ended, which in xsfs means that it was killed. */
static bool is_zombie(const char *process)
{
	char path[PROC_PATH_SIZE], text[64] = "", *end;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/stat", process) >= (int)sizeof(path))
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	/* "PID (NAME) STATE …", and the name may have parentheses. */
	end = strrchr(text, ')');
	return end && !strncmp(end, ") Z", 3);
}

static bool zombie_serves(const char *path, unsigned number)
{
	char dir[PROC_PATH_SIZE];

	return is_zombie(path) && snprintf(dir, sizeof(dir), "%s/task", path) < (int)sizeof(dir) &&
	       each_number(dir, thread_serves, number);
}

bool orphan_abort(unsigned number)
{
	bool done;
	int fd;

	if (!each_number("/proc", zombie_serves, number))
		return false;
	fd = connection_abort_open(number);
	if (fd < 0)
		return false;
	done = write(fd, "1", 1) == 1;
	close(fd);
	return done;
}

/* ---- whether it answers --------------------------------------------------------------------- */

/* Asks, as a process that holds nothing else of its parent's, because it may hang.  `answer_fd` gets
 * the result as one int. */
static void __attribute__((noreturn)) ask(int fd, int answer_fd)
{
	struct statx st;
	int result = 0, high = fcntl(answer_fd, F_DUPFD, 2);

	if (high < 0 || dup2(fd, 0) < 0 || dup2(high, 1) < 0)
		_exit(EXIT_FAILURE);
	syscall(SYS_close_range, 2, ~0U, 0);
	/* Forced, because attributes that the kernel remembers outlive the connection. */
	if (statx(0, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_MODE, &st) < 0)
		result = -errno;
	_exit(write(1, &result, sizeof(result)) == sizeof(result) ? EXIT_SUCCESS : EXIT_FAILURE);
}

int server_ask(int fd)
{
	struct pollfd pfd = { .events = POLLIN };
	int fds[2], answer;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		ask(fd, fds[1]);
	answer = pid < 0 ? -errno : -ETIMEDOUT;
	close(fds[1]);
	pfd.fd = fds[0];
	if (pid > 0 && poll(&pfd, 1, PATIENCE_MS) > 0) {
		if (read(fds[0], &answer, sizeof(answer)) != sizeof(answer))
			answer = -ECHILD;
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	} else if (pid > 0) {
		/* Not waited for: it may not be possible to kill it. */
		kill(pid, SIGKILL);
	}
	close(fds[0]);
	return answer;
}
