/* SPDX-License-Identifier: MIT */
/*
 * Processes that are killed in the middle of transactions: killtx MOUNT PATH KILLS WORKERS
 *
 * Each worker starts, again and again, a process that starts a transaction, writes below PATH in it
 * and commits or aborts it, over and over, and kills that with SIGKILL after a random time: so each
 * step is hit, the start, the end and the pauses between them included.  Prints how many were killed
 * and how many transactions were committed; the status is 0 if nothing but the kills went wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The longest life of a process, in microseconds. */
#define LIFE_MAX_US 6000

struct counts {
	unsigned long killed;
	unsigned long committed;
	unsigned long conflicts;
	unsigned long wrong;
};

static const char *mount_dir, *path;
static struct counts *counts; /* shared by all */

static void count(unsigned long *n)
{
	__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
}

static void wrong(const char *what)
{
	if (__atomic_fetch_add(&counts->wrong, 1, __ATOMIC_RELAXED) < 5)
		fprintf(stderr, "killtx: %s: %s\n", what, strerror(errno));
}

static int write_file(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int err = fd < 0 || write(fd, text, strlen(text)) < 0;

	if (fd >= 0 && close(fd) < 0)
		err = 1;
	return err;
}

static int read_file(const char *file)
{
	int fd = open(file, O_RDONLY);
	char text[32];
	int err = fd >= 0 ? read(fd, text, sizeof(text)) < 0 : errno != ENOENT;

	if (fd >= 0)
		close(fd);
	return err;
}

/* One transaction, from the start to the end. */
static void transact(unsigned long number)
{
	char file[PATH_MAX], name[64], text[32];
	ssize_t len;
	int fd;

	snprintf(file, sizeof(file), "%s/.xsfs/transaction", mount_dir);
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		wrong("open");
		return;
	}
	len = read(fd, name, sizeof(name) - 1);
	name[len > 0 ? len - 1 : 0] = '\0';
	for (unsigned i = 0; i < number % 4; i++) {
		snprintf(file, sizeof(file), "%s/.xsfs/tx/%s%s/%u", mount_dir, name, path, i);
		snprintf(text, sizeof(text), "%lu\n", number);
		/* The first key is shared by all, so a process that has read it conflicts. */
		if ((i == 0 && read_file(file)) || write_file(file, text))
			wrong(file);
	}
	switch (number % 4) {
	case 0: /* nothing: the close aborts */
		break;
	case 1:
		if (write(fd, "abort\n", 6) < 0)
			wrong("abort");
		break;
	default:
		if (write(fd, "commit\n", 7) == 7)
			count(&counts->committed);
		else if (errno == ECANCELED)
			count(&counts->conflicts);
		else
			wrong("commit");
	}
	close(fd);
}

static void work(unsigned long kills, unsigned seed)
{
	struct timespec life = { 0 };
	pid_t pid;

	for (unsigned long n = 0; n < kills; n++) {
		pid = fork();
		if (pid == 0)
			for (unsigned long i = n;; i++)
				transact(i);
		life.tv_nsec = rand_r(&seed) % LIFE_MAX_US * 1000;
		nanosleep(&life, NULL);
		if (pid < 0 || kill(pid, SIGKILL) < 0 || waitpid(pid, NULL, 0) != pid)
			wrong("kill");
		else
			count(&counts->killed);
	}
}

int main(int argc, char **argv)
{
	unsigned long kills, workers;

	if (argc != 5) {
		fputs("usage: killtx MOUNT PATH KILLS WORKERS\n", stderr);
		return 2;
	}
	mount_dir = argv[1];
	path = argv[2];
	kills = strtoul(argv[3], NULL, 10);
	workers = strtoul(argv[4], NULL, 10);
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (counts == MAP_FAILED || !workers)
		return 2;
	for (unsigned long i = 0; i < workers; i++) {
		if (fork() == 0) {
			work(kills / workers, i + 1);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	printf("killed %lu committed %lu conflicts %lu\n", counts->killed, counts->committed,
	       counts->conflicts);
	return counts->wrong || counts->killed != kills / workers * workers;
}
