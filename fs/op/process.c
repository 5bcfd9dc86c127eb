/* SPDX-License-Identifier: MIT */
/* Looks up threads and processes in /proc.  Any thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/op/process.h"

/* The fields read here are within this many bytes of the start of /proc/PID/status. */
#define STATUS_SIZE 1024

/* Reads the number after `field`, such as "\nTgid:", for a thread.  Returns 0 if there is none. */
static pid_t status_field(pid_t thread, const char *field)
{
	char path[64], status[STATUS_SIZE];
	const char *found;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, status, sizeof(status) - 1);
	close(fd);
	if (len <= 0)
		return 0;
	status[len] = '\0';
	found = strstr(status, field);
	return found ? (pid_t)strtol(found + strlen(field), NULL, 10) : 0;
}

pid_t process_of(pid_t thread)
{
	pid_t process;

	/* Signal 0 sends nothing: the call only asks whether the thread is the first
	 * of its process. */
	if (thread <= 0 || syscall(SYS_tgkill, thread, thread, 0) == 0 || errno != ESRCH)
		return thread;
	process = status_field(thread, "\nTgid:");
	return process ? process : thread;
}

bool process_descends(pid_t thread, pid_t process)
{
	pid_t at = process_of(thread);

	for (int i = 0; i < PROCESS_GENERATIONS && at > 1 && at != process; i++)
		at = status_field(at, "\nPPid:");
	return at > 0 && at == process;
}
