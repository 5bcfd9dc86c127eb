/* SPDX-License-Identifier: MIT */
/*
 * Processes that wait for a mounted store, and how quickly a signal frees them.
 * For t_silent.sh and t_server_death.sh, which stop the store meanwhile.  One thread each.
 *
 *	hold DIR RENAMERS UNLINKERS READERS
 *
 * Makes what they need below DIR, a directory on the mount, and starts them: renamers and unlinkers
 * work all the time, each in a directory of its own, and so are caught by a store that falls
 * silent; readers have a file open and read it when told.  Then obeys standard input and answers
 * each line with one on standard output:
 *
 *	read          tells the readers                          ok
 *	blocked       how many are inside of their system call   RENAMERS UNLINKERS READERS
 *	kill SIGNAL   one after the other (9: die; 2: are to     freed N fast N slowest MICROSECONDS
 *	              get EINTR)                                 wrong N
 *	killall SIGNAL  all at once                              the same
 *	finish        they end by themselves                     finished N wrong N
 *	reap          they are expected to end with an error     finished N wrong N eio N timedout N
 *	                                                         notconn N other N
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN_MAX 1000

/* The time that xsfs promises, in microseconds. */
#define FAST_US 50000

/* How long a child may take to get to work on a busy machine, in milliseconds. */
#define START_MS 120000

/* How a child ends; errors of interest are statuses of their own. */
enum { STATUS_OK = 0, STATUS_WRONG = 1, STATUS_EINTR, STATUS_EIO, STATUS_ETIMEDOUT, STATUS_ENOTCONN,
       STATUS_OTHER };

enum kind { RENAMER, UNLINKER, READER, KINDS };

struct child {
	pid_t pid;
	enum kind kind;
};

static struct child children[CHILDREN_MAX];
static unsigned counts[KINDS], total;
static const char *dir;
static int go[2];      /* a byte for each read */
static int working[2]; /* a byte from each child that is at work */
static atomic_bool *stop;

static unsigned long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000UL + ts.tv_nsec / 1000;
}

/* ---- the children --------------------------------------------------------------------------- */

static void interrupted(int signo)
{
	(void)signo;
}

static void __attribute__((noreturn)) end_with(int error)
{
	switch (error) {
	case EINTR:
		_exit(STATUS_EINTR);
	case EIO:
		_exit(STATUS_EIO);
	case ETIMEDOUT:
		_exit(STATUS_ETIMEDOUT);
	case ENOTCONN:
	case ECONNABORTED:
	case ENODEV:
		_exit(STATUS_ENOTCONN);
	}
	fprintf(stderr, "%s\n", strerror(error));
	_exit(STATUS_OTHER);
}

static void is_working(void)
{
	if (write(working[1], "w", 1) != 1)
		end_with(errno);
}

static void path_make(char *path, unsigned id, const char *name)
{
	snprintf(path, 512, "%s/h%u/%s", dir, id, name);
}

static int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), err = 0;
	ssize_t len = strlen(text);

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != len)
		err = -errno;
	close(fd);
	return err;
}

static void rename_always(unsigned id)
{
	char a[512], b[512];

	path_make(a, id, "a");
	path_make(b, id, "b");
	for (bool first = true; !atomic_load(stop); first = false) {
		if (rename(a, b) || rename(b, a))
			end_with(errno);
		if (first)
			is_working();
	}
}

/* With mknod(2), a single system call.  A process whose write(2) to a new file was interrupted
 * would then wait in close(2), which asks the store whether the file is still empty, and would have
 * had its signal already; and after the process was killed the mount would still have the empty
 * value to write. */
static void unlink_always(unsigned id)
{
	char a[512];

	path_make(a, id, "a");
	if (unlink(a))
		end_with(errno);
	for (bool first = true; !atomic_load(stop); first = false) {
		if (mknod(a, S_IFREG | 0600, 0) || unlink(a))
			end_with(errno);
		if (first)
			is_working();
	}
}

static void read_when_told(unsigned id)
{
	char path[512], text[64], right[64], byte;
	ssize_t n;
	int fd;

	path_make(path, id, "a");
	snprintf(right, sizeof(right), "the value of %u\n", id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		end_with(errno);
	is_working();
	while ((n = read(go[0], &byte, 1)) == 1) {
		n = pread(fd, text, sizeof(text), 0);
		if (n < 0)
			end_with(errno);
		if ((size_t)n != strlen(right) || memcmp(text, right, n)) {
			fprintf(stderr, "wrong value: %.*s\n", (int)n, text);
			_exit(STATUS_WRONG);
		}
	}
	if (n < 0)
		end_with(errno);
}

static void __attribute__((noreturn)) child_run(unsigned id)
{
	/* Without SA_RESTART, so that it returns with EINTR. */
	struct sigaction action = { .sa_handler = interrupted };

	sigaction(SIGINT, &action, NULL);
	close(go[1]);
	close(working[0]);
	if (children[id].kind == RENAMER)
		rename_always(id);
	else if (children[id].kind == UNLINKER)
		unlink_always(id);
	else
		read_when_told(id);
	_exit(STATUS_OK);
}

/* ---- making them ---------------------------------------------------------------------------- */

static int prepare(unsigned id)
{
	char path[512], value[64];
	int err;

	path_make(path, id, "");
	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	snprintf(value, sizeof(value), "the value of %u\n", id);
	path_make(path, id, "a");
	err = file_write(path, value);
	/* A directory without children might look like a file to others. */
	path_make(path, id, "keep");
	return err ? err : file_write(path, "x\n");
}

/* Returns 0 or -errno. */
static int child_start(unsigned id, enum kind kind)
{
	children[id].kind = kind;
	children[id].pid = fork();
	if (children[id].pid == 0)
		child_run(id);
	return children[id].pid < 0 ? -errno : 0;
}

/* Waits until that many more children are at work.  Returns 0 or -errno. */
static int await_working(unsigned count)
{
	struct pollfd pollfd = { .fd = working[0], .events = POLLIN };
	char byte;

	for (unsigned i = 0; i < count; i++)
		if (poll(&pollfd, 1, START_MS) != 1 || read(working[0], &byte, 1) != 1)
			return -ECHILD;
	return 0;
}

static int start(void)
{
	int err = 0;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return -errno;
	for (unsigned id = 0; id < total && !err; id++)
		err = prepare(id);
	/* Readers first, because opening a file takes time while the others work. */
	for (unsigned n = 0; n < counts[READER] && !err; n++)
		err = child_start(total - 1 - n, READER);
	if (!err)
		err = await_working(counts[READER]);
	for (unsigned id = 0; id < total - counts[READER] && !err; id++)
		err = child_start(id, id < counts[RENAMER] ? RENAMER : UNLINKER);
	if (!err)
		err = await_working(total - counts[READER]);
	close(working[1]);
	return err;
}

/* ---- commands ------------------------------------------------------------------------------- */

/* Returns the system call that a process is in, -1: none. */
static long syscall_of(pid_t pid)
{
	char path[64];
	long number = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

static bool is_blocked(const struct child *child)
{
	long number = syscall_of(child->pid);

	switch (child->kind) {
	case RENAMER:
#ifdef SYS_rename
		if (number == SYS_rename)
			return true;
#endif
		return number == SYS_renameat || number == SYS_renameat2;
	case UNLINKER:
#ifdef SYS_unlink
		if (number == SYS_unlink)
			return true;
#endif
		return number == SYS_unlinkat;
	default:
		return number == SYS_pread64;
	}
}

static void tell_blocked(void)
{
	unsigned blocked[KINDS] = { 0 };

	for (unsigned id = 0; id < total; id++)
		blocked[children[id].kind] += is_blocked(&children[id]);
	printf("%u %u %u\n", blocked[RENAMER], blocked[UNLINKER], blocked[READER]);
}

static void tell_read(void)
{
	char byte = 'x';

	for (unsigned i = 0; i < counts[READER]; i++)
		if (write(go[1], &byte, 1) != 1)
			perror("pipe");
	puts("ok");
}

/* Waits for a child.  Returns its STATUS_, or -signal. */
static int child_wait(struct child *child)
{
	int status;

	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR)
			return STATUS_WRONG;
	child->pid = 0;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void tell_killed(int signo, bool at_once)
{
	unsigned freed = 0, fast = 0, wrong = 0;
	unsigned long begin = now_us(), us, slowest = 0;
	int status;

	for (unsigned id = 0; at_once && id < total; id++)
		kill(children[id].pid, signo);
	for (unsigned id = 0; id < total; id++) {
		if (!at_once) {
			begin = now_us();
			kill(children[id].pid, signo);
		}
		status = child_wait(&children[id]);
		us = now_us() - begin;
		freed++;
		fast += us <= FAST_US;
		slowest = us > slowest ? us : slowest;
		wrong += status != (signo == SIGKILL ? -SIGKILL : STATUS_EINTR);
	}
	printf("freed %u fast %u slowest %lu wrong %u\n", freed, fast, slowest, wrong);
}

static void tell_ended(bool orderly)
{
	unsigned ends[STATUS_OTHER + 1] = { 0 };
	int status;

	if (orderly)
		atomic_store(stop, true);
	close(go[1]);
	for (unsigned id = 0; id < total; id++) {
		status = child_wait(&children[id]);
		ends[status < 0 || status > STATUS_OTHER ? STATUS_WRONG : status]++;
	}
	if (orderly)
		printf("finished %u wrong %u\n", ends[STATUS_OK], total - ends[STATUS_OK]);
	else
		printf("finished %u wrong %u eio %u timedout %u notconn %u other %u\n",
		       ends[STATUS_OK], ends[STATUS_WRONG], ends[STATUS_EIO],
		       ends[STATUS_ETIMEDOUT], ends[STATUS_ENOTCONN],
		       ends[STATUS_OTHER] + ends[STATUS_EINTR]);
}

/* Returns whether there is more to do. */
static bool obey(const char *line)
{
	int signo;

	if (!strcmp(line, "read\n")) {
		tell_read();
	} else if (!strcmp(line, "blocked\n")) {
		tell_blocked();
	} else if (sscanf(line, "kill %d", &signo) == 1) {
		tell_killed(signo, false);
		return false;
	} else if (sscanf(line, "killall %d", &signo) == 1) {
		tell_killed(signo, true);
		return false;
	} else if (!strcmp(line, "finish\n") || !strcmp(line, "reap\n")) {
		tell_ended(line[0] == 'f');
		return false;
	} else {
		puts("?");
	}
	return true;
}

int main(int argc, char **argv)
{
	char line[64];
	int err;

	if (argc != 5) {
		fprintf(stderr, "usage: hold DIR RENAMERS UNLINKERS READERS\n");
		return 2;
	}
	dir = argv[1];
	for (int kind = 0; kind < KINDS; kind++)
		total += counts[kind] = atoi(argv[2 + kind]);
	stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (total > CHILDREN_MAX || stop == MAP_FAILED || pipe2(go, O_CLOEXEC) ||
	    pipe2(working, O_CLOEXEC))
		return 2;
	setlinebuf(stdout);
	err = start();
	puts(err ? strerror(-err) : "ready");
	while (!err && fgets(line, sizeof(line), stdin) && obey(line))
		;
	for (unsigned id = 0; id < total; id++)
		if (children[id].pid > 0)
			kill(children[id].pid, SIGKILL);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
